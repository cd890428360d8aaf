//! Matrix product `a · b` or `aᵀ · b`. (`a · bᵀ` is a fully connected layer.)
//!
//! Inputs, f32: `a` `[m, k]`, or `[k, m]` if it is to be transposed; `b` `[k, n]`. Output `[m, n]`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv2d_input_grad::check_f32;
use super::window::all_rows;
use super::{OpCode, Operator, Outputs, Run, one};
use crate::kernels::matmul::matmul_row;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatMul {
    /// Whether `a` is transposed first.
    pub transpose_a: bool,
}

impl Operator for MatMul {
    const CODE: OpCode = OpCode::MatMul;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[a, b] = inputs else { return Err(Error::Arity) };
        check_f32(inputs)?;
        let (rows, columns) = (a.shape.dim(0), a.shape.dim(1));
        let (m, k) = if self.transpose_a { (columns, rows) } else { (rows, columns) };
        if a.shape.rank() != 2 || b.shape.rank() != 2 || b.shape.dim(0) != k {
            return Err(Error::Shape);
        }
        one(TensorType::new(DType::F32, Shape::new(&[m, b.shape.dim(1)])?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        if input == 0 && !self.transpose_a { y..y + 1 } else { all_rows(inputs, input) }
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match inputs {
            [a, b] => a.shape.count() as u64 * b.shape.dim(1) as u64,
            _ => 0,
        }
    }
}

impl Run<f32> for MatMul {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (a, b) = (node.input(0), node.input(1));
        let columns = a.ty.shape.dim(1);
        let k = b.ty.shape.dim(0);
        let (a, b, out) = (a.view(mem), b.view(mem), node.output(0).rows_mut(mem));
        for y in rows {
            let (start, step) = if self.transpose_a { (y, columns) } else { (y.wrapping_mul(columns), 1) };
            matmul_row(a, start, step, b, k, out.row(y));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn multiplies_matrices() {
        let b = || Tensor::new(&[3, 2], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let a = Tensor::new(&[2, 3], &[1f32, 0.0, 2.0, 0.0, 1.0, -1.0]);
        let transposed = Tensor::new(&[3, 2], &[1f32, 0.0, 0.0, 1.0, 2.0, -1.0]);
        for (a, transpose_a) in [(a, false), (transposed, true)] {
            let case = Case::new(MatMul { transpose_a }, [a.clone(), b()]);
            assert_eq!(case.run::<f32>(), Ok([11.0, 14.0, -2.0, -2.0].into()));
            case.assert_contract();
            assert_eq!(Case::new(MatMul { transpose_a: !transpose_a }, [a, b()]).check(), Err(Error::Shape));
        }
    }
}
