//! Images of another size, each pixel mixed from the four around it.
//!
//! Input `[n, h, w, c]`, f32 or int8 (of one quantization with the output). int8 is mixed with weights in Q10
//! and rounded as in TensorFlow Lite Micro.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::resize::Resize;
use super::{OUTPUT, OpCode, Operator, Outputs, Run, check_same_zero_points};
use crate::kernels::resize::{Neighbours, bilinear_row, mix_f32, mix_i8};
use crate::mem::{Memory, View, ViewMut};
use crate::model::Node;
use crate::{DType, Element, Error, TensorType};

/// Parameters of a bilinear resizing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizeBilinear(pub Resize);

impl ResizeBilinear {
    /// `neighbours` gives those along an axis, for its length before and after.
    fn run<T: Element, W: Copy, N: Fn(usize) -> Neighbours<W>>(
        &self,
        node: &Node,
        mem: &Memory,
        rows: Range<usize>,
        neighbours: impl Fn(usize, usize) -> N,
        mix: impl Fn([View<T>; 4], [W; 2], [W; 2], ViewMut<T>),
    ) {
        let (x, out) = (node.input(0), node.output(0));
        let (shape, [out_h, out_w]) = (x.ty.shape, self.0.out_size());
        let (x, out) = (x.rows::<T>(mem), out.rows_mut(mem));
        let (line_of, column_of) = (neighbours(shape.dim(1), out_h), neighbours(shape.dim(2), out_w));
        for y in rows {
            let (first, line) = self.0.row(&shape, y);
            let Neighbours { at: [above, below], weights } = line_of(line);
            let pair = [x.row(first.wrapping_add(above)), x.row(first.wrapping_add(below))];
            bilinear_row(pair, weights, shape.dim(3), out.row(y), &column_of, &mix);
        }
    }
}

impl Operator for ResizeBilinear {
    const CODE: OpCode = OpCode::ResizeBilinear;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        if self.0.align_corners && self.0.half_pixel_centers {
            return Err(Error::Parameters);
        }
        self.0.infer(inputs)
    }

    fn rows(&self, _input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        let [x] = inputs else { return 0..0 };
        let (first, line) = self.0.row(&x.shape, y);
        let (h, [out_h, _]) = (x.shape.dim(1), self.0.out_size());
        let at = match x.dtype {
            DType::I8 => self.0.neighbours_q10(h, out_h)(line).at,
            _ => self.0.neighbours(h, out_h)(line).at,
        };
        Resize::rows_between(&x.shape, first, at)
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }
}

impl Run<f32> for ResizeBilinear {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let neighbours = |len, out_len| self.0.neighbours(len, out_len);
        self.run(node, mem, rows, neighbours, mix_f32);
    }
}

impl Run<i8> for ResizeBilinear {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        check_same_zero_points(node)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let neighbours = |len, out_len| self.0.neighbours_q10(len, out_len);
        self.run(node, mem, rows, neighbours, mix_i8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    fn resize(size: [u16; 2], align_corners: bool, half_pixel_centers: bool) -> ResizeBilinear {
        ResizeBilinear(Resize { size, align_corners, half_pixel_centers })
    }

    #[test]
    fn mixes_neighbours() {
        let x = Tensor::new(&[1, 1, 2, 1], &[10i8, 20]);
        let case = Case::new(resize([1, 4], false, false), [x.clone()]);
        assert_eq!(case.run::<i8>(), Ok([10, 15, 20, 20].into()));
        let case = Case::new(resize([1, 3], true, false), [x.clone()]);
        assert_eq!(case.run::<i8>(), Ok([10, 15, 20].into()));
        let case = Case::new(resize([1, 3], true, true), [x]);
        assert_eq!(case.check(), Err(Error::Parameters));
    }

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let x: [f32; 48] = core::array::from_fn(|i| (i * 7 % 13) as f32);
        let q: [i8; 48] = core::array::from_fn(|i| (i * 37 % 256) as u8 as i8);
        for size in [[7, 5], [1, 1], [3, 9], [2, 2]] {
            for (align_corners, half_pixel_centers) in [(false, false), (true, false), (false, true)] {
                let op = resize(size, align_corners, half_pixel_centers);
                Case::new(op, [Tensor::new(&[2, 3, 4, 2], &x)]).assert_contract();
                Case::new(op, [Tensor::new(&[2, 3, 4, 2], &q)]).assert_contract();
            }
        }
    }

    #[test]
    fn wide_stretches_stay_inside() {
        // Rounded up, the step in Q10 runs past the only pixel.
        let case = Case::new(resize([1, 2000], false, false), [Tensor::new(&[1, 1, 1, 1], &[-100i8])]);
        assert_eq!(case.run::<i8>().unwrap(), [-100; 2000]);
    }
}
