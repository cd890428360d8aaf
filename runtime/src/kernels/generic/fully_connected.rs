//! One output row of a fully connected layer.

use super::arithmetic::{Arithmetic, F32, I8};
use super::requantize::{Factor, saturate};
use super::tile::Tile;
use crate::mem::{View, ViewMut};
use crate::ops::fully_connected::Weights;

/// `out[c] = x · w[c]` for weights `w` `[out.len(), x.len()]`.
pub fn fully_connected_row<A: Arithmetic>(arithmetic: &A, x: View<A::T>, w: View<A::T>, out: ViewMut<A::T>) {
    let k = x.len();
    for c in 0..out.len() {
        let acc = arithmetic.dot(arithmetic.begin(c), x, w.slice(c.wrapping_mul(k), k));
        out.set(c, arithmetic.finish(acc, c));
    }
}

/// [`fully_connected_row`] of f32, for which a host may have instructions of its own.
pub fn fully_connected_row_f32(arithmetic: &F32, x: View<f32>, w: View<f32>, out: ViewMut<f32>) {
    fully_connected_row(arithmetic, x, w, out);
}

/// Bytes of scratch memory that [`fully_connected_row_i8`] of some core needs.
pub fn fully_connected_scratch_bytes(weights: Weights, k: usize, channels: usize) -> usize {
    let quads = weights.in_quads(channels);
    let bytes = |tile: Tile| if tile.channels == 0 { 0 } else { tile.scratch_bytes(1) };
    let in_quads = bytes(Tile::of_quads(k.wrapping_add(weights.padding()), quads, weights.is_wide()));
    in_quads.max(bytes(Tile::of_one(k, channels.saturating_sub(quads))))
}

/// [`fully_connected_row`] of int8 for [`Weights::ROWS`] and [`Weights::quads`], for which a core may have instructions of
/// its own.
#[cfg(not(dunlin_dsp))]
pub fn fully_connected_row_i8(
    arithmetic: &I8,
    weights: Weights,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    _scratch: ViewMut<i32>,
) {
    let (k, columns, requantize) = (x.len(), x.len().wrapping_add(weights.padding()), &arithmetic.requantize);
    let (quads, mut c) = (weights.in_quads(out.len()), 0usize);
    while c < quads {
        // A quad has as many bytes as four rows; its second pair is 16 bytes behind the first.
        let start = (c & !3).wrapping_mul(columns).wrapping_add((c & 2).wrapping_mul(8));
        let w = w.slice(start, columns.wrapping_mul(4).wrapping_sub((c & 2).wrapping_mul(8)));
        let sums = dot_of_pair(x, arithmetic.x_offset, w);
        for sum in sums {
            // Biases, multipliers and shifts of the quad.
            let first = 3 * (c & !3) + (c & 3);
            let table = |field: usize| requantize.channels.0.at(first + 4 * field);
            let factor = Factor { multiplier: table(1), shift: table(2).wrapping_neg() as i8 };
            let sum = sum.wrapping_add(table(0));
            // The DSP kernel has the second one 256 times.
            let has_24_bits = c & 1 != 0 && !weights.is_wide();
            let sum = if has_24_bits { sum << 8 >> 8 } else { sum };
            out.set(c, factor.requantize(sum, requantize.zero_point, requantize.bounds));
            c = c.wrapping_add(1);
        }
    }
    while c < out.len() {
        let start = quads.wrapping_mul(columns).wrapping_add(c.wrapping_sub(quads).wrapping_mul(k));
        let w = w.slice(start, k);
        out.set(c, arithmetic.finish(arithmetic.dot(arithmetic.begin(c), x, w), c));
        c = c.wrapping_add(1);
    }
}

/// [`fully_connected_row`] of int8 for [`Weights::VECTORS`] and [`Weights::WORDS`]; the arithmetic has no zero point of the
/// activations. The weights of some channels are in blocks of taps: those of the first channel, then of the second.
#[cfg_attr(dunlin_mve, cold)]
pub fn blocks_row_i8(
    arithmetic: &I8,
    weights: Weights,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    _scratch: ViewMut<i32>,
) {
    let (k, requantize) = (x.len(), &arithmetic.requantize);
    let taps = weights.block_taps();
    let mut w = w.iter();
    let mut first = 0usize;
    while first < out.len() {
        // The channels that are left have blocks of one channel: rows.
        let is_block = out.len().wrapping_sub(first) >= weights.channels(k);
        let (channels, flipped) = if is_block { (weights.channels(k), weights.flipped()) } else { (1, 0) };
        let group = if weights == Weights::VECTORS { channels } else { 1 };
        let mut sums = [0i32; 8];
        // The first block is the one that may be shorter.
        let (mut start, mut end) = (0usize, (k.wrapping_sub(1) & (taps - 1)).wrapping_add(1));
        while start < k {
            for sum in sums.iter_mut().take(channels) {
                for i in start..end {
                    *sum = arithmetic.add(*sum, x.at(i), w.next().unwrap_or(0) ^ flipped);
                }
            }
            (start, end) = (end, end.wrapping_add(taps));
        }
        for (i, sum) in sums.iter().enumerate().take(channels) {
            // Even channels before odd ones.
            let place = if group == 1 { 3 * i } else { i / 2 + i % 2 * (group / 2) };
            let table = |field: usize| requantize.channels.0.at(3 * first + place + field * group);
            let factor = Factor { multiplier: table(1), shift: table(2) as i8 };
            let q = factor.apply(sum.wrapping_add(table(0)));
            out.set(first.wrapping_add(i), saturate(q, requantize.zero_point, requantize.bounds));
        }
        first = first.wrapping_add(channels);
    }
}

/// The products of two channels.
#[cfg(not(dunlin_dsp))]
#[inline(always)]
fn dot_of_pair(x: View<i8>, offset: i32, w: View<i8>) -> [i32; 2] {
    let mut sums = [0i32; 2];
    for lane in 0..x.len().next_multiple_of(4) {
        let tap = (lane & !3) | (lane & 1) << 1 | (lane >> 1 & 1);
        let x = if tap < x.len() { x.at(tap) as i32 + offset } else { 0 };
        let at = (lane / 8).wrapping_mul(32).wrapping_add(lane % 8 * 2);
        let (first, high) = (w.at(at) as i32, w.at(at.wrapping_add(1)) as i32);
        // A negative first one has taken 1 from the high byte.
        let second = high.wrapping_sub(first >> 31);
        sums = [sums[0].wrapping_add(x.wrapping_mul(first)), sums[1].wrapping_add(x.wrapping_mul(second))];
    }
    sums
}
