//! Gradient of an average pooling.
//!
//! Input, f32: the output's gradient `[n, oh, ow, c]`. Output: the image's gradient `[n, h, w, c]`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv2d_input_grad::check_f32;
use super::pooling::Pooling;
use super::window::Geometry;
use super::{OpCode, Operator, Outputs, Run, one};
use crate::kernels::pool_grad::average_pool_grad_row;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AveragePool2dGrad {
    /// The pooling, whose bounds do not matter here.
    pub pooling: Pooling,
    /// Size of its image, `[h, w]`, which does not follow from the output's.
    pub image: [u32; 2],
}

impl AveragePool2dGrad {
    fn image(&self, dy: &Shape) -> Result<Shape, Error> {
        let [h, w] = self.image.map(|len| len as usize);
        Shape::new(&[dy.dim(0), h, w, dy.dim(3)])
    }
}

impl Operator for AveragePool2dGrad {
    const CODE: OpCode = OpCode::AveragePool2dGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[dy] = inputs else { return Err(Error::Arity) };
        check_f32(inputs)?;
        let x = TensorType::new(DType::F32, self.image(&dy.shape)?);
        if *self.pooling.infer(&[x])? != [dy] {
            return Err(Error::Shape);
        }
        one(x)
    }

    fn rows(&self, _input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match inputs.first().map(|dy| self.image(&dy.shape)) {
            Some(Ok(image)) => self.pooling.window.reader_rows(self.pooling.taps(), &image, y),
            _ => 0..0,
        }
    }
}

impl Run<f32> for AveragePool2dGrad {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (dy, dx) = (node.input(0), node.output(0));
        let Pooling { window, .. } = self.pooling;
        let geometry = Geometry::new(window, self.pooling.taps(), &dx.ty.shape, &dy.ty.shape);
        let (dy, dx) = (dy.rows(mem), dx.rows_mut(mem));
        for y in rows {
            average_pool_grad_row(&geometry, &dy, y, dx.row(y));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounds::Bounds;
    use super::super::window::Window;
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn padding_takes_no_share() {
        let window = Window { stride: [2, 1], pads: [1, 0, 0, 0], ..Window::UNIT };
        let pooling = Pooling { kernel: [2, 1], window, bounds: Bounds::None };
        let dy = || Tensor::new(&[2, 2, 1, 1], &[1f32, 2.0, 3.0, 4.0]);
        let case = |h| Case::new(AveragePool2dGrad { pooling, image: [h, 1] }, [dy()]);
        assert_eq!(case(3).run::<f32>(), Ok([1.0, 1.0, 1.0, 3.0, 2.0, 2.0].into()));
        case(3).assert_contract();
        case(4).assert_contract();
        assert_eq!(case(5).check(), Err(Error::Shape));
    }
}
