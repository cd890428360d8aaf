//! Output rows of an int8 depthwise convolution whose channels are records, four channels at a time.
//!
//! Columns of four rows are widened to the pairs of rows (0, 2) and (1, 3) of each channel. A record has its weights in
//! the same form, so that two instructions multiply a column with an output's weights, and two rows of outputs share the
//! four rows. Each column is added to the three outputs that read it while it is in registers.
//!
//! Outputs two columns apart read three rows, two new columns each: of two columns at a time the rows (0, 2) are paired,
//! and row 1 of both, so that five instructions multiply an output's nine taps.

use core::arch::naked_asm;
use core::ops::Range;

use super::requantize::clamp_row;
use crate::kernels::generic::depthwise_records::{COLUMN_WORDS, Strip};
pub use crate::kernels::generic::depthwise_records::{
    RECORD_WORDS, Records, depthwise_records_scratch_bytes,
};
use crate::kernels::generic::requantize::SCALED_SHIFT;
use crate::mem::{Rows, RowsMut, ViewMut};
use crate::ops::window::Geometry;

/// Rows of a depthwise convolution of `x` with a 3x3 window, `records.at_once` at a time where so many are in one image.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn depthwise_record_rows(
    records: &Records,
    geometry: &Geometry,
    x: &Rows<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i32>,
) {
    let layer = Layer { records, geometry, strip: Strip::of(geometry), x, out, scratch };
    let at_once = records.at_once as usize;
    let mut y = rows.start;
    while y < rows.end {
        // Two rows only where the first of them is even: so says the operator what they read.
        let is_pair = at_once == 2 && y & 1 == 0 && y.wrapping_add(1) < rows.end;
        let n = 1usize.wrapping_add(is_pair as usize);
        layer.compute(y, is_pair);
        for y in y..y.wrapping_add(n) {
            clamp_row(out.row(y), records.bounds);
        }
        y = y.wrapping_add(n);
    }
}

/// What all rows have in common.
struct Layer<'a> {
    records: &'a Records<'a>,
    geometry: &'a Geometry,
    strip: Strip,
    x: &'a Rows<'a, i8>,
    out: &'a RowsMut<'a, i8>,
    scratch: ViewMut<'a, i32>,
}

impl Layer<'_> {
    /// The rows that row `y` of the output, and the next one, read; and what keeps of pairs of them those that are not in the
    /// padding, for which any row will do.
    #[inline(always)]
    fn rows(&self, y: usize, is_pair: bool) -> ([*const i8; 4], [i32; 2]) {
        let (image, taps) = self.geometry.row_taps(y);
        // A single row does not read the fourth one.
        let mut masks = [-1; 2];
        let last = self.geometry.input[0].wrapping_sub(1) as i32;
        let rows = [0, 1, 2, 3].map(|i| {
            let y = taps.start.wrapping_add(i);
            if !(0..=last).contains(&y) && (i < 3 || is_pair) {
                masks[i as usize & 1] &= if i < 2 { -0x10000 } else { 0xFFFF };
            }
            self.x.row(image.wrapping_add(y.max(0).min(last) as usize)).as_ptr()
        });
        (rows, masks)
    }

    /// Computes row `y` of the output, and the next one, clamped to int8 alone.
    #[inline(always)]
    fn compute(&self, y: usize, is_pair: bool) {
        let Geometry { input: [_, width, channels], output: [_, out_w, _], window, .. } = *self.geometry;
        let stride = window.stride[1] as usize;
        let (rows, masks) = self.rows(y, is_pair);
        let out = self.out.row(y).as_ptr();
        let (kind, step) = match (is_pair, stride) {
            (true, _) => {
                (Kind::Pairs, (self.out.row(y.wrapping_add(1)).as_ptr() as usize).wrapping_sub(out as usize))
            }
            (_, 1) => (Kind::Ones, channels),
            _ => (Kind::Twos, channels),
        };
        let is_cut = masks != [-1; 2];
        let mut ox = 0;
        while ox < out_w {
            let n = self.strip.outputs.min(out_w.wrapping_sub(ox));
            // Column 0 of the strip stands for the image's column `first`, which may lie in the padding, as may the last.
            let first = ox.wrapping_mul(stride) as isize - window.pads[1] as isize;
            let n_columns = Strip::columns(self.geometry, n);
            let start = (first < 0) as usize;
            let end = n_columns.min((width as isize).wrapping_sub(first) as usize);
            let byte = |column: usize| (first.wrapping_add(column as isize) as usize).wrapping_mul(channels);
            let column =
                |column: usize| self.scratch.as_ptr().wrapping_add(column.wrapping_mul(COLUMN_WORDS));
            self.scratch.slice(0, start.wrapping_mul(COLUMN_WORDS)).fill(0);
            let behind = n_columns.wrapping_sub(end).wrapping_mul(COLUMN_WORDS);
            self.scratch.slice(end.wrapping_mul(COLUMN_WORDS), behind).fill(0);
            let widen = Widen {
                end: byte(end),
                offset: self.records.x_offset & 0xFFFF | self.records.x_offset << 16,
                rows,
                at: byte(start),
                to: column(if stride == 1 { start } else { 0 }),
                step: channels,
                // Where the first column is in the padding, the second one stands for both.
                second: if start == 0 { channels } else { 0 },
            };
            let sweep = Sweep {
                stride: channels,
                // The last column is not passed where the next output would begin with it.
                end: column(if stride == 1 { n_columns.wrapping_sub(1) } else { n_columns }),
                out: out.wrapping_add(ox.wrapping_mul(channels)),
                step,
                columns: self.scratch.as_ptr(),
                records: self.records.words.as_ptr(),
                kind: if is_pair && start != 0 { Kind::PaddedPairs } else { kind } as usize,
            };
            let mut channel = 0usize;
            while channel < channels {
                // SAFETY: four channels of columns inside the rows, for which `Strip` has made room, and of their records;
                // the rows of the output have as many columns.
                unsafe {
                    if stride == 1 {
                        widen_columns(&widen, channel);
                    } else {
                        widen_column_pairs(&widen, channel);
                        if start != 0 {
                            mask_columns(column(0), column(1), 0, -0x10000);
                        }
                    }
                    if is_cut {
                        mask_columns(column(0), column(n_columns), masks[0], masks[1]);
                    }
                    sweep_columns(&sweep, channel);
                }
                channel = channel.wrapping_add(4);
            }
            ox = ox.wrapping_add(n);
        }
    }
}

