//! Gradient of the table of an [`Embedding`](super::Embedding): each row's is the sum of those of its copies.
//!
//! Inputs: the numbers of rows, and the output's gradient in f32. Output: the table's gradient `[v, d]`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::embedding::{Indices, check_indices};
use super::window::all_rows;
use super::{OpCode, Operator, Order, Outputs, Run, one};
use crate::kernels::conv_grad::add_scaled;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbeddingGrad {
    /// Rows of the table.
    pub n_rows: u32,
}

impl Operator for EmbeddingGrad {
    const CODE: OpCode = OpCode::EmbeddingGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[indices, dy] = inputs else { return Err(Error::Arity) };
        check_indices(indices)?;
        if dy.dtype != DType::F32 {
            return Err(Error::DType);
        }
        let rank = indices.shape.rank();
        let fits = (0..rank).all(|i| dy.shape.dim(i) == indices.shape.dim(i));
        if dy.shape.rank() != rank + 1 || !fits {
            return Err(Error::Shape);
        }
        one(TensorType::new(DType::F32, Shape::new(&[self.n_rows as usize, dy.shape.channels()])?))
    }

    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Reduction
    }

    fn rows(&self, input: usize, inputs: &[TensorType], _y: usize) -> Range<usize> {
        all_rows(inputs, input)
    }
}

impl Run<f32> for EmbeddingGrad {
    /// All is done with the last row of the numbers.
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (numbers, dy) = (node.input(0), node.input(1));
        if rows.end != numbers.ty.shape.rows() {
            return;
        }
        let (n_rows, d) = (self.n_rows as usize, dy.ty.shape.channels());
        let indices = Indices::of(&numbers, mem);
        let (dy, dtable) = (dy.view::<f32>(mem), node.output(0).view_mut::<f32>(mem));
        dtable.fill(0.0);
        for i in 0..numbers.ty.shape.count() {
            if let Some(row) = indices.at(i).filter(|&row| row < n_rows) {
                add_scaled(dtable.slice(row.wrapping_mul(d), d), 1.0, dy.slice(i.wrapping_mul(d), d));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn copies_of_a_row_add_up() {
        let dy = Tensor::new(&[4, 2], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        let case = Case::new(EmbeddingGrad { n_rows: 3 }, [Tensor::new(&[4], &[2i32, 0, 2, 3]), dy]);
        assert_eq!(case.run::<f32>(), Ok([3.0, 4.0, 0.0, 0.0, 6.0, 8.0].into()));
        case.assert_contract();
    }
}
