//! One output row of an int8 depthwise convolution with a 3x3 window, four channels at a time.
//!
//! Three rows of four channels are widened, column by column, to six words: of each channel the pair of the two upper
//! rows, and of two channels each the lower row. The weights are brought to the same form, so that two SMLAD are one
//! column of an output.

use core::arch::naked_asm;

use super::requantize::clamp_row;
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::depthwise::{COLUMN_WORDS, Strip};
use crate::kernels::generic::requantize::{Requantize, saturate};
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::depthwise::{depthwise_row, depthwise_scratch_bytes};

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
        _ => return generic::depthwise::depthwise_row_i8(arithmetic, geometry, x, w, y, out, scratch),
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
        let n = strip.outputs.min(out_w.wrapping_sub(ox));
        let outputs = out.slice(ox.wrapping_mul(channels), n.wrapping_mul(channels));
        layer.compute(w, ox, n, outputs);
        ox = ox.wrapping_add(n);
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
    /// Computes outputs `ox..ox + n`, clamped to int8 alone.
    fn compute(&self, w: View<i8>, ox: usize, n: usize, out: ViewMut<i8>) {
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
        let mut sweep = Sweep {
            table: self.arithmetic.requantize.channels.0.as_ptr(),
            stride: channels,
            end: self.columns.as_ptr().wrapping_add(n.wrapping_mul(step)),
            columns: self.columns.as_ptr(),
            weights: self.weights.as_ptr(),
            out: out.as_ptr(),
            zero_point: self.arithmetic.requantize.zero_point,
        };
        let kernel = if self.strip.stride == 1 { sweep_1 } else { sweep_2 };
        let mut c = 0;
        while c < channels {
            // SAFETY: four channels of the weights' three lines and columns, of columns inside the three rows, and of `n`
            // outputs; `Strip` has made room for the columns.
            let others = unsafe {
                widen_columns(&weights);
                if self.masks != [true; 3] {
                    self.mask_weights();
                }
                if columns.at != columns.end {
                    widen_columns(&columns);
                }
                kernel(&sweep)
            };
            if others != 0 {
                self.finish_others(others, c, n, out);
            }
            for rows in [&mut weights.rows, &mut columns.rows] {
                for row in rows {
                    *row = row.wrapping_add(4);
                }
            }
            sweep.table = sweep.table.wrapping_add(4 * 3);
            sweep.out = sweep.out.wrapping_add(4);
            c = c.wrapping_add(4);
        }
    }

    /// Weights of rows in the padding become 0.
    fn mask_weights(&self) {
        let [top, middle, bottom] = self.masks;
        let pair = (if top { 0xFFFF } else { 0 }) | (if middle { -0x10000 } else { 0 });
        let lower = if bottom { -1 } else { 0 };
        for column in 0..3 {
            for (i, mask) in [pair, lower, pair, pair, lower, pair].into_iter().enumerate() {
                let at = COLUMN_WORDS * column + i;
                self.weights.set(at, self.weights.at(at) & mask);
            }
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

    /// Computes the outputs of channels `c + i`, for each bit `i` of `others`: those with unusual factors.
    #[cold]
    #[inline(never)]
    fn finish_others(&self, others: u32, c: usize, n: usize, out: ViewMut<i8>) {
        let Requantize { channels: table, zero_point, .. } = self.arithmetic.requantize;
        let step = self.strip.stride.wrapping_mul(COLUMN_WORDS);
        for i in (0..4).filter(|i| others >> i & 1 != 0) {
            let channel = c.wrapping_add(i);
            let mut at = channel;
            for position in 0..n {
                let columns = self.columns.view().slice(position.wrapping_mul(step), 3 * COLUMN_WORDS);
                let acc = table.bias(channel).wrapping_add(dot_of_channel(columns, self.weights.view(), i));
                out.set(at, saturate(table.factor(channel).apply(acc), zero_point, (i8::MIN, i8::MAX)));
                at = at.wrapping_add(self.geometry.output[2]);
            }
        }
    }
}

/// The products of channel `i` of four, in three columns.
fn dot_of_channel(columns: View<i32>, weights: View<i32>, i: usize) -> i32 {
    let [pair, lower] = [[0, 1], [3, 4], [2, 1], [5, 4]][i % 4];
    let lanes = |word: i32| [word as i16 as i32, word >> 16];
    let mut acc = 0i32;
    for column in 0..3 {
        let words = |at: usize| {
            let at = COLUMN_WORDS * column + at;
            (lanes(columns.at(at)), lanes(weights.at(at)))
        };
        let (x, w) = words(pair);
        acc = acc.wrapping_add(x[0].wrapping_mul(w[0])).wrapping_add(x[1].wrapping_mul(w[1]));
        let (x, w) = words(lower);
        acc = acc.wrapping_add(x[i / 2 % 2].wrapping_mul(w[i / 2 % 2]));
    }
    acc
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

/// Makes six words of four channels in each column of three rows; at least one column.
#[unsafe(naked)]
unsafe extern "C" fn widen_columns(job: &Widen) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
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
        "pop {{r4-r11, pc}}",
    )
}

