//! Matrix products `a · b`, either transposed first, one for each index of the dimensions before the last two.
//!
//! Inputs: `a` `[.., m, k]` (`[.., k, m]` if it is to be transposed) and `b` `[.., k, n]` (or `[.., n, k]`), both f32 or
//! both int8, of the same rank 2 to 4 and the same outer dimensions. Output `[.., m, n]`. int8 is TensorFlow Lite Micro's
//! `BATCH_MATMUL`: sums of `(a - zero_point) * (b - zero_point)` in 32 bits, requantized.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Factor, OpCode, Operator, Outputs, Run, one};
use crate::kernels::matmul::{Line, matmul_line, matmul_line_i8};
use crate::kernels::requantize::saturate;
use crate::mem::Memory;
use crate::model::Node;
use crate::shape::MAX_RANK;
use crate::{DType, Error, Shape, TensorType};

/// The most terms of an int8 sum: each is at most 255 * 255.
const MAX_TERMS_I8: usize = i32::MAX as usize / (255 * 255);

/// Parameters of a matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatMul {
    /// Whether `a` is transposed first.
    pub transpose_a: bool,
    /// Whether `b` is.
    pub transpose_b: bool,
    /// Only and always for int8: the product of the operands' scales by the output's.
    pub factor: Option<Factor>,
}

impl MatMul {
    /// `a · b`.
    pub const PLAIN: MatMul = MatMul { transpose_a: false, transpose_b: false, factor: None };
    /// `aᵀ · b`.
    pub const TRANSPOSED_A: MatMul = MatMul { transpose_a: true, ..Self::PLAIN };
    /// `a · bᵀ`.
    pub const TRANSPOSED_B: MatMul = MatMul { transpose_b: true, ..Self::PLAIN };
    /// `aᵀ · bᵀ`.
    pub const TRANSPOSED: MatMul = MatMul { transpose_a: true, ..Self::TRANSPOSED_B };

    /// `[m, k, n]` of the matrices.
    pub fn sizes(&self, a: &Shape, b: &Shape) -> [usize; 3] {
        let last = |shape: &Shape, from_end: usize| shape.dim(shape.rank().wrapping_sub(from_end));
        let [m, k] = if self.transpose_a { [last(a, 1), last(a, 2)] } else { [last(a, 2), last(a, 1)] };
        [m, k, if self.transpose_b { last(b, 2) } else { last(b, 1) }]
    }

    /// Lines of the output in one of its rows, which are whole matrices where it has four dimensions.
    fn lines_of_row(out: &Shape) -> usize {
        if out.rank() == MAX_RANK { out.dim(2) } else { 1 }
    }

    /// The line of the output with number `i` among all, of `[m, k, n]`.
    fn line(&self, [m, k, n]: [usize; 3], i: usize) -> Line {
        let (batch, y) = (i.checked_div(m).unwrap_or(0), i.checked_rem(m).unwrap_or(0));
        let (a, b) = (batch.wrapping_mul(m).wrapping_mul(k), batch.wrapping_mul(k).wrapping_mul(n));
        let (a_first, a_step) = if self.transpose_a { (y, m) } else { (y.wrapping_mul(k), 1) };
        let [b_step, b_column] = if self.transpose_b { [1, k] } else { [n, 1] };
        Line { k, a_first: a.wrapping_add(a_first), a_step, b_first: b, b_step, b_column }
    }
}

impl Operator for MatMul {
    const CODE: OpCode = OpCode::MatMul;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[a, b] = inputs else { return Err(Error::Arity) };
        let rank = a.shape.rank();
        let [m, k, n] = self.sizes(&a.shape, &b.shape);
        let outer = rank.wrapping_sub(2);
        let fits = (2..=MAX_RANK).contains(&rank)
            && b.shape.rank() == rank
            && (0..outer).all(|i| a.shape.dim(i) == b.shape.dim(i))
            && k == b.shape.dim(if self.transpose_b { outer + 1 } else { outer });
        if !fits {
            return Err(Error::Shape);
        }
        match (a.dtype, self.factor) {
            _ if a.dtype != b.dtype => return Err(Error::DType),
            (DType::F32, None) => {}
            (DType::I8, Some(_)) if k > MAX_TERMS_I8 => return Err(Error::Shape),
            (DType::I8, Some(factor)) => factor.check()?,
            (DType::F32 | DType::I8, _) => return Err(Error::Parameters),
            _ => return Err(Error::DType),
        }
        let mut dims = [1; MAX_RANK];
        for (i, slot) in dims.iter_mut().enumerate().take(rank) {
            *slot = match rank.wrapping_sub(i) {
                1 => n,
                2 => m,
                _ => a.shape.dim(i),
            };
        }
        one(TensorType::new(a.dtype, Shape::new(dims.get(..rank).unwrap_or(&dims))?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        let [a, b] = inputs else { return 0..0 };
        let operand = if input == 0 { a } else { b };
        if a.shape.rank() == MAX_RANK {
            // Lines of a matrix are a row; matrices of one outer index are neighbours.
            return y..y + 1;
        }
        if input == 0 && !self.transpose_a {
            return y..y + 1;
        }
        let [m, ..] = self.sizes(&a.shape, &b.shape);
        let lines = operand.shape.dim(operand.shape.rank().wrapping_sub(2));
        let batch = y.checked_div(m).unwrap_or(0);
        batch.wrapping_mul(lines)..batch.wrapping_add(1).wrapping_mul(lines)
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match inputs {
            [a, b] => a.shape.count() as u64 * self.sizes(&a.shape, &b.shape)[2] as u64,
            _ => 0,
        }
    }
}

impl Run<f32> for MatMul {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (a, b, out) = (node.input(0), node.input(1), node.output(0));
        let sizes = self.sizes(&a.ty.shape, &b.ty.shape);
        let (lines, n) = (Self::lines_of_row(&out.ty.shape), sizes[2]);
        let (a, b, out) = (a.view(mem), b.view(mem), out.rows_mut(mem));
        for y in rows {
            for i in 0..lines {
                let line = self.line(sizes, y.wrapping_mul(lines).wrapping_add(i));
                matmul_line(&line, a, b, out.row(y).slice(i.wrapping_mul(n), n));
            }
        }
    }
}

