//! Transposition: the dimensions in another order.
//!
//! Input and output of rank 0 to 4, f32 or int8. int8 copies stored integers, so both have one quantization.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::gather::{Gather, stride};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, check_same_zero_points, one};
use crate::mem::Memory;
use crate::model::Node;
use crate::shape::MAX_RANK;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a transposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transpose {
    /// Dimension `i` of the output is dimension `perm[i]` of the input; `i` itself behind the rank.
    pub perm: [u8; MAX_RANK],
}

impl Transpose {
    /// The transposition that undoes this one.
    pub fn inverse(&self) -> Transpose {
        let mut perm = self.perm;
        for (i, &from) in (0..).zip(&self.perm) {
            if let Some(slot) = perm.get_mut(from as usize) {
                *slot = i;
            }
        }
        Transpose { perm }
    }

    fn output(&self, x: &Shape) -> Result<Shape, Error> {
        let mut dims = [1; MAX_RANK];
        let mut seen = 0u8;
        for (i, (&from, slot)) in self.perm.iter().zip(&mut dims).enumerate() {
            let stays = from as usize == i;
            let inside = i < x.rank() && (from as usize) < x.rank();
            if !inside && !stays || seen >> from & 1 != 0 {
                return Err(Error::Parameters);
            }
            seen |= 1 << from;
            *slot = x.dim(from as usize);
        }
        Shape::new(dims.get(..x.rank()).unwrap_or(&dims))
    }

    fn gather(&self, x: &Shape, out: &Shape) -> Gather {
        let from = |i: usize| self.perm.get(i).copied().unwrap_or(0) as usize;
        Gather::new(out, 0, |i| stride(x, from(i)) as isize)
    }

    fn gather_of(&self, node: &Node) -> Gather {
        self.gather(&node.input(0).ty.shape, &node.output(0).ty.shape)
    }
}

impl Operator for Transpose {
    const CODE: OpCode = OpCode::Transpose;

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

impl Run<f32> for Transpose {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.gather_of(node).run::<f32>(node, mem, rows);
    }
}

impl Run<i8> for Transpose {
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

    /// Dimensions, and an order of them.
    fn transpositions() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
        prop::collection::vec(1usize..5, 1..=4).prop_flat_map(|dims| {
            let perm: Vec<usize> = (0..dims.len()).collect();
            (Just(dims), Just(perm).prop_shuffle())
        })
    }

    fn transpose(perm: &[usize]) -> Transpose {
        Transpose { perm: core::array::from_fn(|i| *perm.get(i).unwrap_or(&i) as u8) }
    }

    proptest! {
        #[test]
        fn elements_go_where_their_indices_say((dims, perm) in transpositions()) {
            let count: usize = dims.iter().product();
            let x: Vec<f32> = (0..count).map(|i| i as f32).collect();
            let case = Case::new(transpose(&perm), [Tensor::new(&dims, &x)]);
            case.assert_contract();
            let y = case.run::<f32>().unwrap();
            for (i, &y) in y.iter().enumerate() {
                let (mut rest, mut source) = (i, 0);
                for &from in perm.iter().rev() {
                    let stride: usize = dims[from + 1..].iter().product();
                    source += rest % dims[from] * stride;
                    rest /= dims[from];
                }
                prop_assert_eq!(y, x[source]);
            }
            let out: Vec<usize> = perm.iter().map(|&from| dims[from]).collect();
            let back = Case::new(transpose(&perm).inverse(), [Tensor::new(&out, &y)]);
            prop_assert_eq!(back.run::<f32>().unwrap(), x);
        }
    }

    #[test]
    fn what_is_no_permutation_is_refused() {
        let check = |perm| Case::new(Transpose { perm }, [Tensor::new(&[2, 3], &[0i8; 6])]).check();
        assert_eq!(check([1, 0, 2, 3]), Ok(()));
        for perm in [[0, 0, 2, 3], [1, 0, 3, 2], [0, 2, 1, 3], [0, 4, 2, 3], [0, 255, 2, 3], [0, 1, 1, 1]] {
            assert_eq!(check(perm), Err(Error::Parameters), "{perm:?}");
        }
    }
}
