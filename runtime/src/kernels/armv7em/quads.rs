//! Sums of products for one output position and four channels at a time, from bias to int8, of weights in
//! [`Weights::Quads`](crate::ops::fully_connected::Weights).
//!
//! They hold 256 T + S of two channels in 16 bits. One SMLAD adds 256 T x + S x of two taps, and behind SXTB16, which leaves
//! S, another one adds S x: so the activations, widened as [`super::block`] does it, are loaded once for four channels,
//! and 32 products take 27 instructions. In the end 256 T is the difference of the two sums, which may have wrapped.

use core::arch::naked_asm;

use super::sums::Job;

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

/// Requantizes twice a sum, which has 25 bits, and stores it: entry of the channel table at r10, output at r9, zero
/// point in r8.
macro_rules! finish {
    ($($acc:literal $entry:literal $at:literal)+) => {
        concat!($(
            "ldrd r4, r5, [r10, #", $entry, " + 4]\n",
            "smmulr ", $acc, ", ", $acc, ", r4\n",
            "rsbs r5, r5, #0\n",
            "add.w ", $acc, ", ", $acc, ", ", $acc, ", asr #31\n",
            "asrs ", $acc, ", r5\n",
            "adc.w ", $acc, ", ", $acc, ", r8\n",
            "ssat ", $acc, ", #8, ", $acc, "\n",
            "strb.w ", $acc, ", [r9, #", $at, "]\n",
        )+)
    };
}

/// Does for one position what [`super::sums::sums`] does: rounds of four times eight taps, the first of which may leave
/// out the first `skipped`.
///
/// # Safety
/// The job's pointers must stand on what the fields describe: a multiple of 8 taps and of 4 channels.
#[unsafe(naked)]
pub unsafe extern "C" fn quads(job: &Job) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldr r2, [r0, #24]",
        "adr.w r1, 20f",
        "mov.w r3, #(21f - 20f)",
        "mla r1, r2, r3, r1",
        "adds r1, #1",
        // The loop's entry, and a word that brings the stack to a multiple of 8.
        "push {{r1}}",
        "ldm.w r0, {{r1-r12, lr}}",
        "push {{r1-r12, lr}}",
        "mov r12, lr",
        "10:",
        "ldr r6, [sp, #28]",
        "cbz r6, 11f",
        "ldr.w r0, [r6], #12",
        "ldr.w r1, [r6], #12",
        "ldr.w r2, [r6], #12",
        "ldr.w r3, [r6], #12",
        "str r6, [sp, #28]",
        "12:",
        "ldr.w lr, [sp]",
        "add.w r1, r0, r1, lsl #8",
        "add.w r3, r2, r3, lsl #8",
        "ldr.w pc, [sp, #52]",
        "11:",
        "ldr r6, [sp, #44]",
        "ldm r6!, {{r0-r3}}",
        "str r6, [sp, #44]",
        "b 12b",
        ".p2align 2",
        "20:",
        eight!(),
        "21:",
        eight!(),
        eight!(),
        eight!(),
        "ldr r4, [sp, #4]",
        "cmp lr, r4",
        "bne.w 20b",
        "ldr.w r11, [sp, #20]",
        "ldr.w r10, [sp, #12]",
        "add r12, r11",
        "subs r1, r1, r0",
        "subs r3, r3, r2",
        "cmp.w r10, #0",
        "beq 60f",
        "lsls r0, r0, #1",
        "asrs r1, r1, #7",
        "lsls r2, r2, #1",
        "asrs r3, r3, #7",
        "ldrd r8, r9, [sp, #32]",
        "ldr r7, [sp, #16]",
        finish!("r0" "0" "0" "r1" "12" "1" "r2" "24" "2" "r3" "36" "3"),
        "add.w r9, r9, #4",
        "add.w r10, r10, #48",
        "str.w r9, [sp, #36]",
        "str.w r10, [sp, #12]",
        "cmp r10, r7",
        "bne.w 10b",
        "54:",
        "add sp, #56",
        "pop {{r4-r11, pc}}",
        "60:",
        "asrs r1, r1, #8",
        "asrs r3, r3, #8",
        "ldr r4, [sp, #8]",
        "ldr r5, [sp, #16]",
        "stm r4!, {{r0-r3}}",
        "str r4, [sp, #8]",
        "cmp r4, r5",
        "bne.w 10b",
        "b 54b",
    )
}
