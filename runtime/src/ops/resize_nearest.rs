//! Images of another size, each pixel that of the nearest.
//!
//! Input `[n, h, w, c]`, f32 or int8 (of one quantization with the output). Positions round as in TensorFlow
//! Lite's reference, in f32.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::resize::Resize;
use super::{OUTPUT, OpCode, Operator, Outputs, Run, check_same_zero_points};
use crate::kernels::resize::{nearest_row, repeat_row};
use crate::mem::Memory;
use crate::model::Node;
use crate::{Element, Error, TensorType};

/// Parameters of a resizing to the nearest pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizeNearest(pub Resize);

impl ResizeNearest {
    fn run<T: Element>(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0), node.output(0));
        let (shape, [out_h, out_w]) = (x.ty.shape, self.0.out_size());
        let (x, out) = (x.rows::<T>(mem), out.rows_mut(mem));
        let (w, c) = (shape.dim(2), shape.dim(3));
        let (line_of, column_of) = (self.0.nearest(shape.dim(1), out_h), self.0.nearest(w, out_w));
        let repeats = repeats(w, out_w, &column_of);
        for y in rows {
            let (first, line) = self.0.row(&shape, y);
            let x = x.row(first.wrapping_add(line_of(line)));
            match repeats {
                Some(n) => repeat_row(x, c, n, out.row(y)),
                None => nearest_row(x, c, out.row(y), &column_of),
            }
        }
    }
}

/// How often each of `len` columns comes in `out_len`, if that is equally often. Columns ascend, so that the first and the
/// last of each tell.
fn repeats(len: usize, out_len: usize, column_of: impl Fn(usize) -> usize) -> Option<usize> {
    let n = out_len.checked_div(len)?;
    let is_between = |i: usize| {
        let first = i.wrapping_mul(n);
        column_of(first) == i && column_of(first.wrapping_add(n).wrapping_sub(1)) == i
    };
    (n.wrapping_mul(len) == out_len && (0..len).all(is_between)).then_some(n)
}

impl Operator for ResizeNearest {
    const CODE: OpCode = OpCode::ResizeNearest;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        self.0.infer(inputs)
    }

    fn rows(&self, _input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        let [x] = inputs else { return 0..0 };
        let (first, line) = self.0.row(&x.shape, y);
        let [out_h, _] = self.0.out_size();
        let from = first + self.0.nearest(x.shape.dim(1), out_h)(line);
        from..from + 1
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }
}

impl Run<f32> for ResizeNearest {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.run::<f32>(node, mem, rows);
    }
}

impl Run<i8> for ResizeNearest {
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

    #[test]
    fn columns_are_those_of_the_rule() {
        let x: [i8; 30] = core::array::from_fn(|i| i as i8);
        // An interpreter takes minutes for all.
        let step = if cfg!(miri) { 10 } else { 1 };
        for (w, out_w) in (1usize..16).flat_map(|w| (1u16..64).step_by(step).map(move |out_w| (w, out_w))) {
            for (align_corners, half_pixel_centers) in [(false, false), (true, false), (false, true)] {
                let op = Resize { size: [1, out_w], align_corners, half_pixel_centers };
                let case = Case::new(ResizeNearest(op), [Tensor::new(&[1, 1, w, 2], &x[..2 * w])]);
                let column_of = op.nearest(w, out_w as usize);
                let columns =
                    (0..out_w as usize).flat_map(|i| [2 * column_of(i) as i8, 2 * column_of(i) as i8 + 1]);
                assert_eq!(case.run::<i8>().unwrap(), columns.collect::<Vec<_>>(), "{w} to {op:?}");
            }
        }
    }

    #[test]
    fn pixels_repeat_and_are_left_out() {
        let resize = |size| Resize { size, align_corners: false, half_pixel_centers: false };
        let x = Tensor::new(&[1, 2, 2, 1], &[1i8, 2, 3, 4]);
        let case = Case::new(ResizeNearest(resize([4, 1])), [x]);
        assert_eq!(case.run::<i8>(), Ok([1, 1, 3, 3].into()));
        let x: [f32; 48] = core::array::from_fn(|i| i as f32);
        for size in [[7, 5], [1, 1], [3, 9], [2, 4], [6, 8], [3, 12]] {
            let op = ResizeNearest(resize(size));
            Case::new(op, [Tensor::new(&[2, 3, 4, 2], &x)]).assert_contract();
        }
        let case = Case::new(ResizeNearest(resize([0, 5])), [Tensor::new(&[2, 3, 4, 2], &x)]);
        assert_eq!(case.check(), Err(Error::Shape));
    }
}
