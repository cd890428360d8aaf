//! Output rows of an int8 convolution whose weights are in pairs: groups of four positions, their patches widened, times
//! all channels.

use core::ops::Range;
use core::ptr::{null, null_mut};

use super::block::Block;
use super::conv::{Patch, lines, widen_pixels};
use super::pairs::{Job, pairs};
use super::requantize::clamp_row;
use crate::kernels::generic::conv_pairs::{POSITIONS, together};
pub use crate::kernels::generic::conv_pairs::{Pairs, conv_pairs_scratch_bytes};
use crate::kernels::generic::tile::Tile;
use crate::mem::{Rows, RowsMut, ViewMut};
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
    let [_, out_w, channels] = geometry.output;
    let tile = Tile::of(geometry);
    let arithmetic = &pairs.arithmetic;
    let layer = Layer { pairs, tile, channels, scratch };
    let lines = lines(tile, together(geometry), scratch);
    // Behind the last tap of each position as well.
    lines.fill(arithmetic.x_offset.wrapping_neg() as i8);
    let mut patch = Patch::new(geometry, x, tile, arithmetic.x_offset, lines);
    // Groups may reach into the next row where outputs follow each other, and the inputs are all read before any is
    // written: what a row reads may be gone where the next one stands.
    let at_once = tile.chunk >= tile.taps || tile.channels_at_once() == channels;
    let joined = if at_once { out.joined(rows.clone()) } else { None };
    // Pixels that follow each other are one row of them.
    let is_flat = tile.pointwise && geometry.window.stride == [1, 1] && x.joined(rows.clone()).is_some();
    let out_w = if is_flat && joined.is_some() { rows.len().wrapping_mul(out_w) } else { out_w };
    let (mut y, mut ox) = (rows.start, 0usize);
    let mut whole = layer.job(0..channels, 0..tile.taps);
    let mut left = rows.len().wrapping_mul(geometry.output[1]);
    let mut at = 0usize;
    while left != 0 {
        let in_line = if joined.is_some() { left } else { out_w.wrapping_sub(ox) };
        let n = in_line.min(POSITIONS);
        let out = match joined {
            Some(all) => all.slice(at, n.wrapping_mul(channels)),
            None => out.row(y).slice(ox.wrapping_mul(channels), n.wrapping_mul(channels)),
        };
        let begin = (y, ox);
        layer.compute(n, out.as_ptr(), &mut whole, |taps, block| {
            (y, ox) = begin;
            let mut slot = 0usize;
            while slot < n {
                let in_row = n.wrapping_sub(slot).min(out_w.wrapping_sub(ox));
                let slots = slot..slot.wrapping_add(in_row);
                patch.go_to(y);
                if in_row == POSITIONS && patch.widen_all(&taps, ox, &block) {
                    // Done for all at a time.
                } else if tile.pointwise {
                    widen_pixels(&patch, ox, &taps, slots, &block);
                } else {
                    patch.widen(&taps, ox, slots, &block);
                }
                (slot, ox) = (slot.wrapping_add(in_row), ox.wrapping_add(in_row));
                if ox == out_w {
                    (y, ox) = (y.wrapping_add(1), 0);
                }
            }
        });
        at = at.wrapping_add(n.wrapping_mul(channels));
        left = left.wrapping_sub(n);
    }
    for y in rows {
        clamp_row(out.row(y), arithmetic.requantize.bounds);
    }
}

/// What all groups have in common.
struct Layer<'a> {
    pairs: &'a Pairs<'a>,
    tile: Tile,
    channels: usize,
    scratch: ViewMut<'a, i32>,
}

impl<'a> Layer<'a> {
    /// Computes the outputs of `n` positions, clamped to int8 alone; `fill` widens a range of the taps into the block, and
    /// `whole` is the job of all taps and channels for any outputs.
    #[inline(always)]
    fn compute(&self, n: usize, out: *mut i8, whole: &mut Job, mut fill: impl FnMut(Range<usize>, Block)) {
        let Layer { tile, channels, .. } = *self;
        let words = self.scratch.slice(0, tile.block_words(POSITIONS));
        let block = Block { words, positions: POSITIONS, offset: self.pairs.arithmetic.x_offset };
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
        let finishes = taps.end == tile.taps;
        // A word holds two taps.
        let words = taps.len().div_ceil(4).wrapping_mul(2);
        let channel_bytes = tile.taps.next_multiple_of(4);
        let x = scratch.as_ptr().cast_const();
        let skipped = words.wrapping_neg() & 31;
        let w_rest = channel_bytes.wrapping_mul(2).wrapping_sub(words.wrapping_mul(4));
        Job {
            x,
            x_end: x.wrapping_add(words.wrapping_mul(POSITIONS)),
            w: weights
                .as_ptr()
                .wrapping_add(channels.start.wrapping_mul(channel_bytes))
                .wrapping_add(taps.start.wrapping_mul(2))
                .wrapping_sub(w_rest),
            skipped,
            w_step: w_rest.wrapping_sub(skipped.wrapping_mul(4)),
            biases: if taps.start == 0 { entry(channels.start) } else { null() },
            table: if finishes { entry(channels.start) } else { null() },
            stored: sums,
            end: if finishes {
                entry(channels.end)
            } else {
                sums.wrapping_add(channels.len().wrapping_mul(POSITIONS))
            },
            zero_point: arithmetic.requantize.zero_point,
            out: null_mut(),
            stride: self.channels,
            begun: sums,
            is_scaled: *is_scaled as usize,
        }
    }
}
