//! One output row of an int8 fully connected layer: a convolution of one position.

use super::group::{Blocks, Group, widen};
use super::requantize::clamp_row;
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::{Arithmetic, I8};
use crate::kernels::outputs::finish_one;
use crate::kernels::words::{LOW, PAIR_WORDS, add_words, spread};
use crate::mem::{View, ViewMut};
use crate::ops::fully_connected::Weights;

pub use crate::kernels::generic::fully_connected::{fully_connected_row_f32, fully_connected_scratch_bytes};

/// Taps that are on the stack at a time.
const WORDS: usize = 64;
/// The same of [`Weights::WORDS`], a multiple of 8.
const WORDS_TAPS: usize = 128;

/// [`fully_connected_row`] of int8.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn fully_connected_row_i8(
    arithmetic: &I8,
    weights: Weights,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let channels = out.len();
    // Quads are made for cores with the DSP extension.
    if weights != Weights::ROWS {
        return generic::fully_connected::fully_connected_row_i8(arithmetic, weights, x, w, out, scratch);
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

/// [`fully_connected_row`] of int8 for packed weights; see the generic function of this name.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn blocks_row_i8(
    arithmetic: &I8,
    weights: Weights,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    if weights != Weights::WORDS {
        return generic::fully_connected::blocks_row_i8(arithmetic, weights, x, w, out, scratch);
    }
    let (taps, channels) = (x.len(), out.len());
    let requantize = &arithmetic.requantize;
    let mut words = [0; WORDS_TAPS / 2 * PAIR_WORDS];
    let words = ViewMut::from(&mut words[..]);
    // A layer of a few taps has little scratch memory, and fills half of the words at most.
    let half = words.len() / 2;
    let sums = if taps <= WORDS_TAPS / 2 { words.slice(half, half) } else { scratch };
    let in_words = channels & !3;
    let parts = in_words.div_ceil((sums.len() & !3).max(1)).max(1);
    let at_once = in_words.div_ceil(parts).next_multiple_of(4);
    let mut first = 0usize;
    while first < in_words {
        let sums = sums.slice(0, at_once.min(in_words.wrapping_sub(first)));
        for i in 0..sums.len() {
            let bias = requantize.channels.bias(first.wrapping_add(i));
            sums.set(i, bias.wrapping_sub((taps as i32 / 2).wrapping_mul(LOW)));
        }
        let w = w.slice(first.wrapping_mul(taps), sums.len().wrapping_mul(taps)).words();
        let mut start = 0usize;
        while start < taps {
            let chunk = taps.wrapping_sub(start).min(WORDS_TAPS);
            let words = words.slice(0, chunk / 2 * PAIR_WORDS);
            spread(x.slice(start, chunk), words);
            add_words(sums, words.view(), w.slice(start, w.len().wrapping_sub(start)), taps);
            start = start.wrapping_add(chunk);
        }
        finish_one(requantize, first, sums.view(), out);
        first = first.wrapping_add(sums.len());
    }
    for c in in_words..channels {
        let row = w.slice(c.wrapping_mul(taps), taps);
        out.set(c, arithmetic.finish(arithmetic.dot(arithmetic.begin(c), x, row), c));
    }
    clamp_row(out, requantize.bounds);
}
