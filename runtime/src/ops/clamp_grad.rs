//! Gradient of a clamp: it passes where the input is strictly inside the range.
//!
//! Inputs, f32 of one shape: the output's gradient, the clamp's input or its output (which is strictly inside where the
//! input is). Output: the input's gradient.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::{OpCode, Operator, Outputs, Run, one};
use crate::kernels::elementwise::zip_row;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// Parameters of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClampGrad {
    /// The clamp's range.
    pub bounds: Bounds,
}

impl Operator for ClampGrad {
    const CODE: OpCode = OpCode::ClampGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[dy, x] = inputs else { return Err(Error::Arity) };
        if x.dtype != DType::F32 {
            return Err(Error::DType);
        }
        self.bounds.check(x.dtype)?;
        if dy == x { one(x) } else { Err(Error::Shape) }
    }

    fn rows(&self, _input: usize, _inputs: &[TensorType], y: usize) -> Range<usize> {
        y..y + 1
    }

    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        0b11
    }
}

impl Run<f32> for ClampGrad {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (lo, hi) = self.bounds.f32();
        let (dy, x, dx) = (node.input(0).rows(mem), node.input(1).rows(mem), node.output(0).rows_mut(mem));
        for y in rows {
            // Without a branch, which data would make unpredictable.
            let pass = |dy: f32, x: f32| if (lo < x) & (x < hi) { dy } else { 0.0 };
            zip_row((dy.row(y), 1), (x.row(y), 1), dx.row(y), pass);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn passes_strictly_inside_the_range() {
        let dy = Tensor::new(&[5], &[1f32, 2.0, 3.0, 4.0, 5.0]);
        let x = Tensor::new(&[5], &[-1f32, 0.0, 1.0, 6.0, f32::NAN]);
        let case = Case::new(ClampGrad { bounds: Bounds::RELU6 }, [dy, x]);
        assert_eq!(case.run::<f32>(), Ok([0.0, 0.0, 3.0, 0.0, 0.0].into()));
        case.assert_contract();
    }
}
