//! Gradient of a max pooling: it flows to the first greatest value of each window.
//!
//! Inputs, f32: the output's gradient `[n, oh, ow, c]`, the image `[n, h, w, c]`. Output: the image's gradient.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::pooling::Pooling;
use super::window::Geometry;
use super::{OpCode, Operator, Outputs, Run, one};
use crate::kernels::pool_grad::max_pool_grad_row;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// Parameters of the gradient: the pooling, whose bounds do not matter here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxPool2dGrad(pub Pooling);

impl Operator for MaxPool2dGrad {
    const CODE: OpCode = OpCode::MaxPool2dGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[dy, x] = inputs else { return Err(Error::Arity) };
        if x.dtype != DType::F32 {
            return Err(Error::DType);
        }
        if *self.0.infer(&[x])? != [dy] {
            return Err(Error::Shape);
        }
        one(x)
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        let &[_, x] = inputs else { return 0..0 };
        let outputs = self.0.window.reader_rows(self.0.taps(), &x.shape, y);
        match input {
            0 => outputs,
            _ if outputs.is_empty() => y..y,
            // The greatest value may be in any row of the windows that row y is in.
            _ => {
                let [first, last] = [outputs.start, outputs.end - 1].map(|oy| self.0.rows(&[x], oy));
                first.start..last.end
            }
        }
    }
}

impl Run<f32> for MaxPool2dGrad {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (dy, x, dx) = (node.input(0), node.input(1), node.output(0));
        let geometry = Geometry::new(self.0.window, self.0.taps(), &x.ty.shape, &dy.ty.shape);
        let (dy, x, dx) = (dy.rows(mem), x.rows(mem), dx.rows_mut(mem));
        for y in rows {
            max_pool_grad_row(&geometry, &x, &dy, y, dx.row(y));
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
    fn the_first_greatest_value_takes_it_all() {
        let op = Pooling { kernel: [1, 3], window: Window::UNIT, bounds: Bounds::None };
        let x = Tensor::new(&[1, 1, 4, 1], &[5f32, 7.0, 7.0, 6.0]);
        let dy = Tensor::new(&[1, 1, 2, 1], &[1f32, 10.0]);
        assert_eq!(Case::new(MaxPool2dGrad(op), [dy, x]).run::<f32>(), Ok([0.0, 11.0, 0.0, 0.0].into()));
    }

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let values: [f32; 128] = core::array::from_fn(|i| (i * 7 % 13) as f32 - 6.0);
        for stride in [[1, 1], [2, 1], [3, 2]] {
            let window = Window { stride, pads: [2, 1, 0, 1], ..Window::UNIT };
            let op = Pooling { kernel: [3, 2], window, bounds: Bounds::None };
            let image = crate::Shape::new(&[2, 5, 4, 2]).unwrap();
            let [oh, ow] = window.output([3, 2], &image).unwrap();
            let dy = Tensor::new(&[2, oh, ow, 2], &values[..4 * oh * ow]);
            Case::new(MaxPool2dGrad(op), [dy, Tensor::new(&[2, 5, 4, 2], &values[..80])]).assert_contract();
        }
    }
}
