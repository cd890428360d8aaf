//! One output row of an int8 depthwise convolution with a 3x3 window, four channels at a time.
//!
//! Three rows of four channels are widened, column by column, to six words: of each channel the pair of the two upper
//! rows, and of two channels each the lower row. The weights are brought to the same form, so that two SMLAD are one
//! column of an output.

use core::arch::naked_asm;

use super::requantize::clamp_row;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::depthwise::{COLUMN_WORDS, Strip, depthwise_part};
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::depthwise::{
    depthwise_row, depthwise_rows_f32, depthwise_rows_i8, depthwise_scratch_bytes,
};

/// [`depthwise_row`] of int8.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn depthwise_row_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let (image, rows) = geometry.row_taps(y);
    let strip = match Strip::of(geometry) {
        // The rows in the padding get weights of 0, so they may be any row.
        Some(strip) if !rows.valid.is_empty() => strip,
        _ => return depthwise_row(arithmetic, geometry, x, w, y, out),
    };
    let [_, out_w, channels] = geometry.output;
    let row = |ky: usize| {
        let inside = if rows.valid.contains(&ky) { ky } else { rows.valid.start };
        x.row(image.wrapping_add(rows.index(inside))).as_ptr()
    };
    let layer = Layer {
        arithmetic,
        geometry,
        strip,
        rows: [row(0), row(1), row(2)],
        masks: [0, 1, 2].map(|ky| rows.valid.contains(&ky)),
        weights: scratch.slice(0, 3 * COLUMN_WORDS),
        columns: scratch.slice(3 * COLUMN_WORDS, strip.column_words()),
    };
    let mut ox = 0;
    while ox < out_w {
        let end = ox.wrapping_add(strip.outputs).min(out_w);
        let n = end.wrapping_sub(ox);
        let outputs = out.slice(ox.wrapping_mul(channels), n.wrapping_mul(channels));
        layer.compute(w, ox, n, outputs, |c| {
            depthwise_part(arithmetic, geometry, x, w, y, [ox..end, c..c.wrapping_add(4)], out);
        });
        ox = end;
    }
    clamp_row(out, arithmetic.requantize.bounds);
}

/// What the strips of an output row have in common.
struct Layer<'a> {
    arithmetic: &'a I8<'a>,
    geometry: &'a Geometry,
    strip: Strip,
    /// The three rows of the image.
    rows: [*const i8; 3],
    /// Which of them are not in the padding.
    masks: [bool; 3],
    /// Widened weights.
    weights: ViewMut<'a, i32>,
    /// Widened columns.
    columns: ViewMut<'a, i32>,
}

impl Layer<'_> {
    /// Computes outputs `ox..ox + n`, clamped to int8 alone; `others` those of four channels of which one has an unusual
    /// factor.
    #[inline(always)]
    fn compute(&self, w: View<i8>, ox: usize, n: usize, out: ViewMut<i8>, others: impl Fn(usize)) {
        let channels = self.geometry.output[2];
        let line_len = channels.wrapping_mul(3);
        let mut weights = Widen {
            rows: [0, 1, 2].map(|ky| w.as_ptr().wrapping_add(line_len.wrapping_mul(ky))),
            at: 0,
            step: channels,
            offset: 0,
            to: self.weights.as_ptr(),
            end: line_len,
        };
        let mut columns = self.columns_of(ox, n);
        let step = self.strip.stride.wrapping_mul(COLUMN_WORDS);
        let n_paired = if self.strip.stride == 1 { n & !1 } else { 0 };
        let mut sweep = Sweep {
            stride: channels,
            end_of_pairs: self.columns.as_ptr().wrapping_add(n_paired.wrapping_mul(step)),
            step: step.wrapping_mul(4),
            end: self.columns.as_ptr().wrapping_add(n.wrapping_mul(step)),
            columns: self.columns.as_ptr(),
            weights: self.weights.as_ptr(),
            out: out.as_ptr(),
            table: self.arithmetic.requantize.channels.0.as_ptr(),
            zero_point: self.arithmetic.requantize.zero_point,
        };
        let mut c = 0;
        while c < channels {
            // SAFETY: four channels of the weights' three lines and columns, of columns inside the three rows, and of `n`
            // outputs; `Strip` has made room for the columns.
            let all = unsafe {
                widen_columns(&mut weights);
                if self.masks != [true; 3] {
                    self.mask_weights();
                }
                if columns.at != columns.end {
                    widen_columns(&mut columns);
                }
                sweep_columns(&mut sweep)
            };
            if !all {
                others(c);
            }
            c = c.wrapping_add(4);
        }
    }

    /// Weights of rows in the padding become 0.
    fn mask_weights(&self) {
        let [top, middle, bottom] = self.masks;
        let pair = (if top { 0xFFFF } else { 0 }) | (if middle { -0x10000 } else { 0 });
        let lower = if bottom { -1 } else { 0 };
        for i in 0..3 * COLUMN_WORDS {
            // The second and the fifth word of a column are the lower row's.
            let mask = if i % 3 == 1 { lower } else { pair };
            self.weights.set(i, self.weights.at(i) & mask);
        }
    }

    /// How to widen the columns that outputs `ox..ox + n` read; those in the padding are 0 from now on.
    fn columns_of(&self, ox: usize, n: usize) -> Widen {
        let [_, width, channels] = self.geometry.input;
        let stride = self.strip.stride;
        // Column 0 of the strip stands for the image's column `first`, which may lie in the padding.
        let first = ox.wrapping_mul(stride) as isize - self.geometry.window.pads[1] as isize;
        let n_columns = Strip::columns(stride, n);
        let inside = |column: isize| (column.max(0) as usize).min(n_columns);
        let start = inside(first.wrapping_neg());
        let end = inside(width as isize - first).max(start);
        self.columns.slice(0, start * COLUMN_WORDS).fill(0);
        self.columns.slice(end * COLUMN_WORDS, (n_columns - end) * COLUMN_WORDS).fill(0);
        let byte =
            |column: usize| first.wrapping_add(column as isize).wrapping_mul(channels as isize) as usize;
        Widen {
            rows: self.rows,
            at: byte(start),
            step: channels,
            offset: self.arithmetic.x_offset & 0xFFFF | self.arithmetic.x_offset << 16,
            to: self.columns.as_ptr().wrapping_add(start * COLUMN_WORDS),
            end: byte(end),
        }
    }
}

