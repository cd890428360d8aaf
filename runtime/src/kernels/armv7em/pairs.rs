//! Sums of products for a group of four positions and two channels at a time, from bias to int8, of weights in
//! [`ConvPairs`](crate::ops::ConvPairs), and activations that [`super::block`] widens.
//!
//! The weights hold 256 T + S of two channels in 16 bits. One SMLAD adds 256 T x + S x of two taps, and behind SXTB16,
//! which leaves S, another one adds S x. In the end 256 T is the difference of the two sums, which may have wrapped. The
//! FPU's registers hold 64 taps: so every word of weights takes a move instead of a load, and 16 products take 11
//! instructions.

use core::arch::naked_asm;

/// What [`pairs`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Job {
    /// The block, and the end of its words.
    pub x: *const i32,
    pub x_end: *const i32,
    pub w: *const i8,
    /// Words of weights by which the first round of the loop, which takes 32, is shortened.
    pub skipped: usize,
    /// From the end of two channels' words to the beginning of the next two's.
    pub w_rest: usize,
    /// The channel table from the first channel on, if the sums begin with the biases; else null.
    pub biases: *const i32,
    /// The channel table from the first channel on, if the sums become outputs; else null.
    pub table: *const i32,
    /// Where sums are stored, four of the second channel with 256 and of the first one of each pair, unless they become
    /// outputs.
    pub stored: *mut i32,
    /// Where `table` ends, or `stored` if that is null.
    pub end: *const i32,
    pub zero_point: i32,
    /// The first position's output of the first channel, and the distance of positions.
    pub out: *mut i8,
    pub stride: usize,
    /// Where sums are taken up, if they do not begin with the biases.
    pub begun: *const i32,
}

/// The products of a word of weights: two taps.
macro_rules! word {
    ($($w:literal)+) => {
        concat!($(
            "vmov r8, ", $w, "\n",
            "ldm.w lr!, {{r9-r12}}\n",
            "smlad r0, r8, r9, r0\n",
            "smlad r1, r8, r10, r1\n",
            "smlad r2, r8, r11, r2\n",
            "smlad r3, r8, r12, r3\n",
            "sxtb16 r8, r8\n",
            "smlad r4, r8, r9, r4\n",
            "smlad r5, r8, r10, r5\n",
            "smlad r6, r8, r11, r6\n",
            "smlad r7, r8, r12, r7\n",
        )+)
    };
}

/// Requantizes sums (multiplier in r9, shift in r10, zero point in r11): see [`super::sums`].
macro_rules! finish {
    ($($acc:literal)+) => {
        concat!($(
            "smmlar ", $acc, ", ", $acc, ", r9, ", $acc, "\n",
            "add.w ", $acc, ", ", $acc, ", ", $acc, ", asr #31\n",
            "asrs.w ", $acc, ", ", $acc, ", r10\n",
            "adc.w ", $acc, ", ", $acc, ", r11\n",
            "ssat ", $acc, ", #8, ", $acc, "\n",
        )+)
    };
}

