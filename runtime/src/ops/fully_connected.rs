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
// A byte in the file and here: bits take less code and time than the variants of an enum with fields.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Weights(u8);

/// What is added to the code of quads where the sums of second channels have 32 bits.
const WIDE: u8 = 8;
/// The bits that tell the order, and those of the padding.
const ORDER: u8 = 7;
const PADDING_SHIFT: u32 = 4;

impl Weights {
    /// Channel after channel.
    pub const ROWS: Weights = Weights(0);
    /// int8: the biases contain what the zero point of the activations adds, minus it times the sum of a channel's weights.
    /// If `k` is a multiple of 8, eight channels at a time: of 8 taps, if `k` is odd eights, and of every 16 taps those of
    /// the first channel, then of the second, and so on; in the table their biases, then their multipliers, then their
    /// shifts, each of the even channels before the odd ones. Channels behind the last eight, or of another `k`, are rows.
    /// All factors use all bits of their multiplier and shift right.
    pub const VECTORS: Weights = Weights(2);
    /// int8, `k` a multiple of 4: biases and factors as in `VECTORS`, the table as ever. Four channels at a time: of every
    /// tap those of the four channels, each with its highest bit flipped, which adds 128. Channels behind the last four are
    /// rows.
    pub const WORDS: Weights = Weights(3);

    /// int8: each channel has `padding` weights more, at most 7, so that they are a multiple of 8. Four channels at a time,
    /// each pair of them in 16-bit numbers 256 * second + first. Eight taps in the order 0, 2, 1, 3, 4, 6, 5, 7 are 16 bytes
    /// of the first pair, then 16 of the second; in the table the four biases, then the multipliers, then how far each is
    /// shifted to the right. Channels behind the last four are rows, and their padding is behind the last one. No weight is
    /// -128, and all factors use all bits of their multiplier and shift right. Sums of second channels wrap to 24 bits, or
    /// are `wide`, which takes a little longer: they have 32.
    pub const fn quads(padding: u8, wide: bool) -> Weights {
        Weights((padding & 7) << PADDING_SHIFT | if wide { WIDE } else { 0 } | 1)
    }
}

impl From<Weights> for u8 {
    fn from(weights: Weights) -> u8 {
        weights.0
    }
}

impl TryFrom<u8> for Weights {
    type Error = Error;
    fn try_from(code: u8) -> Result<Weights, Error> {
        let is_quads = code & ORDER == 1 && code >> PADDING_SHIFT < 8;
        if is_quads || matches!(code, 0 | 2 | 3) { Ok(Weights(code)) } else { Err(Error::Parameters) }
    }
}

impl core::fmt::Debug for Weights {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match *self {
            Weights::ROWS => f.write_str("rows"),
            Weights::VECTORS => f.write_str("vectors"),
            Weights::WORDS => f.write_str("words"),
            _ => write!(f, "quads({}, {})", self.padding(), self.is_wide()),
        }
    }
}

impl Weights {
    /// Whether some channels are in quads.
    pub const fn are_quads(self) -> bool {
        self.0 & ORDER == 1
    }

    /// Whether sums of second channels in quads have 32 bits.
    pub const fn is_wide(self) -> bool {
        self.0 & WIDE != 0
    }

    /// Weights of a channel beside those of the taps.
    pub const fn padding(self) -> usize {
        (self.0 >> PADDING_SHIFT) as usize
    }

    /// Channels, of `c_out`, that are in quads.
    pub const fn in_quads(self, c_out: usize) -> usize {
        if self.are_quads() { c_out & !3 } else { 0 }
    }

    /// Channels that stand together: a power of two.
    pub const fn channels(self, k: usize) -> usize {
        match self {
            Weights::ROWS => 1,
            Weights::VECTORS => self.table_groups(k).channels,
            _ => 4,
        }
    }

    /// How the channel table is arranged.
    pub const fn table_groups(self, k: usize) -> Groups {
        match self {
            Weights::VECTORS if k.is_multiple_of(8) => Groups { channels: 8, shifts_right: false },
            _ if self.are_quads() => Groups { channels: 4, shifts_right: true },
            _ => Groups::NONE,
        }
    }

    /// Taps of a channel that stand together in [`Weights::VECTORS`] and [`Weights::WORDS`], a power of two.
    pub const fn block_taps(self) -> usize {
        if matches!(self, Weights::VECTORS) { 16 } else { 1 }
    }

    /// What bits of those are flipped.
    pub const fn flipped(self) -> i8 {
        if matches!(self, Weights::WORDS) { i8::MIN } else { 0 }
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
        FullyConnected { bounds, weights: Weights::ROWS }
    }

    /// Taps of a channel.
    fn taps(&self, w: &Shape) -> usize {
        w.dim(1).saturating_sub(self.weights.padding())
    }
}

