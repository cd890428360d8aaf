//! Output rows of an int8 convolution whose weights are in pairs: groups of four positions, their patches widened, times
//! all channels.

use core::ops::Range;
use core::ptr::{null, null_mut};

use super::block::Block;
use super::conv::{Patch, elements, last_bytes, widen_pixels};
use super::gather::Gather;
use super::pairs::{Job, pairs};
use super::requantize::clamp_row;
pub use crate::kernels::generic::conv_pairs::{
    ENTRY_WORDS, LINE_POINT, PairTable, Pairs, conv_pairs_scratch_bytes,
};
use crate::kernels::generic::conv_pairs::{POSITIONS, line_bytes};
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
    let layer = Layer { pairs, geometry, tile, channels: geometry.output[2], scratch };
    // Groups may reach into the next row where outputs follow each other, and the inputs are all read before any is
    // written: what a row reads may be gone where the next one stands.
    let in_one_block = tile.chunk >= tile.taps;
    let at_once = in_one_block || tile.channels_at_once() >= layer.channels;
    let joined = if at_once { out.joined(rows.clone()) } else { None };
    // Pixels that follow each other are one row of them.
    let is_flat = tile.pointwise && geometry.window.stride == [1, 1];
    let flat = if is_flat { x.joined(rows.clone()) } else { None };
    match (flat, joined) {
        (Some(x), Some(out)) if in_one_block && tile.taps.is_multiple_of(4) => layer.pixels(x, out),
        _ => layer.groups(x, rows.clone(), out, joined.is_some(), flat.is_some()),
    }
    for y in rows {
        clamp_row(out.row(y), pairs.bounds);
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

/// Neighbouring positions, and where their taps come from.
struct Group<'a> {
    patch: Patch<'a>,
    /// Outputs that are taken for a row.
    out_w: usize,
    /// The first position.
    y: usize,
    ox: usize,
    /// Positions, at least one.
    n: usize,
}

impl<'a> Group<'a> {
    /// Calls `widen` for the positions of each row, of which the patch is then, with the first one's column.
    #[inline(always)]
    fn for_each_row(&mut self, mut widen: impl FnMut(&mut Patch<'a>, usize, Range<usize>)) {
        let Group { ref mut patch, out_w, mut y, mut ox, n } = *self;
        let mut slot = 0usize;
        while slot < n {
            let end = n.wrapping_sub(slot).min(out_w.wrapping_sub(ox)).wrapping_add(slot);
            patch.go_to(y);
            widen(patch, ox, slot..end);
            (slot, y, ox) = (end, y.wrapping_add(1), 0);
        }
    }
}

impl<'a> Layer<'a> {
    /// The block of a group.
    #[inline(always)]
    fn block(&self) -> Block<'a> {
        let words = self.scratch.slice(0, self.tile.block_words(POSITIONS));
        Block { words, positions: POSITIONS, offset: self.pairs.x_offset }
    }

    /// Computes the outputs of rows, clamped to int8 alone, by groups that may reach into the next one if all outputs are
    /// one behind the other (`is_joined`).
    #[inline(always)]
    fn groups(&self, x: &Rows<i8>, rows: Range<usize>, out: &RowsMut<i8>, is_joined: bool, is_flat: bool) {
        let Layer { pairs: &Pairs { x_offset, .. }, geometry, ref tile, scratch, .. } = *self;
        let lines = last_bytes(line_bytes(tile, geometry), scratch);
        // Behind the last tap of each position as well.
        lines.fill(x_offset.wrapping_neg() as i8);
        let mut left = rows.len().wrapping_mul(geometry.output[1]);
        let mut group = Group {
            patch: Patch::new(geometry, x, *tile, x_offset, lines),
            out_w: if is_flat && is_joined { left } else { geometry.output[1] },
            y: rows.start,
            ox: 0,
            n: 0,
        };
        let mut gather = Gather::new(tile, geometry, lines);
        let mut whole = self.job(0..self.channels & !1, 0, 0..tile.taps);
        let in_one_block = tile.chunk >= tile.taps;
        while left != 0 {
            if group.ox == 0 {
                whole.out = out.row(group.y).as_ptr();
            }
            group.n = POSITIONS.min(if is_joined { left } else { group.out_w.wrapping_sub(group.ox) });
            match &mut gather {
                Some(gather) => self.gather(&mut group, gather),
                None => self.compute(&mut group, whole.out),
            }
            if in_one_block {
                self.finish(&whole, group.n);
            }
            whole.out = whole.out.wrapping_add(group.n.wrapping_mul(self.channels));
            left = left.wrapping_sub(group.n);
            group.ox = group.ox.wrapping_add(group.n);
            while group.ox >= group.out_w && left != 0 {
                (group.y, group.ox) = (group.y.wrapping_add(1), group.ox.wrapping_sub(group.out_w));
            }
        }
    }

    /// Widens some taps of a group.
    #[inline(always)]
    fn fill(&self, group: &mut Group, taps: Range<usize>) {
        let block = self.block();
        group.for_each_row(|patch, ox, slots| {
            if self.tile.pointwise {
                widen_pixels(patch, ox, &taps, slots, &block);
            } else if slots.len() != POSITIONS || !patch.widen_all(&taps, ox, &block) {
                patch.widen::<false>(&taps, ox, slots, &block);
            }
        });
    }

