//! Sums of products for a group of output positions, from bias to int8: weights as they are in the file, and activations
//! widened to 16 bits in a block that [`super::block`] fills.
//!
//! A block holds, for every four taps, the words (tap 0, tap 2) of all positions and then the words (tap 1, tap 3):
//! what SXTB16 makes of four weights. So each word of weights is loaded once for all positions, and 5 positions take
//! 15 instructions for 20 products.
//!
//! With a multiplier M in [2^30, 2^31), SMMLAR with 2M - 2^32 is the doubling high multiplication, rounded. The carry of
//! the right shift by at least 1, after one is taken from negative numbers, rounds to nearest with ties away from zero.
//! Channels with other factors go the generic way.

use core::arch::naked_asm;

use super::requantize::finish_any;

/// What [`sums`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Job {
    /// The block, and the end of its whole words of weights.
    pub x: *const i32,
    pub x_end: *const i32,
    /// Where sums are stored, `[channels, positions]`; if they become outputs, room for those of one channel.
    pub stored: *mut i32,
    /// The channel table from the first channel on, if the sums become outputs; else null.
    pub table: *const i32,
    /// Where `table` ends, or `stored` if that is null.
    pub end: *const i32,
    /// From the end of a channel's whole words of weights to the beginning of the next channel's (of the fourth next
    /// channel's for one position).
    pub w_skip: usize,
    /// If the taps are no multiple of 4: the last four are loaded from this (negative) distance to the whole words'
    /// end, and shifted right by so many bits, so that only the last ones stay.
    pub tail_shift: usize,
    pub tail_distance: isize,
    /// Words of weights by which the first round of the loop, which takes four, is shortened.
    pub skipped: usize,
    /// The channel table from the first channel on, if the sums begin with the biases; else null.
    pub biases: *const i32,
    pub zero_point: i32,
    /// The first position's output of the first channel, and the distance of positions.
    pub out: *mut i8,
    pub stride: usize,
    /// Where sums are taken up, `[channels, positions]`, if they do not begin with the biases.
    pub begun: *const i32,
    pub w: *const i8,
    /// Weights of a channel.
    pub w_stride: usize,
}

/// Works on a group of `positions` positions. For one position the sums are stored, whatever `table` is.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with at least one whole word of weights a channel, one
/// channel at least, and for one position a multiple of 4 channels; `positions` is in 1..=6.
pub unsafe fn sums(positions: usize, job: &Job) {
    let kernel = match positions {
        1 => sums_1,
        2 => sums_2,
        3 => sums_3,
        4 => sums_4,
        5 => sums_5,
        _ => sums_6,
    };
    // SAFETY: the caller's.
    unsafe { kernel(job) }
}

/// Loads words of the block and multiplies each by the two weights in `$w` into its accumulator.
macro_rules! pair {
    ($w:literal, $([$words:literal $($acc:literal $x:literal)+])+) => {
        concat!($(
            "ldm.w lr!, {{", $words, "}}\n",
            $("smlad ", $acc, ", ", $w, ", ", $x, ", ", $acc, "\n",)+
        )+)
    };
}

/// The products of the four weights in r10.
macro_rules! four {
    ($($load:tt)+) => {
        concat!(
            "sxtb16 r11, r10\n", pair!("r11", $($load)+),
            "sxtb16 r10, r10, ror #8\n", pair!("r10", $($load)+),
        )
    };
}

macro_rules! load_four {
    ($($load:tt)+) => { concat!("ldr.w r10, [r12], #4\n", four!($($load)+)) };
}

/// Requantizes the sums in these registers: multiplier in r6, shift in r7, zero point in r8.
macro_rules! round {
    ($($acc:literal)+) => {
        concat!($(
            "smmlar ", $acc, ", ", $acc, ", r6, ", $acc, "\n",
            "add ", $acc, ", ", $acc, ", ", $acc, ", asr #31\n",
            "asrs ", $acc, ", ", $acc, ", r7\n",
            "adc ", $acc, ", ", $acc, ", r8\n",
            "ssat ", $acc, ", #8, ", $acc, "\n",
        )+)
    };
}

