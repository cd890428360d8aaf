//! One output row of an int8 fully connected layer: a convolution of one position.

use super::group::{Blocks, Group, widen};
use super::requantize::clamp_row;
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::I8;
use crate::mem::{View, ViewMut};

pub use crate::kernels::generic::fully_connected::{
    fully_connected_row, fully_connected_scratch_bytes, vectors_row_i8,
};

/// Taps that are on the stack at a time.
const WORDS: usize = 64;

/// [`fully_connected_row`] of int8.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn fully_connected_row_i8(
    arithmetic: &I8,
    quads: usize,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let channels = out.len();
    // Quads are made for cores with the DSP extension.
    if quads != 0 {
        return generic::fully_connected::fully_connected_row_i8(arithmetic, quads, x, w, out, scratch);
    }
    let mut words = [0; WORDS];
    let words = ViewMut::from(&mut words[..]);
    // A layer of a few taps has no scratch memory.
    let half = WORDS / 2;
    let (words, sums) =
        if scratch.len() < 4 { (words.slice(0, half), words.slice(half, half)) } else { (words, scratch) };
    let blocks = Blocks::of_one_apart(x.len(), channels, words.len(), sums.len());
    let group = Group { arithmetic, blocks, w, out, channels, words, sums };
    group.compute(1, |taps, words| widen(x.slice(taps.start, taps.len()), arithmetic.x_offset, words));
    clamp_row(out, arithmetic.requantize.bounds);
}
