//! Sums of products for a group of output positions: int8 weights as they are in the file, and activations widened to
//! 16 bits in a block that [`super::block`] fills.
//!
//! A block holds, for every four taps, the words (tap 0, tap 2) of all positions and then the words (tap 1, tap 3):
//! what SXTB16 makes of four weights. So each word of weights is loaded once for all positions, and 5 positions take
//! 15 instructions for 20 products.

use core::arch::naked_asm;

/// What [`sums`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Job {
    /// The block, and the end of its whole words of weights.
    pub x: *const i32,
    pub x_end: *const i32,
    /// Accumulators, `[channels, positions]`: added to.
    pub accs: *mut i32,
    pub accs_end: *mut i32,
    /// From the end of a channel's whole words of weights to the beginning of the next channel's (of the fourth next
    /// channel's for one position).
    pub w_skip: usize,
    /// If the taps are no multiple of 4: the last four are loaded from this (negative) distance to the whole words'
    /// end, and shifted right by so many bits, so that only the last ones stay.
    pub tail_shift: usize,
    pub tail_distance: isize,
    /// Words of weights by which the first round of the loop, which takes four, is shortened.
    pub skipped: usize,
    pub w: *const i8,
    /// Weights of a channel.
    pub w_stride: usize,
}

/// Adds the products of `positions` positions to the accumulators.
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

/// Defines the kernel for a number of positions: its accumulators, and which words it loads together.
macro_rules! define {
    ($name:ident, $accs:literal, $($load:tt)+) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &Job) {
            naked_asm!(
                "push {{r4-r11, lr}}",
                "ldm.w r0, {{r1-r9}}",
                "push {{r1-r9}}",
                "mov r12, r9",
                // Where the first round begins: it may leave out up to three of its four words.
                "adr.w r10, 20f",
                "mov.w r11, #(21f - 20f)",
                "mla r10, r8, r11, r10",
                "orr r10, r10, #1",
                "str.w r10, [sp, #28]",
                "10:",
                "ldr.w r11, [sp, #8]",
                concat!("ldm.w r11, {{", $accs, "}}"),
                "ldr.w lr, [sp]",
                "ldr.w r11, [sp, #28]",
                "bx r11",
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
                "ldr.w r11, [sp, #20]",
                "cmp.w r11, #0",
                "beq 30f",
                "ldr.w r10, [sp, #24]",
                "ldr.w r10, [r12, r10]",
                "lsr.w r10, r10, r11",
                four!($($load)+),
                "30:",
                "ldr.w r11, [sp, #16]",
                "add r12, r11",
                "ldr.w r11, [sp, #8]",
                concat!("stm.w r11!, {{", $accs, "}}"),
                "str.w r11, [sp, #8]",
                "ldr.w r10, [sp, #12]",
                "cmp r11, r10",
                "bne.w 10b",
                "add sp, #36",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

define!(sums_2, "r0-r1", ["r5-r6" "r0" "r5" "r1" "r6"]);
define!(sums_3, "r0-r2", ["r5-r7" "r0" "r5" "r1" "r6" "r2" "r7"]);
define!(sums_4, "r0-r3", ["r5-r8" "r0" "r5" "r1" "r6" "r2" "r7" "r3" "r8"]);
define!(sums_5, "r0-r4", ["r5-r9" "r0" "r5" "r1" "r6" "r2" "r7" "r3" "r8" "r4" "r9"]);
define!(sums_6, "r0-r5", ["r6-r8" "r0" "r6" "r1" "r7" "r2" "r8"] ["r6-r8" "r3" "r6" "r4" "r7" "r5" "r8"]);

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
            "ldr.w r7, [sp, #20]\n",
            "lsr.w r6, r6, r7\n",
            four_of_one!($acc),
        )
    };
}

/// One position: four channels at a time, so that the words of the block are loaded once for four.
#[unsafe(naked)]
unsafe extern "C" fn sums_1(job: &Job) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm.w r0, {{r1-r10}}",
        "push {{r1-r9}}",
        "mov r12, r10",
        "adr.w r10, 20f",
        "mov.w r11, #(21f - 20f)",
        "mla r10, r8, r11, r10",
        "orr r10, r10, #1",
        "str.w r10, [sp, #28]",
        "mov r8, r9",
        "add r9, r8, r12",
        "add r10, r9, r12",
        "add r11, r10, r12",
        "10:",
        "ldr.w r12, [sp, #8]",
        "ldm.w r12, {{r0-r3}}",
        "ldr.w lr, [sp]",
        "ldr.w r12, [sp, #4]",
        "ldr.w r6, [sp, #28]",
        "bx r6",
        ".p2align 2",
        "20:",
        load_four_of_one!(),
        "21:",
        load_four_of_one!(),
        load_four_of_one!(),
        load_four_of_one!(),
        "cmp lr, r12",
        "bne.w 20b",
        "ldr.w r6, [sp, #20]",
        "cmp.w r6, #0",
        "beq 30f",
        "ldrd r4, r5, [lr]",
        "ldr.w r12, [sp, #24]",
        tail_of_one!("r8", "r0"),
        tail_of_one!("r9", "r1"),
        tail_of_one!("r10", "r2"),
        tail_of_one!("r11", "r3"),
        "30:",
        "ldr.w r12, [sp, #16]",
        "add r8, r12",
        "add r9, r12",
        "add r10, r12",
        "add r11, r12",
        "ldr.w r12, [sp, #8]",
        "stm.w r12!, {{r0-r3}}",
        "str.w r12, [sp, #8]",
        "ldr.w r6, [sp, #12]",
        "cmp r12, r6",
        "bne.w 10b",
        "add sp, #36",
        "pop {{r4-r11, pc}}",
    )
}