/// What [`widen_columns`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Widen {
    rows: [*const i8; 3],
    /// First byte in each row.
    at: usize,
    /// Bytes from column to column.
    step: usize,
    /// Added to every element: a pair of 16-bit numbers.
    offset: i32,
    to: *mut i32,
    end: usize,
}

/// Makes six words of four channels in each column of three rows; at least one column. `job.rows` are then at the next
/// four channels.
#[unsafe(naked)]
unsafe extern "C" fn widen_columns(job: &mut Widen) {
    naked_asm!(
        dsp_core!(),
        "push {{r0, r4-r11, lr}}",
        "ldm.w r0, {{r6-r12, lr}}",
        "20:",
        "ldr.w r0, [r6, r9]",
        "ldr.w r2, [r7, r9]",
        "ldr.w r4, [r8, r9]",
        "add r9, r10",
        // Channels 0 and 1 of both upper rows, then 2 and 3.
        "pkhbt r3, r0, r2, lsl #16",
        "pkhtb r5, r2, r0, asr #16",
        "sxtab16 r0, r11, r3",
        "sxtab16 r1, r11, r4",
        "sxtab16 r2, r11, r5",
        "sxtab16 r3, r11, r3, ror #8",
        "sxtab16 r4, r11, r4, ror #8",
        "sxtab16 r5, r11, r5, ror #8",
        "stm.w r12!, {{r0-r5}}",
        "cmp r9, lr",
        "bne 20b",
        "pop {{r0}}",
        "adds r6, #4",
        "adds r7, #4",
        "add.w r8, r8, #4",
        "stm.w r0, {{r6-r8}}",
        "pop {{r4-r11, pc}}",
    )
}

/// What [`sweep_columns`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Sweep {
    /// From output to output.
    stride: usize,
    /// Where the columns of the outputs end that are computed by twos, with stride 1.
    end_of_pairs: *const i32,
    /// From output to output in columns, in bytes.
    step: usize,
    /// Where the columns of the output behind the last one begin.
    end: *const i32,
    columns: *const i32,
    weights: *const i32,
    out: *mut i8,
    /// Bias, multiplier and shift of four channels.
    table: *const i32,
    zero_point: i32,
}

/// Requantizes a sum (multiplier in r12, shift in lr): see `super::sums`.
macro_rules! round {
    ($acc:literal, $zero_point:literal) => {
        concat!(
            "smmlar ",
            $acc,
            ", ",
            $acc,
            ", r12, ",
            $acc,
            "\n",
            "add.w ",
            $acc,
            ", ",
            $acc,
            ", ",
            $acc,
            ", asr #31\n",
            "asrs.w ",
            $acc,
            ", ",
            $acc,
            ", lr\n",
            "adc.w ",
            $acc,
            ", ",
            $acc,
            ", ",
            $zero_point,
            "\n",
            "ssat ",
            $acc,
            ", #8, ",
            $acc,
            "\n",
        )
    };
}

/// Adds the products of the column in r8 and r9.
macro_rules! column {
    ($acc:literal, $pair:literal, $lower:literal) => {
        concat!(
            "smlad ", $acc, ", r8, ", $pair, ", ", $acc, "\nsmlad ", $acc, ", r9, ", $lower, ", ", $acc, "\n"
        )
    };
}

