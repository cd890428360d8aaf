//! [`Conv2d`](super::Conv2d) of int8 with weights in vectors, as the converter arranges them for cores with vectors of 16
//! bytes: the same outputs.
//!
//! Inputs: image `[n, h, w, c_in]`, weights `[c_out, bytes]`, channel table `[c_out, 3]` of i32; `c_out` a multiple of 4.
//! Output `[n, oh, ow, c_out]`. A channel has the taps of its window's lines, `kw * c_in` each, one line behind the other.
//! They are filled up with zeros to whole vectors of 16 bytes: each line, so that it is multiplied with a row of the image
//! where it is, or where lines are short only the last one. Four channels come together: the first vector of each of
//! them, then the second ones; in the table their biases, then their multipliers, then their shifts. A bias contains what
//! the zero point of the activations adds, minus it times the sum of the channel's weights: in the padding stands the zero
//! point. All factors use all bits of their multiplier and shift right.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::conv2d::check_packed_weights;
use super::window::{Geometry, Window, all_rows};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
pub use crate::kernels::conv_vectors::{GROUP, Line, VECTOR};
use crate::kernels::conv_vectors::{Vectors, conv_vector_rows, conv_vectors_scratch_bytes};
use crate::kernels::requantize::{Channels, Groups, Requantize};
use crate::mem::{Memory, View};
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a 2-D convolution with weights in vectors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvVectors {
    /// Stride, padding; dilation between rows alone.
    pub window: Window,
    /// Fused activation.
    pub bounds: Bounds,
    /// Taps `[h, w]` of the window.
    pub kernel: [u8; 2],
    /// Whether every line is filled up to whole vectors.
    pub in_lines: bool,
}

impl ConvVectors {
    #[inline(always)]
    fn kernel(&self) -> [usize; 2] {
        self.kernel.map(usize::from)
    }

    /// Sizes of a channel's weights for images of `c_in` channels.
    pub fn line(&self, c_in: usize) -> Line {
        Line::new(self.kernel(), c_in, self.in_lines)
    }

    fn geometry(&self, inputs: &[TensorType]) -> Option<Geometry> {
        let [x, w, ..] = inputs else { return None };
        Geometry::infer(self.window, self.kernel(), &x.shape, w.shape.dim(0))
    }
}

/// The most channels of an image: bytes of weights and scratch memory then have 32 bits.
const MAX_CHANNELS: usize = 1 << 12;

impl Operator for ConvVectors {
    const CODE: OpCode = OpCode::ConvVectors;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, w, table] = inputs else { return Err(Error::Arity) };
        if x.dtype != DType::I8 || w.dtype != DType::I8 || table.dtype != DType::I32 {
            return Err(Error::DType);
        }
        let [oh, ow] = self.window.output(self.kernel(), &x.shape)?;
        let (c_in, c_out) = (x.shape.dim(3), w.shape.dim(0));
        self.bounds.check(DType::I8)?;
        if self.window.dilation[1] != 1 || !c_out.is_multiple_of(GROUP) || c_in > MAX_CHANNELS {
            return Err(Error::Parameters);
        }
        let [w, table] = [w, table].map(|ty| (ty.shape.rank(), ty.shape.dim(0), ty.shape.dim(1)));
        if w != (2, c_out, self.line(c_in).channel_bytes) || table != (2, c_out, 3) {
            return Err(Error::Shape);
        }
        one(TensorType::new(DType::I8, Shape::new(&[x.shape.dim(0), oh, ow, c_out])?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [x, ..]) => self.window.rows(self.kernel(), &x.shape, y),
            _ => all_rows(inputs, input),
        }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        let line = |geometry: Geometry| self.line(geometry.input[2]);
        self.geometry(inputs).map_or(0, |geometry| conv_vectors_scratch_bytes(&line(geometry)))
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match (self.infer(inputs).as_deref(), inputs) {
            (Ok([out, ..]), [x, ..]) => {
                let [kh, kw] = self.kernel();
                out.shape.count() as u64 * (kh * kw * x.shape.channels()) as u64
            }
            _ => 0,
        }
    }
}

