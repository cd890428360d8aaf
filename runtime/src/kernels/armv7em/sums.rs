//! Sums of products for a group of output positions, from bias to int8: weights as they are in the file, and activations
//! widened to 16 bits in a block that [`super::block`] fills.
//!
//! A block holds, for every four taps, the words (tap 0, tap 2) of all positions and then the words (tap 1, tap 3):
//! what SXTB16 makes of four weights. So each word of weights is loaded once for all positions, and 5 positions take
//! 15 instructions for 20 products. Behind the last taps the block holds zeros: there the word of weights may reach into
//! what follows them, which the file has ([`crate::format::READ_AHEAD_BYTES`]).
//!
//! With a multiplier M in [2^30, 2^31), SMMLAR with 2M - 2^32 is the doubling high multiplication, rounded. The carry of
//! the right shift by at least 1, after one is taken from negative numbers, rounds to nearest with ties away from zero.
//! Channels with other factors go the generic way.

use core::arch::naked_asm;

use super::requantize::finish_any;

/// What [`sums`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Job {
    /// The block, and the end of its words.
    pub x: *const i32,
    pub x_end: *const i32,
    /// Where sums are stored, `[channels, positions]`, unless they become outputs.
    pub stored: *mut i32,
    /// The channel table from the first channel on, if the sums become outputs; else null.
    pub table: *const i32,
    /// Where `table` ends, or `stored` if that is null.
    pub end: *const i32,
    /// From the end of a channel's words of weights to the beginning of the next channel's weights.
    pub w_skip: usize,
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
}

