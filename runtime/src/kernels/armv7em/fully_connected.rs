//! One output row of an int8 fully connected layer: a convolution of one position.

use super::block::Block;
use super::quads::{Job, WIDE, quads};
use super::requantize::clamp_row;
use super::tile::Group;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::requantize::{Channels, Requantize};
use crate::kernels::generic::tile::Tile;
use crate::mem::{View, ViewMut};
use crate::ops::fully_connected::Weights;

pub use crate::kernels::generic::fully_connected::{
    blocks_row_i8, fully_connected_row_f32, fully_connected_scratch_bytes,
};

/// [`fully_connected_row`] of int8; see the generic function of this name.
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
    let Requantize { channels: Channels(table), .. } = arithmetic.requantize;
    let (taps, quads) = (x.len(), weights.in_quads(out.len()));
    let rows = out.len().wrapping_sub(quads);
    let tile = if quads == 0 {
        Tile::of_one(taps, rows)
    } else {
        let tile = Tile::of_quads(taps.wrapping_add(weights.padding()), quads, weights.is_wide());
        in_quads(arithmetic, tile, x, w, out, scratch);
        tile
    };
    if rows != 0 {
        // Quads have more room for the block, and leave it there.
        let is_widened = quads != 0 && tile.chunk >= tile.taps;
        let w_start = quads.wrapping_mul(tile.taps);
        let tile = Tile { taps, channels: rows, ..tile };
        let channels = Channels(table.slice(quads.wrapping_mul(3), rows.wrapping_mul(3)));
        let arithmetic = I8 { requantize: Requantize { channels, ..arithmetic.requantize }, ..*arithmetic };
        let (w, out) = (w.slice(w_start, rows.wrapping_mul(taps)), out.slice(quads, rows));
        let group = Group { arithmetic: &arithmetic, tile, positions: 1, w, out, scratch };
        group.compute(|taps, block| {
            if !is_widened {
                block.widen(0, 0, x.slice(taps.start, taps.len()));
            }
        });
    }
    clamp_row(out, arithmetic.requantize.bounds);
}

/// The outputs of the channels of `tile`, which are in quads, clamped to int8 alone.
#[inline(always)]
fn in_quads(arithmetic: &I8, tile: Tile, x: View<i8>, w: View<i8>, out: ViewMut<i8>, scratch: ViewMut<i32>) {
    let block = Block { words: scratch, positions: 1, offset: arithmetic.x_offset };
    let sums = scratch.as_ptr().wrapping_add(tile.chunk / 2);
    let wide = if tile.wide { WIDE } else { 0 };
    let (mut w, mut out, mut left) = (w.as_ptr(), out.as_ptr(), tile.channels);
    let mut table = arithmetic.requantize.channels.0.as_ptr();
    while left != 0 {
        let channels = tile.channels_at_once().min(left);
        let mut start = 0;
        while start < tile.taps {
            let taps = tile.chunk.min(tile.taps.wrapping_sub(start));
            let is_last = start.wrapping_add(taps) == tile.taps;
            block.widen_padded(x.slice(start, x.len().wrapping_sub(start).min(taps)));
            let job = Job {
                x: scratch.as_ptr(),
                x_end: scratch.as_ptr().wrapping_add(taps / 2),
                table,
                end: if is_last { out.wrapping_add(channels).cast() } else { sums.wrapping_add(channels) },
                zero_point: arithmetic.requantize.zero_point,
                out,
                stored: sums,
                begun: sums,
                w_skip: tile.taps.wrapping_sub(taps).wrapping_mul(4),
                begin: wide.wrapping_add((start != 0) as usize),
                skipped: (taps / 8).wrapping_neg() & 7,
                w: w.wrapping_add(start.wrapping_mul(4)),
                finish: wide.wrapping_add(if is_last { 4 } else { 5 }),
            };
            // SAFETY: the block holds the taps, and `w` and `table` have the quads of these channels.
            unsafe { quads(&job) };
            start = start.wrapping_add(taps);
        }
        w = w.wrapping_add(channels.wrapping_mul(tile.taps));
        table = table.wrapping_add(channels.wrapping_mul(3));
        out = out.wrapping_add(channels);
        left = left.wrapping_sub(channels);
    }
}
