//! Gradient of a depthwise convolution with respect to its weights.
//!
//! Inputs, f32: the output's gradient `[n, oh, ow, c_out]`, the image `[n, h, w, c_in]`. Output: the weights'
//! gradient `[1, kh, kw, c_out]`. A reduction that accumulates in its output.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv2d_input_grad::{check_f32, check_output};
use super::conv2d_weights_grad::{taps, weights_grad_rows};
use super::window::{Geometry, Window};
use super::{OpCode, Operator, Order, Outputs, Run, one};
use crate::kernels::conv_grad::depthwise_weights_grad_row;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthwiseConv2dWeightsGrad {
    /// The convolution's window.
    pub window: Window,
    /// Its taps, `[kh, kw]`.
    pub kernel: [u16; 2],
}

impl Operator for DepthwiseConv2dWeightsGrad {
    const CODE: OpCode = OpCode::DepthwiseConv2dWeightsGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[dy, x] = inputs else { return Err(Error::Arity) };
        let [kh, kw] = taps(self.kernel);
        let c_out = dy.shape.dim(3);
        check_output(self.window, [kh, kw], &x.shape, &dy.shape)?;
        check_f32(inputs)?;
        if c_out.checked_rem(x.shape.dim(3)) != Some(0) {
            return Err(Error::Shape);
        }
        one(TensorType::new(DType::F32, Shape::new(&[1, kh, kw, c_out])?))
    }

    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Reduction
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        weights_grad_rows(self.window, self.kernel, input, inputs, y)
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        let [kh, kw] = taps(self.kernel);
        inputs.first().map_or(0, |dy| dy.shape.count() as u64 * (kh * kw) as u64)
    }
}

impl Run<f32> for DepthwiseConv2dWeightsGrad {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (dy, x) = (node.input(0), node.input(1));
        let geometry = Geometry::new(self.window, taps(self.kernel), &x.ty.shape, &dy.ty.shape);
        let (dy, x, dw) = (dy.rows(mem), x.rows(mem), node.output(0).view_mut(mem));
        for y in rows {
            if y == 0 {
                dw.fill(0.0);
            }
            depthwise_weights_grad_row(&geometry, dy.row(y), &x, y, dw);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn steps_depend_on_nothing_but_the_rows_they_name() {
        let values: [f32; 256] = core::array::from_fn(|i| (i * 7 % 13) as f32 - 6.0);
        for (stride, dilation) in [([1, 1], [1, 1]), ([2, 1], [1, 2]), ([3, 2], [2, 1])] {
            let window = Window { stride, dilation, pads: [2, 1, 0, 1] };
            let image = Shape::new(&[2, 6, 4, 2]).unwrap();
            let [oh, ow] = window.output([3, 3], &image).unwrap();
            let inputs = [
                Tensor::new(&[2, oh, ow, 4], &values[..8 * oh * ow]),
                Tensor::new(&[2, 6, 4, 2], &values[..96]),
            ];
            Case::new(DepthwiseConv2dWeightsGrad { window, kernel: [3, 3] }, inputs).assert_contract();
        }
    }

    #[test]
    fn output_channels_are_a_multiple_of_input_channels() {
        let inputs = [Tensor::new(&[1, 1, 1, 3], &[1f32; 3]), Tensor::new(&[1, 1, 1, 2], &[2f32; 2])];
        let op = DepthwiseConv2dWeightsGrad { window: Window::UNIT, kernel: [1, 1] };
        assert_eq!(Case::new(op, inputs).check(), Err(Error::Shape));
    }
}