/// Makes rows in the padding 0: keeps of the pairs of rows in each column, at least one, the bits of two masks.
#[unsafe(naked)]
unsafe extern "C" fn mask_columns(columns: *mut i32, end: *const i32, even: i32, odd: i32) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "20:",
        "ldm.w r0, {{r4-r11}}",
        "ands r4, r2",
        "ands r5, r3",
        "ands r6, r2",
        "ands r7, r3",
        "and.w r8, r8, r2",
        "and.w r9, r9, r3",
        "and.w r10, r10, r2",
        "and.w r11, r11, r3",
        "stm.w r0!, {{r4-r11}}",
        "cmp r0, r1",
        "bne 20b",
        "pop {{r4-r11, pc}}",
    )
}

/// What [`widen_columns`] works on; places are the first channel's. The assembly knows the order of the fields.
#[repr(C)]
struct Widen {
    /// The byte in each row at which the next column would begin.
    end: usize,
    /// Added to every element: a pair of 16-bit numbers.
    offset: i32,
    rows: [*const i8; 4],
    /// First byte in each row.
    at: usize,
    to: *mut i32,
    /// Bytes from column to column.
    step: usize,
    /// Bytes from the first column to the second one.
    second: usize,
}

/// Makes eight words of four channels, from `channel` on, in each column of four rows; at least one column.
#[unsafe(naked)]
unsafe extern "C" fn widen_columns(job: &Widen, channel: usize) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldm.w r0, {{r5-r12, lr}}",
        "add r5, r1",
        "add r11, r1",
        "push {{r5}}",
        "20:",
        "ldr.w r0, [r7, r11]",
        "ldr.w r1, [r8, r11]",
        "ldr.w r2, [r9, r11]",
        "ldr.w r3, [r10, r11]",
        "add r11, lr",
        // Channels 2 and 3, then 0 and 1, of rows (0, 2) and (1, 3).
        "pkhtb r4, r2, r0, asr #16",
        "pkhbt r0, r0, r2, lsl #16",
        "pkhtb r5, r3, r1, asr #16",
        "pkhbt r1, r1, r3, lsl #16",
        "sxtab16 r2, r6, r0, ror #8",
        "sxtab16 r3, r6, r1, ror #8",
        "sxtab16 r0, r6, r0",
        "sxtab16 r1, r6, r1",
        "stm.w r12!, {{r0-r3}}",
        "sxtab16 r0, r6, r4",
        "sxtab16 r1, r6, r5",
        "sxtab16 r2, r6, r4, ror #8",
        "sxtab16 r3, r6, r5, ror #8",
        "ldr r4, [sp]",
        "stm.w r12!, {{r0-r3}}",
        "cmp r11, r4",
        "bne 20b",
        "pop {{r0, r4-r11, pc}}",
    )
}

/// Widens numbers of two channels, the first of which is in a word's bytes 0 and 2.
macro_rules! channels {
    ($($a:literal $b:literal = $x:literal)+) => {
        concat!($("sxtab16 ", $a, ", r6, ", $x, "\nsxtab16 ", $b, ", r6, ", $x, ", ror #8\n",)+)
    };
}

