//! Layers with weights.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::window::Window;
use dunlin::ops::{self, FullyConnected};

use super::{Initializer, Layer, Trace};
use crate::padding::same;
use crate::{Error, Result, TensorId};

/// How a window slides: what [`Windowed`] layers have in common.
#[derive(Clone, Copy, Debug)]
pub struct Sliding {
    kernel: [usize; 2],
    stride: [u8; 2],
    dilation: [u8; 2],
    same: bool,
}

impl Sliding {
    pub(super) fn new(kernel: [usize; 2], stride: [u8; 2]) -> Sliding {
        Sliding { kernel, stride, dilation: [1, 1], same: false }
    }

    /// The window on image `x`.
    pub(super) fn window(&self, cx: &Trace, x: TensorId) -> Result<Window> {
        let [_, h, w, _] = cx.image_dims(x)?;
        let Sliding { kernel, stride, dilation, .. } = *self;
        if kernel.contains(&0) || stride.contains(&0) || dilation.contains(&0) {
            return Err(cx.error("kernel, stride and dilation are at least 1"));
        }
        let pads = |axis: usize, len| match self.same {
            true => same(kernel[axis], stride[axis], dilation[axis], len),
            false => Ok([0, 0]),
        };
        let named = |error: Error| cx.error(error.to_string());
        let ([top, bottom], [left, right]) = (pads(0, h).map_err(named)?, pads(1, w).map_err(named)?);
        Ok(Window { stride, dilation, pads: [top, left, bottom, right] })
    }

    /// The kernel's size as pooling takes it.
    pub(super) fn small_kernel(&self, cx: &Trace) -> Result<[u8; 2]> {
        let [h, w] = self.kernel.map(u8::try_from);
        match (h, w) {
            (Ok(h), Ok(w)) => Ok([h, w]),
            _ => Err(cx.error(format!("windows of {:?} are larger than 255", self.kernel))),
        }
    }
}

/// Layers whose window slides over an image: how it does.
pub trait Windowed: Sized {
    /// The layer's window.
    fn sliding_mut(&mut self) -> &mut Sliding;

    /// Pads with zeros as TensorFlow does, so that a stride of 1 keeps the image's size. The default is no
    /// padding ("valid").
    fn same(mut self) -> Self {
        self.sliding_mut().same = true;
        self
    }

    /// Steps of the window in both directions.
    fn stride(mut self, stride: u8) -> Self {
        self.sliding_mut().stride = [stride; 2];
        self
    }

    /// Distance of neighbouring taps in both directions; pooling takes only 1.
    fn dilation(mut self, dilation: u8) -> Self {
        self.sliding_mut().dilation = [dilation; 2];
        self
    }
}

/// 2-D convolution on images `[n, h, w, c_in]`, with bias. Weights start as He's normal.
#[derive(Clone, Debug)]
pub struct Conv2d {
    filters: usize,
    sliding: Sliding,
    bias: bool,
    initializer: Initializer,
}

impl Conv2d {
    /// `filters` output channels, a kernel of `[h, w]`.
    pub fn new(filters: usize, kernel: [usize; 2]) -> Conv2d {
        let sliding = Sliding::new(kernel, [1, 1]);
        Conv2d { filters, sliding, bias: true, initializer: Initializer::HeNormal }
    }

    /// Without bias: batch normalization behind it has one.
    pub fn without_bias(self) -> Conv2d {
        Conv2d { bias: false, ..self }
    }

    /// Weights that start otherwise.
    pub fn initializer(self, initializer: Initializer) -> Conv2d {
        Conv2d { initializer, ..self }
    }
}

impl Windowed for Conv2d {
    fn sliding_mut(&mut self) -> &mut Sliding {
        &mut self.sliding
    }
}

