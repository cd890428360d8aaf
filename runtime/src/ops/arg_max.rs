//! Index of the greatest element along one axis; of several, the first.
//!
//! Input f32 or int8 of rank 1 to 4; output i32, without the axis.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::arg_max::arg_max;
use crate::mem::Memory;
use crate::model::Node;
use crate::shape::MAX_RANK;
use crate::{DType, Element, Error, Shape, TensorType};

/// Parameters of an index of the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgMax {
    /// The dimension that is searched.
    pub axis: u8,
}

impl ArgMax {
    /// Elements along the axis, and from one of them to the next.
    fn extent(&self, x: &Shape) -> (usize, usize) {
        let axis = self.axis as usize;
        let step = (axis + 1..x.rank()).fold(1usize, |step, i| step.wrapping_mul(x.dim(i)));
        (x.dim(axis), step)
    }

    /// The first of the elements that element `i` of the output is chosen from.
    fn start(&self, x: &Shape, i: usize) -> usize {
        let (count, step) = self.extent(x);
        let (outer, inner) = (i.checked_div(step).unwrap_or(0), i.checked_rem(step).unwrap_or(0));
        outer.wrapping_mul(count).wrapping_mul(step).wrapping_add(inner)
    }

    fn run<T: Element + PartialOrd>(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0), node.output(0));
        let (shape, row_len) = (x.ty.shape, out.ty.shape.row_len());
        let (count, step) = self.extent(&shape);
        let (x, out) = (x.view::<T>(mem), out.rows_mut::<i32>(mem));
        for y in rows {
            for i in 0..row_len {
                let start = self.start(&shape, y.wrapping_mul(row_len).wrapping_add(i));
                out.row(y).set(i, arg_max(x, start, step, count));
            }
        }
    }
}

impl Operator for ArgMax {
    const CODE: OpCode = OpCode::ArgMax;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x] = inputs else { return Err(Error::Arity) };
        if !matches!(x.dtype, DType::F32 | DType::I8) {
            return Err(Error::DType);
        }
        let (rank, axis) = (x.shape.rank(), self.axis as usize);
        if axis >= rank {
            return Err(Error::Parameters);
        }
        let mut dims = heapless::Vec::<usize, MAX_RANK>::new();
        for i in (0..rank).filter(|&i| i != axis) {
            dims.push(x.shape.dim(i)).map_err(|_| Error::Shape)?;
        }
        one(TensorType::new(DType::I32, Shape::new(&dims)?))
    }

    fn rows(&self, _input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        let ([x], Ok(outputs)) = (inputs, self.infer(inputs)) else { return 0..0 };
        let row_len = outputs.first().map_or(1, |out| out.shape.row_len());
        let (count, step) = self.extent(&x.shape);
        let (first, last) = (y * row_len, (y + 1) * row_len - 1);
        // Whole blocks of the elements that share the outer dimensions.
        let (first, last) = (first.checked_div(step).unwrap_or(0), last.checked_div(step).unwrap_or(0));
        x.shape.rows_of(first * count * step, (last + 1) * count * step)
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        OUTPUT
    }
}

impl Run<f32> for ArgMax {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.run::<f32>(node, mem, rows);
    }
}

impl Run<i8> for ArgMax {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.run::<i8>(node, mem, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn the_first_of_the_greatest_is_named() {
        let x = [3i8, 7, 7, -1, -128, -128, 0, 0, 5, 5, 6, 5];
        let case = |axis, dims: &[usize]| Case::new(ArgMax { axis }, [Tensor::new(dims, &x)]);
        assert_eq!(case(1, &[4, 3]).run::<i32>(), Ok([1, 0, 2, 1].into()));
        assert_eq!(case(0, &[4, 3]).run::<i32>(), Ok([3, 0, 0].into()));
        assert_eq!(case(0, &[12]).run::<i32>(), Ok([1].into()));
        for axis in 0..4 {
            case(axis, &[2, 3, 1, 2]).assert_contract();
        }
        assert_eq!(case(2, &[4, 3]).check(), Err(Error::Parameters));
    }
}