/// What a sweep works on. The assembly knows the order of the fields.
#[repr(C)]
struct Sweep {
    /// Bias, multiplier and shift of four channels.
    table: *const i32,
    /// From output to output.
    stride: usize,
    /// Where the columns of the output behind the last one begin.
    end: *const i32,
    columns: *const i32,
    weights: *const i32,
    out: *mut i8,
    zero_point: i32,
}

/// One channel, number `$bit` of the set: `$words` is where its two words are in a column (in bytes), `$mask` keeps the part of the lower row's
/// weights (in `$lower`) that is this channel's, `$step` is the distance of two outputs' columns.
macro_rules! channel {
    ($bit:literal, $words:literal, [$($mask:literal)+], $step:literal) => {
        concat!(
            // On the stack: bias, stride, end, columns, weights, out, table, channels left out.
            "ldr.w r8, [sp, #24]\n",
            "ldm.w r8!, {{r9, r12, lr}}\n",
            "str.w r8, [sp, #24]\n",
            "str.w r9, [sp]\n",
            "ldr.w r11, [sp, #20]\n",
            "add.w r8, r11, #1\n",
            "str.w r8, [sp, #20]\n",
            // Other factors than usual ones: see `super::sums`.
            "lsls.w r12, r12, #1\n",
            "bpl 31f\n",
            "rsbs.w lr, lr, #0\n",
            "ble 31f\n",
            "ldr.w r8, [sp, #16]\n",
            "ldrd r0, r1, [r8, #", $words, "]\n",
            "ldrd r2, r3, [r8, #24 + ", $words, "]\n",
            "ldrd r4, r5, [r8, #48 + ", $words, "]\n",
            $($mask, "\n",)+
            "ldr.w r10, [sp, #12]\n",
            "30:\n",
            "ldr.w r6, [sp]\n",
            "ldrd r8, r9, [r10, #", $words, "]\n",
            "smlad r6, r8, r0, r6\n",
            "smlad r6, r9, r1, r6\n",
            "ldrd r8, r9, [r10, #24 + ", $words, "]\n",
            "smlad r6, r8, r2, r6\n",
            "smlad r6, r9, r3, r6\n",
            "ldrd r8, r9, [r10, #48 + ", $words, "]\n",
            "smlad r6, r8, r4, r6\n",
            "smlad r6, r9, r5, r6\n",
            "add.w r10, r10, #", $step, "\n",
            "smmlar r6, r6, r12, r6\n",
            "add r6, r6, r6, asr #31\n",
            "asrs r6, r6, lr\n",
            "adc r6, r6, r7\n",
            "ssat r6, #8, r6\n",
            "ldrd r8, r9, [sp, #4]\n",
            "strb r6, [r11]\n",
            "add r11, r8\n",
            "cmp r10, r9\n",
            "bne 30b\n",
            "b 32f\n",
            "31:\n",
            "ldr.w r8, [sp, #28]\n",
            "orr r8, r8, #", $bit, "\n",
            "str.w r8, [sp, #28]\n",
            "32:\n",
        )
    };
}

/// Defines the sweep over outputs whose columns are `$step` bytes apart.
macro_rules! define {
    ($name:ident, $step:literal) => {
        /// Computes and requantizes the outputs of four channels; at least one. Returns a bit set of the channels with
        /// other factors than usual, which it leaves out.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &Sweep) -> u32 {
            naked_asm!(
                dsp_core!(),
        "push {{r4-r11, lr}}",
                "ldm.w r0, {{r1-r7}}",
                // The table's place becomes the bias's.
                "mov r8, r1",
                "movs.w r9, #0",
                "push {{r1-r6, r8-r9}}",
                channel!("1", "0", ["uxth r1, r1" "uxth r3, r3" "uxth.w r5, r5"], $step),
                channel!("2", "12", ["uxth r1, r1" "uxth r3, r3" "uxth.w r5, r5"], $step),
                channel!("4", "4", ["bfc r0, #0, #16" "bfc r2, #0, #16" "bfc r4, #0, #16"], $step),
                channel!("8", "16", ["bfc r0, #0, #16" "bfc r2, #0, #16" "bfc r4, #0, #16"], $step),
                "ldr.w r0, [sp, #28]",
                "add sp, #32",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

define!(sweep_1, "24");
define!(sweep_2, "48");