/// Makes the words of four channels, from `channel` on, in two columns of three rows: in the place of the first column rows
/// (0, 2) of it and row 1 of both, in the other one's place its rows (0, 2) and anything. There is at least one column; the
/// last one may be alone, and then has the other's place as well.
#[unsafe(naked)]
unsafe extern "C" fn widen_column_pairs(job: &Widen, channel: usize) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldm.w r0, {{r5-r12, lr}}",
        "add r5, r1",
        "add r11, r1",
        "ldr r0, [r0, #36]",
        "mov r10, lr",
        "push {{r5, r7-r10, lr}}",
        "mov r10, r0",
        "20:",
        "ldr.w r0, [r7, r11]",
        "ldr.w r1, [r8, r11]",
        "ldr.w r2, [r9, r11]",
        "add r11, r10",
        "ldr.w r3, [r7, r11]",
        "ldr.w r4, [r8, r11]",
        "ldr.w r5, [r9, r11]",
        "add r11, lr",
        // Channels 0 and 1, then 2 and 3.
        "pkhbt r7, r0, r2, lsl #16",
        "pkhtb r0, r2, r0, asr #16",
        "pkhbt r8, r1, r4, lsl #16",
        "pkhtb r1, r4, r1, asr #16",
        "pkhbt r9, r3, r5, lsl #16",
        "pkhtb r2, r5, r3, asr #16",
        channels!("r3" "r5" = "r7" "r4" "r8" = "r8"),
        "stm.w r12!, {{r3-r5, r8}}",
        channels!("r3" "r5" = "r0" "r4" "r8" = "r1"),
        "stm.w r12!, {{r3-r5, r8}}",
        channels!("r3" "r5" = "r9"),
        "stm.w r12!, {{r3-r5, r8}}",
        channels!("r3" "r5" = "r2"),
        "stm.w r12!, {{r3-r5, r8}}",
        "ldm.w sp, {{r5, r7-r10, lr}}",
        "subs.w r0, r5, r11",
        "beq 30f",
        "cmp r0, lr",
        "bne 20b",
        // One column is left.
        "movs r10, #0",
        "b 20b",
        "30:",
        "add sp, #24",
        "pop {{r4-r11, pc}}",
    )
}

/// How [`sweep_columns`] goes through a row.
#[derive(Clone, Copy)]
enum Kind {
    /// Two rows of outputs at a time.
    Pairs,
    /// One row.
    Ones,
    /// One row, of which every output is two columns behind the one before.
    Twos,
    /// As `Pairs`, where the first column is in the padding.
    PaddedPairs,
}

/// What [`sweep_columns`] works on; places are the first channel's. The assembly knows the order of the fields.
#[repr(C)]
struct Sweep {
    /// From output to output.
    stride: usize,
    /// Where the columns are left behind the last output.
    end: *const i32,
    kind: usize,
    records: *const i32,
    out: *const i8,
    /// From there to the first output of the second row, or to the next output if there is no second row.
    step: usize,
    columns: *const i32,
}

/// Adds the products of the column in r9 and r10 to sums of the upper row, and of the lower one.
macro_rules! column {
    ($sum:literal = $old:literal, $pair:literal, $single:literal, $half:literal) => {
        concat!(
            "smlad ", $sum, ", r9, ", $pair, ", ", $old, "\n", "smlab", $half, " ", $sum, ", r10, ", $single,
            ", ", $sum, "\n",
        )
    };
    ($sum:literal = $old:literal, $pair:literal, $single:literal, $half:literal, lower) => {
        concat!(
            "smlad ", $sum, ", r10, ", $pair, ", ", $old, "\n", "smlat", $half, " ", $sum, ", r9, ", $single,
            ", ", $sum, "\n",
        )
    };
}

/// Goes on with the next channel, or ends at label 40: loads its record and its first column (label 31), and enters the loop
/// of the kind.
macro_rules! next_channel {
    () => {
        concat!(
            "30:\n",
            "add r0, sp, #4\n",
            "ldm.w r0, {{r1, r8, r11, r12, lr}}\n",
            "adds r1, #8\n",
            "add.w r8, r8, #32\n",
            "add.w r11, r11, #1\n",
            "add.w lr, lr, #8\n",
            "stm.w r0, {{r1, r8, r11, r12, lr}}\n",
            "ldr r2, [sp, #24]\n",
            "cmp lr, r2\n",
            "beq 40f\n",
            "31:\n",
            "ldmdb.w r8, {{r0-r7}}\n",
            "strd r6, r7, [sp, #32]\n",
            "strd r5, r5, [sp, #40]\n",
            "mov r8, r7\n",
            "mov r7, r5\n",
            "ldrd r9, r10, [lr], #32\n",
            "ldr.w pc, [sp, #28]\n",
        )
    };
}