impl Run<i8> for ConvVectors {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        check_packed_weights(node, mem, Some(Groups { channels: GROUP, shifts_right: false }))?;
        let line = self.line(node.input(0).ty.shape.dim(3));
        if is_filled_with_zeros(&line, node.input(1).view(mem)) { Ok(()) } else { Err(Error::Parameters) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, w, out) = (node.input(0), node.input(1), node.output(0));
        let geometry = Geometry::new(self.window, self.kernel(), &x.ty.shape, &out.ty.shape);
        let channels = Channels(node.input(2).view(mem));
        let requantize = Requantize { channels, zero_point: out.zero_point(), bounds: self.bounds.i8() };
        let line = self.line(geometry.input[2]);
        let layer = Vectors { requantize, padding: x.zero_point() as i8, w: w.view(mem), line };
        conv_vector_rows(&layer, &geometry, &x.rows(mem), rows, &out.rows_mut(mem), node.scratch(mem));
    }
}

/// Whether there are zeros where a channel has no taps: kernels multiply them with other bytes of the image.
fn is_filled_with_zeros(line: &Line, w: View<i8>) -> bool {
    let (mut at, mut bits) = (0usize, 0);
    if line.is_full() {
        return true;
    }
    while at < w.len() {
        let mut tap = 0usize;
        while tap < line.channel_bytes {
            for i in 0..GROUP * VECTOR {
                if !line.is_tap(tap.wrapping_add(i % VECTOR)) {
                    bits |= w.at(at.wrapping_add(i));
                }
            }
            at = at.wrapping_add(GROUP * VECTOR);
            tap = tap.wrapping_add(VECTOR);
        }
    }
    bits == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    const OP: ConvVectors =
        ConvVectors { window: Window::UNIT, bounds: Bounds::None, kernel: [2, 3], in_lines: true };
    const TABLE: [i32; 12] = [50, -70, 0, 9, 1 << 30, 3 << 29, 1 << 30, i32::MAX, -7, -8, -6, -9];

    fn weights<const N: usize>(op: &ConvVectors, c_in: usize) -> [i8; N] {
        let line = op.line(c_in);
        assert_eq!(4 * line.channel_bytes, N);
        core::array::from_fn(|i| {
            let tap = i / 64 * 16 + i % 16;
            if line.is_tap(tap) { (i * 37 % 255) as i8 | 1 } else { 0 }
        })
    }

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let x: [i8; 5 * 6 * 2] = core::array::from_fn(|i| (i * 37 % 251) as u8 as i8);
        for (in_lines, pads, dilation) in [(true, [1, 0, 2, 1], 1), (false, [0, 1, 1, 2], 2)] {
            let window = Window { stride: [2, 1], dilation: [dilation, 1], pads };
            let op = ConvVectors { window, in_lines, bounds: Bounds::I8 { lo: -90, hi: 99 }, ..OP };
            let (lines, joined) =
                (weights::<128>(&OP, 2), weights::<64>(&ConvVectors { in_lines: false, ..OP }, 2));
            let w = if in_lines { &lines[..] } else { &joined[..] };
            let inputs = [
                Tensor::new(&[1, 5, 6, 2], &x).zero_point(3),
                Tensor::new(&[4, w.len() / 4], w).constant(),
                Tensor::new(&[4, 3], &TABLE).constant(),
            ];
            Case::new(op, inputs).assert_contract();
        }
    }

    #[test]
    fn what_fills_vectors_up_is_zero() {
        let check = |w: &[i8]| {
            let x = Tensor::new(&[1, 2, 3, 2], &[1i8; 12]);
            let w = Tensor::new(&[4, 32], w).constant();
            Case::new(OP, [x, w, Tensor::new(&[4, 3], &TABLE).constant()]).check()
        };
        let w = weights::<128>(&OP, 2);
        assert_eq!(check(&w), Ok(()));
        for at in [6, 15, 22, 127] {
            let mut w = w;
            w[at] = 1;
            assert_eq!(check(&w), Err(Error::Parameters), "byte {at}");
        }
    }
}
