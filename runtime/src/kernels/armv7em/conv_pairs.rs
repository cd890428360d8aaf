//! Output rows of an int8 convolution whose weights are in pairs: groups of four positions, their patches widened, times
//! all channels.

use core::ops::Range;
use core::ptr::{null, null_mut};

use super::block::Block;
use super::conv::{Patch, elements, last_bytes, widen_pixels};
use super::pairs::{Job, pairs};
use super::requantize::clamp_row;
use crate::kernels::generic::conv_pairs::{POSITIONS, padding_bytes, together};
pub use crate::kernels::generic::conv_pairs::{Pairs, conv_pairs_scratch_bytes};
use crate::kernels::generic::tile::Tile;
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::Geometry;

/// Rows of a convolution of `x` with weights in pairs.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn conv_pair_rows(
    pairs: &Pairs,
    geometry: &Geometry,
    x: &Rows<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i32>,
) {
    let tile = Tile::of_pairs(geometry);
    let arithmetic = &pairs.arithmetic;
    let layer = Layer { pairs, geometry, tile, channels: geometry.output[2], scratch };
    let words = tile.line_words().wrapping_mul(together(geometry));
    let lines = last_bytes(words.wrapping_mul(4).wrapping_add(padding_bytes(&tile, geometry)), scratch);
    // Behind the last tap of each position as well.
    lines.fill(arithmetic.x_offset.wrapping_neg() as i8);
    let mut patch = Patch::new(geometry, x, tile, arithmetic.x_offset, lines);
    let mut whole = layer.job(0..layer.channels, 0..tile.taps);
    // Groups may reach into the next row where outputs follow each other, and the inputs are all read before any is
    // written: what a row reads may be gone where the next one stands.
    let in_one_block = tile.chunk >= tile.taps;
    let at_once = in_one_block || tile.channels_at_once() == layer.channels;
    let joined = if at_once { out.joined(rows.clone()) } else { None };
    // Pixels that follow each other are one row of them.
    let is_flat = tile.pointwise && geometry.window.stride == [1, 1];
    let flat = if is_flat { x.joined(rows.clone()) } else { None };
    match (flat, joined) {
        (Some(x), Some(out)) if in_one_block && tile.taps.is_multiple_of(4) => {
            layer.pixels(x, out, &mut whole);
        }
        _ if in_one_block && !tile.pointwise && geometry.output[1].is_multiple_of(POSITIONS) => {
            for y in rows.clone() {
                layer.row_of_groups(&mut patch, y, out.row(y), &mut whole);
            }
        }
        _ => layer.groups(&mut patch, rows.clone(), out, joined, flat.is_some(), &mut whole),
    }
    for y in rows {
        clamp_row(out.row(y), arithmetic.requantize.bounds);
    }
}

/// What all groups have in common.
struct Layer<'a> {
    pairs: &'a Pairs<'a>,
    geometry: &'a Geometry,
    tile: Tile,
    channels: usize,
    scratch: ViewMut<'a, i32>,
}

