//! One output row of an int8 convolution: groups of positions, their patches widened, times all channels.

use core::ops::Range;
use core::ptr::null;

use super::block::Block;
use super::gather::{Line, put_together};
use super::requantize::clamp_row;
#[cfg(dunlin_dsp_fpu)]
use super::runs::{Runs, Triples, widen_runs, widen_triples};
use super::tile::Group;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::tile::{MAX_LINES, Tile};
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::conv::{conv_rows_f32, conv_rows_i8, conv_scratch_bytes};

/// [`generic::conv::conv_row`] of int8.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn conv_row_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let [_, out_w, c_out] = geometry.output;
    let tile = Tile::of(geometry);
    let mut patch = Patch::new(
        geometry,
        x,
        tile,
        arithmetic.x_offset,
        last_bytes(tile.line_words().wrapping_mul(4), scratch),
    );
    patch.go_to(y);
    let mut ox = 0;
    while ox < out_w {
        let positions = Tile::positions(out_w.wrapping_sub(ox));
        let start = ox.wrapping_mul(c_out);
        let out = out.slice(start, positions.wrapping_mul(c_out));
        Group { arithmetic, tile, positions, w, out, scratch }.compute(|taps, block| {
            if tile.pointwise {
                widen_pixels(&patch, ox, &taps, 0..positions, &block);
            } else {
                patch.widen::<true>(&taps, ox, 0..positions, &block);
            }
        });
        ox = ox.wrapping_add(positions);
    }
    clamp_row(out, arithmetic.requantize.bounds);
}

/// The last bytes of the scratch memory, `n_bytes` or up to three more, for [`Patch`].
pub fn last_bytes<'a>(n_bytes: usize, scratch: ViewMut<'a, i32>) -> ViewMut<'a, i8> {
    let words = n_bytes.div_ceil(4);
    let last = scratch.slice(scratch.len().wrapping_sub(words), words);
    // SAFETY: the words are `words` times four bytes, which nothing else uses.
    unsafe { core::slice::from_raw_parts_mut(last.as_ptr().cast(), words.wrapping_mul(4)) }.into()
}

/// What the positions of an output row read: lines of taps, one behind the other.
pub struct Patch<'a> {
    geometry: &'a Geometry,
    x: &'a Rows<'a, i8>,
    /// The output row.
    pub y: usize,
    tile: Tile,
    /// The rows of the lines from that of the chunk's first one on; null in the padding.
    pub rows: [*const i8; MAX_LINES],
    /// Whether one of them is null.
    #[cfg_attr(not(dunlin_dsp_fpu), allow(dead_code))]
    pub is_cut: bool,
    /// The stored number that stands for 0.
    pub padding: i8,
    /// Where lines that begin anywhere are put together, if `Tile` says so; else the elements of a pixel in the padding.
    bytes: ViewMut<'a, i8>,
}