    /// Widens all taps of a group, whose lines are put together.
    #[inline(always)]
    fn gather(&self, group: &mut Group, gather: &mut Gather) {
        group.for_each_row(|patch, ox, slots| gather.put(patch, slots.start, ox));
        let (x, step) = gather.taps();
        self.block().widen_all(0, x, step, step);
    }

    /// Computes the outputs of pixels that follow each other, clamped to int8 alone, for a window of one pixel.
    fn pixels(&self, x: View<i8>, out: ViewMut<i8>) {
        let (taps, block) = (self.tile.taps, self.block());
        let mut whole = self.job(0..self.channels & !1, 0, 0..taps);
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
            self.finish(&whole, n);
            x = x.wrapping_add(POSITIONS.wrapping_mul(taps));
            whole.out = whole.out.wrapping_add(POSITIONS.wrapping_mul(self.channels));
            left = left.wrapping_sub(n);
        }
    }

    /// Computes the outputs of `n` positions, clamped to int8 alone, of taps that are all in the block: by the job of all
    /// pairs of channels, and of the last two if one is left.
    #[inline(always)]
    fn finish(&self, whole: &Job, n: usize) {
        // SAFETY: the block holds the taps, and `w` the pairs of these channels; before the weights there is the file's
        // header, and behind them what the check has seen.
        unsafe { pairs(whole, n) };
        if self.channels & 1 != 0 {
            self.run(self.channels.wrapping_sub(2)..self.channels, 0, 0..self.tile.taps, whole.out, n);
        }
    }

    /// Widens the taps of a group, if these are in one chunk; else computes the outputs, clamped to int8 alone.
    #[inline(always)]
    fn compute(&self, group: &mut Group, out: *mut i8) {
        let (tile, channels) = (&self.tile, self.channels);
        let (mut first, mut start) = (0usize, 0usize);
        while first < channels {
            let taps = tile.block(start);
            self.fill(group, taps.clone());
            if taps.len() == tile.taps {
                return;
            }
            let end = first.wrapping_add(tile.channels_at_once()).min(channels);
            start = taps.end;
            self.run(first..end & !1, first, taps.clone(), out, group.n);
            if end & 1 != 0 {
                self.run(end.wrapping_sub(2)..end, first, taps, out, group.n);
            }
            if start >= tile.taps {
                (first, start) = (end, 0);
            }
        }
    }

    /// Adds the products of a block of taps to the sums of some channels, if these are any, of `n` positions.
    #[inline(never)]
    fn run(&self, channels: Range<usize>, first: usize, taps: Range<usize>, out: *mut i8, n: usize) {
        if !channels.is_empty() {
            let out = out.wrapping_add(channels.start);
            let job = Job { out, ..self.job(channels, first, taps) };
            // SAFETY: as in `finish`.
            unsafe { pairs(&job, n) };
        }
    }

    /// Adds the products of a block of taps to the sums of some channels: the first ones to the biases, and behind the last
    /// ones come the outputs, wherever they are. The sums of channels from `first` on are in memory.
    #[inline(never)]
    fn job(&self, channels: Range<usize>, first: usize, taps: Range<usize>) -> Job {
        let Layer { pairs: &Pairs { table, zero_point, weights, has_lines, .. }, tile, scratch, .. } = *self;
        // The last pair may begin with a channel that the one before it has as well.
        let first_of_pair = channels.start.next_multiple_of(2);
        let sums = scratch
            .as_ptr()
            .wrapping_add(tile.block_words(POSITIONS))
            .wrapping_add(first_of_pair.wrapping_sub(first).wrapping_mul(POSITIONS));
        // A word holds two taps.
        let words = taps.len().div_ceil(4).wrapping_mul(2);
        let channel_bytes = tile.taps.next_multiple_of(4);
        let x = scratch.as_ptr().cast_const();
        let entry_words = ENTRY_WORDS / 2;
        let table = table.0.as_ptr().wrapping_add(first_of_pair.wrapping_mul(entry_words));
        let (pair_bytes, bytes) = (channel_bytes.wrapping_mul(2), words.wrapping_mul(4));
        let first = weights
            .as_ptr()
            .wrapping_add(first_of_pair.wrapping_mul(channel_bytes))
            .wrapping_add(taps.start.wrapping_mul(2));
        // The first word is none of a round's.
        let skipped = 1usize.wrapping_sub(words) & 15;
        let w_first = skipped.wrapping_mul(4).wrapping_sub(4);
        Job {
            table,
            out: null_mut(),
            stride: self.channels,
            begun: if taps.start == 0 { null() } else { sums },
            w_step: pair_bytes.wrapping_sub(bytes).wrapping_sub(w_first),
            w: first.wrapping_add(bytes).wrapping_sub(pair_bytes),
            w_first,
            x,
            x_end: x.wrapping_add(words.wrapping_mul(POSITIONS)),
            stored: if taps.end == tile.taps { null_mut() } else { sums },
            table_end: table.wrapping_add(channels.len().wrapping_mul(entry_words)),
            zero_point,
            skipped,
            has_lines: has_lines as usize,
        }
    }
}