impl<'a> Layer<'a> {
    /// The block of a group.
    #[inline(always)]
    fn block(&self) -> Block<'a> {
        let words = self.scratch.slice(0, self.tile.block_words(POSITIONS));
        Block { words, positions: POSITIONS, offset: self.pairs.arithmetic.x_offset }
    }

    /// Computes the outputs of rows by groups that may reach into the next one, if all outputs are one behind the other
    /// (`joined`), clamped to int8 alone.
    #[inline(always)]
    fn groups(
        &self,
        patch: &mut Patch,
        rows: Range<usize>,
        out: &RowsMut<i8>,
        joined: Option<ViewMut<i8>>,
        is_flat: bool,
        whole: &mut Job,
    ) {
        let out_w = self.geometry.output[1];
        let out_w = if is_flat && joined.is_some() { rows.len().wrapping_mul(out_w) } else { out_w };
        let (mut y, mut ox) = (rows.start, 0usize);
        let mut left = rows.len().wrapping_mul(self.geometry.output[1]);
        let mut at = 0usize;
        while left != 0 {
            let in_line = if joined.is_some() { left } else { out_w.wrapping_sub(ox) };
            let n = in_line.min(POSITIONS);
            let out = match joined {
                Some(all) => all.slice(at, n.wrapping_mul(self.channels)),
                None => out.row(y).slice(ox.wrapping_mul(self.channels), n.wrapping_mul(self.channels)),
            };
            let begin = (y, ox);
            self.compute(n, out.as_ptr(), whole, |taps, block| {
                (y, ox) = begin;
                let mut slot = 0usize;
                while slot < n {
                    let in_row = n.wrapping_sub(slot).min(out_w.wrapping_sub(ox));
                    let slots = slot..slot.wrapping_add(in_row);
                    patch.go_to(y);
                    if self.tile.pointwise {
                        widen_pixels(patch, ox, &taps, slots, &block);
                    } else if in_row == POSITIONS && patch.widen_all(&taps, ox, &block) {
                        // Done for all at a time.
                    } else {
                        patch.widen(&taps, ox, slots, &block);
                    }
                    (slot, ox) = (slot.wrapping_add(in_row), ox.wrapping_add(in_row));
                    if ox == out_w {
                        (y, ox) = (y.wrapping_add(1), 0);
                    }
                }
            });
            at = at.wrapping_add(n.wrapping_mul(self.channels));
            left = left.wrapping_sub(n);
        }
    }

    /// Computes the outputs of a row of whole groups, clamped to int8 alone, of taps that are all in one block.
    fn row_of_groups(&self, patch: &mut Patch, y: usize, out: ViewMut<i8>, whole: &mut Job) {
        let (taps, block) = (0..self.tile.taps, self.block());
        let (mut ox, mut at) = (0usize, 0usize);
        patch.go_to(y);
        while at < out.len() {
            if !patch.widen_all(&taps, ox, &block) {
                patch.widen(&taps, ox, 0..POSITIONS, &block);
            }
            whole.out = out.as_ptr().wrapping_add(at);
            // SAFETY: as in `compute`.
            unsafe { pairs(whole, POSITIONS) };
            (ox, at) = (ox.wrapping_add(POSITIONS), at.wrapping_add(POSITIONS.wrapping_mul(self.channels)));
        }
    }

    /// Computes the outputs of pixels that follow each other, clamped to int8 alone, for a window of one pixel.
    fn pixels(&self, x: View<i8>, out: ViewMut<i8>, whole: &mut Job) {
        let (taps, block) = (self.tile.taps, self.block());
        let mut left = out.len().checked_div(self.channels).unwrap_or(0);
        let mut x = x.as_ptr();
        whole.out = out.as_ptr();
        while left != 0 {
            let n = left.min(POSITIONS);
            if n == POSITIONS {
                block.widen_all(0, x, taps, taps);
            } else {
                for position in 0..n {
                    block.widen_fours(position, 0, elements(x, position.wrapping_mul(taps), taps));
                }
            }
            // SAFETY: as in `compute`.
            unsafe { pairs(whole, n) };
            x = x.wrapping_add(POSITIONS.wrapping_mul(taps));
            whole.out = whole.out.wrapping_add(POSITIONS.wrapping_mul(self.channels));
            left = left.wrapping_sub(n);
        }
    }

    /// Computes the outputs of `n` positions, clamped to int8 alone; `fill` widens a range of the taps into the block, and
    /// `whole` is the job of all taps and channels for any outputs.
    #[inline(always)]
    fn compute(&self, n: usize, out: *mut i8, whole: &mut Job, mut fill: impl FnMut(Range<usize>, Block)) {
        let Layer { tile, channels, .. } = *self;
        let block = self.block();
        if tile.chunk >= tile.taps {
            fill(0..tile.taps, block);
            whole.out = out;
            // SAFETY: as below.
            return unsafe { pairs(whole, n) };
        }
        let at_once = tile.channels_at_once();
        let mut first = 0usize;
        while first < channels {
            let end = first.wrapping_add(at_once).min(channels);
            let mut start = 0usize;
            while start < tile.taps {
                let taps = tile.block(start);
                fill(taps.clone(), block);
                start = taps.end;
                let job = self.job(first..end, taps);
                let job = Job { out: out.wrapping_add(first), ..job };
                // SAFETY: the block holds the taps, and `w` the pairs of these channels; before the weights there is the
                // file's header, and behind them what the check has seen.
                unsafe { pairs(&job, n) };
            }
            first = end;
        }
    }

    /// Adds the products of a block of taps to the sums of some channels: the first ones to the biases, and behind the last
    /// ones come the outputs, wherever they are.
    #[inline(never)]
    fn job(&self, channels: Range<usize>, taps: Range<usize>) -> Job {
        let Layer { pairs: Pairs { arithmetic, weights, is_scaled }, tile, scratch, .. } = *self;
        let table = arithmetic.requantize.channels.0;
        let entry = |c: usize| table.as_ptr().wrapping_add(c.wrapping_mul(3));
        let sums = scratch.as_ptr().wrapping_add(tile.block_words(POSITIONS));
        // A word holds two taps.
        let words = taps.len().div_ceil(4).wrapping_mul(2);
        let channel_bytes = tile.taps.next_multiple_of(4);
        let x = scratch.as_ptr().cast_const();
        let (pair_bytes, bytes) = (channel_bytes.wrapping_mul(2), words.wrapping_mul(4));
        let first = weights
            .as_ptr()
            .wrapping_add(channels.start.wrapping_mul(channel_bytes))
            .wrapping_add(taps.start.wrapping_mul(2));
        // The first word is none of a round's.
        let skipped = 1usize.wrapping_sub(words) & 15;
        let w_first = skipped.wrapping_mul(4).wrapping_sub(4);
        Job {
            begun: if taps.start == 0 { null() } else { sums },
            w_step: pair_bytes.wrapping_sub(bytes).wrapping_sub(w_first),
            w: first.wrapping_add(bytes).wrapping_sub(pair_bytes),
            table: entry(channels.start),
            w_first,
            x,
            x_end: x.wrapping_add(words.wrapping_mul(POSITIONS)),
            out: null_mut(),
            stride: self.channels,
            stored: if taps.end == tile.taps { null_mut() } else { sums },
            table_end: entry(channels.end),
            zero_point: arithmetic.requantize.zero_point,
            skipped,
            is_scaled: *is_scaled as usize,
        }
    }
}
