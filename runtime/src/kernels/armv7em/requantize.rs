//! Accumulators `[channels, positions]` of a group of positions: from biases, and to int8.
//!
//! With a multiplier M in [2^30, 2^31), SMMLAR with 2M - 2^32 is the doubling high multiplication, rounded. The carry of
//! the right shift by at least 1, after one is taken from negative numbers, rounds to nearest with ties away from zero.
//! Other factors go the generic way.

use core::arch::asm;

use crate::kernels::generic::requantize::{Channels, Requantize, saturate};
use crate::mem::ViewMut;

/// Sets the accumulators of channels `first..` to their biases.
pub fn begin(channels: Channels, first: usize, accs: ViewMut<i32>, positions: usize) {
    let mut c = first;
    let mut at = 0usize;
    while at < accs.len() {
        fill(accs.slice(at, positions), channels.bias(c));
        (c, at) = (c.wrapping_add(1), at.wrapping_add(positions));
    }
}

/// At least one word.
#[inline(always)]
fn fill(words: ViewMut<i32>, value: i32) {
    // SAFETY: writes the words of the view.
    unsafe {
        asm!(
            "20:",
            "str {value}, [{at}], #4",
            "cmp {at}, {end}",
            "bne 20b",
            at = inout(reg) words.as_ptr() => _,
            end = in(reg) words.as_ptr().wrapping_add(words.len()),
            value = in(reg) value,
            options(nostack),
        );
    }
}

/// Requantizes the accumulators of channels `first..` into `out`, `[positions, stride]`, clamped to int8 alone.
pub fn finish(
    requantize: &Requantize,
    first: usize,
    accs: ViewMut<i32>,
    positions: usize,
    out: ViewMut<i8>,
    stride: usize,
) {
    let finish = match positions {
        1 => finish_1,
        2 => finish_2,
        3 => finish_3,
        4 => finish_4,
        5 => finish_5,
        _ => finish_6,
    };
    finish(requantize, first, accs, out, stride);
}

/// Requantizes the accumulators in these registers.
macro_rules! round {
    ($($acc:literal)+) => {
        concat!($(
            "smmlar ", $acc, ", ", $acc, ", {multiplier}, ", $acc, "\n",
            "add ", $acc, ", ", $acc, ", ", $acc, ", asr #31\n",
            "asrs ", $acc, ", ", $acc, ", {shift}\n",
            "adc ", $acc, ", ", $acc, ", {zero_point}\n",
            "ssat ", $acc, ", #8, ", $acc, "\n",
        )+)
    };
}

/// Defines `finish` for a number of positions: its accumulators, how they are loaded, and how the outputs are stored.
macro_rules! define {
    ($name:ident, $positions:literal, $load:literal, [$($acc:literal)+], [$($store:literal)+], [$($used:tt)+]) => {
        fn $name(requantize: &Requantize, first: usize, accs: ViewMut<i32>, out: ViewMut<i8>, stride: usize) {
            let mut acc = accs.as_ptr();
            let end = acc.wrapping_add(accs.len());
            let mut c = first;
            while acc != end {
                let factor = requantize.channels.factor(c);
                let (multiplier, shift) = (factor.multiplier << 1, -(factor.shift as i32));
                if multiplier < 0 && shift > 0 {
                    // SAFETY: reads the channel's accumulators, and writes its element of each position.
                    unsafe {
                        asm!(
                            $load,
                            round!($($acc)+),
                            $($store,)+
                            acc = inout(reg) acc,
                            multiplier = in(reg) multiplier,
                            shift = in(reg) shift,
                            zero_point = in(reg) requantize.zero_point,
                            out = inout(reg) out.as_ptr().wrapping_add(c) => _,
                            stride = in(reg) stride,
                            $(out($used) _,)+
                            options(nostack),
                        );
                    }
                } else {
                    for p in 0..$positions {
                        // SAFETY: the channel has so many accumulators.
                        let x = unsafe { acc.add(p).read() };
                        let q = saturate(factor.apply(x), requantize.zero_point, (i8::MIN, i8::MAX));
                        out.set(c.wrapping_add(stride.wrapping_mul(p)), q);
                    }
                    acc = acc.wrapping_add($positions);
                }
                c = c.wrapping_add(1);
            }
        }
    };
}

define!(finish_1, 1, "ldr r0, [{acc}], #4", ["r0"], ["strb r0, [{out}] /* {stride} */"], ["r0"]);
define!(
    finish_2, 2, "ldm {acc}!, {{r0-r1}}", ["r0" "r1"],
    ["strb r0, [{out}]" "strb r1, [{out}, {stride}]"],
    ["r0" "r1"]
);
define!(
    finish_3, 3, "ldm {acc}!, {{r0-r2}}", ["r0" "r1" "r2"],
    ["strb r0, [{out}]" "strb r1, [{out}, {stride}]" "strb r2, [{out}, {stride}, lsl #1]"],
    ["r0" "r1" "r2"]
);
define!(
    finish_4, 4, "ldm {acc}!, {{r0-r3}}", ["r0" "r1" "r2" "r3"],
    [
        "strb r0, [{out}]" "strb r1, [{out}, {stride}]" "strb r2, [{out}, {stride}, lsl #1]"
        "add {out}, {stride}" "strb r3, [{out}, {stride}, lsl #1]"
    ],
    ["r0" "r1" "r2" "r3"]
);
define!(
    finish_5, 5, "ldm {acc}!, {{r0-r4}}", ["r0" "r1" "r2" "r3" "r4"],
    [
        "strb r0, [{out}]" "strb r1, [{out}, {stride}]" "strb r2, [{out}, {stride}, lsl #1]"
        "strb r4, [{out}, {stride}, lsl #2]" "add {out}, {stride}" "strb r3, [{out}, {stride}, lsl #1]"
    ],
    ["r0" "r1" "r2" "r3" "r4"]
);
define!(
    finish_6, 6, "ldm {acc}!, {{r0-r5}}", ["r0" "r1" "r2" "r3" "r4" "r5"],
    [
        "strb r0, [{out}]" "strb r1, [{out}, {stride}]" "strb r2, [{out}, {stride}, lsl #1]"
        "strb r4, [{out}, {stride}, lsl #2]" "add {out}, {stride}" "strb r3, [{out}, {stride}, lsl #1]"
        "strb r5, [{out}, {stride}, lsl #2]"
    ],
    ["r0" "r1" "r2" "r3" "r4" "r5"]
);

/// Clamps a row that is already int8.
pub fn clamp_row(out: ViewMut<i8>, (lo, hi): (i8, i8)) {
    if (lo, hi) == (i8::MIN, i8::MAX) {
        return;
    }
    for i in 0..out.len() {
        out.set(i, out.at(i).max(lo).min(hi));
    }
}