/// Defines the kernel for a number of positions: its accumulators, how a bias is spread to them, how outputs are stored
/// (r9: where, lr: the distance), and which words it loads together.
macro_rules! define {
    (
        $name:ident, $positions:literal, $accs:literal, [$($acc:literal)+], $spread:literal, [$($store:literal)+],
        $($load:tt)+
    ) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &Job) {
            naked_asm!(
                dsp_core!(),
        "push {{r4-r11, lr}}",
                "ldr.w r12, [r0, #52]",
                "push {{r12}}",
                "ldm.w r0, {{r1-r12, lr}}",
                "push {{r1-r12, lr}}",
                "ldr.w r12, [r0, #56]",
                // Where the first round begins: it may leave out up to three of its four words.
                "adr.w r10, 20f",
                "mov.w r11, #(21f - 20f)",
                "mla r10, r9, r11, r10",
                "orr r10, r10, #1",
                "str.w r10, [sp, #32]",
                "10:",
                "ldr r6, [sp, #36]",
                "cbz r6, 11f",
                "ldr.w r0, [r6], #12",
                "str r6, [sp, #36]",
                $spread,
                "ldr.w lr, [sp]",
                "ldr.w pc, [sp, #32]",
                "11:",
                "ldr.w r11, [sp, #52]",
                concat!("ldm.w r11!, {{", $accs, "}}"),
                "str.w r11, [sp, #52]",
                "ldr.w lr, [sp]",
                "ldr.w pc, [sp, #32]",
                ".p2align 2",
                "20:",
                load_four!($($load)+),
                "21:",
                load_four!($($load)+),
                load_four!($($load)+),
                load_four!($($load)+),
                "ldr.w r11, [sp, #4]",
                "cmp lr, r11",
                "bne.w 20b",
                // Most often the next channel's weights begin here.
                "ldr r6, [sp, #20]",
                "cbz r6, 30f",
                "ldr r6, [sp, #24]",
                "cbz r6, 22f",
                "ldr.w r10, [sp, #28]",
                "ldr.w r10, [r12, r10]",
                "lsr.w r10, r10, r6",
                four!($($load)+),
                "22:",
                "ldr.w r11, [sp, #20]",
                "add r12, r11",
                "30:",
                "ldr.w r10, [sp, #12]",
                "cmp.w r10, #0",
                "beq 40f",
                "ldrd r6, r7, [r10, #4]",
                "ldrd r9, lr, [sp, #44]",
                "lsls r6, r6, #1",
                "bpl 50f",
                "rsbs r7, r7, #0",
                "ble 50f",
                "ldr.w r8, [sp, #40]",
                round!($($acc)+),
                "add.w r11, r9, #1",
                $($store,)+
                "31:",
                "str.w r11, [sp, #44]",
                "ldr.w r11, [sp, #16]",
                "add.w r10, r10, #12",
                "str.w r10, [sp, #12]",
                "cmp r10, r11",
                "bne.w 10b",
                "32:",
                "add sp, #56",
                "pop {{r4-r11, pc}}",
                "40:",
                "ldr.w r11, [sp, #8]",
                concat!("stm.w r11!, {{", $accs, "}}"),
                "str.w r11, [sp, #8]",
                "ldr.w r10, [sp, #16]",
                "cmp r11, r10",
                "bne.w 10b",
                "b 32b",
                // Another factor: its arguments are sums, entry, output, distance, positions, zero point.
                "50:",
                "ldr.w r11, [sp, #8]",
                concat!("stm.w r11, {{", $accs, "}}"),
                "mov r0, r11",
                "mov r1, r10",
                "mov r2, r9",
                "mov r3, lr",
                "ldr.w r5, [sp, #40]",
                concat!("movs r4, #", $positions),
                "push {{r12}}",
                "push {{r4-r5}}",
                "bl {finish_any}",
                "add sp, #8",
                "pop {{r12}}",
                "ldr.w r10, [sp, #12]",
                "ldr.w r11, [sp, #44]",
                "add.w r11, r11, #1",
                "b 31b",
                finish_any = sym finish_any,
            )
        }
    };
}

define!(
    sums_2, "2", "r0-r1", ["r0" "r1"], "mov r1, r0",
    ["strb.w r0, [r9]" "strb.w r1, [r9, lr]"],
    ["r5-r6" "r0" "r5" "r1" "r6"]
);
define!(
    sums_3, "3", "r0-r2", ["r0" "r1" "r2"], "mov r1, r0\nmov r2, r0",
    ["strb.w r0, [r9]" "strb.w r1, [r9, lr]" "strb.w r2, [r9, lr, lsl #1]"],
    ["r5-r7" "r0" "r5" "r1" "r6" "r2" "r7"]
);
define!(
    sums_4, "4", "r0-r3", ["r0" "r1" "r2" "r3"], "mov r1, r0\nmov r2, r0\nmov r3, r0",
    [
        "strb.w r0, [r9]" "strb.w r1, [r9, lr]" "strb.w r2, [r9, lr, lsl #1]"
        "add r9, lr" "strb.w r3, [r9, lr, lsl #1]"
    ],
    ["r5-r8" "r0" "r5" "r1" "r6" "r2" "r7" "r3" "r8"]
);
define!(
    sums_5, "5", "r0-r4", ["r0" "r1" "r2" "r3" "r4"], "mov r1, r0\nmov r2, r0\nmov r3, r0\nmov r4, r0",
    [
        "strb.w r0, [r9]" "strb.w r1, [r9, lr]" "strb.w r2, [r9, lr, lsl #1]" "strb.w r4, [r9, lr, lsl #2]"
        "add r9, lr" "strb.w r3, [r9, lr, lsl #1]"
    ],
    ["r5-r9" "r0" "r5" "r1" "r6" "r2" "r7" "r3" "r8" "r4" "r9"]
);
define!(
    sums_6, "6", "r0-r5", ["r0" "r1" "r2" "r3" "r4" "r5"],
    "mov r1, r0\nmov r2, r0\nmov r3, r0\nmov r4, r0\nmov r5, r0",
    [
        "strb.w r0, [r9]" "strb.w r1, [r9, lr]" "strb.w r2, [r9, lr, lsl #1]" "strb.w r4, [r9, lr, lsl #2]"
        "add r9, lr" "strb.w r3, [r9, lr, lsl #1]" "strb.w r5, [r9, lr, lsl #2]"
    ],
    ["r6-r8" "r0" "r6" "r1" "r7" "r2" "r8"] ["r6-r8" "r3" "r6" "r4" "r7" "r5" "r8"]
);

