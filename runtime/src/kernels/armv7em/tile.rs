//! One group of positions times the weights of all channels.

use core::ops::Range;

use super::block::Block;
use super::requantize::{begin, finish};
use super::sums::{Job, sums};
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::tile::Tile;
use crate::mem::{View, ViewMut};

/// A group of neighbouring positions.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    /// Number of positions.
    pub positions: usize,
    /// Weights `[channels, taps]`.
    pub w: View<'a, i8>,
    /// The outputs from the first position's on: `[positions, channels]`.
    pub out: ViewMut<'a, i8>,
}

/// Computes a group; `fill` widens a range of its taps into a block. The outputs are clamped to int8 alone.
#[inline(always)]
pub fn compute(
    arithmetic: &I8,
    tile: Tile,
    scratch: ViewMut<i32>,
    group: Group,
    mut fill: impl FnMut(Range<usize>, Block),
) {
    let Group { positions, w, out } = group;
    let block_words = tile.block_words(positions);
    let block = Block { words: scratch.slice(0, block_words), positions, offset: arithmetic.x_offset };
    let chunked = tile.chunk < tile.taps;
    let mut first = 0;
    while first < tile.channels {
        let n = (tile.channels - first).min(tile.channels_at_once);
        let accs = scratch.slice(block_words, n.wrapping_mul(positions));
        begin(arithmetic.requantize.channels, first, accs, positions);
        let mut start = 0;
        while start < tile.taps {
            let taps = start..(start + tile.chunk).min(tile.taps);
            if chunked || first == 0 {
                fill(taps.clone(), block);
            }
            add_products(w, tile.taps, first, taps, block, accs);
            start += tile.chunk;
        }
        finish(&arithmetic.requantize, first, accs, positions, out, tile.channels);
        first += n;
    }
}

/// Adds the products of a block of taps and the weights of channels `first..`.
#[inline(never)]
fn add_products(
    w: View<i8>,
    w_stride: usize,
    first: usize,
    taps: Range<usize>,
    block: Block,
    accs: ViewMut<i32>,
) {
    let positions = block.positions;
    let (fours, tail) = (taps.len() / 4, taps.len() % 4);
    let x = block.words.as_ptr().cast_const();
    // One position takes four channels at a time.
    let (at_once, n) = if positions == 1 { (4, accs.len() & !3) } else { (1, accs.len()) };
    let w_start = first.wrapping_mul(w_stride).wrapping_add(taps.start);
    let job = Job {
        x,
        x_end: x.wrapping_add(fours.wrapping_mul(2).wrapping_mul(positions)),
        accs: accs.as_ptr(),
        accs_end: accs.as_ptr().wrapping_add(n),
        w_skip: w_stride.wrapping_mul(at_once).wrapping_sub(fours.wrapping_mul(4)),
        tail_shift: if tail == 0 { 0 } else { 32usize.wrapping_sub(tail.wrapping_mul(8)) },
        tail_distance: tail as isize - 4,
        skipped: fours.wrapping_neg() & 3,
        w: w.as_ptr().wrapping_add(w_start),
        w_stride,
    };
    if n != 0 {
        // SAFETY: the block holds the taps, `accs` the channels' accumulators, `w` their weights; `Tile` has at least
        // four taps in a chunk.
        unsafe { sums(positions, &job) };
    }
    // What is left of one position: fewer than four channels.
    for i in n..accs.len() {
        let w = w.slice(w_start.wrapping_add(i.wrapping_mul(w_stride)), taps.len());
        accs.set(i, block.dot_of_one(accs.at(i), w));
    }
}
