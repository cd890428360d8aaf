//! Rows of a table, looked up by their numbers.
//!
//! Inputs: the table `[v, d]`, f32 or int8, and numbers of rows, of rank 1 to 3: i32, or f32 that is rounded to nearest.
//! Output: the shape of the numbers, then `d`. A number that no row has gives zeros. int8 copies stored integers, so table
//! and output have one quantization.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::window::all_rows;
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::math;
use crate::mem::{Memory, View};
use crate::model::{Node, Operand};
use crate::shape::MAX_RANK;
use crate::{DType, Element, Error, Shape, TensorType};

/// An embedding has no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embedding {}

impl Operator for Embedding {
    const CODE: OpCode = OpCode::Embedding;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[table, indices] = inputs else { return Err(Error::Arity) };
        check_indices(indices)?;
        if !matches!(table.dtype, DType::F32 | DType::I8) {
            return Err(Error::DType);
        }
        let rank = indices.shape.rank();
        if table.shape.rank() != 2 {
            return Err(Error::Shape);
        }
        let mut dims = [1; MAX_RANK];
        for (i, slot) in dims.iter_mut().enumerate() {
            *slot = if i == rank { table.shape.dim(1) } else { indices.shape.dim(i) };
        }
        one(TensorType::new(table.dtype, Shape::new(dims.get(..rank + 1).ok_or(Error::Shape)?)?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match inputs {
            [_, indices] if input == 1 => {
                let n = indices_of_row(&indices.shape);
                indices.shape.rows_of(y * n, (y + 1) * n)
            }
            _ => all_rows(inputs, input),
        }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        OUTPUT
    }
}

impl Run<f32> for Embedding {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        run(node, mem, rows, 0f32);
    }
}

impl Run<i8> for Embedding {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        let same = node.input(0).zero_point() == node.output(0).zero_point();
        if same { Ok(()) } else { Err(Error::Parameters) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        run(node, mem, rows, node.output(0).zero_point() as i8);
    }
}

fn run<T: Element>(node: &Node, mem: &Memory, rows: Range<usize>, zero: T) {
    let (table, out) = (node.input(0), node.output(0));
    let (n_rows, d) = (table.ty.shape.dim(0), table.ty.shape.dim(1));
    let indices = Indices::of(&node.input(1), mem);
    let n = indices_of_row(&node.input(1).ty.shape);
    let (table, out) = (table.view::<T>(mem), out.rows_mut(mem));
    for y in rows {
        for i in 0..n {
            let to = out.row(y).slice(i.wrapping_mul(d), d);
            match indices.at(y.wrapping_mul(n).wrapping_add(i)) {
                Some(row) if row < n_rows => to.copy_from(table.slice(row.wrapping_mul(d), d)),
                _ => to.fill(zero),
            }
        }
    }
}

/// Numbers that belong to a row of the output, whose last dimension is the table's.
fn indices_of_row(indices: &Shape) -> usize {
    if indices.rank() + 1 == MAX_RANK { indices.dim(2) } else { 1 }
}

/// That these are numbers of rows.
pub(super) fn check_indices(indices: TensorType) -> Result<(), Error> {
    match indices.dtype {
        DType::I32 | DType::F32 if (1..MAX_RANK).contains(&indices.shape.rank()) => Ok(()),
        DType::I32 | DType::F32 => Err(Error::Shape),
        _ => Err(Error::DType),
    }
}

/// Numbers of rows, as either dtype has them.
pub(super) enum Indices<'a> {
    I32(View<'a, i32>),
    F32(View<'a, f32>),
}

impl<'a> Indices<'a> {
    pub(super) fn of(operand: &Operand, mem: &Memory<'a>) -> Indices<'a> {
        match operand.ty.dtype {
            DType::I32 => Indices::I32(operand.view(mem)),
            _ => Indices::F32(operand.view(mem)),
        }
    }

    /// Number `i`; `None` if it is negative.
    pub(super) fn at(&self, i: usize) -> Option<usize> {
        let index = match self {
            Indices::I32(indices) => indices.at(i),
            Indices::F32(indices) => math::round(indices.at(i)),
        };
        usize::try_from(index).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn rows_are_copied_and_unknown_ones_are_zeros() {
        let table = || Tensor::new(&[3, 2], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let case = Case::new(Embedding {}, [table(), Tensor::new(&[4], &[2i32, 0, 3, -1])]);
        assert_eq!(case.run::<f32>(), Ok([5.0, 6.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0].into()));
        case.assert_contract();
        let real = [1.0f32, 2.4, -0.2, f32::NAN, 1e30, 0.0];
        let case = Case::new(Embedding {}, [table(), Tensor::new(&[1, 3, 2], &real)]);
        let expected = [3.0, 4.0, 5.0, 6.0, 1.0, 2.0, 1.0, 2.0, 0.0, 0.0, 1.0, 2.0];
        assert_eq!(case.run::<f32>(), Ok(expected.into()));
        case.assert_contract();
    }

    #[test]
    fn int8_zeros_are_the_zero_point() {
        let table = Tensor::new(&[2, 2], &[1i8, 2, 3, 4]).zero_point(-7);
        let indices = Tensor::new(&[2, 1], &[7i32, 1]);
        let case = Case::new(Embedding {}, [table.clone(), indices.clone()]);
        assert_eq!(case.check(), Err(Error::Parameters));
        let case = case.output_zero_point(-7);
        assert_eq!(case.run::<i8>(), Ok([-7, -7, 3, 4].into()));
        case.assert_contract();
        let error = Case::new(Embedding {}, [table, Tensor::new(&[2], &[0i8, 1])]).check();
        assert_eq!(error, Err(Error::DType));
    }
}
