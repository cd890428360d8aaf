//! A part of a tensor: along every dimension the indices from a first one on at a constant distance, which
//! may be negative.
//!
//! Input and output of the same rank, 0 to 4, f32 or int8. int8 copies stored integers, so both have one
//! quantization.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::gather::{Gather, stride};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, check_same_zero_points, one};
use crate::mem::Memory;
use crate::model::Node;
use crate::shape::MAX_RANK;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// First index along each dimension, outermost first; 0 behind the rank.
    pub begin: [u32; MAX_RANK],
    /// Number of indices along each dimension; 1 behind the rank.
    pub len: [u32; MAX_RANK],
    /// From one index to the next along each dimension, not 0; 1 behind the rank.
    pub stride: [i32; MAX_RANK],
}

impl Slice {
    /// All of `shape`: what to change where less is wanted.
    pub fn all(shape: &Shape) -> Slice {
        let len = [0, 1, 2, 3].map(|i| shape.dim(i) as u32);
        Slice { begin: [0; MAX_RANK], len, stride: [1; MAX_RANK] }
    }

    /// First index, number and distance along a dimension.
    fn axis(&self, axis: usize) -> (u32, u32, i32) {
        let of = |array: &[u32; MAX_RANK], absent| array.get(axis).copied().unwrap_or(absent);
        (of(&self.begin, 0), of(&self.len, 1), self.stride.get(axis).copied().unwrap_or(1))
    }

    fn output(&self, x: &Shape) -> Result<Shape, Error> {
        let mut dims = [1; MAX_RANK];
        for (axis, slot) in dims.iter_mut().enumerate() {
            let (begin, len, stride) = self.axis(axis);
            if stride == 0 || axis >= x.rank() && (begin, len, stride) != (0, 1, 1) {
                return Err(Error::Parameters);
            }
            let inside = 0..x.dim(axis) as i64;
            if len == 0 || len as i64 > inside.end {
                return Err(Error::Shape);
            }
            let last = begin as i64 + (len as i64 - 1) * stride as i64;
            if !inside.contains(&(begin as i64)) || !inside.contains(&last) {
                return Err(Error::Shape);
            }
            *slot = len as usize;
        }
        Shape::new(dims.get(..x.rank()).unwrap_or(&dims))
    }

    fn gather(&self, x: &Shape, out: &Shape) -> Gather {
        let first = (0..x.rank()).fold(0usize, |first, axis| {
            first.wrapping_add(stride(x, axis).wrapping_mul(self.axis(axis).0 as usize))
        });
        let step = |axis| (stride(x, axis) as isize).wrapping_mul(self.axis(axis).2 as isize);
        Gather::new(out, first, step)
    }

    fn gather_of(&self, node: &Node) -> Gather {
        self.gather(&node.input(0).ty.shape, &node.output(0).ty.shape)
    }
}

impl Operator for Slice {
    const CODE: OpCode = OpCode::Slice;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x] = inputs else { return Err(Error::Arity) };
        if !matches!(x.dtype, DType::F32 | DType::I8) {
            return Err(Error::DType);
        }
        one(TensorType::new(x.dtype, self.output(&x.shape)?))
    }

    fn rows(&self, _input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        let [x] = inputs else { return 0..0 };
        self.output(&x.shape).map_or(0..0, |out| self.gather(&x.shape, &out).rows(&x.shape, y))
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        OUTPUT
    }
}

impl Run<f32> for Slice {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.gather_of(node).run::<f32>(node, mem, rows);
    }
}

impl Run<i8> for Slice {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        check_same_zero_points(node)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.gather_of(node).run::<i8>(node, mem, rows);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::ops::testing::{Case, Tensor};

    /// Along one dimension: its size, first index, number of indices and their distance.
    fn axes() -> impl Strategy<Value = Vec<[i32; 4]>> {
        let axis = (1i32..7).prop_flat_map(|size| (Just(size), 0..size, -3i32..=3));
        let axis = axis.prop_filter("not 0", |axis| axis.2 != 0).prop_flat_map(|(size, begin, stride)| {
            let room = if stride > 0 { size - 1 - begin } else { begin };
            (Just(size), Just(begin), 1..=room / stride.abs() + 1, Just(stride))
        });
        prop::collection::vec(axis.prop_map(|(size, begin, len, stride)| [size, begin, len, stride]), 1..=4)
    }

    proptest! {
        #[test]
        fn every_dimension_is_cut(axes in axes()) {
            let dims: Vec<usize> = axes.iter().map(|axis| axis[0] as usize).collect();
            let mut op = Slice::all(&Shape::new(&dims).unwrap());
            let mut expected: Vec<usize> = std::vec![0];
            for (i, &[size, begin, len, stride]) in axes.iter().enumerate() {
                (op.begin[i], op.len[i], op.stride[i]) = (begin as u32, len as u32, stride);
                let index = |j: i32| (begin + j * stride) as usize;
                expected = expected.iter().flat_map(|outer| (0..len).map(move |j| outer * size as usize + index(j))).collect();
            }
            let x: Vec<i8> = (0..dims.iter().product()).map(|i: usize| i as i8).collect();
            let case = Case::new(op, [Tensor::new(&dims, &x)]);
            let expected: Vec<i8> = expected.into_iter().map(|i| i as i8).collect();
            prop_assert_eq!(case.run::<i8>().unwrap(), expected);
            case.assert_contract();
        }
    }

    #[test]
    fn a_part_beyond_the_tensor_is_refused() {
        let check = |begin, len, stride| {
            let op = Slice { begin: [begin, 0, 0, 0], len: [len, 1, 1, 1], stride: [stride, 1, 1, 1] };
            Case::new(op, [Tensor::new(&[4], &[0f32; 4])]).check()
        };
        assert_eq!(check(1, 3, 1), Ok(()));
        assert_eq!(check(3, 2, -3), Ok(()));
        assert_eq!(check(3, 1, i32::MIN), Ok(()));
        for (begin, len, stride) in
            [(2, 3, 1), (u32::MAX, 1, 1), (0, 0, 1), (4, 1, 1), (3, 3, -2), (0, u32::MAX, i32::MAX)]
        {
            assert_eq!(check(begin, len, stride), Err(Error::Shape), "{begin} {len} {stride}");
        }
        assert_eq!(check(0, 1, 0), Err(Error::Parameters));
    }

    #[test]
    fn nothing_is_cut_behind_the_rank() {
        let x = TensorType::new(DType::F32, Shape::new(&[2]).unwrap());
        let all = Slice::all(&x.shape);
        assert_eq!(Slice { stride: [1, 1, 2, 1], ..all }.infer(&[x]), Err(Error::Parameters));
        assert_eq!(Slice { len: [2, 2, 1, 1], ..all }.infer(&[x]), Err(Error::Parameters));
    }
}
