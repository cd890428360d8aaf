//! The same elements in the same order under another shape.
//!
//! Works in place: where the plan puts the output on the input's bytes, it costs nothing. int8 copies stored
//! integers, so both have one quantization.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::{OpCode, Operator, Outputs, Run, check_same_zero_points, one};
use crate::mem::Memory;
use crate::model::Node;
use crate::shape::MAX_RANK;
use crate::{DType, Element, Error, Shape, TensorType};

/// Parameters of a reshape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshape {
    /// Number of dimensions of the output.
    rank: u8,
    /// Dimensions of the output, outermost first; 1 behind the rank.
    dims: [u32; MAX_RANK],
}

impl Reshape {
    /// A reshape to `shape`.
    pub fn new(shape: &Shape) -> Reshape {
        Reshape { rank: shape.rank() as u8, dims: [0, 1, 2, 3].map(|i| shape.dim(i) as u32) }
    }

    fn shape(&self) -> Result<Shape, Error> {
        let dims = self.dims.map(|dim| dim as usize);
        Shape::new(dims.get(..self.rank as usize).ok_or(Error::Parameters)?)
    }

    fn run<T: Element>(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0), node.output(0));
        if !x.is_constant() && x.offset() == out.offset() {
            return;
        }
        let row_len = out.ty.shape.row_len();
        let (x, out) = (x.view::<T>(mem), out.rows_mut(mem));
        for y in rows {
            out.row(y).copy_from(x.slice(y.wrapping_mul(row_len), row_len));
        }
    }
}

impl Operator for Reshape {
    const CODE: OpCode = OpCode::Reshape;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x] = inputs else { return Err(Error::Arity) };
        if !matches!(x.dtype, DType::F32 | DType::I8) {
            return Err(Error::DType);
        }
        let shape = self.shape()?;
        if shape.count() != x.shape.count() {
            return Err(Error::Shape);
        }
        one(TensorType::new(x.dtype, shape))
    }

    fn rows(&self, _input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (self.shape(), inputs) {
            (Ok(out), [x]) => x.shape.rows_of(y * out.row_len(), (y + 1) * out.row_len()),
            _ => 0..0,
        }
    }

    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        1
    }
}

impl Run<f32> for Reshape {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.run::<f32>(node, mem, rows);
    }
}

impl Run<i8> for Reshape {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        check_same_zero_points(node)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.run::<i8>(node, mem, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn keeps_the_elements() {
        let x: [i8; 24] = core::array::from_fn(|i| i as i8);
        for (from, to) in [
            (&[2usize, 3, 2, 2][..], &[2usize, 12][..]),
            (&[24], &[1, 4, 3, 2]),
            (&[4, 6], &[3, 8]),
            (&[3, 8], &[24]),
        ] {
            let op = Reshape::new(&Shape::new(to).unwrap());
            for x in [Tensor::new(from, &x), Tensor::new(from, &x).constant()] {
                let case = Case::new(op, [x]);
                assert_eq!(case.run::<i8>().unwrap(), (0..24).collect::<std::vec::Vec<i8>>());
                case.assert_contract();
            }
        }
    }

    #[test]
    fn other_counts_and_ranks_are_refused() {
        let check = |rank, dims| Case::new(Reshape { rank, dims }, [Tensor::new(&[6], &[0i8; 6])]).check();
        assert_eq!(check(2, [2, 3, 1, 1]), Ok(()));
        assert_eq!(check(2, [2, 4, 1, 1]), Err(Error::Shape));
        assert_eq!(check(5, [6, 1, 1, 1]), Err(Error::Parameters));
    }

    extern crate std;
}
