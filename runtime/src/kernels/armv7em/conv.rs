//! One output row of an int8 convolution: groups of positions, their patches widened, times all channels.

use core::arch::asm;
#[cfg(dunlin_dsp_fpu)]
use core::arch::naked_asm;
use core::ops::Range;
use core::ptr::null;

use super::block::Block;
use super::requantize::clamp_row;
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
    let mut patch = Patch::new(geometry, x, tile, arithmetic.x_offset, lines(tile, 1, scratch));
    patch.go_to(y);
    let mut ox = 0;
    while ox < out_w {
        let positions = Tile::positions(out_w.wrapping_sub(ox));
        let start = ox.wrapping_mul(c_out);
        let out = out.slice(start, positions.wrapping_mul(c_out));
        Group { arithmetic, tile, positions, quads: 0, w, out, scratch }.compute(|taps, block| {
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

/// The last bytes of the scratch memory: a chunk of taps of some positions as they are. Empty if `Tile` sees no need of it.
pub fn lines<'a>(tile: Tile, positions: usize, scratch: ViewMut<'a, i32>) -> ViewMut<'a, i8> {
    let words = tile.line_words().wrapping_mul(positions);
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
    /// The stored number that stands for 0.
    padding: i8,
    /// Where lines that begin anywhere are put together. Empty if all begin at multiples of 4.
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
        Patch { geometry, x, y: usize::MAX, tile, rows: [null(); MAX_LINES], padding, bytes }
    }

    /// From now on of output row `y`.
    pub fn go_to(&mut self, y: usize) {
        if y != self.y {
            self.y = y;
            self.find_rows(0, MAX_LINES);
        }
    }

    /// Lines of a row of the window: more than one where dilation tears them apart.
    fn lines_of_row(&self) -> usize {
        let row_len = self.geometry.kernel[1].wrapping_mul(self.geometry.input[2]);
        row_len.checked_div(self.tile.line_len).unwrap_or(1)
    }

    /// Looks up the rows of up to `n` lines from `first` on.
    #[inline(never)]
    fn find_rows(&mut self, first: usize, n: usize) {
        let (image, taps) = self.geometry.row_taps(self.y);
        let lines = self.lines_of_row();
        let mut line = first;
        for row in self.rows.iter_mut().take(n) {
            let ky = line.checked_div(lines).unwrap_or(0);
            let inside = taps.valid.contains(&ky);
            *row = if inside { self.x.row(image.wrapping_add(taps.index(ky))).as_ptr() } else { null() };
            line = line.wrapping_add(1);
        }
    }

    /// Widens `taps` of all four positions of a block from output column `ox` on, if they lie inside the image.
    #[cfg(dunlin_dsp_fpu)]
    #[inline(never)]
    pub fn widen_all(&mut self, taps: &Range<usize>, ox: usize, block: &Block) -> bool {
        let ([_, width, c_in], kw, line_len) =
            (self.geometry.input, self.geometry.kernel[1], self.tile.line_len);
        let stride = self.geometry.window.stride[1] as usize;
        let column = ox.wrapping_mul(stride).wrapping_sub(self.geometry.window.pads[1] as usize);
        let last = column.wrapping_add(stride.wrapping_mul(block.positions.wrapping_sub(1)));
        let is_inside = column <= last && last.wrapping_add(kw) <= width;
        if !is_inside || line_len != kw.wrapping_mul(c_in) {
            return false;
        }
        let (start, step) = (column.wrapping_mul(c_in), c_in.wrapping_mul(stride));
        if !c_in.is_multiple_of(4) {
            return taps.len() == self.tile.taps && self.gather_all(start, step, block);
        }
        let mut line = taps.start.checked_div(line_len).unwrap_or(0);
        let mut from = taps.start.wrapping_sub(line.wrapping_mul(line_len));
        if taps.len() != self.tile.taps {
            self.find_rows(line, from.wrapping_add(taps.len()).div_ceil(line_len.max(1)));
            line = 0;
        }
        let mut at = 0usize;
        while at < taps.len() {
            let len = line_len.wrapping_sub(from).min(taps.len().wrapping_sub(at));
            match self.rows.get(line) {
                Some(row) if !row.is_null() => {
                    let x = row.wrapping_add(start).wrapping_add(from);
                    block.widen_all(at, x, step, len);
                }
                _ => {
                    let words = |taps: usize| (taps / 2).wrapping_mul(block.positions);
                    block.words.slice(words(at), words(len)).fill(0);
                }
            }
            (at, line, from) = (at.wrapping_add(len), line.wrapping_add(1), 0);
        }
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
        if !has_room || self.tile.line_len < 4 || rows.contains(&null()) {
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
        if !whole {
            self.find_rows(first, skipped.wrapping_add(taps.len()).div_ceil(line_len.max(1)));
        }
        // The image's column of the first tap.
        let mut column = ox.wrapping_mul(stride) as isize - self.geometry.window.pads[1] as isize;
        for position in slots {
            let mut line = self.line(column);
            let mut at = 0usize;
            if self.bytes.len() != 0 && whole && lines == 1 {
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
                self.widen_line(i, from..to, &line, at, position, block);
                (at, i, from) = (at.wrapping_add(to.wrapping_sub(from)), i.wrapping_add(1), 0);
            }
            if self.bytes.len() != 0 {
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
        let together = self.bytes.len() != 0;
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
        if self.bytes.len() == 0 {
            return block.clear(position, at, len);
        }
        for i in at..at.wrapping_add(len) {
            self.bytes.set(i, self.padding);
        }
    }
}

/// What [`gather_four`] works on. The assembly knows the order of the fields.
#[cfg(dunlin_dsp_fpu)]
#[repr(C)]
struct Lines {
    /// First element of the first position in each row, the distance of positions, and three times that.
    start: usize,
    step: usize,
    step_3: usize,
    /// The same for what is put together.
    to: *mut i8,
    to_step: usize,
    to_step_3: usize,
    /// Elements of a line.
    len: usize,
}

/// A word of each position.
#[cfg(dunlin_dsp_fpu)]
macro_rules! words {
    () => {
        concat!(
            "ldr.w r10, [lr, r4]\nldr.w r11, [lr, r4, lsl #1]\nldr.w r12, [lr, r5]\n",
            "str.w r10, [r6, r7]\nstr.w r11, [r6, r7, lsl #1]\nstr.w r12, [r6, r8]\n",
            "ldr r10, [lr], #4\nstr r10, [r6], #4\n",
        )
    };
}

/// Puts lines together: of every row one, of at least four elements, for each of four positions. The last word of a line
/// begins inside the one before, so that none reaches beyond it.
#[cfg(dunlin_dsp_fpu)]
#[unsafe(naked)]
unsafe extern "C" fn gather_four(rows: *const *const i8, end: *const *const i8, lines: &Lines) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldm.w r2, {{r3-r9}}",
        "20:",
        "ldr lr, [r0], #4",
        "subs.w r2, r9, #4",
        "add lr, r3",
        "21:",
        words!(),
        "subs r2, #4",
        "bge 21b",
        "adds.w r10, r2, #4",
        "beq 22f",
        "add lr, r2",
        "add r6, r2",
        words!(),
        "22:",
        "cmp r0, r1",
        "bne 20b",
        "pop {{r4-r11, pc}}",
    )
}

/// [`Patch::widen`] for a window of one pixel without padding.
pub fn widen_pixels(patch: &Patch, ox: usize, taps: &Range<usize>, slots: Range<usize>, block: &Block) {
    let step = patch.geometry.input[2].wrapping_mul(patch.geometry.window.stride[1] as usize);
    let mut start = ox.wrapping_mul(step);
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
fn elements<'a>(row: *const i8, start: usize, len: usize) -> View<'a, i8> {
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