impl<'a> Patch<'a> {
    /// The patches of a layer, of no row yet.
    pub fn new(
        geometry: &'a Geometry,
        x: &'a Rows<'a, i8>,
        tile: Tile,
        x_offset: i32,
        bytes: ViewMut<'a, i8>,
    ) -> Patch<'a> {
        let padding = x_offset.wrapping_neg() as i8;
        Patch { geometry, x, y: usize::MAX, tile, rows: [null(); MAX_LINES], is_cut: false, padding, bytes }
    }

    /// From now on of output row `y`.
    pub fn go_to(&mut self, y: usize) {
        if y != self.y {
            self.y = y;
            self.find_rows(0, self.lines().min(MAX_LINES));
        }
    }

    /// Lines of a row of the window: more than one where dilation tears them apart.
    fn lines_of_row(&self) -> usize {
        let row_len = self.geometry.kernel[1].wrapping_mul(self.geometry.input[2]);
        row_len.checked_div(self.tile.line_len).unwrap_or(1)
    }

    /// All lines.
    fn lines(&self) -> usize {
        self.lines_of_row().wrapping_mul(self.geometry.kernel[0])
    }

    /// Looks up the rows of up to `n` lines from `first` on.
    #[inline(never)]
    fn find_rows(&mut self, first: usize, n: usize) {
        let (image, taps) = self.geometry.row_taps(self.y);
        let lines = self.lines_of_row();
        let mut line = first;
        let mut is_cut = false;
        for row in self.rows.iter_mut().take(n) {
            let ky = if lines == 1 { line } else { line.checked_div(lines).unwrap_or(0) };
            let inside = taps.valid.contains(&ky);
            *row = if inside { self.x.row(image.wrapping_add(taps.index(ky))).as_ptr() } else { null() };
            is_cut |= !inside;
            line = line.wrapping_add(1);
        }
        self.is_cut = is_cut;
    }

    /// Widens `taps` of all four positions of a block from output column `ox` on, where that is possible at a time.
    #[cfg(dunlin_dsp_fpu)]
    #[inline(never)]
    pub fn widen_all(&self, taps: &Range<usize>, ox: usize, block: &Block) -> bool {
        let ([kh, kw], [_, width, c_in]) = (self.geometry.kernel, self.geometry.input);
        let line_len = self.tile.line_len;
        if self.tile.by_lines || line_len != kw.wrapping_mul(c_in) || kh > MAX_LINES {
            return false;
        }
        let stride = self.geometry.window.stride[1] as usize;
        let column = ox.wrapping_mul(stride).wrapping_sub(self.geometry.window.pads[1] as usize);
        let last = column.wrapping_add(stride.wrapping_mul(block.positions.wrapping_sub(1)));
        let (start, step) = (column.wrapping_mul(c_in), c_in.wrapping_mul(stride));
        let is_whole = taps.len() == self.tile.taps;
        // In the padding to the left, a column has wrapped.
        let is_inside = is_whole && column < width && last.wrapping_add(kw) <= width && !self.is_cut;
        let offset = block.offset_pair();
        if is_inside && kw == 3 && stride == 1 {
            let (rows, to) = (&self.rows, block.words.as_ptr());
            let end = rows.as_ptr().wrapping_add(kh);
            let triples = Triples { step, words_step: c_in.wrapping_mul(8), start, to, end, offset };
            // SAFETY: the rows have the six pixels, and the block has room for all taps.
            unsafe { widen_triples(rows.as_ptr(), &triples) };
            return true;
        }
        // Whole lines, or pixels.
        let (len, runs_of_row) = if is_inside { (line_len, 1) } else { (c_in, kw) };
        let (first, runs) =
            (taps.start.checked_div(len).unwrap_or(0), taps.len().checked_div(len).unwrap_or(0));
        let line = first.checked_div(runs_of_row).unwrap_or(0);
        let in_row = first.wrapping_sub(line.wrapping_mul(runs_of_row));
        if first.wrapping_mul(len) != taps.start || runs.wrapping_mul(len) != taps.len() {
            return false;
        }
        let runs = Runs {
            row: self.rows.as_ptr().wrapping_add(line),
            left: runs_of_row.wrapping_sub(in_row),
            start: start.wrapping_add(in_row.wrapping_mul(len)),
            runs,
            row_len: width.wrapping_mul(c_in),
            step,
            len,
            padding: self.bytes.as_ptr(),
            runs_of_row,
            first: start,
            to: block.words.as_ptr(),
            offset,
        };
        // SAFETY: the rows of the window have been looked up; runs that are not inside them are pixels, and there are the
        // elements of one that stand for 0. The block has room for `taps`.
        unsafe { widen_runs(&runs) };
        true
    }

    /// Widens `taps` of the positions from output column `ox` on to `slots` of the block's. `AT_ONCE`: all lines that are put
    /// together are at a time, where that is possible; of weights in pairs [`super::gather::Gather`] does it.
    #[inline(never)]
    pub fn widen<const AT_ONCE: bool>(
        &mut self,
        taps: &Range<usize>,
        ox: usize,
        slots: Range<usize>,
        block: &Block,
    ) {
        let (Tile { line_len, by_lines, .. }, window) = (self.tile, &self.geometry.window);
        let [_, width, c_in] = self.geometry.input;
        let row_len = width.wrapping_mul(c_in);
        let step = c_in.wrapping_mul(window.stride[1] as usize);
        let dilation = c_in.wrapping_mul(window.dilation[1] as usize);
        let first = taps.start.checked_div(line_len).unwrap_or(0);
        let skipped = taps.start.wrapping_sub(first.wrapping_mul(line_len));
        let lines = self.lines_of_row();
        let is_whole = AT_ONCE && by_lines && lines == 1 && taps.len() == self.tile.taps;
        // Where the rows of these taps stand among those that have been looked up.
        let mut at_row = first;
        if self.lines() > MAX_LINES {
            self.find_rows(first, skipped.wrapping_add(taps.len()).div_ceil(line_len.max(1)));
            at_row = 0;
        }
        // The row's element of the first tap.
        let mut start = ox.wrapping_mul(step).wrapping_sub(c_in.wrapping_mul(window.pads[1] as usize));
        for position in slots {
            let (mut at, mut i, mut from) = (0usize, 0usize, skipped);
            if is_whole {
                let rows = self.rows.get(..self.geometry.kernel[0]).unwrap_or(&self.rows);
                let line = Line::new(start, line_len, row_len);
                put_together(rows, &line, line_len, self.padding, self.bytes.as_ptr());
                at = taps.len();
            }
            while at < taps.len() {
                let len = line_len.wrapping_sub(from).min(taps.len().wrapping_sub(at));
                let tap = if lines == 1 { 0 } else { first.wrapping_add(i).checked_rem(lines).unwrap_or(0) };
                let start = start.wrapping_add(tap.wrapping_mul(dilation)).wrapping_add(from);
                let line = Line::new(start, len, row_len);
                let row = self.rows.get(at_row.wrapping_add(i)).copied().unwrap_or(null());
                if by_lines {
                    put_together(&[row], &line, len, self.padding, self.bytes.as_ptr().wrapping_add(at));
                } else {
                    widen_line(row, &line, len, at, position, block);
                }
                (at, i, from) = (at.wrapping_add(len), i.wrapping_add(1), 0);
            }
            if by_lines {
                let end = taps.len().next_multiple_of(4);
                self.bytes.slice(at, end.wrapping_sub(at)).fill(self.padding);
                block.widen_fours(position, 0, self.bytes.slice(0, end).view());
            }
            start = start.wrapping_add(step);
        }
    }
}

