//! One output row of an int8 fully connected layer: a convolution of one position.

use core::ops::Range;
use core::ptr::null_mut;

use super::block::Block;
use super::quads::{Job, quads};
use super::requantize::clamp_row;
use super::tile::Group;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::requantize::{Channels, Requantize};
use crate::kernels::generic::tile::Tile;
use crate::mem::{View, ViewMut};

pub use crate::kernels::generic::fully_connected::{
    blocks_row_i8, fully_connected_row_f32, fully_connected_scratch_bytes,
};

/// [`fully_connected_row`] of int8; see the generic function of this name.
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
    let Requantize { channels: Channels(table), .. } = arithmetic.requantize;
    if quads != 0 {
        let tile = Tile::of_quads(x.len(), quads);
        let words = scratch.slice(0, tile.block_words(1));
        let block = Block { words, positions: 1, offset: arithmetic.x_offset };
        Quads { arithmetic, tile, table, w, out, block, sums: scratch.as_ptr().wrapping_add(words.len()) }
            .compute(x);
    }
    let rows = out.len().wrapping_sub(quads);
    if rows != 0 {
        let channels = Channels(table.slice(quads.wrapping_mul(3), rows.wrapping_mul(3)));
        let arithmetic = I8 { requantize: Requantize { channels, ..arithmetic.requantize }, ..*arithmetic };
        let (w_start, taps) = (quads.wrapping_mul(x.len()), rows.wrapping_mul(x.len()));
        let (tile, w, out) = (Tile::of_one(x.len(), rows), w.slice(w_start, taps), out.slice(quads, rows));
        let group = Group { arithmetic: &arithmetic, tile, positions: 1, w, out, scratch };
        group.compute(|taps, block| block.widen(0, 0, x.slice(taps.start, taps.len())));
    }
    clamp_row(out, arithmetic.requantize.bounds);
}

/// Channels whose weights are in quads.
struct Quads<'a> {
    arithmetic: &'a I8<'a>,
    tile: Tile,
    table: View<'a, i32>,
    w: View<'a, i8>,
    out: ViewMut<'a, i8>,
    block: Block<'a>,
    /// Of some channels, where the taps come in several chunks.
    sums: *mut i32,
}

impl Quads<'_> {
    /// Computes the outputs, clamped to int8 alone.
    #[inline(always)]
    fn compute(&self, x: View<i8>) {
        let tile = self.tile;
        let mut first = 0usize;
        while first < tile.channels {
            let end = first.wrapping_add(tile.channels_at_once()).min(tile.channels);
            let mut start = 0usize;
            while start < tile.taps {
                let taps = tile.block(start);
                self.block.widen_eights(x.slice(taps.start, taps.len()));
                start = taps.end;
                // SAFETY: the block holds the taps, and `w` and `table` have the quads of these channels.
                unsafe { quads(&self.job(first..end, taps)) };
            }
            first = end;
        }
    }

    /// Adds the products of a block of taps to the sums of some channels: the first ones to the biases, and behind the last
    /// ones come the outputs.
    #[inline(always)]
    fn job(&self, channels: Range<usize>, taps: Range<usize>) -> Job {
        let Quads { arithmetic, tile, table, w, out, block, sums } = *self;
        let (begins, finishes) = (taps.start == 0, taps.end == tile.taps);
        let out = out.as_ptr();
        let x = block.words.as_ptr().cast_const();
        let start = channels.start.wrapping_mul(tile.taps).wrapping_add(taps.start.wrapping_mul(4));
        Job {
            x,
            x_end: x.wrapping_add(taps.len() / 2),
            table: table.as_ptr().wrapping_add(channels.start.wrapping_mul(3)),
            end: if finishes {
                out.wrapping_add(channels.end).cast()
            } else {
                sums.wrapping_add(channels.len()).cast_const()
            },
            zero_point: arithmetic.requantize.zero_point,
            out: out.wrapping_add(channels.start),
            stored: if finishes { null_mut() } else { sums },
            begun: if begins { null_mut() } else { sums },
            w_skip: tile.taps.wrapping_sub(taps.len()).wrapping_mul(4),
            w: w.as_ptr().wrapping_add(start),
            skipped: (taps.len() / 8).wrapping_neg() & 7,
        }
    }
}
