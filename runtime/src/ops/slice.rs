//! A part of a tensor, contiguous along every dimension.
//!
//! Input f32 of rank 1 to 4, output of the same rank.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv2d_input_grad::check_f32;
use super::{OpCode, Operator, Outputs, Run, one};
use crate::mem::Memory;
use crate::model::Node;
use crate::shape::MAX_RANK;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// First index along each dimension, outermost first; 0 behind the rank.
    pub begin: [u32; MAX_RANK],
    /// Indices along each dimension; 1 behind the rank.
    pub len: [u32; MAX_RANK],
}

impl Slice {
    /// `begin` along the axes of [`Shape::nhwc`].
    fn begin(&self, x: &Shape) -> [usize; MAX_RANK] {
        let mut begin = [0; MAX_RANK];
        for (axis, &first) in self.begin.iter().enumerate().take(x.rank()) {
            if let Some(slot) = begin.get_mut(x.nhwc_axis(axis)) {
                *slot = first as usize;
            }
        }
        begin
    }

    /// The row of the input that row `y` of an output with `out_h` rows an image is a part of.
    fn row_of(&self, x: &Shape, out_h: usize, y: usize) -> usize {
        let ([_, h, _, _], [n0, h0, _, _]) = (x.nhwc(), self.begin(x));
        let (image, line) = (y.checked_div(out_h).unwrap_or(0), y.checked_rem(out_h).unwrap_or(0));
        n0.wrapping_add(image).wrapping_mul(h).wrapping_add(h0.wrapping_add(line))
    }
}

impl Operator for Slice {
    const CODE: OpCode = OpCode::Slice;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x] = inputs else { return Err(Error::Arity) };
        check_f32(inputs)?;
        let mut dims = heapless::Vec::<usize, MAX_RANK>::new();
        for (axis, (&begin, &len)) in self.begin.iter().zip(&self.len).enumerate() {
            if axis >= x.shape.rank() {
                if (begin, len) != (0, 1) {
                    return Err(Error::Parameters);
                }
            } else if begin as u64 + len as u64 <= x.shape.dim(axis) as u64 {
                dims.push(len as usize).map_err(|_| Error::Shape)?;
            } else {
                return Err(Error::Shape);
            }
        }
        one(TensorType::new(DType::F32, Shape::new(&dims)?))
    }

    fn rows(&self, _input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (self.infer(inputs).as_deref(), inputs) {
            (Ok([out]), [x]) => {
                let [_, out_h, _, _] = out.shape.nhwc();
                let row = self.row_of(&x.shape, out_h, y);
                row..row + 1
            }
            _ => 0..0,
        }
    }
}

impl Run<f32> for Slice {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0), node.output(0));
        let shape = x.ty.shape;
        let ([_, _, _, c], [_, _, w0, c0]) = (shape.nhwc(), self.begin(&shape));
        let [_, out_h, out_w, out_c] = out.ty.shape.nhwc();
        let (x, out) = (x.rows::<f32>(mem), out.rows_mut(mem));
        for y in rows {
            let (from, to) = (x.row(self.row_of(&shape, out_h, y)), out.row(y));
            for i in 0..out_w {
                let start = w0.wrapping_add(i).wrapping_mul(c).wrapping_add(c0);
                to.slice(i.wrapping_mul(out_c), out_c).copy_from(from.slice(start, out_c));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn every_dimension_is_cut() {
        let x: [f32; 120] = core::array::from_fn(|i| i as f32);
        let (begin, len) = ([1, 0, 2, 1], [1, 2, 2, 3]);
        let case = Case::new(Slice { begin, len }, [Tensor::new(&[2, 3, 4, 5], &x)]);
        let expected = [0, 1].map(|h| [2, 3].map(|w| [1, 2, 3].map(|c| (60 + h * 20 + w * 5 + c) as f32)));
        assert_eq!(case.run::<f32>().unwrap(), expected.as_flattened().as_flattened());
        case.assert_contract();
        let rows = Slice { begin: [1, 0, 0, 0], len: [2, 2, 1, 1] };
        let case = Case::new(rows, [Tensor::new(&[3, 2], &x[..6])]);
        assert_eq!(case.run::<f32>(), Ok([2.0, 3.0, 4.0, 5.0].into()));
        case.assert_contract();
    }

    #[test]
    fn a_part_beyond_the_tensor_is_refused() {
        let check = |begin, len| {
            let x = Tensor::new(&[4], &[0f32; 4]);
            Case::new(Slice { begin: [begin, 0, 0, 0], len: [len, 1, 1, 1] }, [x]).check()
        };
        assert_eq!(check(1, 3), Ok(()));
        assert_eq!(check(2, 3), Err(Error::Shape));
        assert_eq!(check(u32::MAX, 1), Err(Error::Shape));
        assert_eq!(check(0, 0), Err(Error::Shape));
    }
}
