//! Transposed convolution: images that grow.

use dunlin::ops::TransposeConv2d;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::window::Window;

use super::{Initializer, Layer, Trace};
use crate::padding::same;
use crate::{Result, TensorId};

/// Transposed 2-D convolution on images `[n, h, w, c_in]`, with bias. Without padding the output is `[n, (h - 1) * stride +
/// kh, ..]`, or `h * stride` where the stride is greater; with ["same"](Conv2dTranspose::same) it is `[n, h * stride, ..]`,
/// as in Keras. Weights `[filters, kh, kw, c_in]` start as Glorot's uniform.
#[derive(Clone, Copy, Debug)]
pub struct Conv2dTranspose {
    filters: usize,
    kernel: [usize; 2],
    stride: u8,
    same: bool,
}

impl Conv2dTranspose {
    /// `filters` output channels, a kernel of `[h, w]`.
    pub fn new(filters: usize, kernel: [usize; 2]) -> Conv2dTranspose {
        Conv2dTranspose { filters, kernel, stride: 1, same: false }
    }

    /// How much larger the image becomes in both directions.
    pub fn stride(self, stride: u8) -> Conv2dTranspose {
        Conv2dTranspose { stride, ..self }
    }

    /// The output is exactly so many times as large: what the kernel lays outside is cut off.
    pub fn same(self) -> Conv2dTranspose {
        Conv2dTranspose { same: true, ..self }
    }

    /// Size of the output along an axis, and what is cut off before and after it.
    fn axis(&self, cx: &Trace, axis: usize, len: usize) -> Result<(u16, [u8; 2])> {
        let (kernel, stride) = (self.kernel[axis], usize::from(self.stride));
        let len = if self.same { len * stride } else { (len - 1) * stride + kernel.max(stride) };
        let pads = if self.same { same(kernel, self.stride, 1, len) } else { Ok([0, 0]) };
        let pads = pads.map_err(|error| cx.error(error.to_string()))?;
        let output = u16::try_from(len).map_err(|_| cx.error(format!("makes images of {len} rows")))?;
        Ok((output, pads))
    }
}

impl Layer for Conv2dTranspose {
    fn kind(&self) -> &'static str {
        "conv2d_transpose"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let [_, h, w, c_in] = cx.image_dims(x)?;
        if self.kernel.contains(&0) || self.stride == 0 {
            return Err(cx.error("kernel and stride are at least 1"));
        }
        let ((out_h, [top, bottom]), (out_w, [left, right])) = (self.axis(cx, 0, h)?, self.axis(cx, 1, w)?);
        let window = Window { stride: [self.stride; 2], dilation: [1, 1], pads: [top, left, bottom, right] };
        let [kh, kw] = self.kernel;
        let (dims, fans) = ([self.filters, kh, kw, c_in], [kh * kw * c_in, kh * kw * self.filters]);
        let weights = cx.parameter("weights", &dims, Initializer::GlorotUniform, fans)?;
        let bias = cx.parameter("bias", &[self.filters], Initializer::Zeros, [1, 1])?;
        let op = TransposeConv2d { window, output: [out_h, out_w], bounds: Bounds::None };
        cx.apply(op, &[x, weights, bias])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Network, Sequential};

    #[test]
    fn images_grow_as_in_keras() {
        let output = |layer: Conv2dTranspose| {
            let network = Network::new("n", &[3, 4, 2], Sequential::new().then(layer), 1).unwrap();
            let graph = network.inference_graph(2).unwrap();
            graph.dims(graph.outputs()[0])
        };
        let layer = |kernel, stride| Conv2dTranspose::new(5, [kernel; 2]).stride(stride);
        assert_eq!(output(layer(3, 1)), [2, 5, 6, 5]);
        assert_eq!(output(layer(3, 2)), [2, 7, 9, 5]);
        assert_eq!(output(layer(2, 3)), [2, 9, 12, 5]);
        for kernel in [1, 2, 3, 4, 5] {
            assert_eq!(output(layer(kernel, 2).same()), [2, 6, 8, 5]);
        }
    }
}
