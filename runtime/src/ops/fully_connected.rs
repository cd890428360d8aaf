//! Fully connected layer with bias and fused activation: `x · wᵀ + bias`.
//!
//! Inputs: activations of `n * k` elements (any shape whose first dimension is `n`, or `[k]`), weights
//! `[c_out, k]`, then for f32 optionally the bias `[c_out]`, for int8 the table `[c_out, 3]` of i32 (bias,
//! multiplier, shift). Output `[n, c_out]`. How int8 weights lie in their tensor is [`Weights`].

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::conv2d::{Operands, check_channels, check_packed_weights, f32_arithmetic};
use super::window::all_rows;
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::fully_connected::{
    blocks_row_i8, fully_connected_row_f32, fully_connected_row_i8, fully_connected_scratch_bytes,
};
pub use crate::kernels::requantize::Groups;
use crate::mem::{Memory, View, ViewMut};
use crate::model::Node;
use crate::{DType, Element, Error, Shape, TensorType};

/// How weights lie in their tensor; the converter decides.
// In the file a byte, which takes less code to read than an enum of serde.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Weights {
    /// Channel after channel.
    Rows,
    /// int8, `k` a multiple of 8: four channels at a time, each pair of them in 16-bit numbers 256 * second + first. Eight
    /// taps in the order 0, 2, 1, 3, 4, 6, 5, 7 are 16 bytes of the first pair, then 16 of the second; in the table the four
    /// biases, then the multipliers, then how far each is shifted to the right. Channels behind the last four are rows. The
    /// second channel's sum has at most 24 bits, no weight is -128, and all factors use all bits of their multiplier and
    /// shift right.
    Quads,
    /// int8: the biases contain what the zero point of the activations adds, minus it times the sum of a channel's weights.
    /// If `k` is a multiple of 8, eight channels at a time: of 8 taps, if `k` is odd eights, and of every 16 taps those of
    /// the first channel, then of the second, and so on; in the table their biases, then their multipliers, then their
    /// shifts, each of the even channels before the odd ones. Channels behind the last eight, or of another `k`, are rows.
    /// All factors use all bits of their multiplier and shift right.
    Vectors,
    /// int8, `k` a multiple of 4: biases and factors as in `Vectors`, the table as ever. Four channels at a time: of every
    /// tap those of the four channels, each with its highest bit flipped, which adds 128. Channels behind the last four are
    /// rows.
    Words,
}

impl From<Weights> for u8 {
    fn from(weights: Weights) -> u8 {
        weights as u8
    }
}

impl TryFrom<u8> for Weights {
    type Error = Error;
    fn try_from(code: u8) -> Result<Weights, Error> {
        let all = [Weights::Rows, Weights::Quads, Weights::Vectors, Weights::Words];
        all.get(code as usize).copied().ok_or(Error::Parameters)
    }
}

impl Weights {
    /// Channels that stand together: a power of two.
    pub const fn channels(self, k: usize) -> usize {
        match self {
            Weights::Rows => 1,
            Weights::Quads | Weights::Words => 4,
            Weights::Vectors => self.table_groups(k).channels,
        }
    }

    /// How the channel table is arranged.
    pub const fn table_groups(self, k: usize) -> Groups {
        match self {
            Weights::Vectors if k.is_multiple_of(8) => Groups { channels: 8, shifts_right: false },
            Weights::Quads => Groups { channels: 4, shifts_right: true },
            _ => Groups::NONE,
        }
    }

    /// Taps of a channel that stand together in [`Weights::Vectors`] and [`Weights::Words`], a power of two.
    pub const fn block_taps(self) -> usize {
        if matches!(self, Weights::Vectors) { 16 } else { 1 }
    }

    /// What bits of those are flipped.
    pub const fn flipped(self) -> i8 {
        if matches!(self, Weights::Words) { i8::MIN } else { 0 }
    }
}

/// Parameters of a fully connected layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FullyConnected {
    /// Fused activation.
    pub bounds: Bounds,
    /// Order of the weights.
    pub weights: Weights,
}

impl FullyConnected {
    /// With weights in rows.
    pub const fn new(bounds: Bounds) -> FullyConnected {
        FullyConnected { bounds, weights: Weights::Rows }
    }

    /// Channels, of `c_out`, whose weights are in quads.
    fn in_quads(&self, c_out: usize) -> usize {
        if self.weights == Weights::Quads { c_out & !3 } else { 0 }
    }
}

