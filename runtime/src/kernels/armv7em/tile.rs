//! One group of positions times the weights of all channels.

use core::ops::Range;
use core::ptr::null;

use super::block::Block;
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
        let n_at_once = tile.channels_at_once();
        let mut first = 0usize;
        while first < tile.channels {
            let end = first.wrapping_add(n_at_once).min(tile.channels);
            let mut start = 0usize;
            while start < tile.taps {
                let taps = tile.block(start);
                if first == 0 || tile.chunk < tile.taps {
                    fill(taps.clone(), block);
                }
                start = taps.end;
                // SAFETY: the block holds the taps, and `w` the weights of these channels, which the check has seen to be
                // followed by what is read ahead.
                unsafe { sums(&self.job(first..end, &taps, block), positions) };
            }
            first = end;
        }
    }

    /// Adds the products of a block of taps and the weights of some channels: the first ones to the biases, and behind
    /// the last ones come the outputs.
    #[inline(never)]
    fn job(&self, channels: Range<usize>, taps: &Range<usize>, block: Block) -> Job {
        let Group { arithmetic, tile, positions, w, out, scratch } = *self;
        let begins = taps.start == 0;
        let finishes = taps.end == tile.taps;
        let table = arithmetic.requantize.channels.0;
        let entry = |c: usize| table.as_ptr().wrapping_add(c.wrapping_mul(3));
        let stored = scratch.as_ptr().wrapping_add(block.words.len());
        let x = block.words.as_ptr().cast_const();
        let words = taps.len().div_ceil(4);
        Job {
            x,
            x_end: x.wrapping_add(words.wrapping_mul(2).wrapping_mul(positions)),
            stored,
            table: if finishes { entry(channels.start) } else { null() },
            end: if finishes {
                entry(channels.end)
            } else {
                stored.wrapping_add(channels.len().wrapping_mul(positions))
            },
            w_skip: tile.taps.wrapping_sub(words.wrapping_mul(4)),
            skipped: words.wrapping_neg() & 3,
            biases: if begins { entry(channels.start) } else { null() },
            zero_point: arithmetic.requantize.zero_point,
            out: out.as_ptr().wrapping_add(channels.start),
            stride: tile.channels,
            begun: stored,
            w: w.as_ptr().wrapping_add(channels.start.wrapping_mul(tile.taps)).wrapping_add(taps.start),
        }
    }
}
