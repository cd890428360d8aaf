//! Depthwise 2-D convolution with bias and fused activation: each channel on its own.
//!
//! Inputs: image `[n, h, w, c_in]`, weights `[1, kh, kw, c_out]` with `c_out = c_in * multiplier`, then for
//! f32 optionally the bias `[c_out]`, for int8 the table `[c_out, 3]` of i32 (bias, multiplier, shift).
//! Output `[n, oh, ow, c_out]`, whose channel `ic * multiplier + k` reads channel `ic` of the image.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::conv2d::{Operands, check_channels, check_weights, f32_arithmetic, kernel, run_layer};
use super::window::{Geometry, Window, all_rows};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::depthwise::{depthwise_rows_f32, depthwise_rows_i8, depthwise_scratch_bytes};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a depthwise convolution; the depth multiplier follows from the shapes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthwiseConv2d {
    /// Stride, dilation, padding.
    pub window: Window,
    /// Fused activation.
    pub bounds: Bounds,
}

impl Operator for DepthwiseConv2d {
    const CODE: OpCode = OpCode::DepthwiseConv2d;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let (&[x, w], rest) = inputs.split_first_chunk().ok_or(Error::Arity)?;
        let (c_in, c_out) = (x.shape.dim(3), w.shape.dim(3));
        if w.shape.rank() != 4 || w.shape.dim(0) != 1 || c_out.checked_rem(c_in) != Some(0) {
            return Err(Error::Shape);
        }
        check_channels(x, w, rest, c_out)?;
        self.bounds.check(x.dtype)?;
        let [oh, ow] = self.window.output(kernel(&w.shape), &x.shape)?;
        one(TensorType::new(x.dtype, Shape::new(&[x.shape.dim(0), oh, ow, c_out])?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [x, w, ..]) => self.window.rows(kernel(&w.shape), &x.shape, y),
            _ => all_rows(inputs, input),
        }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        match inputs {
            [x, w, ..] if x.dtype == DType::I8 => {
                let geometry = Geometry::infer(self.window, kernel(&w.shape), &x.shape, w.shape.dim(3));
                geometry.map_or(0, |geometry| depthwise_scratch_bytes(&geometry))
            }
            _ => 0,
        }
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match (self.infer(inputs).as_deref(), inputs) {
            (Ok([out, ..]), [_, w, ..]) => {
                out.shape.count() as u64 * (w.shape.dim(1) * w.shape.dim(2)) as u64
            }
            _ => 0,
        }
    }
}

impl Run<f32> for DepthwiseConv2d {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let arithmetic = f32_arithmetic(node, mem, self.bounds);
        run_layer(self.window, &Operands::of(node), mem, |g, x, w, out| {
            depthwise_rows_f32(&arithmetic, g, x, w, rows, out);
        });
    }
}

impl Run<i8> for DepthwiseConv2d {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        check_weights(node, mem)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let operands = Operands::of(node);
        let arithmetic = operands.i8_arithmetic(node, mem, self.bounds);
        let scratch = node.scratch(mem);
        run_layer(self.window, &operands, mem, |g, x, w, out| {
            depthwise_rows_i8(&arithmetic, g, x, w, rows, out, scratch);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn every_channel_has_its_own_filters() {
        let x = Tensor::new(&[1, 1, 2, 2], &[1i8, 2, 3, 4]).zero_point(1);
        let w = Tensor::new(&[1, 1, 2, 4], &[1i8, 2, 3, 4, 5, 6, 7, 8]).constant();
        // Times one.
        let channels = [0i32, 1 << 30, 1].repeat(4);
        let op = DepthwiseConv2d { window: Window::UNIT, bounds: Bounds::None };
        let case = Case::new(op, [x, w, Tensor::new(&[4, 3], &channels).constant()]);
        // The image without its zero point is [[0, 1], [2, 3]].
        assert_eq!(case.run::<i8>(), Ok([10, 12, 3 + 21, 4 + 24].into()));
    }

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let x: [f32; 60] = core::array::from_fn(|i| (i * 7 % 13) as f32 - 6.0);
        let w: [f32; 36] = core::array::from_fn(|i| (i * 5 % 11) as f32 - 5.0);
        for (stride, dilation) in [([1, 1], [1, 1]), ([2, 1], [1, 2]), ([3, 2], [2, 1])] {
            let window = Window { stride, dilation, pads: [2, 1, 0, 1] };
            let inputs = [Tensor::new(&[2, 5, 3, 2], &x), Tensor::new(&[1, 3, 3, 4], &w)];
            Case::new(DepthwiseConv2d { window, bounds: Bounds::RELU6 }, inputs).assert_contract();
        }
    }

    #[test]
    fn output_channels_are_a_multiple_of_input_channels() {
        let op = DepthwiseConv2d { window: Window::UNIT, bounds: Bounds::None };
        let inputs = [Tensor::new(&[1, 1, 1, 2], &[1f32; 2]), Tensor::new(&[1, 1, 1, 3], &[1f32; 3])];
        assert_eq!(Case::new(op, inputs).check(), Err(Error::Shape));
    }
}