impl Operator for FullyConnected {
    const CODE: OpCode = OpCode::FullyConnected;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let (&[x, w], rest) = inputs.split_first_chunk().ok_or(Error::Arity)?;
        let (c_out, k) = (w.shape.dim(0), w.shape.dim(1));
        let n = x.shape.count().checked_div(k).ok_or(Error::Shape)?;
        if w.shape.rank() != 2 || x.shape.rank() == 0 || n.wrapping_mul(k) != x.shape.count() {
            return Err(Error::Shape);
        }
        check_channels(x, w, rest, c_out)?;
        self.bounds.check(x.dtype)?;
        let packed = self.weights != Weights::Rows;
        let multiple = match self.weights {
            Weights::Rows | Weights::Vectors => 1,
            Weights::Quads => 8,
            Weights::Words => 4,
        };
        if packed && w.dtype != DType::I8 || !k.is_multiple_of(multiple) {
            return Err(Error::Parameters);
        }
        one(TensorType::new(x.dtype, Shape::new(&[n, c_out])?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [x, w, ..]) => {
                // The k elements of one sample may be several rows of an image, or a part of a long vector.
                let k = w.shape.dim(1);
                x.shape.rows_of(y * k, (y + 1) * k)
            }
            _ => all_rows(inputs, input),
        }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        OUTPUT
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        match inputs {
            [x, w, ..] if x.dtype == DType::I8 => {
                let channels = w.shape.dim(0);
                fully_connected_scratch_bytes(w.shape.dim(1), channels, self.in_quads(channels))
            }
            _ => 0,
        }
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match inputs {
            [x, w, ..] => x.shape.count() as u64 * w.shape.dim(0) as u64,
            _ => 0,
        }
    }
}

impl Run<f32> for FullyConnected {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let arithmetic = f32_arithmetic(node, mem, self.bounds);
        run(&Operands::of(node), mem, rows, |x, w, out| fully_connected_row_f32(&arithmetic, x, w, out));
    }
}

impl Run<i8> for FullyConnected {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        let groups = self.weights.table_groups(node.input(1).ty.shape.dim(1));
        check_packed_weights(node, mem, (self.weights != Weights::Rows).then_some(groups))
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let operands = Operands::of(node);
        let mut arithmetic = operands.i8_arithmetic(node, mem, self.bounds);
        let scratch = node.scratch(mem);
        let in_blocks = matches!(self.weights, Weights::Vectors | Weights::Words);
        if in_blocks {
            arithmetic.x_offset = 0;
        }
        run(&operands, mem, rows, |x, w, out| {
            if in_blocks {
                blocks_row_i8(&arithmetic, self.weights, x, w, out, scratch);
            } else {
                fully_connected_row_i8(&arithmetic, self.in_quads(out.len()), x, w, out, scratch);
            }
        });
    }
}

