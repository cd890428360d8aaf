//! One output row of a fully connected layer.

use super::arithmetic::{Arithmetic, I8};
use super::tile::Tile;
use crate::mem::{View, ViewMut};

/// `out[c] = x · w[c]` for weights `w` `[out.len(), x.len()]`.
pub fn fully_connected_row<A: Arithmetic>(arithmetic: &A, x: View<A::T>, w: View<A::T>, out: ViewMut<A::T>) {
    let k = x.len();
    for c in 0..out.len() {
        let acc = arithmetic.dot(arithmetic.begin(c), x, w.slice(c.wrapping_mul(k), k));
        out.set(c, arithmetic.finish(acc, c));
    }
}

/// Bytes of scratch memory that [`fully_connected_row_i8`] of some core needs.
pub fn fully_connected_scratch_bytes(k: usize, channels: usize) -> usize {
    Tile::of_one(k, channels).scratch_bytes(1)
}

/// [`fully_connected_row`] of int8, for which a core may have instructions of its own. The weights of the first `quads`
/// channels, a multiple of 4, are [`Weights::Quads`](crate::ops::fully_connected::Weights).
#[cfg(not(dunlin_dsp))]
pub fn fully_connected_row_i8(
    arithmetic: &I8,
    quads: usize,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    _scratch: ViewMut<i32>,
) {
    let k = x.len();
    let mut c = 0usize;
    while c < quads {
        // A quad has as many bytes as four rows; its second pair is 16 bytes behind the first.
        let start = (c & !3).wrapping_mul(k).wrapping_add((c & 2).wrapping_mul(8));
        let w = w.slice(start, k.wrapping_mul(4).wrapping_sub((c & 2).wrapping_mul(8)));
        let sums = dot_of_pair(x, arithmetic.x_offset, w);
        for (i, sum) in sums.into_iter().enumerate() {
            let c = c.wrapping_add(i);
            out.set(c, arithmetic.finish(sum.wrapping_add(arithmetic.begin(c)), c));
        }
        c = c.wrapping_add(2);
    }
    while c < out.len() {
        let w = w.slice(c.wrapping_mul(k), k);
        out.set(c, arithmetic.finish(arithmetic.dot(arithmetic.begin(c), x, w), c));
        c = c.wrapping_add(1);
    }
}

/// [`fully_connected_row`] of int8 for [`Weights::Vectors`](crate::ops::fully_connected::Weights); the arithmetic has no zero
/// point of the activations.
#[cfg(not(dunlin_mve))]
pub fn vectors_row_i8(arithmetic: &I8, x: View<i8>, w: View<i8>, out: ViewMut<i8>) {
    let k = x.len();
    let in_octets = if k.is_multiple_of(16) { out.len() & !7 } else { 0 };
    for c in 0..out.len() {
        // The channel's first tap, and from 16 taps to the next ones.
        let (start, step) = if c < in_octets {
            ((c & !7).wrapping_mul(k).wrapping_add((c & 7).wrapping_mul(16)), 128)
        } else {
            (c.wrapping_mul(k), 16)
        };
        let mut acc = arithmetic.begin(c);
        for i in 0..k {
            let at = start.wrapping_add((i / 16).wrapping_mul(step)).wrapping_add(i % 16);
            acc = arithmetic.add(acc, x.at(i), w.at(at));
        }
        out.set(c, arithmetic.finish(acc, c));
    }
}

/// The products of two channels.
#[cfg(not(dunlin_dsp))]
#[inline(always)]
fn dot_of_pair(x: View<i8>, offset: i32, w: View<i8>) -> [i32; 2] {
    let mut sums = [0i32; 2];
    for lane in 0..x.len() {
        let tap = (lane & !3) | (lane & 1) << 1 | (lane >> 1 & 1);
        let x = x.at(tap) as i32 + offset;
        let at = (lane / 8).wrapping_mul(32).wrapping_add(lane % 8 * 2);
        let (first, high) = (w.at(at) as i32, w.at(at.wrapping_add(1)) as i32);
        // A negative first one has taken 1 from the high byte.
        let second = high.wrapping_sub(first >> 31);
        sums = [sums[0].wrapping_add(x.wrapping_mul(first)), sums[1].wrapping_add(x.wrapping_mul(second))];
    }
    sums
}
