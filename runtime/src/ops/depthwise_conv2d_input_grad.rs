//! Gradient of a depthwise convolution with respect to its image.
//!
//! Inputs, f32: the output's gradient `[n, oh, ow, c_out]`, weights `[1, kh, kw, c_out]`. Output: the image's
//! gradient `[n, h, w, c_in]`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv2d::kernel;
use super::conv2d_input_grad::{check_f32, check_output};
use super::window::{Geometry, Window, all_rows};
use super::{OpCode, Operator, Outputs, Run, one};
use crate::kernels::conv_grad::depthwise_input_grad_row;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthwiseConv2dInputGrad {
    /// The convolution's window.
    pub window: Window,
    /// Shape of its image without the batch, `[h, w, c_in]`, which does not follow from the output's.
    pub image: [u32; 3],
}

impl DepthwiseConv2dInputGrad {
    fn image(&self, dy: &Shape) -> Result<Shape, Error> {
        let [h, w, c_in] = self.image.map(|len| len as usize);
        Shape::new(&[dy.dim(0), h, w, c_in])
    }
}

impl Operator for DepthwiseConv2dInputGrad {
    const CODE: OpCode = OpCode::DepthwiseConv2dInputGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[dy, w] = inputs else { return Err(Error::Arity) };
        let image = self.image(&dy.shape)?;
        let c_out = w.shape.dim(3);
        let fits = w.shape.rank() == 4
            && w.shape.dim(0) == 1
            && dy.shape.dim(3) == c_out
            && c_out.checked_rem(image.dim(3)) == Some(0);
        if !fits {
            return Err(Error::Shape);
        }
        check_output(self.window, kernel(&w.shape), &image, &dy.shape)?;
        check_f32(inputs)?;
        one(TensorType::new(DType::F32, image))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [dy, w]) => match self.image(&dy.shape) {
                Ok(image) => self.window.reader_rows(kernel(&w.shape), &image, y),
                Err(_) => 0..0,
            },
            _ => all_rows(inputs, input),
        }
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match inputs {
            [dy, w] => dy.shape.count() as u64 * (w.shape.dim(1) * w.shape.dim(2)) as u64,
            _ => 0,
        }
    }
}

impl Run<f32> for DepthwiseConv2dInputGrad {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (dy, w, dx) = (node.input(0), node.input(1), node.output(0));
        let geometry = Geometry::new(self.window, kernel(&w.ty.shape), &dx.ty.shape, &dy.ty.shape);
        let (dy, w, dx) = (dy.rows(mem), w.view(mem), dx.rows_mut(mem));
        for y in rows {
            depthwise_input_grad_row(&geometry, &dy, w, y, dx.row(y));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let dy: [f32; 256] = core::array::from_fn(|i| (i * 7 % 13) as f32 - 6.0);
        let w: [f32; 36] = core::array::from_fn(|i| (i * 5 % 11) as f32 - 5.0);
        for (stride, dilation) in [([1, 1], [1, 1]), ([2, 1], [1, 2]), ([3, 2], [2, 1])] {
            let window = Window { stride, dilation, pads: [2, 1, 0, 1] };
            let image = Shape::new(&[2, 6, 4, 2]).unwrap();
            let [oh, ow] = window.output([3, 3], &image).unwrap();
            let dy = Tensor::new(&[2, oh, ow, 4], &dy[..8 * oh * ow]);
            let op = DepthwiseConv2dInputGrad { window, image: [6, 4, 2] };
            Case::new(op, [dy, Tensor::new(&[1, 3, 3, 4], &w)]).assert_contract();
        }
    }

    #[test]
    fn output_channels_are_a_multiple_of_input_channels() {
        let case = |c_in| {
            let inputs = [Tensor::new(&[1, 1, 1, 4], &[1f32; 4]), Tensor::new(&[1, 1, 1, 4], &[2f32; 4])];
            Case::new(DepthwiseConv2dInputGrad { window: Window::UNIT, image: [1, 1, c_in] }, inputs)
        };
        assert_eq!(case(2).run::<f32>(), Ok([4.0, 4.0].into()));
        assert_eq!(case(3).check(), Err(Error::Shape));
        assert_eq!(case(0).check(), Err(Error::Shape));
    }
}