/// Works on a group of positions, of which the first `positions`, in `1..=4`, become outputs.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with at least four taps and two channels; 124 bytes before
/// the weights can be read.
#[unsafe(naked)]
pub unsafe extern "C" fn pairs(job: &Job, positions: usize) {
    naked_asm!(
        dsp_core!(),
        // To the assembler of naked functions no core has one.
        ".fpu fpv4-sp-d16",
        "push {{r4-r11, lr}}",
        "vpush {{s16-s31}}",
        // On the stack: the job, then the entries of the loop and of storing, and the bytes of weights skipped.
        "ldr r2, [r0, #12]",
        "adr.w r3, 20f",
        "movs r4, #44",
        "mla r3, r2, r4, r3",
        "adds r3, #1",
        "adr.w r4, 52f",
        "sub.w r4, r4, r1, lsl #2",
        "adds r4, #1",
        "lsls r5, r2, #2",
        "push {{r3-r5}}",
        "ldm.w r0, {{r1-r12, lr}}",
        "push {{r1-r12, lr}}",
        "b 10f",
        // Biases of two channels, or their sums so far.
        "11:",
        "ldr.w r8, [sp, #48]",
        "ldm.w r8!, {{r0-r7}}",
        "str.w r8, [sp, #48]",
        "b 12f",
        "10:",
        "ldr r0, [sp, #20]",
        "cmp r0, #0",
        "beq 11b",
        "ldr.w r4, [r0], #12",
        "ldr.w r1, [r0], #12",
        "str r0, [sp, #20]",
        "add.w r0, r4, r1, lsl #8",
        "mov r5, r4",
        "mov r6, r4",
        "mov r7, r4",
        "mov r1, r0",
        "mov r2, r0",
        "mov r3, r0",
        "12:",
        "ldr.w r8, [sp, #8]",
        "ldr.w r9, [sp, #60]",
        "ldr.w lr, [sp]",
        "sub.w r8, r8, r9",
        "vldmia r8!, {{s0-s31}}",
        "str.w r8, [sp, #8]",
        "ldr.w pc, [sp, #52]",
        "13:",
        "ldr.w r8, [sp, #8]",
        "vldmia r8!, {{s0-s31}}",
        "str.w r8, [sp, #8]",
        ".p2align 2",
        "20:",
        word!("s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"),
        word!("s16" "s17" "s18" "s19" "s20" "s21" "s22" "s23" "s24" "s25" "s26" "s27" "s28" "s29" "s30" "s31"),
        "ldr.w r8, [sp, #4]",
        "cmp lr, r8",
        "bne.w 13b",
        "ldr.w r9, [sp, #8]",
        "ldr.w r10, [sp, #16]",
        "ldr.w r8, [sp, #24]",
        "add r9, r10",
        "str.w r9, [sp, #8]",
        "cmp.w r8, #0",
        "beq 60f",
        "subs r0, r0, r4",
        "subs r1, r1, r5",
        "subs r2, r2, r6",
        "subs r3, r3, r7",
        "asrs r0, r0, #8",
        "asrs r1, r1, #8",
        "asrs r2, r2, #8",
        "asrs r3, r3, #8",
        "ldrd r9, r10, [r8, #4]",
        "ldr.w r11, [sp, #36]",
        "lsl.w r9, r9, #1",
        "rsb.w r10, r10, #0",
        finish!("r4" "r5" "r6" "r7"),
        "ldrd r9, r10, [r8, #16]",
        "lsl.w r9, r9, #1",
        "rsb.w r10, r10, #0",
        finish!("r0" "r1" "r2" "r3"),
        "bfi r4, r0, #8, #8",
        "bfi r5, r1, #8, #8",
        "bfi r6, r2, #8, #8",
        "bfi r7, r3, #8, #8",
        "ldrd r0, r1, [sp, #40]",
        "add.w r2, r0, r1",
        "ldr.w pc, [sp, #56]",
        "strh.w r7, [r2, r1, lsl #1]",
        "strh.w r6, [r0, r1, lsl #1]",
        "strh.w r5, [r0, r1]",
        "strh.w r4, [r0]",
        "52:",
        "adds r0, #2",
        "str r0, [sp, #40]",
        "add.w r8, r8, #24",
        "str.w r8, [sp, #24]",
        "ldr r1, [sp, #32]",
        "cmp r8, r1",
        "bne.w 10b",
        "54:",
        "add sp, #64",
        "vpop {{s16-s31}}",
        "pop {{r4-r11, pc}}",
        // Sums to be taken up with the next taps.
        "60:",
        "ldr.w r8, [sp, #28]",
        "ldr.w r9, [sp, #32]",
        "stm.w r8!, {{r0-r7}}",
        "str.w r8, [sp, #28]",
        "cmp r8, r9",
        "bne.w 10b",
        "b 54b",
    )
}
