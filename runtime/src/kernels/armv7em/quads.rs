//! Sums of products for one output position and four channels at a time, from bias to int8, of weights in
//! [`Weights::Quads`](crate::ops::fully_connected::Weights).
//!
//! They hold 256 T + S of two channels in 16 bits. One SMLAD adds 256 T x + S x of two taps, and behind SXTB16, which leaves
//! S, another one adds S x: so the activations, widened as [`super::block`] does it, are loaded once for four channels,
//! and 32 products take 27 instructions. In the end 256 T is the difference of the two sums, which may have wrapped.

use core::arch::naked_asm;

/// What [`quads`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Job {
    /// The block, and the end of its words.
    pub x: *const i32,
    pub x_end: *const i32,
    /// The channel table from the first channel on.
    pub table: *const i32,
    /// Where the outputs end, or `stored` if that is not null.
    pub end: *const i32,
    pub zero_point: i32,
    /// The first channel's output.
    pub out: *mut i8,
    /// Where sums are stored, unless they become outputs; else null.
    pub stored: *mut i32,
    /// Where sums are taken up, unless they begin with the biases; else null.
    pub begun: *const i32,
    /// From the end of a quad's weights to the beginning of the next quad's.
    pub w_skip: usize,
    pub w: *const i8,
    /// Eights of taps by which the first round of the loop, which takes eight of them, is shortened.
    pub skipped: usize,
}

/// The products of eight taps and four channels.
macro_rules! eight {
    () => {
        concat!(
            "ldm.w lr!, {{r4-r7}}\n",
            eight!("r0" "r1"),
            eight!("r2" "r3"),
        )
    };
    ($first:literal $both:literal) => {
        concat!(
            "ldm.w r12!, {{r8-r11}}\n",
            eight!($both: "r8" "r4" "r9" "r5" "r10" "r6" "r11" "r7"),
            "sxtb16 r8, r8\nsxtb16 r9, r9\nsxtb16 r10, r10\nsxtb16 r11, r11\n",
            eight!($first: "r8" "r4" "r9" "r5" "r10" "r6" "r11" "r7"),
        )
    };
    ($acc:literal: $($w:literal $x:literal)+) => {
        concat!($("smlad ", $acc, ", ", $w, ", ", $x, ", ", $acc, "\n",)+)
    };
}

/// Requantizes sums that are shifted so that they are doubled: multiplier, shift; zero point in lr. See [`super::sums`].
macro_rules! requantize {
    ($($acc:literal: $double:literal $by:literal, $multiplier:literal $shift:literal;)+) => {
        concat!($(
            $double, " ", $acc, ", ", $acc, ", #", $by, "\n",
            "smmulr ", $acc, ", ", $acc, ", ", $multiplier, "\n",
            "add.w ", $acc, ", ", $acc, ", ", $acc, ", asr #31\n",
            "asrs.w ", $acc, ", ", $acc, ", ", $shift, "\n",
            "adc.w ", $acc, ", ", $acc, ", lr\n",
            "ssat ", $acc, ", #8, ", $acc, "\n",
        )+)
    };
}

/// Puts the job on the stack, behind it the entry of the loop, and what becomes of sums; where a quad begins stands in the
/// place of the weights, which are in r12.
macro_rules! prepare {
    () => {
        concat!(
            "ldm.w r0, {{r1-r11}}\n",
            "mov r12, r10\n",
            "adr.w r0, 20f\n",
            "mov.w lr, #(21f - 20f)\n",
            "mla r11, r11, lr, r0\n",
            "adr.w r10, 14f\n",
            "adr.w r0, 15f\n",
            "cmp.w r8, #0\n",
            "it ne\n",
            "movne r10, r0\n",
            "adr.w lr, 41f\n",
            "adr.w r0, 40f\n",
            "cmp r7, #0\n",
            "it ne\n",
            "movne lr, r0\n",
            // An address of Thumb code is odd.
            "add.w r10, r10, #1\n",
            "add.w r11, r11, #1\n",
            "add.w lr, lr, #1\n",
            "push {{r1-r11, lr}}\n",
            "bx r10\n",
        )
    };
}

/// A quad begins with its biases, or with its sums so far.
macro_rules! begin {
    () => {
        concat!(
            ".p2align 2\n",
            "14:\n",
            "ldr.w lr, [sp, #8]\n",
            "ldm.w lr, {{r0-r3}}\n",
            "12:\n",
            "add.w r1, r0, r1, lsl #8\n",
            "add.w r3, r2, r3, lsl #8\n",
            "ldr.w lr, [sp]\n",
            "ldr.w pc, [sp, #40]\n",
            ".p2align 2\n",
            "15:\n",
            "ldr.w lr, [sp, #28]\n",
            "ldm.w lr!, {{r0-r3}}\n",
            "str.w lr, [sp, #28]\n",
            "b 12b\n",
        )
    };
}

/// The sums are kept (label 40), or are outputs (41).
macro_rules! finish {
    () => {
        concat!(
            ".p2align 2\n",
            "40:\n",
            "asrs r1, r1, #8\nasrs r3, r3, #8\n",
            "ldrd r6, r4, [sp, #8]\n",
            "ldr r5, [sp, #24]\n",
            "adds r6, #48\n",
            "stm r5!, {{r0-r3}}\n",
            "str r6, [sp, #8]\n",
            "str r5, [sp, #24]\n",
            "cmp r5, r4\n",
            "beq.w 54f\n",
            "ldr.w pc, [sp, #36]\n",
            ".p2align 2\n",
            "41:\n",
            "ldr.w lr, [sp, #8]\n",
            "add.w lr, lr, #16\n",
            "ldm.w lr!, {{r4-r11}}\n",
            "str.w lr, [sp, #8]\n",
            "ldr.w lr, [sp, #16]\n",
            requantize!(
                "r0": "lsl.w" "1", "r4" "r8";
                "r1": "asr.w" "7", "r5" "r9";
                "r2": "lsl.w" "1", "r6" "r10";
                "r3": "asr.w" "7", "r7" "r11";
            ),
            "ldr r5, [sp, #20]\n",
            "ldr r4, [sp, #12]\n",
            "bfi r0, r1, #8, #8\nbfi r0, r2, #16, #8\nbfi r0, r3, #24, #8\n",
            "str.w r0, [r5], #4\n",
            "cmp r5, r4\n",
            "str r5, [sp, #20]\n",
            "beq 54f\n",
            "ldr.w pc, [sp, #36]\n",
        )
    };
}

/// Does for one position what [`super::sums::sums`] does: rounds of eight times eight taps, the first of which may leave
/// out the first `skipped`.
///
/// # Safety
/// The job's pointers must stand on what the fields describe: a multiple of 8 taps and of 4 channels, at least one of each.
#[unsafe(naked)]
pub unsafe extern "C" fn quads(job: &Job) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        prepare!(),
        begin!(),
        ".p2align 2",
        "20:",
        eight!(),
        "21:",
        eight!(),
        eight!(),
        eight!(),
        eight!(),
        eight!(),
        eight!(),
        eight!(),
        "ldr r4, [sp, #4]",
        "cmp lr, r4",
        "bne.w 20b",
        "ldr.w r11, [sp, #32]",
        "subs r1, r1, r0",
        "add r12, r11",
        "subs r3, r3, r2",
        "ldr.w pc, [sp, #44]",
        finish!(),
        "54:",
        "add sp, #48",
        "pop {{r4-r11, pc}}",
    )
}