/// One channel: its entry in the table, its output, where its two words are in a column (in bytes), and what keeps the half
/// of the lower row's weights that is this channel's.
macro_rules! channel {
    ($entry:literal, $out:literal, $words:literal, [$($mask:literal)+]) => {
        concat!(
            // On the stack: bias, stride, end of pairs, step, end, columns, weights, out, table, zero point, half.
            "ldr r6, [sp, #32]\n",
            "ldr.w r8, [r6, #", $entry, "]\n",
            "ldrd r12, lr, [r6, #4 + ", $entry, "]\n",
            "ldr.w r11, [sp, #28]\n",
            "str.w r8, [sp]\n",
            "add.w r11, r11, #", $out, "\n",
            // Other factors than usual ones: see `super::sums`.
            "lsls.w r12, r12, #1\n",
            "bpl 40f\n",
            "rsbs.w lr, lr, #0\n",
            "ble 40f\n",
            "ldrd r10, r8, [sp, #20]\n",
            "ldr.w r9, [sp, #8]\n",
            "ldrd r0, r1, [r8, #", $words, "]\n",
            "ldrd r2, r3, [r8, #24 + ", $words, "]\n",
            "ldrd r4, r5, [r8, #48 + ", $words, "]\n",
            $($mask, "\n",)+
            "cmp r10, r9\n",
            "beq 31f\n",
            // Two outputs that share two columns.
            "30:\n",
            "ldr r6, [sp]\n",
            "ldrd r8, r9, [r10, #", $words, "]\n",
            "mov r7, r6\n",
            column!("r6", "r0", "r1"),
            "ldrd r8, r9, [r10, #24 + ", $words, "]\n",
            column!("r6", "r2", "r3"),
            column!("r7", "r0", "r1"),
            "ldrd r8, r9, [r10, #48 + ", $words, "]\n",
            column!("r6", "r4", "r5"),
            column!("r7", "r2", "r3"),
            "ldrd r8, r9, [r10, #72 + ", $words, "]\n",
            column!("r7", "r4", "r5"),
            "ldr.w r8, [sp, #36]\n",
            round!("r6", "r8"),
            round!("r7", "r8"),
            "ldrd r8, r9, [sp, #4]\n",
            "add.w r10, r10, #48\n",
            "strb.w r6, [r11]\n",
            "strb.w r7, [r11, r8]\n",
            "add.w r11, r11, r8, lsl #1\n",
            "cmp r10, r9\n",
            "bne 30b\n",
            "ldr r6, [sp, #16]\n",
            "cmp r10, r6\n",
            "beq 33f\n",
            "31:\n",
            "ldr r7, [sp, #36]\n",
            "32:\n",
            "ldr r6, [sp]\n",
            "ldrd r8, r9, [r10, #", $words, "]\n",
            column!("r6", "r0", "r1"),
            "ldrd r8, r9, [r10, #24 + ", $words, "]\n",
            column!("r6", "r2", "r3"),
            "ldrd r8, r9, [r10, #48 + ", $words, "]\n",
            column!("r6", "r4", "r5"),
            round!("r6", "r7"),
            "ldr.w r8, [sp, #4]\n",
            "strb.w r6, [r11]\n",
            "ldrd r6, r9, [sp, #12]\n",
            "add r11, r8\n",
            "add r10, r6\n",
            "cmp r10, r9\n",
            "bne 32b\n",
            "33:\n",
        )
    };
}

/// Computes and requantizes the outputs of four channels, at least one each. Returns whether it has: it stops at a channel
/// with another factor than usual. The job is then at the next four channels.
#[unsafe(naked)]
unsafe extern "C" fn sweep_columns(job: &mut Sweep) -> bool {
    naked_asm!(
        dsp_core!(),
        "push {{r0, r4-r11, lr}}",
        "ldm.w r0, {{r1-r9}}",
        // Whether these are channels 1 and 3, behind 0 and 2.
        "movs.w r10, #0",
        "push {{r0-r10}}",
        "10:",
        channel!("0", "0", "0", ["uxth r1, r1" "uxth r3, r3" "uxth.w r5, r5"]),
        channel!("24", "2", "4", ["bfc r0, #0, #16" "bfc r2, #0, #16" "bfc r4, #0, #16"]),
        "ldr r0, [sp, #40]",
        "cbnz r0, 41f",
        "movs r0, #1",
        "str r0, [sp, #40]",
        "ldr r0, [sp, #8]",
        "adds r0, #12",
        "str r0, [sp, #8]",
        "add.w r8, sp, #16",
        "ldm.w r8, {{r0-r4}}",
        "adds r0, #12",
        "adds r1, #12",
        "adds r2, #12",
        "adds r3, #1",
        "adds r4, #12",
        "stm.w r8, {{r0-r4}}",
        "b 10b",
        "40:",
        "movs r0, #0",
        "41:",
        "add sp, #44",
        "pop {{r1}}",
        "ldrd r2, r3, [r1, #24]",
        "adds r2, #4",
        "adds r3, #48",
        "strd r2, r3, [r1, #24]",
        "pop {{r4-r11, pc}}",
    )
}