/// The outputs of two rows.
macro_rules! two_rows {
    () => {
        concat!(
            "21:\n",
            "mov r8, r7\n",
            column!("r7" = "r7", "r0", "r3", "b"),
            column!("r8" = "r8", "r0", "r3", "b", lower),
            "b 22f\n",
            // The first column is in the padding.
            "26:\n",
            "mov r8, r7\n",
            "22:\n",
            "ldrd r9, r10, [lr], #32\n",
            column!("r5" = "r7", "r1", "r3", "t"),
            column!("r6" = "r8", "r1", "r3", "t", lower),
            "ldrd r7, r8, [sp, #40]\n",
            column!("r7" = "r7", "r0", "r3", "b"),
            column!("r8" = "r8", "r0", "r3", "b", lower),
            "ldrd r9, r10, [lr]\n",
            column!("r5" = "r5", "r2", "r4", "b"),
            column!("r6" = "r6", "r2", "r4", "b", lower),
            "ldrd r9, r10, [sp, #32]\n",
            "smmla r5, r5, r9, r10\n",
            "smmla r6, r6, r9, r10\n",
            "ldrd r9, r10, [sp]\n",
            "ssat r5, #8, r5, asr #10\n",
            "ssat r6, #8, r6, asr #10\n",
            "strb.w r5, [r11]\n",
            "strb.w r6, [r11, r12]\n",
            "cmp lr, r10\n",
            "add r11, r9\n",
            "bne 22b\n",
            "b 30b\n",
        )
    };
}

/// The outputs of one row: the multiplier is in r6, the addend in r8.
macro_rules! one_row {
    () => {
        concat!(
            "23:\n",
            column!("r7" = "r7", "r0", "r3", "b"),
            "24:\n",
            "ldrd r9, r10, [lr], #32\n",
            column!("r5" = "r7", "r1", "r3", "t"),
            "ldr r7, [sp, #40]\n",
            column!("r7" = "r7", "r0", "r3", "b"),
            "ldrd r9, r10, [lr]\n",
            column!("r5" = "r5", "r2", "r4", "b"),
            "smmla r5, r5, r6, r8\n",
            "ldr.w r9, [sp, #4]\n",
            "ssat r5, #8, r5, asr #10\n",
            "cmp lr, r9\n",
            "strb.w r5, [r11]\n",
            "add r11, r12\n",
            "bne 24b\n",
            "b 30b\n",
        )
    };
}

/// The same with two columns from output to output: the bias is in r7.
macro_rules! every_other_column {
    () => {
        concat!(
            "25:\n",
            "ldr r5, [lr], #32\n",
            "smlad r5, r5, r1, r7\n",
            "smlad r5, r9, r0, r5\n",
            "smlad r5, r10, r3, r5\n",
            "ldrd r9, r10, [lr], #32\n",
            "smlad r5, r9, r2, r5\n",
            "smlabb r5, r10, r4, r5\n",
            "smmla r5, r5, r6, r8\n",
            "ssat r5, #8, r5, asr #10\n",
            "strb.w r5, [r11]\n",
            "ldr r5, [sp, #4]\n",
            "add r11, r12\n",
            "cmp lr, r5\n",
            "bne 25b\n",
            "b 30b\n",
        )
    };
}

/// Computes and requantizes the outputs of four channels, from `channel` on, at least one in each row.
///
/// Weights are in r0 to r4. Sums that have taken two columns are in r5 (and r6), those that have taken one in r7 (and r8).
/// On the stack: stride; end of the channel's columns, the record's end, outputs, step, columns; those of a fifth channel;
/// entry of the loop; multiplier, addend, bias, bias.
#[unsafe(naked)]
unsafe extern "C" fn sweep_columns(job: &Sweep, channel: usize) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "mov r4, r1",
        "ldm.w r0, {{r1-r3, r8, r11, r12, lr}}",
        "add r11, r4",
        "add.w r8, r8, r4, lsl #5",
        "adr.w r0, 90f",
        "ldrh.w r0, [r0, r3, lsl #1]",
        "adr.w r7, 20f",
        "add r7, r0",
        "add.w r6, lr, #32",
        "add.w r8, r8, #32",
        "sub sp, #16",
        "push {{r6, r7}}",
        "push {{r1, r2, r8, r11, r12, lr}}",
        "b 31f",
        next_channel!(),
        ".p2align 2",
        "20:",
        two_rows!(),
        one_row!(),
        every_other_column!(),
        "40:",
        "add sp, #48",
        "pop {{r4-r11, pc}}",
        ".p2align 2",
        // Where each kind of loop begins (an address of Thumb code is odd).
        "90:",
        ".hword 21b - 20b + 1, 23b - 20b + 1, 25b - 20b + 1, 26b - 20b + 1",
        ".p2align 2",
    )
}

const _: () = assert!(SCALED_SHIFT == 10);
