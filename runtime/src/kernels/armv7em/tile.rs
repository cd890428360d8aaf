//! One group of positions times the weights of all channels.

use core::ops::Range;
use core::ptr::null;

use super::block::Block;
use super::requantize::finish_position;
use super::sums::{Job, sums};
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::tile::Tile;
use crate::mem::{View, ViewMut};

/// A group of neighbouring positions.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    pub arithmetic: &'a I8<'a>,
    pub tile: Tile,
    /// Number of positions.
    pub positions: usize,
    /// Weights `[channels, taps]`.
    pub w: View<'a, i8>,
    /// The outputs from the first position's on: `[positions, channels]`.
    pub out: ViewMut<'a, i8>,
    /// Of [`Tile::scratch_bytes`].
    pub scratch: ViewMut<'a, i32>,
}

impl<'a> Group<'a> {
    /// Computes the outputs, clamped to int8 alone; `fill` widens a range of the taps into the block.
    #[inline(always)]
    pub fn compute(&self, mut fill: impl FnMut(Range<usize>, Block)) {
        let Group { tile, positions, scratch, .. } = *self;
        let words = scratch.slice(0, tile.block_words(positions));
        let block = Block { words, positions, offset: self.arithmetic.x_offset };
        let n_at_once = tile.channels_at_once(positions);
        let mut first = 0usize;
        while first < tile.channels {
            let channels = first..first.wrapping_add(n_at_once).min(tile.channels);
            let mut start = 0usize;
            while start < tile.taps {
                let taps = tile.block(start);
                if first == 0 || tile.chunk < tile.taps {
                    fill(taps.clone(), block);
                }
                start = taps.end;
                self.multiply(channels.clone(), taps, block);
            }
            first = channels.end;
        }
    }

    /// Adds the products of a block of taps and the weights of some channels: the first ones to the biases, and behind
    /// the last ones come the outputs.
    #[inline(never)]
    fn multiply(&self, channels: Range<usize>, taps: Range<usize>, block: Block) {
        let Group { arithmetic, tile, positions, w, out, scratch } = *self;
        let (fours, tail) = (taps.len() / 4, taps.len() % 4);
        let is_last = taps.end == tile.taps;
        let table = arithmetic.requantize.channels.0;
        let entry = |c: usize| table.as_ptr().wrapping_add(c.wrapping_mul(3));
        let stored = scratch.as_ptr().wrapping_add(block.words.len());
        // One position takes four channels at a time.
        let (at_once, n) = if positions == 1 { (4, channels.len() & !3) } else { (1, channels.len()) };
        let finishes = is_last && positions != 1;
        let x = block.words.as_ptr().cast_const();
        let w_start = channels.start.wrapping_mul(tile.taps).wrapping_add(taps.start);
        let job = Job {
            x,
            x_end: x.wrapping_add(fours.wrapping_mul(2).wrapping_mul(positions)),
            stored,
            table: if finishes { entry(channels.start) } else { null() },
            end: if finishes {
                entry(channels.start.wrapping_add(n))
            } else {
                stored.wrapping_add(n.wrapping_mul(positions))
            },
            w_skip: tile.taps.wrapping_mul(at_once).wrapping_sub(fours.wrapping_mul(4)),
            tail_shift: if tail == 0 { 0 } else { 32usize.wrapping_sub(tail.wrapping_mul(8)) },
            tail_distance: tail as isize - 4,
            skipped: fours.wrapping_neg() & 3,
            biases: if taps.start == 0 { entry(channels.start) } else { null() },
            zero_point: arithmetic.requantize.zero_point,
            out: out.as_ptr().wrapping_add(channels.start),
            stride: tile.channels,
            begun: stored,
            w: w.as_ptr().wrapping_add(w_start),
            w_stride: tile.taps,
        };
        if n != 0 {
            // SAFETY: the block holds the taps, `stored` has room for the sums that `Tile` says, `w` holds the weights;
            // `Tile` has at least four taps in a chunk.
            unsafe { sums(positions, &job) };
        }
        if positions == 1 {
            let sums = scratch.slice(block.words.len(), channels.len());
            for i in n..channels.len() {
                let w = w.slice(w_start.wrapping_add(i.wrapping_mul(tile.taps)), taps.len());
                let c = channels.start.wrapping_add(i);
                let begun = if taps.start == 0 { arithmetic.requantize.channels.bias(c) } else { sums.at(i) };
                sums.set(i, block.dot_of_one(begun, w));
            }
            if is_last {
                finish_position(&arithmetic.requantize, channels.start, sums.view(), out);
            }
        }
    }
}