impl Operator for FullyConnected {
    const CODE: OpCode = OpCode::FullyConnected;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let (&[x, w], rest) = inputs.split_first_chunk().ok_or(Error::Arity)?;
        let (c_out, k) = (w.shape.dim(0), self.taps(&w.shape));
        let n = x.shape.count().checked_div(k).ok_or(Error::Shape)?;
        if w.shape.rank() != 2 || x.shape.rank() == 0 || n.wrapping_mul(k) != x.shape.count() {
            return Err(Error::Shape);
        }
        check_channels(x, w, rest, c_out)?;
        self.bounds.check(x.dtype)?;
        let multiple = match self.weights {
            Weights::ROWS | Weights::VECTORS => 1,
            Weights::WORDS => 4,
            _ => 8,
        };
        let packed = self.weights != Weights::ROWS;
        if packed && w.dtype != DType::I8 || !w.shape.dim(1).is_multiple_of(multiple) {
            return Err(Error::Parameters);
        }
        one(TensorType::new(x.dtype, Shape::new(&[n, c_out])?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [x, w, ..]) => {
                // The k elements of one sample may be several rows of an image, or a part of a long vector.
                let k = self.taps(&w.shape);
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
                fully_connected_scratch_bytes(self.weights, self.taps(&w.shape), w.shape.dim(0))
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
        let operands = Operands::of(node);
        run(&operands, operands.w.ty.shape.dim(1), mem, rows, |x, w, out| {
            fully_connected_row_f32(&arithmetic, x, w, out)
        });
    }
}

impl Run<i8> for FullyConnected {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        let groups = self.weights.table_groups(self.taps(&node.input(1).ty.shape));
        check_packed_weights(node, mem, (self.weights != Weights::ROWS).then_some(groups))
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let operands = Operands::of(node);
        let mut arithmetic = operands.i8_arithmetic(node, mem, self.bounds);
        let scratch = node.scratch(mem);
        let in_blocks = matches!(self.weights, Weights::VECTORS | Weights::WORDS);
        if in_blocks {
            arithmetic.x_offset = 0;
        }
        run(&operands, self.taps(&operands.w.ty.shape), mem, rows, |x, w, out| {
            if in_blocks {
                blocks_row_i8(&arithmetic, self.weights, x, w, out, scratch);
            } else {
                fully_connected_row_i8(&arithmetic, self.weights, x, w, out, scratch);
            }
        });
    }
}

fn run<T: Element>(
    operands: &Operands,
    k: usize,
    mem: &Memory,
    rows: Range<usize>,
    row: impl Fn(View<T>, View<T>, ViewMut<T>),
) {
    let Operands { x, w, out } = operands;
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
        let run_on = |x: &Tensor, weights, w: &[i8], channels: &[i32]| {
            let w = Tensor::new(&[5, 8], w).constant();
            let op = FullyConnected { bounds: Bounds::None, weights };
            Case::new(op, [x.clone(), w, Tensor::new(&[5, 3], channels).constant()]).run::<i8>()
        };
        let run = |weights, w: &[i8], channels: &[i32]| run_on(&x, weights, w, channels);
        let in_quads = Weights::quads;
        assert!(run(Weights::ROWS, &rows, &channels).is_ok());
        for wide in [false, true] {
            assert_eq!(run(in_quads(0, wide), &quads, &in_quad), run(Weights::ROWS, &rows, &channels));
            assert_eq!(run(in_quads(0, wide), &quads, &channels), Err(Error::Parameters), "shifts elsewhere");
            // Activations that are left out are as good as zeros.
            let zeros = Tensor::new(&[1, 8], &[1i8, -2, 3, -1, -1, -1, -1, -1]).zero_point(-1);
            let short = Tensor::new(&[1, 3], &[1i8, -2, 3]).zero_point(-1);
            let expected = run_on(&zeros, Weights::ROWS, &rows, &channels);
            assert_eq!(run_on(&short, in_quads(5, wide), &quads, &in_quad), expected);
            assert_eq!(run_on(&short, in_quads(4, wide), &quads, &in_quad), Err(Error::Shape));
        }
    }

    #[test]
    fn second_channels_have_24_bits_or_32() {
        let x = Tensor::new(&[1, 8], &[127i8; 8]).zero_point(-128);
        let quads = [0i8; 32];
        let bias = (1 << 24) + 100;
        let channels = [0, bias, 0, bias].into_iter().chain([1 << 30; 4]).chain([1; 4]);
        let mut table = [0; 12];
        table.iter_mut().zip(channels).for_each(|(to, from)| *to = from);
        let run = |wide| {
            let w = Tensor::new(&[4, 8], &quads).constant();
            let op = FullyConnected { bounds: Bounds::None, weights: Weights::quads(0, wide) };
            Case::new(op, [x.clone(), w, Tensor::new(&[4, 3], &table).constant()]).run::<i8>()
        };
        assert_eq!(run(false), Ok([0, 25, 0, 25].into()));
        assert_eq!(run(true), Ok([0, 127, 0, 127].into()));
    }

    #[test]
    fn weights_are_a_byte_in_the_file() {
        let codes = (0..=u8::MAX).filter_map(|code| Some((code, Weights::try_from(code).ok()?)));
        let mut count = 0;
        for (code, weights) in codes {
            assert_eq!(u8::from(weights), code);
            count += 1;
        }
        assert_eq!(count, 3 + 16);
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
        assert!(run(Weights::ROWS, &rows, &channels).is_ok());
        assert_eq!(run(Weights::VECTORS, &vectors, &folded), run(Weights::ROWS, &rows, &channels));
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
        assert!(run(Weights::ROWS, &rows, &channels).is_ok());
        assert_eq!(run(Weights::WORDS, &words, &folded), run(Weights::ROWS, &rows, &channels));
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