impl Run<i8> for MatMul {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (a, b, out) = (node.input(0), node.input(1), node.output(0));
        let sizes = self.sizes(&a.ty.shape, &b.ty.shape);
        let (lines, n) = (Self::lines_of_row(&out.ty.shape), sizes[2]);
        let factor = self.factor.unwrap_or_default();
        let (zero_points, zero_point) = ([a.zero_point(), b.zero_point()], out.zero_point());
        let finish = |acc: i32| saturate(factor.apply(acc), zero_point, (i8::MIN, i8::MAX));
        let (a, b, out) = (a.view(mem), b.view(mem), out.rows_mut(mem));
        for y in rows {
            for i in 0..lines {
                let line = self.line(sizes, y.wrapping_mul(lines).wrapping_add(i));
                matmul_line_i8(&line, a, b, zero_points, out.row(y).slice(i.wrapping_mul(n), n), finish);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use crate::ops::testing::{Case, Tensor};

    const ALL: [MatMul; 4] = [MatMul::PLAIN, MatMul::TRANSPOSED_A, MatMul::TRANSPOSED_B, MatMul::TRANSPOSED];

    /// The last two dimensions exchanged.
    fn transposed(dims: &[usize], values: &[f32]) -> (Vec<usize>, Vec<f32>) {
        let [rows, columns] = [dims[dims.len() - 2], dims[dims.len() - 1]];
        let matrices = values.chunks(rows * columns);
        let turned = matrices.flat_map(|m| (0..rows * columns).map(|i| m[i % rows * columns + i / rows]));
        ([&dims[..dims.len() - 2], &[columns, rows]].concat(), turned.collect())
    }

    #[test]
    fn multiplies_matrices_however_they_lie() {
        for outer in [&[][..], &[3], &[2, 3]] {
            let [a_dims, b_dims] = [[outer, &[2, 3]].concat(), [outer, &[3, 2]].concat()];
            let n: usize = outer.iter().product();
            let a: Vec<f32> = (0..n).flat_map(|i| [1.0, 0.0, 2.0, 0.0, 1.0, -1.0 - i as f32]).collect();
            let b: Vec<f32> = (0..n).flat_map(|_| [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).collect();
            let expected: Vec<f32> =
                (0..n).map(|i| i as f32).flat_map(|i| [11.0, 14.0, -2.0 - 5.0 * i, -2.0 - 6.0 * i]).collect();
            for op in ALL {
                let a = if op.transpose_a { transposed(&a_dims, &a) } else { (a_dims.clone(), a.clone()) };
                let b = if op.transpose_b { transposed(&b_dims, &b) } else { (b_dims.clone(), b.clone()) };
                let case = Case::new(op, [Tensor::new(&a.0, &a.1), Tensor::new(&b.0, &b.1)]);
                assert_eq!(case.run::<f32>().as_ref(), Ok(&expected), "{op:?}");
                case.assert_contract();
            }
        }
    }

    #[test]
    fn int8_takes_zero_points_away() {
        let a = Tensor::new(&[1, 1, 2], &[3i8, -1]).zero_point(1);
        let b = Tensor::new(&[1, 2, 1], &[10i8, 4]).zero_point(-2);
        let op = MatMul { factor: Factor::from_real(0.5), ..MatMul::PLAIN };
        let case = Case::new(op, [a.clone(), b.clone()]).output_zero_point(5);
        // (2 * 12 - 2 * 6) / 2 + 5
        assert_eq!(case.run::<i8>(), Ok([11].into()));
        case.assert_contract();
        assert_eq!(Case::new(MatMul::PLAIN, [a, b]).check(), Err(Error::Parameters));
    }

    #[test]
    fn shapes_must_agree() {
        let check = |op, a: &[usize], b: &[usize]| {
            let zeros = |dims: &[usize]| Tensor::new(dims, &std::vec![0.0f32; dims.iter().product()]);
            Case::new(op, [zeros(a), zeros(b)]).check()
        };
        assert_eq!(check(MatMul::PLAIN, &[2, 3], &[2, 3]), Err(Error::Shape));
        assert_eq!(check(MatMul::TRANSPOSED_B, &[2, 3], &[2, 3]), Ok(()));
        assert_eq!(check(MatMul::PLAIN, &[2, 2, 3], &[3, 3, 2]), Err(Error::Shape));
        assert_eq!(check(MatMul::PLAIN, &[2, 3], &[1, 3, 2]), Err(Error::Shape));
        assert_eq!(check(MatMul::PLAIN, &[3], &[3]), Err(Error::Shape));
    }
}