/// Widens the taps of a line, `len` of a row, from tap `at` of the block on.
#[inline(always)]
fn widen_line(row: *const i8, line: &Line, len: usize, at: usize, position: usize, block: &Block) {
    let (left, end) = line.inside;
    if row.is_null() || left == end {
        return block.clear(position, at, len);
    }
    let x = elements(row, line.start.wrapping_add(left), end.wrapping_sub(left));
    block.clear(position, at, left);
    block.widen_fours(position, at.wrapping_add(left), x);
    block.clear(position, at.wrapping_add(end), len.wrapping_sub(end));
}

/// [`Patch::widen`] for a window of one pixel without padding.
pub fn widen_pixels(patch: &Patch, ox: usize, taps: &Range<usize>, slots: Range<usize>, block: &Block) {
    let step = patch.geometry.input[2].wrapping_mul(patch.geometry.window.stride[1] as usize);
    let mut start = ox.wrapping_mul(step);
    #[cfg(dunlin_dsp_fpu)]
    if slots.len() == block.positions && taps.len().is_multiple_of(4) && block.positions == 4 {
        let x = patch.rows[0].wrapping_add(start).wrapping_add(taps.start);
        return block.widen_all(0, x, step, taps.len());
    }
    for position in slots {
        let x = elements(patch.rows[0], start.wrapping_add(taps.start), taps.len());
        if taps.len().is_multiple_of(4) {
            block.widen_fours(position, 0, x);
        } else {
            block.widen(position, 0, x);
        }
        start = start.wrapping_add(step);
    }
}

/// Elements of a row that has them.
#[inline(always)]
pub fn elements<'a>(row: *const i8, start: usize, len: usize) -> View<'a, i8> {
    // SAFETY: the window's geometry keeps them inside the row.
    unsafe { core::slice::from_raw_parts(row.wrapping_add(start), len) }.into()
}
