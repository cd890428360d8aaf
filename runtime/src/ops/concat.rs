//! Joining tensors along one axis.
//!
//! Inputs: 1 to 8 tensors of rank 1 to 4 and of the same dimensions but along the axis, where the output has
//! their sum. int8 copies stored integers, so all have one quantization.

use core::ops::Range;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::{MAX_INPUTS, OUTPUT, OpCode, Operator, Outputs, Run, check_same_zero_points, one};
use crate::kernels::copy::{Lines, copy_lines};
use crate::mem::{Memory, Rows};
use crate::model::Node;
use crate::shape::MAX_RANK;
use crate::{DType, Element, Error, Shape, TensorType};

/// Parameters of a concatenation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concat {
    /// The dimension along which the inputs follow each other.
    pub axis: u8,
}

/// How a tensor lies along the axis.
enum Extent {
    /// It is so many rows, again and again.
    Rows(usize),
    /// Its rows are so many chunks of so many elements.
    Chunks(usize, usize),
}

impl Concat {
    fn extent(&self, x: &Shape) -> Extent {
        let [n, h, w, c] = x.nhwc();
        match x.nhwc_axis(self.axis as usize) {
            0 => Extent::Rows(n.wrapping_mul(h)),
            1 => Extent::Rows(h),
            2 => Extent::Chunks(1, w.wrapping_mul(c)),
            _ => Extent::Chunks(w, c),
        }
    }

    /// Rows, or elements of a chunk.
    fn len(&self, x: &TensorType) -> usize {
        match self.extent(&x.shape) {
            Extent::Rows(len) | Extent::Chunks(_, len) => len,
        }
    }

    /// The row of input `input` that lies in row `y` of the output, if one does.
    fn row_of(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        let Some(x) = inputs.get(input) else { return 0..0 };
        let Extent::Rows(len) = self.extent(&x.shape) else { return y..y + 1 };
        let before: usize = inputs.iter().take(input).map(|x| self.len(x)).sum();
        let total: usize = inputs.iter().map(|x| self.len(x)).sum();
        Self::row_among(y, before..before + len, total)
    }

    /// Row `y` of the output, whose rows are in groups of `total`, among those of an input that stands at `place` in each.
    fn row_among(y: usize, place: Range<usize>, total: usize) -> Range<usize> {
        let (before, len) = (place.start, place.len());
        let (group, y) = (y.checked_div(total).unwrap_or(0), y.checked_rem(total).unwrap_or(0));
        // Empty ranges stand at the ends of the input's rows, so that ranges ascend with y.
        let local = y.saturating_sub(before).min(len)..(y + 1).saturating_sub(before).min(len);
        group * len + local.start..group * len + local.end
    }

    /// The inputs of a node.
    fn parts<'a, T: Element>(&self, node: &Node, mem: &Memory<'a>) -> Vec<Part<'a, T>, MAX_INPUTS> {
        let out = node.output(0).ty;
        let (row_len, total) = (out.shape.row_len(), self.len(&out));
        let (mut parts, mut before) = (Vec::new(), 0usize);
        for i in 0..node.n_inputs() {
            let x = node.input(i);
            let (place, lines) = match self.extent(&x.ty.shape) {
                Extent::Rows(len) => {
                    let lines = Lines { count: 1, len: row_len, from: 0, from_step: 0, to: 0, to_step: 0 };
                    (Some(before..before.wrapping_add(len)), lines)
                }
                Extent::Chunks(count, len) => {
                    let from_step = len as isize;
                    (None, Lines { count, len, from: 0, from_step, to: before, to_step: total })
                }
            };
            before = before.wrapping_add(self.len(&x.ty));
            // The check has refused more than fit.
            let _ = parts.push(Part { x: x.rows(mem), place, lines });
        }
        parts
    }

    fn run<T: Element>(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (parts, out) = (self.parts::<T>(node, mem), node.output(0));
        let total = self.len(&out.ty);
        let out = out.rows_mut::<T>(mem);
        for y in rows {
            let row = out.row(y);
            for part in &parts {
                let from = match &part.place {
                    Some(place) => Self::row_among(y, place.clone(), total),
                    None => y..y.wrapping_add(1),
                };
                from.for_each(|y| copy_lines(part.x.row(y), part.lines, row));
            }
        }
    }
}