fn run<T: Element>(
    operands: &Operands,
    mem: &Memory,
    rows: Range<usize>,
    row: impl Fn(View<T>, View<T>, ViewMut<T>),
) {
    let Operands { x, w, out } = operands;
    let k = w.ty.shape.dim(1);
    let (x, w, out) = (x.view(mem), w.view(mem), out.rows_mut(mem));
    for y in rows {
        row(x.slice(y.wrapping_mul(k), k), w, out.row(y));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn multiplies_and_requantizes() {
        let x = Tensor::new(&[1, 3], &[1i8, -2, 3]).zero_point(-1);
        let w = Tensor::new(&[2, 3], &[1i8, 2, 3, 4, 5, 6]).constant();
        // A half and a quarter: 2^30 * 2^(shift - 31).
        let channels = Tensor::new(&[2, 3], &[10i32, 1 << 30, 0, -20, 1 << 30, -1]).constant();
        let case = Case::new(FullyConnected::new(Bounds::None), [x, w, channels]).output_zero_point(3);
        // (10 + 2 - 2 + 12) / 2 + 3 and (-20 + 8 - 5 + 24) / 4 + 3
        assert_eq!(case.run::<i8>(), Ok([14, 5].into()));
        case.assert_contract();
    }

    #[test]
    fn quads_are_the_same_weights_in_another_order() {
        let x = Tensor::new(&[1, 8], &[1i8, -2, 3, 127, -128, 0, 7, -1]).zero_point(-1);
        let rows: [i8; 40] = core::array::from_fn(|i| (i * 37 % 255) as i8 | 1);
        let mut quads = rows;
        for (i, byte) in quads.iter_mut().enumerate().take(32) {
            let (pair, lane, high) = (i / 16, i / 2 % 8, i % 2);
            let k = [0, 2, 1, 3, 4, 6, 5, 7][lane];
            let (first, second) = (rows[pair * 16 + k], rows[pair * 16 + 8 + k]);
            *byte = (second as i16 * 256 + first as i16).to_le_bytes()[high] as i8;
        }
        let channels: [i32; 15] = core::array::from_fn(|i| [10 - i as i32, (3 << 29) + i as i32, -6][i % 3]);
        let mut in_quad = channels;
        for (i, entry) in in_quad.iter_mut().enumerate().take(12) {
            *entry = channels[i % 4 * 3 + i / 4];
        }
        in_quad[8..12].fill(6);
        let run = |weights, w: &[i8], channels: &[i32]| {
            let w = Tensor::new(&[5, 8], w).constant();
            let op = FullyConnected { bounds: Bounds::None, weights };
            Case::new(op, [x.clone(), w, Tensor::new(&[5, 3], channels).constant()]).run::<i8>()
        };
        assert!(run(Weights::Rows, &rows, &channels).is_ok());
        assert_eq!(run(Weights::Quads, &quads, &in_quad), run(Weights::Rows, &rows, &channels));
        assert_eq!(run(Weights::Quads, &quads, &channels), Err(Error::Parameters), "shifts in other places");
    }

    #[test]
    fn vectors_are_the_same_weights_in_another_order() {
        let x: [i8; 32] = core::array::from_fn(|i| (i * 91 % 251) as i8);
        let rows: [i8; 320] = core::array::from_fn(|i| (i * 37 % 255) as i8);
        let channels: [i32; 30] = core::array::from_fn(|i| [10 - i as i32, 3 << 29, -9][i % 3]);
        let (mut vectors, mut folded) = (rows, channels);
        for (i, byte) in vectors.iter_mut().enumerate().take(256) {
            let (tap, channel) = (i / 128 * 16 + i % 16, i / 16 % 8);
            *byte = rows[channel * 32 + tap];
        }
        for c in 0..10 {
            folded[3 * c] += 7 * rows[c * 32..][..32].iter().map(|&w| i32::from(w)).sum::<i32>();
        }
        let table = folded;
        (0..24).for_each(|i| folded[i] = table[[0, 2, 4, 6, 1, 3, 5, 7][i % 8] * 3 + i / 8]);
        let run = |weights, w: &[i8], table: &[i32]| {
            let x = Tensor::new(&[1, 32], &x).zero_point(-7);
            let (w, table) = (Tensor::new(&[10, 32], w), Tensor::new(&[10, 3], table));
            let op = FullyConnected { bounds: Bounds::None, weights };
            Case::new(op, [x, w.constant(), table.constant()]).run::<i8>()
        };
        assert!(run(Weights::Rows, &rows, &channels).is_ok());
        assert_eq!(run(Weights::Vectors, &vectors, &folded), run(Weights::Rows, &rows, &channels));
    }

    #[test]
    fn words_are_the_same_weights_in_another_order() {
        let x: [i8; 12] = core::array::from_fn(|i| (i * 91 % 251) as i8);
        let rows: [i8; 60] = core::array::from_fn(|i| (i * 37 % 255) as i8);
        let channels: [i32; 15] = core::array::from_fn(|i| [10 - i as i32, 3 << 29, -7][i % 3]);
        let (mut words, mut folded) = (rows, channels);
        for (i, byte) in words.iter_mut().enumerate().take(48) {
            *byte = rows[i % 4 * 12 + i / 4] ^ i8::MIN;
        }
        for c in 0..5 {
            folded[3 * c] += 7 * rows[c * 12..][..12].iter().map(|&w| i32::from(w)).sum::<i32>();
        }
        let run = |weights, w: &[i8], table: &[i32]| {
            let x = Tensor::new(&[1, 12], &x).zero_point(-7);
            let (w, table) = (Tensor::new(&[5, 12], w), Tensor::new(&[5, 3], table));
            let op = FullyConnected { bounds: Bounds::None, weights };
            Case::new(op, [x, w.constant(), table.constant()]).run::<i8>()
        };
        assert!(run(Weights::Rows, &rows, &channels).is_ok());
        assert_eq!(run(Weights::Words, &words, &folded), run(Weights::Rows, &rows, &channels));
    }

    #[test]
    fn a_sample_may_be_several_rows_of_an_image() {
        let x: [f32; 12] = core::array::from_fn(|i| i as f32);
        let x = Tensor::new(&[2, 3, 1, 2], &x);
        let w = Tensor::new(&[1, 6], &[1.0f32, 0.0, 0.0, 0.0, 0.0, -1.0]);
        let case = Case::new(FullyConnected::new(Bounds::RELU), [x, w, Tensor::new(&[1], &[5.5f32])]);
        assert_eq!(case.run::<f32>(), Ok([0.5, 0.5].into()));
        case.assert_contract();
    }
}