/// Leaves on the stack, from the top: the job, whose fields keep their offsets; the number of positions (at 52); where
/// code for so many is entered: the first round of the loop (56), loading sums (60), storing them (64), finishing them
/// (68). From here on r12 is at the weights.
macro_rules! prepare {
    () => {
        "push {{r4-r11, lr}}
        adr.w r2, 70f
        add.w r2, r2, r1, lsl #2
        ldrh r3, [r2, #-4]
        ldrh r5, [r2, #-2]
        adr.w r2, 10f
        add r2, r3
        ldr r4, [r0, #24]
        mla r2, r4, r5, r2
        adr.w r3, 32f
        sub.w r3, r3, r1, lsl #2
        adds r3, #1
        adr.w r4, 62f
        sub.w r4, r4, r1, lsl #2
        adds r4, #1
        adr.w r5, 52f
        movs r6, #22
        mls r5, r1, r6, r5
        adds r5, #1
        push {{r1-r5}}
        ldm.w r0, {{r1-r12, lr}}
        push {{r1-r12, lr}}
        mov r12, lr"
    };
}

/// A channel (label 20): its sums in r0 to r5 begin with the bias, or with the sums so far (label 31); then lr is at the
/// block, and the loop begins.
macro_rules! begin {
    () => {
        "20:
        ldr r6, [sp, #28]
        cbz r6, 31f
        ldr.w r0, [r6], #12
        str r6, [sp, #28]
        mov r1, r0
        mov r2, r0
        mov r3, r0
        mov r4, r0
        mov r5, r0
        21:
        ldr.w lr, [sp]
        ldr.w pc, [sp, #56]
        31:
        ldr.w r11, [sp, #44]
        ldr.w pc, [sp, #60]
        ldr.w r5, [r11, #20]
        ldr.w r4, [r11, #16]
        ldr.w r3, [r11, #12]
        ldr.w r2, [r11, #8]
        ldr.w r1, [r11, #4]
        ldr.w r0, [r11]
        32:
        ldr.w r10, [sp, #52]
        add.w r11, r11, r10, lsl #2
        str.w r11, [sp, #44]
        b 21b"
    };
}

/// The products of the four weights in r10: for each position, and for every two of them from `lr` on.
macro_rules! four {
    ($([$load:literal $($acc:literal $x:literal)+])+) => {
        concat!(
            "sxtb16 r11, r10\n",
            $($load, "\n", $("smlad ", $acc, ", r11, ", $x, ", ", $acc, "\n",)+)+
            "sxtb16 r10, r10, ror #8\n",
            $($load, "\n", $("smlad ", $acc, ", r10, ", $x, ", ", $acc, "\n",)+)+
        )
    };
}

/// The loop for a number of positions, which begins at label `$label`: four words of weights a round.
macro_rules! rounds {
    ($label:literal, $($load:tt)+) => {
        concat!(
            $label, ":\n",
            "ldr.w r10, [r12], #4\n", four!($($load)+),
            "ldr.w r10, [r12], #4\n", four!($($load)+),
            "ldr.w r10, [r12], #4\n", four!($($load)+),
            "ldr.w r10, [r12], #4\n", four!($($load)+),
            "ldr.w r11, [sp, #4]\n",
            "cmp lr, r11\n",
            "bne.w ", $label, "b\n",
            "b.w 50f\n",
        )
    };
}

/// The loops for one to six positions, from label 10 on, and what the first round's entry is found by (label 70).
macro_rules! loops {
    () => {
        concat!(
            ".p2align 2\n",
            "10:\n",
            rounds!("41", ["ldr.w r1, [lr], #4" "r0" "r1"]),
            rounds!("42", ["ldm.w lr!, {{r5-r6}}" "r0" "r5" "r1" "r6"]),
            rounds!("43", ["ldm.w lr!, {{r5-r7}}" "r0" "r5" "r1" "r6" "r2" "r7"]),
            rounds!("44", ["ldm.w lr!, {{r5-r8}}" "r0" "r5" "r1" "r6" "r2" "r7" "r3" "r8"]),
            rounds!("45", ["ldm.w lr!, {{r5-r9}}" "r0" "r5" "r1" "r6" "r2" "r7" "r3" "r8" "r4" "r9"]),
            rounds!(
                "46",
                ["ldm.w lr!, {{r6-r8}}" "r0" "r6" "r1" "r7" "r2" "r8"]
                ["ldm.w lr!, {{r6-r8}}" "r3" "r6" "r4" "r7" "r5" "r8"]
            ),
            ".p2align 2\n",
            // Where each loop begins (an address of Thumb code is odd), and the bytes of code for one word of weights.
            "70:\n",
            ".hword 41b - 10b + 1, 28, 42b - 10b + 1, 36, 43b - 10b + 1, 44\n",
            ".hword 44b - 10b + 1, 52, 45b - 10b + 1, 60, 46b - 10b + 1, 76\n",
        )
    };
}

/// Requantizes a sum (multiplier in r6, shift in r7, zero point in r8) and stores it: 22 bytes of code.
macro_rules! output {
    ($($acc:literal $at:literal)+) => {
        concat!($(
            "smmlar ", $acc, ", ", $acc, ", r6, ", $acc, "\n",
            "add.w ", $acc, ", ", $acc, ", ", $acc, ", asr #31\n",
            "asrs ", $acc, ", r7\n",
            "adc.w ", $acc, ", ", $acc, ", r8\n",
            "ssat ", $acc, ", #8, ", $acc, "\n",
            "strb.w ", $acc, ", ", $at, "\n",
        )+)
    };
}

/// What becomes of a channel's sums (label 50): they are kept, which is label 61, or outputs. Of those, r10 is at the
/// channel's entry of the table, r9 at the first output, lr their distance, and r11 at the second one. Label 52 goes on to
/// the next channel, and label 54 returns.
macro_rules! finish {
    () => {
        concat!(
            "50:
            ldr.w r11, [sp, #20]
            ldr.w r10, [sp, #12]
            add r12, r11
            cmp.w r10, #0
            beq 61f
            ldrd r6, r7, [r10, #4]
            ldrd r9, lr, [sp, #36]
            lsls r6, r6, #1
            bpl 80f
            rsbs r7, r7, #0
            ble 80f
            ldr.w r8, [sp, #32]
            add.w r11, r9, lr
            ldr.w pc, [sp, #68]
            ",
            output!("r5" "[r11, lr, lsl #2]" "r4" "[r9, lr, lsl #2]" "r3" "[r11, lr, lsl #1]"),
            output!("r2" "[r9, lr, lsl #1]" "r1" "[r9, lr]" "r0" "[r9]"),
            "52:
            ldr.w r11, [sp, #16]
            add.w r9, r9, #1
            str.w r9, [sp, #36]
            add.w r10, r10, #12
            str.w r10, [sp, #12]
            cmp r10, r11
            bne.w 20b
            54:
            add sp, #72
            pop {{r4-r11, pc}}
            ",
        )
    };
}

/// Stores the sums (label 61), and on to the next channel.
macro_rules! keep {
    () => {
        "61:
        ldr.w r11, [sp, #8]
        ldr.w pc, [sp, #64]
        str.w r5, [r11, #20]
        str.w r4, [r11, #16]
        str.w r3, [r11, #12]
        str.w r2, [r11, #8]
        str.w r1, [r11, #4]
        str.w r0, [r11]
        62:
        ldr.w r10, [sp, #52]
        add.w r11, r11, r10, lsl #2
        str.w r11, [sp, #8]
        ldr.w r10, [sp, #16]
        cmp r11, r10
        bne.w 20b
        b 54b"
    };
}

/// Another factor (label 80): the function's arguments are sums, entry, output, distance, positions, zero point. It may
/// change r12, which is kept on the stack, but not r9 and r10.
macro_rules! unusual {
    () => {
        "80:
        ldr.w r6, [sp, #52]
        ldr.w r7, [sp, #32]
        push {{r0-r7}}
        mov r0, sp
        push {{r6, r7, r12}}
        mov r1, r10
        mov r2, r9
        mov r3, lr
        bl {finish_any}
        ldr.w r12, [sp, #8]
        add sp, #44
        b 52b"
    };
}

/// Works on a group of `positions` positions, whose sums are in r0 to r5. What is written out for six positions is
/// entered where that many remain: so far before its end that nothing may stand between, padding neither.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with at least one tap and one channel; `positions` is in
/// `1..=6`. Behind the weights are [`crate::format::READ_AHEAD_BYTES`].
#[unsafe(naked)]
pub unsafe extern "C" fn sums(job: &Job, positions: usize) {
    naked_asm!(
        dsp_core!(),
        prepare!(),
        begin!(),
        loops!(),
        finish!(),
        keep!(),
        unusual!(),
        finish_any = sym finish_any,
    )
}