/// The products of the four weights in r6, for one position and one channel.
macro_rules! four_of_one {
    ($acc:literal) => {
        concat!(
            "sxtb16 r7, r6\n",
            "smlad ",
            $acc,
            ", r7, r4, ",
            $acc,
            "\n",
            "sxtb16 r6, r6, ror #8\n",
            "smlad ",
            $acc,
            ", r6, r5, ",
            $acc,
            "\n",
        )
    };
}

/// The products of four weights of four channels.
macro_rules! load_four_of_one {
    () => {
        concat!(
            "ldrd r4, r5, [lr], #8\n",
            "ldr.w r6, [r8], #4\n",
            four_of_one!("r0"),
            "ldr.w r6, [r9], #4\n",
            four_of_one!("r1"),
            "ldr.w r6, [r10], #4\n",
            four_of_one!("r2"),
            "ldr.w r6, [r11], #4\n",
            four_of_one!("r3"),
        )
    };
}

/// The last taps of a channel: the distance is in r12, the shift on the stack.
macro_rules! tail_of_one {
    ($w:literal, $acc:literal) => {
        concat!(
            "ldr.w r6, [",
            $w,
            ", r12]\n",
            "ldr.w r7, [sp, #24]\n",
            "lsr.w r6, r6, r7\n",
            four_of_one!($acc),
        )
    };
}

/// One position: four channels at a time, so that the words of the block are loaded once for four.
#[unsafe(naked)]
unsafe extern "C" fn sums_1(job: &Job) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldr.w r12, [r0, #52]",
        "push {{r12}}",
        "ldm.w r0, {{r1-r12, lr}}",
        "push {{r1-r12, lr}}",
        "adr.w r10, 20f",
        "mov.w r11, #(21f - 20f)",
        "mla r10, r9, r11, r10",
        "orr r10, r10, #1",
        "str.w r10, [sp, #32]",
        "ldrd r8, r12, [r0, #56]",
        "add r9, r8, r12",
        "add r10, r9, r12",
        "add r11, r10, r12",
        "10:",
        "ldr.w r12, [sp, #36]",
        "cmp.w r12, #0",
        "beq 11f",
        "ldr.w r0, [r12], #12",
        "ldr.w r1, [r12], #12",
        "ldr.w r2, [r12], #12",
        "ldr.w r3, [r12], #12",
        "str.w r12, [sp, #36]",
        "b 12f",
        "11:",
        "ldr.w r12, [sp, #52]",
        "ldm.w r12!, {{r0-r3}}",
        "str.w r12, [sp, #52]",
        "12:",
        "ldr.w lr, [sp]",
        "ldr.w r12, [sp, #4]",
        "ldr.w pc, [sp, #32]",
        ".p2align 2",
        "20:",
        load_four_of_one!(),
        "21:",
        load_four_of_one!(),
        load_four_of_one!(),
        load_four_of_one!(),
        "cmp lr, r12",
        "bne.w 20b",
        "ldr.w r6, [sp, #24]",
        "cmp.w r6, #0",
        "beq 30f",
        "ldrd r4, r5, [lr]",
        "ldr.w r12, [sp, #28]",
        tail_of_one!("r8", "r0"),
        tail_of_one!("r9", "r1"),
        tail_of_one!("r10", "r2"),
        tail_of_one!("r11", "r3"),
        "30:",
        "ldr.w r12, [sp, #20]",
        "add r8, r12",
        "add r9, r12",
        "add r10, r12",
        "add r11, r12",
        "ldr.w r12, [sp, #8]",
        "stm.w r12!, {{r0-r3}}",
        "str.w r12, [sp, #8]",
        "ldr.w r6, [sp, #16]",
        "cmp r12, r6",
        "bne.w 10b",
        "add sp, #56",
        "pop {{r4-r11, pc}}",
    )
}