impl Layer for Conv2d {
    fn kind(&self) -> &'static str {
        "conv2d"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let window = self.sliding.window(cx, x)?;
        let [kh, kw] = self.sliding.kernel;
        let c_in = cx.image_dims(x)?[3];
        let fans = [kh * kw * c_in, kh * kw * self.filters];
        let mut inputs =
            vec![x, cx.parameter("weights", &[self.filters, kh, kw, c_in], self.initializer, fans)?];
        inputs.extend(bias(cx, self.bias, self.filters)?);
        cx.apply(ops::Conv2d { window, bounds: Bounds::None }, &inputs)
    }
}

/// Depthwise 2-D convolution on images `[n, h, w, c_in]`, with bias: `multiplier` filters for each channel.
/// Weights start as He's normal.
#[derive(Clone, Debug)]
pub struct DepthwiseConv2d {
    multiplier: usize,
    sliding: Sliding,
    bias: bool,
    initializer: Initializer,
}

impl DepthwiseConv2d {
    /// One filter of `[h, w]` for each channel.
    pub fn new(kernel: [usize; 2]) -> DepthwiseConv2d {
        let sliding = Sliding::new(kernel, [1, 1]);
        DepthwiseConv2d { multiplier: 1, sliding, bias: true, initializer: Initializer::HeNormal }
    }

    /// Several filters for each channel.
    pub fn multiplier(self, multiplier: usize) -> DepthwiseConv2d {
        DepthwiseConv2d { multiplier, ..self }
    }

    /// Without bias: batch normalization behind it has one.
    pub fn without_bias(self) -> DepthwiseConv2d {
        DepthwiseConv2d { bias: false, ..self }
    }

    /// Weights that start otherwise.
    pub fn initializer(self, initializer: Initializer) -> DepthwiseConv2d {
        DepthwiseConv2d { initializer, ..self }
    }
}

impl Windowed for DepthwiseConv2d {
    fn sliding_mut(&mut self) -> &mut Sliding {
        &mut self.sliding
    }
}

impl Layer for DepthwiseConv2d {
    fn kind(&self) -> &'static str {
        "depthwise_conv2d"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let window = self.sliding.window(cx, x)?;
        let [kh, kw] = self.sliding.kernel;
        let c_out = cx.image_dims(x)?[3] * self.multiplier;
        let fans = [kh * kw, kh * kw * self.multiplier];
        let mut inputs = vec![x, cx.parameter("weights", &[1, kh, kw, c_out], self.initializer, fans)?];
        inputs.extend(bias(cx, self.bias, c_out)?);
        cx.apply(ops::DepthwiseConv2d { window, bounds: Bounds::None }, &inputs)
    }
}

/// Fully connected layer on `[n, ...]`, flattened to `[n, k]`, with bias. Weights start as Glorot's uniform.
#[derive(Clone, Debug)]
pub struct Dense {
    units: usize,
    bias: bool,
    initializer: Initializer,
}

impl Dense {
    /// `units` outputs.
    pub fn new(units: usize) -> Dense {
        Dense { units, bias: true, initializer: Initializer::GlorotUniform }
    }

    /// Without bias: batch normalization behind it has one.
    pub fn without_bias(self) -> Dense {
        Dense { bias: false, ..self }
    }

    /// Weights that start otherwise.
    pub fn initializer(self, initializer: Initializer) -> Dense {
        Dense { initializer, ..self }
    }
}

impl Layer for Dense {
    fn kind(&self) -> &'static str {
        "dense"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let k = cx.dims(x).iter().skip(1).product();
        let weights = cx.parameter("weights", &[self.units, k], self.initializer, [k, self.units])?;
        let mut inputs = vec![x, weights];
        inputs.extend(bias(cx, self.bias, self.units)?);
        cx.apply(FullyConnected::new(Bounds::None), &inputs)
    }
}

fn bias(cx: &mut Trace, wanted: bool, channels: usize) -> Result<Option<TensorId>> {
    match wanted {
        true => cx.parameter("bias", &[channels], Initializer::Zeros, [1, 1]).map(Some),
        false => Ok(None),
    }
}
