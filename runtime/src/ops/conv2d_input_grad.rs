//! Gradient of a convolution with respect to its image; also known as transposed convolution.
//!
//! Inputs, f32: the output's gradient `[n, oh, ow, c_out]`, weights `[c_out, kh, kw, c_in]`. Output: the
//! image's gradient `[n, h, w, c_in]`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv2d::kernel;
use super::window::{Geometry, Window, all_rows};
use super::{OpCode, Operator, Outputs, Run, one};
use crate::kernels::conv_grad::conv_input_grad_row;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conv2dInputGrad {
    /// The convolution's window.
    pub window: Window,
    /// Size of its image, `[h, w]`, which does not follow from the output's.
    pub image: [u32; 2],
}

impl Conv2dInputGrad {
    fn image(&self, dy: &Shape, channels: usize) -> Result<Shape, Error> {
        let [h, w] = self.image.map(|len| len as usize);
        Shape::new(&[dy.dim(0), h, w, channels])
    }
}

impl Operator for Conv2dInputGrad {
    const CODE: OpCode = OpCode::Conv2dInputGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[dy, w] = inputs else { return Err(Error::Arity) };
        if w.shape.rank() != 4 || dy.shape.dim(3) != w.shape.dim(0) {
            return Err(Error::Shape);
        }
        let image = self.image(&dy.shape, w.shape.dim(3))?;
        check_output(self.window, kernel(&w.shape), &image, &dy.shape)?;
        check_f32(inputs)?;
        one(TensorType::new(DType::F32, image))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [dy, w]) => match self.image(&dy.shape, w.shape.dim(3)) {
                Ok(image) => self.window.reader_rows(kernel(&w.shape), &image, y),
                Err(_) => 0..0,
            },
            _ => all_rows(inputs, input),
        }
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match inputs {
            [dy, w] => dy.shape.count() as u64 * (w.shape.dim(1) * w.shape.dim(2) * w.shape.dim(3)) as u64,
            _ => 0,
        }
    }
}

impl Run<f32> for Conv2dInputGrad {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (dy, w, dx) = (node.input(0), node.input(1), node.output(0));
        let geometry = Geometry::new(self.window, kernel(&w.ty.shape), &dx.ty.shape, &dy.ty.shape);
        let (dy, w, dx) = (dy.rows(mem), w.view(mem), dx.rows_mut(mem));
        for y in rows {
            conv_input_grad_row(&geometry, &dy, w, y, dx.row(y));
        }
    }
}

/// That the window makes rows and columns of `output` from those of `image`.
pub(super) fn check_output(
    window: Window,
    kernel: [usize; 2],
    image: &Shape,
    output: &Shape,
) -> Result<(), Error> {
    let [oh, ow] = window.output(kernel, image)?;
    let fits =
        output.rank() == 4 && output.dim(0) == image.dim(0) && [oh, ow] == [output.dim(1), output.dim(2)];
    if fits { Ok(()) } else { Err(Error::Shape) }
}

/// That all inputs are f32.
pub(super) fn check_f32(inputs: &[TensorType]) -> Result<(), Error> {
    if inputs.iter().all(|ty| ty.dtype == DType::F32) { Ok(()) } else { Err(Error::DType) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let dy: [f32; 128] = core::array::from_fn(|i| (i * 7 % 13) as f32 - 6.0);
        let w: [f32; 36] = core::array::from_fn(|i| (i * 5 % 11) as f32 - 5.0);
        for (stride, dilation) in [([1, 1], [1, 1]), ([2, 1], [1, 2]), ([3, 2], [2, 1]), ([4, 4], [1, 1])] {
            let window = Window { stride, dilation, pads: [2, 1, 0, 1] };
            let image = Shape::new(&[2, 6, 4, 2]).unwrap();
            let [oh, ow] = window.output([3, 3], &image).unwrap();
            let dy = Tensor::new(&[2, oh, ow, 2], &dy[..4 * oh * ow]);
            let op = Conv2dInputGrad { window, image: [6, 4] };
            Case::new(op, [dy, Tensor::new(&[2, 3, 3, 2], &w)]).assert_contract();
        }
    }

    #[test]
    fn an_image_of_another_size_is_refused() {
        let case = |image| {
            let inputs = [Tensor::new(&[1, 2, 1, 1], &[1f32, 2.0]), Tensor::new(&[1, 1, 1, 1], &[3f32])];
            Case::new(Conv2dInputGrad { window: Window { stride: [2, 1], ..Window::UNIT }, image }, inputs)
        };
        assert_eq!(case([3, 1]).run::<f32>(), Ok([3.0, 0.0, 6.0].into()));
        assert_eq!(case([4, 1]).run::<f32>(), Ok([3.0, 0.0, 6.0, 0.0].into()));
        assert_eq!(case([5, 1]).check(), Err(Error::Shape));
        assert_eq!(case([0, 1]).check(), Err(Error::Shape));
        assert_eq!(case([u32::MAX; 2]).check(), Err(Error::Shape));
    }
}
