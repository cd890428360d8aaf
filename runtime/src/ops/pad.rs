//! Padding with zeros in front of and behind any dimension.
//!
//! Input and output of rank 1 to 4. int8 pads with the zero point, which is the input's and the output's.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::{OUTPUT, OpCode, Operator, Outputs, Run, check_same_zero_points, one};
use crate::kernels::copy::{Lines, copy_lines};
use crate::mem::Memory;
use crate::model::Node;
use crate::shape::MAX_RANK;
use crate::{DType, Element, Error, Shape, TensorType};

/// Parameters of a padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pad {
    /// Elements added `[before, after]` each dimension, outermost first; `[0, 0]` behind the rank.
    pub pads: [[u16; 2]; MAX_RANK],
}

impl Pad {
    /// Elements added before each axis of the input's [`Shape::nhwc`].
    fn before(&self, x: &Shape) -> [usize; MAX_RANK] {
        let mut before = [0; MAX_RANK];
        for (axis, pads) in self.pads.iter().enumerate().take(x.rank()) {
            if let Some(slot) = before.get_mut(x.nhwc_axis(axis)) {
                *slot = pads[0] as usize;
            }
        }
        before
    }

    fn frame(&self, x: &Shape) -> Frame {
        let [n, h, _, _] = x.nhwc();
        let [n_before, h_before, _, _] = self.before(x);
        let axis = (0..x.rank()).find(|&axis| x.nhwc_axis(axis) == 1);
        let h_pads = axis.and_then(|axis| self.pads.get(axis)).copied().unwrap_or_default();
        let h_out = h + h_pads[0] as usize + h_pads[1] as usize;
        Frame { n, h, n_before, h_before, h_out }
    }

    fn run<T: Element>(&self, zero: T, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0), node.output(0));
        let shape = x.ty.shape;
        let ([_, _, w, c], [_, _, _, c_out]) = (shape.nhwc(), out.ty.shape.nhwc());
        let ([_, _, w_before, c_before], frame) = (self.before(&shape), self.frame(&shape));
        let to = w_before.wrapping_mul(c_out).wrapping_add(c_before);
        let lines = Lines { count: w, len: c, from: 0, from_step: c as isize, to, to_step: c_out };
        let (x, out) = (x.rows::<T>(mem), out.rows_mut::<T>(mem));
        for y in rows {
            let (row, from) = (out.row(y), frame.row_of(y));
            // Pixels of all channels stand together; others have padding between them.
            let is_gap = from.is_empty() || c != c_out;
            let (start, end) = if is_gap { (0, 0) } else { (to, to.wrapping_add(w.wrapping_mul(c))) };
            row.slice(0, start).fill(zero);
            row.slice(end, row.len().wrapping_sub(end)).fill(zero);
            for y in from {
                copy_lines(x.row(y), lines, row);
            }
        }
    }
}

/// Images among rows of padding.
struct Frame {
    /// Images, and rows of each.
    n: usize,
    h: usize,
    /// Images and rows of padding in front.
    n_before: usize,
    h_before: usize,
    /// Rows of an image with its padding.
    h_out: usize,
}

impl Frame {
    /// The row of the input that lies in row `y` of the output; empty in the padding.
    fn row_of(&self, y: usize) -> Range<usize> {
        let Frame { n, h, n_before, h_before, h_out } = *self;
        let (image, line) = (y.checked_div(h_out).unwrap_or(0), y.checked_rem(h_out).unwrap_or(0));
        // Rows before and after an image are empty ranges at its ends, so that ranges ascend with y.
        let lines = line.saturating_sub(h_before).min(h)..(line + 1).saturating_sub(h_before).min(h);
        match image.checked_sub(n_before) {
            Some(image) if image < n => image * h + lines.start..image * h + lines.end,
            Some(_) => n * h..n * h,
            None => 0..0,
        }
    }
}

impl Operator for Pad {
    const CODE: OpCode = OpCode::Pad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x] = inputs else { return Err(Error::Arity) };
        if !matches!(x.dtype, DType::F32 | DType::I8) {
            return Err(Error::DType);
        }
        let mut dims = heapless::Vec::<usize, MAX_RANK>::new();
        for (axis, &[before, after]) in self.pads.iter().enumerate() {
            if axis < x.shape.rank() {
                let dim = x.shape.dim(axis) + before as usize + after as usize;
                dims.push(dim).map_err(|_| Error::Shape)?;
            } else if before != 0 || after != 0 {
                return Err(Error::Parameters);
            }
        }
        one(TensorType::new(x.dtype, Shape::new(&dims)?))
    }

    fn rows(&self, _input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        inputs.first().map_or(0..0, |x| self.frame(&x.shape).row_of(y))
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }
}

impl Run<f32> for Pad {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.run(0f32, node, mem, rows);
    }
}

impl Run<i8> for Pad {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        check_same_zero_points(node)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.run(node.output(0).zero_point() as i8, node, mem, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn int8_is_padded_with_the_zero_point() {
        let x = Tensor::new(&[2, 2], &[1i8, 2, 3, 4]).zero_point(-9);
        let case = Case::new(Pad { pads: [[1, 0], [0, 2], [0, 0], [0, 0]] }, [x]);
        assert_eq!(case.check(), Err(Error::Parameters));
        let case = case.output_zero_point(-9);
        assert_eq!(case.run::<i8>(), Ok([-9, -9, -9, -9, 1, 2, -9, -9, 3, 4, -9, -9].into()));
        case.assert_contract();
    }

    #[test]
    fn every_dimension_is_padded() {
        let x: [f32; 24] = core::array::from_fn(|i| i as f32 + 1.0);
        let pads = [[1, 0], [0, 1], [2, 1], [1, 3]];
        let case = Case::new(Pad { pads }, [Tensor::new(&[2, 2, 3, 2], &x)]);
        let out = case.run::<f32>().unwrap();
        for (i, &value) in out.iter().enumerate() {
            let at = [i / 108, i / 36 % 3, i / 6 % 6, i % 6];
            let inside = |k: usize| at[k].checked_sub(pads[k][0] as usize).filter(|&j| j < [2, 2, 3, 2][k]);
            let expected = match [0, 1, 2, 3].map(inside) {
                [Some(n), Some(h), Some(w), Some(c)] => x[((n * 2 + h) * 3 + w) * 2 + c],
                _ => 0.0,
            };
            assert_eq!(value, expected, "at {at:?}");
        }
        case.assert_contract();
    }

    #[test]
    fn pads_beyond_the_rank_or_the_largest_tensor_are_refused() {
        let infer = |pads| {
            let x = TensorType::new(DType::F32, Shape::new(&[1 << 15, 1]).unwrap());
            Pad { pads }.infer(&[x]).map(|out| out[0].shape)
        };
        assert_eq!(infer([[0, 0], [0, 0], [0, 1], [0, 0]]), Err(Error::Parameters));
        assert_eq!(infer([[0, 0], [u16::MAX; 2], [0, 0], [0, 0]]), Err(Error::Shape));
    }
}