/// An input, and how its rows go into those of the output.
struct Part<'a, T> {
    x: Rows<'a, T>,
    /// Where its rows stand among those of all inputs, if they are rows of the output.
    place: Option<Range<usize>>,
    lines: Lines,
}

impl Operator for Concat {
    const CODE: OpCode = OpCode::Concat;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &first = inputs.first().ok_or(Error::Arity)?;
        let (rank, axis) = (first.shape.rank(), self.axis as usize);
        if !matches!(first.dtype, DType::F32 | DType::I8) {
            return Err(Error::DType);
        }
        if axis >= rank {
            return Err(Error::Parameters);
        }
        let mut along = 0usize;
        for x in inputs {
            if x.dtype != first.dtype {
                return Err(Error::DType);
            }
            let same = |i: usize| i == axis || x.shape.dim(i) == first.shape.dim(i);
            if x.shape.rank() != rank || !(0..rank).all(same) {
                return Err(Error::Shape);
            }
            along = along.checked_add(x.shape.dim(axis)).ok_or(Error::Shape)?;
        }
        let mut dims = heapless::Vec::<usize, MAX_RANK>::new();
        for i in 0..rank {
            dims.push(if i == axis { along } else { first.shape.dim(i) }).map_err(|_| Error::Shape)?;
        }
        one(TensorType::new(first.dtype, Shape::new(&dims)?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        self.row_of(input, inputs, y)
    }

    fn by_rows(&self, inputs: &[TensorType]) -> u16 {
        OUTPUT | ((1 << inputs.len()) - 1)
    }
}

impl Run<f32> for Concat {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.run::<f32>(node, mem, rows);
    }
}

impl Run<i8> for Concat {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        check_same_zero_points(node)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.run::<i8>(node, mem, rows);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use crate::ops::testing::{Case, Tensor};

    /// Inputs of `dims` but for `lens` along the axis, each element different.
    fn case(axis: usize, dims: &[usize], lens: &[usize]) -> Case<Concat> {
        let tensor = |(i, &len): (usize, &usize)| {
            let mut dims = dims.to_vec();
            dims[axis] = len;
            let data: Vec<i8> = (0..dims.iter().product()).map(|k: usize| (100 * i + k) as i8).collect();
            Tensor::new(&dims, &data)
        };
        Case::new(Concat { axis: axis as u8 }, lens.iter().enumerate().map(tensor))
    }

    #[test]
    fn joins_along_any_axis() {
        for (dims, rank) in [(&[2usize, 3, 2, 3][..], 4), (&[2, 3, 2], 3), (&[2, 3], 2), (&[3], 1)] {
            for axis in 0..rank {
                let lens = [1usize, 3, 2];
                let case = case(axis, dims, &lens);
                let inner: usize = dims[axis + 1..].iter().product();
                let outer: usize = dims[..axis].iter().product();
                let mut expected = Vec::new();
                for o in 0..outer {
                    for (i, len) in lens.iter().enumerate() {
                        let block = len * inner;
                        expected.extend((0..block).map(|k| (100 * i + o * block + k) as i8));
                    }
                }
                assert_eq!(case.run::<i8>().unwrap(), expected, "axis {axis} of {dims:?}");
                case.assert_contract();
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let vector = |n: usize| Tensor::new(&[n], &[1i8, 2, 3][..n]);
        let joined = |op, inputs: &[Tensor]| Case::new(op, inputs.iter().cloned()).check();
        assert_eq!(joined(Concat { axis: 0 }, &[vector(3), vector(2)]), Ok(()));
        assert_eq!(joined(Concat { axis: 1 }, &[vector(3), vector(2)]), Err(Error::Parameters));
        assert_eq!(joined(Concat { axis: 0 }, &[vector(3), vector(2).zero_point(1)]), Err(Error::Parameters));
        assert_eq!(joined(Concat { axis: 0 }, &[vector(3), Tensor::new(&[1], &[1f32])]), Err(Error::DType));
        assert_eq!(joined(Concat { axis: 0 }, &[vector(3), Tensor::new(&[1, 1], &[1i8])]), Err(Error::Shape));
    }
}
