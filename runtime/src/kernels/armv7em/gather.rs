//! Puts lines of taps that begin anywhere together as bytes, all of a position one behind the other, so that they can be
//! widened by words: of one position, or of four neighbours at a time.

use core::arch::asm;
#[cfg(dunlin_dsp_fpu)]
use core::arch::naked_asm;

#[cfg(dunlin_dsp_fpu)]
use super::conv::Patch;
#[cfg(dunlin_dsp_fpu)]
use crate::kernels::generic::conv_pairs::{gathers, is_narrow, padded_len, slots};
#[cfg(dunlin_dsp_fpu)]
use crate::kernels::generic::tile::{MAX_LINES, Tile};
#[cfg(dunlin_dsp_fpu)]
use crate::mem::ViewMut;
#[cfg(dunlin_dsp_fpu)]
use crate::ops::window::Geometry;

/// What is read of a row.
pub struct Line {
    /// The first element; it wraps where that lies in the padding.
    pub start: usize,
    /// Those inside the image: from the first to the one behind the last.
    pub inside: (usize, usize),
}

impl Line {
    /// `len` elements from `start` on of rows of `row_len`.
    #[inline(always)]
    pub fn new(start: usize, len: usize, row_len: usize) -> Line {
        let inside = |n: usize| (n as isize).max(0).min(len as isize) as usize;
        let left = inside(start.wrapping_neg());
        Line { start, inside: (left, inside(row_len.wrapping_sub(start)).max(left)) }
    }
}

/// `len` elements of each row, one line behind the other; a row is null in the padding. There is at least one.
#[inline(never)]
pub fn put_together(rows: &[*const i8], line: &Line, len: usize, padding: i8, to: *mut i8) {
    let (left, end) = line.inside;
    // SAFETY: at least one line, of at least one element each, whose inside its row has, and room for all of them.
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
            rows = inout(reg) rows.as_ptr() => _,
            end = in(reg) rows.as_ptr_range().end,
            start = in(reg) line.start.wrapping_add(left),
            left = in(reg) left,
            len = in(reg) end.wrapping_sub(left),
            right = in(reg) len.wrapping_sub(end),
            to = inout(reg) to => _,
            padding = in(reg) padding as i32,
            row = out(reg) _,
            n = out(reg) _,
            x = out(reg) _,
            options(nostack),
        );
    }
}

/// Groups of four positions.
#[cfg(dunlin_dsp_fpu)]
pub struct Gather<'a> {
    lines: Lines,
    /// Places of the taps of positions.
    bytes: ViewMut<'a, i8>,
    /// Lines with padding: as much of each row as a group reads, or all of it where outputs are narrow.
    padded: [*const i8; MAX_LINES],
    padded_len: usize,
    /// The output row of which they are all.
    row: usize,
    is_narrow: bool,
    kh: usize,
    /// The element of a row with which the first position of all begins; it wraps where that lies in the padding.
    start: usize,
    row_len: usize,
}

#[cfg(dunlin_dsp_fpu)]
impl<'a> Gather<'a> {
    /// The groups of a layer, with `bytes` for their lines, if they are put together.
    #[inline(never)]
    pub fn new(tile: &Tile, geometry: &Geometry, bytes: ViewMut<'a, i8>) -> Option<Gather<'a>> {
        if !gathers(tile, geometry) {
            return None;
        }
        let ([_, width, c_in], window) = (geometry.input, &geometry.window);
        let step = c_in.wrapping_mul(window.stride[1] as usize);
        let taps = tile.taps.next_multiple_of(4);
        let lines = Lines {
            start: 0,
            step,
            step_3: step.wrapping_mul(3),
            to: bytes.as_ptr(),
            to_step: taps,
            to_step_3: taps.wrapping_mul(3),
            len: tile.line_len,
        };
        let padded_len = padded_len(tile, geometry);
        let first = bytes.as_ptr().cast_const().wrapping_add(taps.wrapping_mul(slots(geometry)));
        Some(Gather {
            lines,
            bytes,
            padded: core::array::from_fn(|i| first.wrapping_add(i.wrapping_mul(padded_len))),
            padded_len,
            row: usize::MAX,
            is_narrow: is_narrow(geometry),
            kh: geometry.kernel[0],
            start: c_in.wrapping_mul(window.pads[1] as usize).wrapping_neg(),
            row_len: width.wrapping_mul(c_in),
        })
    }

    /// Puts the taps of four positions from output column `ox` on together, from place `slot` on.
    pub fn put(&mut self, patch: &Patch, slot: usize, ox: usize) {
        let Gather { ref mut lines, bytes, padded_len, kh, row_len, .. } = *self;
        let Some(rows) = patch.rows.get(..kh) else { return };
        lines.to = bytes.as_ptr().wrapping_add(slot.wrapping_mul(lines.to_step));
        let first = ox.wrapping_mul(lines.step);
        lines.start = self.start.wrapping_add(first);
        let is_inside = lines.start <= row_len && row_len.wrapping_sub(lines.start) >= padded_len;
        let mut from = rows.as_ptr();
        if self.is_narrow || patch.is_cut || !is_inside {
            let start = if self.is_narrow { self.start } else { lines.start };
            from = self.padded.as_ptr();
            if !self.is_narrow || self.row != patch.y {
                self.row = patch.y;
                let line = Line::new(start, padded_len, row_len);
                put_together(rows, &line, padded_len, patch.padding, self.padded[0].cast_mut());
            }
            lines.start = lines.start.wrapping_sub(start);
        }
        // SAFETY: the rows have the lines; those of narrow outputs have others behind them, or room. There are places for all
        // taps of four positions. What is behind the last line stands for 0 from the beginning.
        unsafe { gather_four(from, from.wrapping_add(kh), lines) }
    }

    /// The taps of the first place, and how far the next ones are behind them.
    pub fn taps(&self) -> (*const i8, usize) {
        (self.bytes.as_ptr(), self.lines.to_step)
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

#[cfg(dunlin_dsp_fpu)]
/// A word of each position, a half of one (`h`) or a quarter (`b`).
macro_rules! copy {
    ($size:literal $bytes:literal) => {
        concat!(
            "ldr",
            $size,
            ".w r10, [lr, r4]\nldr",
            $size,
            ".w r11, [lr, r4, lsl #1]\n",
            "ldr",
            $size,
            ".w r12, [lr, r5]\n",
            "str",
            $size,
            ".w r10, [r6, r7]\nstr",
            $size,
            ".w r11, [r6, r7, lsl #1]\n",
            "str",
            $size,
            ".w r12, [r6, r8]\n",
            "ldr",
            $size,
            " r10, [lr], #",
            $bytes,
            "\nstr",
            $size,
            " r10, [r6], #",
            $bytes,
            "\n",
        )
    };
}

/// Puts lines together: of every row one, of at least one element, for each of four positions. The last word of a line of
/// four or more begins inside the one before, so that none reaches beyond it.
///
/// # Safety
/// Each row has the lines of all positions, and there is room for all of them.
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
        "blt 23f",
        "21:",
        copy!("" "4"),
        "subs r2, #4",
        "bge 21b",
        "adds.w r10, r2, #4",
        "beq 22f",
        "add lr, r2",
        "add r6, r2",
        copy!("" "4"),
        "22:",
        "cmp r0, r1",
        "bne 20b",
        "pop {{r4-r11, pc}}",
        "23:",
        "adds r2, #2",
        "blt 24f",
        copy!("h" "2"),
        "cmp r2, #0",
        "beq 22b",
        "24:",
        copy!("b" "1"),
        "b 22b",
    )
}
