//! Gradient of a convolution with respect to its weights.
//!
//! Inputs, f32: the output's gradient `[n, oh, ow, c_out]`, the image `[n, h, w, c_in]`. Output: the weights'
//! gradient `[c_out, kh, kw, c_in]`. A reduction that accumulates in its output.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv2d_input_grad::{check_f32, check_output};
use super::window::{Geometry, Window};
use super::{OpCode, Operator, Order, Outputs, Run, one};
use crate::kernels::conv_grad::conv_weights_grad_row;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conv2dWeightsGrad {
    /// The convolution's window.
    pub window: Window,
    /// Its taps, `[kh, kw]`.
    pub kernel: [u16; 2],
}

impl Operator for Conv2dWeightsGrad {
    const CODE: OpCode = OpCode::Conv2dWeightsGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[dy, x] = inputs else { return Err(Error::Arity) };
        let [kh, kw] = taps(self.kernel);
        check_output(self.window, [kh, kw], &x.shape, &dy.shape)?;
        check_f32(inputs)?;
        one(TensorType::new(DType::F32, Shape::new(&[dy.shape.dim(3), kh, kw, x.shape.dim(3)])?))
    }

    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Reduction
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        weights_grad_rows(self.window, self.kernel, input, inputs, y)
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        let [kh, kw] = taps(self.kernel);
        match inputs {
            [dy, x] => dy.shape.count() as u64 * (kh * kw) as u64 * x.shape.dim(3) as u64,
            _ => 0,
        }
    }
}

impl Run<f32> for Conv2dWeightsGrad {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (dy, x) = (node.input(0), node.input(1));
        let geometry = Geometry::new(self.window, taps(self.kernel), &x.ty.shape, &dy.ty.shape);
        let (dy, x, dw) = (dy.rows(mem), x.rows(mem), node.output(0).view_mut(mem));
        for y in rows {
            if y == 0 {
                dw.fill(0.0);
            }
            conv_weights_grad_row(&geometry, dy.row(y), &x, y, dw);
        }
    }
}

/// Rows that step `y` of a weights' gradient adds: one of the output's gradient, with the rows of the image
/// under its window.
pub(super) fn weights_grad_rows(
    window: Window,
    kernel: [u16; 2],
    input: usize,
    inputs: &[TensorType],
    y: usize,
) -> Range<usize> {
    match (input, inputs) {
        (1, [_, x]) => window.rows(taps(kernel), &x.shape, y),
        _ => y..y + 1,
    }
}

/// A kernel's size as indices.
pub(super) fn taps(kernel: [u16; 2]) -> [usize; 2] {
    kernel.map(|taps| taps as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn steps_depend_on_nothing_but_the_rows_they_name() {
        let values: [f32; 128] = core::array::from_fn(|i| (i * 7 % 13) as f32 - 6.0);
        for (stride, dilation) in [([1, 1], [1, 1]), ([2, 1], [1, 2]), ([3, 2], [2, 1])] {
            let window = Window { stride, dilation, pads: [2, 1, 0, 1] };
            let image = Shape::new(&[2, 6, 4, 2]).unwrap();
            let [oh, ow] = window.output([3, 3], &image).unwrap();
            let inputs = [
                Tensor::new(&[2, oh, ow, 2], &values[..4 * oh * ow]),
                Tensor::new(&[2, 6, 4, 2], &values[..96]),
            ];
            Case::new(Conv2dWeightsGrad { window, kernel: [3, 3] }, inputs).assert_contract();
        }
    }

    #[test]
    fn a_kernel_that_makes_another_output_is_refused() {
        let case = |kernel| {
            let inputs =
                [Tensor::new(&[1, 2, 1, 1], &[1f32, 2.0]), Tensor::new(&[1, 3, 1, 1], &[3f32, 4.0, 5.0])];
            Case::new(Conv2dWeightsGrad { window: Window::UNIT, kernel }, inputs)
        };
        assert_eq!(case([2, 1]).run::<f32>(), Ok([11.0, 14.0].into()));
        assert_eq!(case([1, 1]).check(), Err(Error::Shape));
        assert_eq!(case([0, 1]).check(), Err(Error::Parameters));
    }
}
