//! One output row of an int8 convolution: groups of positions, their patches widened, times all channels.

use core::arch::asm;
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
    let ([_, _, c_in], [_, out_w, c_out]) = (geometry.input, geometry.output);
    let tile = Tile::of(geometry);
    let mut patch = Patch {
        geometry,
        x,
        y,
        tile,
        rows: [null(); MAX_LINES],
        padding: arithmetic.x_offset.wrapping_neg() as i8,
        bytes: lines(tile, scratch),
    };
    patch.find_rows(0, MAX_LINES);
    let step = c_in.wrapping_mul(geometry.window.stride[1] as usize);
    let mut ox = 0;
    while ox < out_w {
        let positions = Tile::positions(out_w.wrapping_sub(ox));
        let start = ox.wrapping_mul(c_out);
        let out = out.slice(start, positions.wrapping_mul(c_out));
        Group { arithmetic, tile, positions, quads: 0, w, out, scratch }.compute(|taps, block| {
            if tile.pointwise {
                widen_pixels(patch.rows[0], ox.wrapping_mul(step), step, &taps, &block);
            } else {
                patch.widen(&taps, ox, &block);
            }
        });
        ox = ox.wrapping_add(positions);
    }
    clamp_row(out, arithmetic.requantize.bounds);
}

/// The last bytes of the scratch memory: a chunk of taps as they are. Empty if `Tile` sees no need of it.
fn lines<'a>(tile: Tile, scratch: ViewMut<'a, i32>) -> ViewMut<'a, i8> {
    let words = tile.line_words();
    let last = scratch.slice(scratch.len().wrapping_sub(words), words);
    // SAFETY: the words are `words` times four bytes, which nothing else uses.
    unsafe { core::slice::from_raw_parts_mut(last.as_ptr().cast(), words.wrapping_mul(4)) }.into()
}

/// What the positions of an output row read: lines of taps, one behind the other.
struct Patch<'a> {
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

impl Patch<'_> {
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

    /// Widens `taps` of a group's positions from output column `ox` on.
    #[inline(never)]
    fn widen(&mut self, taps: &Range<usize>, ox: usize, block: &Block) {
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
        for position in 0..block.positions {
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

/// Widens `taps` of pixels `step` elements apart, from element `start` of the row on: a window of one pixel without
/// padding.
fn widen_pixels(row: *const i8, mut start: usize, step: usize, taps: &Range<usize>, block: &Block) {
    for position in 0..block.positions {
        let x = elements(row, start.wrapping_add(taps.start), taps.len());
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
