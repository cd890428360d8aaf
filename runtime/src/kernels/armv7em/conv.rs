//! One output row of an int8 convolution: groups of positions, their patches widened, times all channels.

use core::arch::asm;
use core::ops::Range;
use core::ptr::null;

use super::block::Block;
use super::requantize::clamp_row;
#[cfg(dunlin_dsp_fpu)]
use super::runs::{Lines, Runs, Triples, gather_four, widen_runs, widen_triples};
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
                patch.widen(&taps, ox, 0..positions, &block);
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
    y: usize,
    tile: Tile,
    /// The rows of the lines from that of the chunk's first one on; null in the padding.
    rows: [*const i8; MAX_LINES],
    /// Whether one of them is null.
    #[cfg_attr(not(dunlin_dsp_fpu), allow(dead_code))]
    is_cut: bool,
    /// The stored number that stands for 0.
    padding: i8,
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
        self.is_cut = false;
        let (image, taps) = self.geometry.row_taps(self.y);
        let lines = self.lines_of_row();
        let mut line = first;
        for row in self.rows.iter_mut().take(n) {
            let ky = line.checked_div(lines).unwrap_or(0);
            let inside = taps.valid.contains(&ky);
            *row = if inside { self.x.row(image.wrapping_add(taps.index(ky))).as_ptr() } else { null() };
            self.is_cut |= !inside;
            line = line.wrapping_add(1);
        }
    }

    /// Widens `taps` of all four positions of a block from output column `ox` on, where that is possible at a time.
    #[cfg(dunlin_dsp_fpu)]
    #[inline(never)]
    pub fn widen_all(&self, taps: &Range<usize>, ox: usize, block: &Block) -> bool {
        let ([kh, kw], [_, width, c_in]) = (self.geometry.kernel, self.geometry.input);
        let line_len = self.tile.line_len;
        if line_len != kw.wrapping_mul(c_in) || kh > MAX_LINES {
            return false;
        }
        let stride = self.geometry.window.stride[1] as usize;
        let column = ox.wrapping_mul(stride).wrapping_sub(self.geometry.window.pads[1] as usize);
        let last = column.wrapping_add(stride.wrapping_mul(block.positions.wrapping_sub(1)));
        let (start, step) = (column.wrapping_mul(c_in), c_in.wrapping_mul(stride));
        let is_whole = taps.len() == self.tile.taps;
        // In the padding to the left, a column has wrapped.
        let is_inside = is_whole && column < width && last.wrapping_add(kw) <= width && !self.is_cut;
        if !c_in.is_multiple_of(4) {
            return is_inside && self.gather_all(start, step, block);
        }
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

    /// Widens all taps of four positions, which begin at element `start` of each row and are `step` apart, by way of bytes, if
    /// every line is in the image and has a word at least.
    #[cfg(dunlin_dsp_fpu)]
    #[inline(always)]
    fn gather_all(&self, start: usize, step: usize, block: &Block) -> bool {
        let Some(rows) = self.rows.get(..self.geometry.kernel[0]) else { return false };
        let taps = self.tile.taps.next_multiple_of(4);
        let has_room = self.bytes.len() >= taps.wrapping_mul(block.positions);
        if !has_room || self.tile.line_len < 4 {
            return false;
        }
        let lines = Lines {
            start,
            step,
            step_3: step.wrapping_mul(3),
            to: self.bytes.as_ptr(),
            to_step: taps,
            to_step_3: taps.wrapping_mul(3),
            len: self.tile.line_len,
        };
        // SAFETY: the rows have the lines, and there are bytes for all taps of four positions. Those behind the last line
        // stand for 0 from the beginning.
        unsafe { gather_four(rows.as_ptr(), rows.as_ptr_range().end, &lines) };
        block.widen_all(0, self.bytes.as_ptr(), taps, taps);
        true
    }

    /// Widens `taps` of the positions from output column `ox` on to `slots` of the block's.
    #[inline(never)]
    pub fn widen(&mut self, taps: &Range<usize>, ox: usize, slots: Range<usize>, block: &Block) {
        let Tile { line_len, .. } = self.tile;
        let stride = self.geometry.window.stride[1] as usize;
        let first = taps.start.checked_div(line_len).unwrap_or(0);
        let skipped = taps.start.wrapping_sub(first.wrapping_mul(line_len));
        let whole = taps.len() == self.tile.taps;
        let lines = self.lines_of_row();
        // Where the rows of these taps stand among those that have been looked up.
        let mut at_row = first;
        if self.lines() > MAX_LINES {
            self.find_rows(first, skipped.wrapping_add(taps.len()).div_ceil(line_len.max(1)));
            at_row = 0;
        }
        // The image's column of the first tap.
        let mut column = ox.wrapping_mul(stride) as isize - self.geometry.window.pads[1] as isize;
        if self.has_words() {
            for position in slots {
                self.widen_words(column, position, block);
                column = column.wrapping_add(stride as isize);
            }
            return;
        }
        for position in slots {
            let mut line = self.line(column);
            let mut at = 0usize;
            if self.tile.by_lines && whole && lines == 1 {
                self.put_together(&line);
                at = taps.len();
            }
            let (mut i, mut from) = (0usize, skipped);
            while at < taps.len() {
                if lines != 1 {
                    let tap = first.wrapping_add(i).checked_rem(lines).unwrap_or(0);
                    let dilation = self.geometry.window.dilation[1] as usize;
                    line = self.line(column.wrapping_add(tap.wrapping_mul(dilation) as isize));
                }
                let to = line_len.min(from.wrapping_add(taps.len().wrapping_sub(at)));
                self.widen_line(at_row.wrapping_add(i), from..to, &line, at, position, block);
                (at, i, from) = (at.wrapping_add(to.wrapping_sub(from)), i.wrapping_add(1), 0);
            }
            if self.tile.by_lines {
                let end = taps.len().next_multiple_of(4);
                while at < end {
                    self.bytes.set(at, self.padding);
                    at = at.wrapping_add(1);
                }
                block.widen_fours(position, 0, self.bytes.slice(0, end).view());
            }
            column = column.wrapping_add(stride as isize);
        }
    }

    /// Whether each line is a word, and a row of the image at least one.
    fn has_words(&self) -> bool {
        let ([_, width, c_in], [kh, kw]) = (self.geometry.input, self.geometry.kernel);
        let is_word = self.tile.line_len == 4 && kw.wrapping_mul(c_in) == 4;
        is_word && kh <= MAX_LINES && self.tile.chunk >= self.tile.taps && width.wrapping_mul(c_in) >= 4
    }

    /// Widens all taps of a position, whose lines are words that begin at `column` of the image. Such a word is loaded from
    /// inside the row, shifted, and filled up with what stands for 0.
    #[inline(always)]
    fn widen_words(&self, column: isize, position: usize, block: &Block) {
        let [_, width, c_in] = self.geometry.input;
        let first = column.wrapping_mul(c_in as isize);
        let last = width.wrapping_mul(c_in).wrapping_sub(4) as isize;
        let start = first.max(0).min(last);
        // Bits of the padding before the image, and behind it.
        let before = start.wrapping_sub(first).max(0).min(4).wrapping_mul(8);
        let behind = first.wrapping_sub(start).max(0).min(4).wrapping_mul(8);
        let inside = u32::MAX.checked_shl(before as u32).unwrap_or(0).checked_shr(behind as u32).unwrap_or(0);
        let padding = self.padding as u8 as u32 * 0x0101_0101;
        let to = block.words.slice(position, 1).as_ptr();
        // SAFETY: loads a word of each row of the window, and writes the words of as many lines of one position.
        unsafe {
            asm!(
                "20:",
                "ldr {x}, [{rows}], #4",
                "cmp {x}, #0",
                "beq 22f",
                "ldr {x}, [{x}, {start}]",
                "lsl {x}, {x}, {before}",
                "lsr {x}, {x}, {behind}",
                "orr {x}, {x}, {fill}",
                "sxtab16 {odd}, {offset}, {x}, ror #8",
                "sxtab16 {x}, {offset}, {x}",
                "21:",
                "str {x}, [{to}]",
                "str {odd}, [{to}, {step}]",
                "add {to}, {to}, {step}, lsl #1",
                "cmp {rows}, {end}",
                "bne 20b",
                "b 23f",
                "22:",
                "mov {odd}, #0",
                "b 21b",
                "23:",
                rows = inout(reg) self.rows.as_ptr() => _,
                end = in(reg) self.rows.as_ptr().wrapping_add(self.geometry.kernel[0]),
                start = in(reg) start,
                before = in(reg) before,
                behind = in(reg) behind,
                fill = in(reg) padding & !inside,
                to = inout(reg) to => _,
                step = in(reg) block.positions.wrapping_mul(4),
                offset = in(reg) block.offset_pair(),
                x = out(reg) _,
                odd = out(reg) _,
                options(nostack),
            );
        }
    }

    /// What a position reads of each row, or of the one line, that begins at `column` of the image.
    fn line(&self, column: isize) -> Line {
        let ([_, width, c_in], line_len) = (self.geometry.input, self.tile.line_len);
        let inside = |column: isize| (column.max(0) as usize).wrapping_mul(c_in).min(line_len);
        Line {
            start: (column as usize).wrapping_mul(c_in),
            inside: (inside(column.wrapping_neg()), inside((width as isize).wrapping_sub(column))),
        }
    }

    /// All taps of a position.
    #[inline(always)]
    fn put_together(&self, line: &Line) {
        let kh = self.geometry.kernel[0];
        let line_len = self.tile.line_len;
        let (left, end) = (line.inside.0, line.inside.1.max(line.inside.0));
        // SAFETY: at least one line, of at least one tap each, whose inside its row has, and room for all taps.
        unsafe {
            asm!(
                "20:",
                "ldr {row}, [{rows}], #4",
                "cmp {row}, #0",
                "beq 27f",
                "add {row}, {start}",
                "movs {n}, {left}",
                "beq 22f",
                "21:",
                "subs {n}, #1",
                "strb {padding}, [{to}], #1",
                "bne 21b",
                "22:",
                "subs {n}, {len}, #4",
                "blt 24f",
                "23:",
                "ldr {x}, [{row}], #4",
                "subs {n}, #4",
                "str {x}, [{to}], #4",
                "bge 23b",
                "24:",
                "adds {n}, #4",
                "beq 26f",
                "25:",
                "ldrb {x}, [{row}], #1",
                "subs {n}, #1",
                "strb {x}, [{to}], #1",
                "bne 25b",
                "26:",
                "movs {n}, {right}",
                "b 28f",
                "27:",
                "add {n}, {left}, {len}",
                "adds {n}, {right}",
                "28:",
                "beq 30f",
                "29:",
                "subs {n}, #1",
                "strb {padding}, [{to}], #1",
                "bne 29b",
                "30:",
                "cmp {rows}, {end}",
                "bne 20b",
                rows = inout(reg) self.rows.as_ptr() => _,
                end = in(reg) self.rows.as_ptr().wrapping_add(kh),
                start = in(reg) line.start.wrapping_add(left),
                left = in(reg) left,
                len = in(reg) end.wrapping_sub(left),
                right = in(reg) line_len.wrapping_sub(end),
                to = inout(reg) self.bytes.as_ptr() => _,
                padding = in(reg) self.padding as i32,
                row = out(reg) _,
                n = out(reg) _,
                x = out(reg) _,
                options(nostack),
            );
        }
    }

    /// Widens the taps `taps` of a line, or puts them together, from tap `at` of the block on.
    #[inline(always)]
    fn widen_line(
        &self,
        line_index: usize,
        taps: Range<usize>,
        line: &Line,
        at: usize,
        position: usize,
        block: &Block,
    ) {
        let row = self.rows.get(line_index).copied().unwrap_or(null());
        let (start, end) = (taps.start.max(line.inside.0), taps.end.min(line.inside.1));
        let together = self.tile.by_lines;
        if row.is_null() || start >= end {
            return self.clear(at, taps.len(), position, block);
        }
        let x = elements(row, line.start.wrapping_add(start), end.wrapping_sub(start));
        let inner = at.wrapping_add(start.wrapping_sub(taps.start));
        if together {
            copy(x, self.bytes.slice(inner, x.len()));
        } else {
            block.widen_fours(position, inner, x);
        }
        if start != taps.start || end != taps.end {
            self.clear(at, start.wrapping_sub(taps.start), position, block);
            self.clear(inner.wrapping_add(x.len()), taps.end.wrapping_sub(end), position, block);
        }
    }

    /// Taps of the padding.
    #[inline(never)]
    fn clear(&self, at: usize, len: usize, position: usize, block: &Block) {
        if !self.tile.by_lines {
            return block.clear(position, at, len);
        }
        for i in at..at.wrapping_add(len) {
            self.bytes.set(i, self.padding);
        }
    }
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

/// What a position reads of a row.
struct Line {
    /// Element of its first tap; it wraps where that lies in the padding.
    start: usize,
    /// The taps inside the image: from the first to the one behind the last.
    inside: (usize, usize),
}

/// Copies a few elements, at least one, for which `memmove` is long.
#[inline(always)]
fn copy(from: View<i8>, to: ViewMut<i8>) {
    // SAFETY: reads and writes as many elements as both have; ARMv7-M loads and stores words anywhere.
    unsafe {
        asm!(
            "subs {n}, #4",
            "blt 21f",
            "20:",
            "ldr {x}, [{from}], #4",
            "subs {n}, #4",
            "str {x}, [{to}], #4",
            "bge 20b",
            "21:",
            "adds {n}, #4",
            "beq 23f",
            "22:",
            "ldrb {x}, [{from}], #1",
            "subs {n}, #1",
            "strb {x}, [{to}], #1",
            "bne 22b",
            "23:",
            n = inout(reg) from.len() => _,
            from = inout(reg) from.as_ptr() => _,
            to = inout(reg) to.as_ptr() => _,
            x = out(reg) _,
            options(nostack),
        );
    }
}
