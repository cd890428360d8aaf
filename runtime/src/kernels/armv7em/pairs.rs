//! Sums of products for a group of four positions and two channels at a time, from bias to int8, of weights in
//! [`ConvPairs`](crate::ops::ConvPairs), and activations that [`super::block`] widens.
//!
//! The weights hold 256 T + S of two channels in 16 bits. One SMLAD adds 256 T x + S x of two taps, and behind SXTB16,
//! which leaves S, another one adds S x. In the end 256 T is the difference of the two sums, which may have wrapped. The
//! FPU's registers hold 32 taps: so every word of weights takes a move instead of a load, and 16 products take 11
//! instructions. (Of 64 taps 0.7 KB more of code would save one instruction in 70.)

use core::arch::naked_asm;

use crate::kernels::generic::conv_pairs::LINE_POINT;

/// What [`pairs`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Job {
    /// The table from the first pair of channels on.
    pub table: *const i32,
    /// The first position's output of the first channel, and the distance of positions.
    pub out: *mut i8,
    pub stride: usize,
    /// Where sums are taken up, unless they begin with the biases; else null.
    pub begun: *const i32,
    /// From the end of two channels' words, and once before the first ones', to where the next two's first round begins.
    pub w_step: usize,
    pub w: *const i8,
    /// From there to the first word of weights, which that round leaves to a register of its own.
    pub w_first: usize,
    /// The block, and the end of its words.
    pub x: *const i32,
    pub x_end: *const i32,
    /// Where sums are stored, four of the second channel with 256 and of the first one of each pair, unless they become
    /// outputs; else null.
    pub stored: *mut i32,
    /// Where `table` ends.
    pub table_end: *const i32,
    pub zero_point: i32,
    /// Words of weights by which the loop's first round, which takes 16 of them, is shortened.
    pub skipped: usize,
    /// Whether the table has lines.
    pub has_lines: usize,
}

/// Puts the job on the stack, below what the loops are entered with: at 48 the words of weights, at 52 storing of outputs,
/// at 56 what becomes of sums.
macro_rules! prepare {
    () => {
        concat!(
            "adr.w r3, 20f\n",
            "ldrd r2, r6, [r0, #48]\n",
            "movs r4, #44\n",
            "mla r3, r2, r4, r3\n",
            "adr.w r4, 52f\n",
            "sub.w r4, r4, r1, lsl #2\n",
            "ldr r2, [r0, #36]\n",
            "adr.w r5, 40f\n",
            "cbnz r2, 9f\n",
            "adr.w r5, 41f\n",
            "cbz r6, 9f\n",
            "adr.w r5, 42f\n",
            "9:\n",
            // An address of Thumb code is odd.
            "adds r3, #1\n",
            "adds r4, #1\n",
            "adds r5, #1\n",
            "push {{r3-r5}}\n",
            "ldm.w r0, {{r1-r12}}\n",
            "push {{r1-r12}}\n",
        )
    };
}

/// Adds products of the word of weights in r8 to what is in some registers.
macro_rules! products {
    ($($acc:literal = $old:literal + $x:literal;)+) => {
        concat!($("smlad ", $acc, ", r8, ", $x, ", ", $old, "\n",)+)
    };
}

/// The products of the word of weights in r8: two taps.
macro_rules! word {
    () => {
        concat!(
            "ldm.w lr!, {{r9-r12}}\n",
            products!("r0" = "r0" + "r9"; "r1" = "r1" + "r10"; "r2" = "r2" + "r11"; "r3" = "r3" + "r12";),
            "sxtb16 r8, r8\n",
            products!("r4" = "r4" + "r9"; "r5" = "r5" + "r10"; "r6" = "r6" + "r11"; "r7" = "r7" + "r12";),
        )
    };
    ($($w:literal)+) => {
        concat!($("vmov r8, ", $w, "\n", word!(),)+)
    };
}

/// The sums of two channels with the products of their first word of weights: from the biases on, or from the sums so far
/// (label 11).
macro_rules! begin {
    () => {
        concat!(
            "10:\n",
            "ldm.w sp, {{r0-r6, lr}}\n",
            "add r5, r4\n",
            "ldr.w r8, [r5, r6]\n",
            "vldmia r5!, {{s0-s15}}\n",
            "str r5, [sp, #20]\n",
            "cbnz r3, 11f\n",
            "ldrd r4, r3, [r0]\n",
            "ldm.w lr!, {{r9-r12}}\n",
            products!("r0" = "r3" + "r9"; "r1" = "r3" + "r10"; "r2" = "r3" + "r11"; "r3" = "r3" + "r12";),
            "sxtb16 r8, r8\n",
            products!("r5" = "r4" + "r10"; "r6" = "r4" + "r11"; "r7" = "r4" + "r12"; "r4" = "r4" + "r9";),
            "ldr.w pc, [sp, #48]\n",
            "11:\n",
            "mov r12, r3\n",
            "ldm.w r12!, {{r0-r7}}\n",
            "str.w r12, [sp, #12]\n",
            word!(),
            "ldr.w pc, [sp, #48]\n",
        )
    };
}

/// The products of the other words; the first round is entered somewhere.
macro_rules! rounds {
    () => {
        concat!(
            "13:\n",
            "ldr.w r8, [sp, #20]\n",
            "vldmia r8!, {{s0-s15}}\n",
            "str.w r8, [sp, #20]\n",
            ".p2align 2\n",
            "20:\n",
            word!("s0" "s1" "s2" "s3" "s4" "s5" "s6" "s7" "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"),
            "ldr.w r8, [sp, #32]\n",
            "cmp lr, r8\n",
            "bne.w 13b\n",
            "ldr.w r8, [sp]\n",
            "ldr.w pc, [sp, #56]\n",
        )
    };
}

/// The second channel's sums, times 256.
macro_rules! difference {
    () => {
        "subs r0, r0, r4\nsubs r1, r1, r5\nsubs r2, r2, r6\nsubs r3, r3, r7\n"
    };
}

/// Requantizes a channel's sums by the entry at `$at` of the table: see [`super::sums`].
macro_rules! requantize {
    ($at:literal: $($acc:literal)+) => {
        concat!(
            "ldrd r9, r10, [r8, #", $at, "]\n",
            "lsl.w r9, r9, #1\n",
            "rsb.w r10, r10, #0\n",
            $(round!($acc: "r9" "r10" "r11"),)+
        )
    };
}

/// The same by a line, with so many bits behind the point.
macro_rules! line {
    ($at:literal, $point:literal: $($acc:literal)+) => {
        concat!(
            "ldrd r9, r10, [r8, #", $at, "]\n",
            $(
                "smmla ", $acc, ", ", $acc, ", r9, r10\n",
                "ssat ", $acc, ", #8, ", $acc, ", asr #", $point, "\n",
            )+
        )
    };
}

const _: () = assert!(LINE_POINT == 4);

/// What becomes of sums: they are kept (label 40), or are outputs by factors (41), or by lines (42).
macro_rules! finish {
    () => {
        concat!(
            "40:\n",
            "ldr.w r9, [sp, #36]\n",
            "stm.w r9!, {{r0-r7}}\n",
            "str.w r9, [sp, #36]\n",
            "ldr r0, [sp, #4]\n",
            "b 53f\n",
            ".p2align 2\n",
            "41:\n",
            difference!(),
            "asrs r0, r0, #8\nasrs r1, r1, #8\nasrs r2, r2, #8\nasrs r3, r3, #8\n",
            "ldr.w r11, [sp, #44]\n",
            requantize!("8": "r4" "r5" "r6" "r7"),
            requantize!("16": "r0" "r1" "r2" "r3"),
            "b 50f\n",
            ".p2align 2\n",
            "42:\n",
            difference!(),
            line!("8", "4": "r4" "r5" "r6" "r7"),
            line!("16", "12": "r0" "r1" "r2" "r3"),
        )
    };
}

/// Stores the outputs of two channels, for as many positions as there are.
macro_rules! store {
    () => {
        concat!(
            "50:\n",
            "bfi r4, r0, #8, #8\nbfi r5, r1, #8, #8\nbfi r6, r2, #8, #8\nbfi r7, r3, #8, #8\n",
            "ldrd r0, r1, [sp, #4]\n",
            "adds r2, r0, r1\n",
            "ldr.w pc, [sp, #52]\n",
            ".p2align 2\n",
            "strh.w r7, [r2, r1, lsl #1]\n",
            "strh.w r6, [r0, r1, lsl #1]\n",
            "strh.w r5, [r0, r1]\n",
            "strh.w r4, [r0]\n",
            "52:\n",
            "adds r0, #2\n",
            "53:\n",
            "ldr r1, [sp, #40]\n",
            "add.w r8, r8, #24\n",
            "cmp r8, r1\n",
            "strd r8, r0, [sp]\n",
            "bne.w 10b\n",
        )
    };
}

/// Works on a group of positions, of which the first `positions`, in `1..=4`, become outputs.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with at least four taps and two channels; 56 bytes before
/// the weights can be read.
#[unsafe(naked)]
pub unsafe extern "C" fn pairs(job: &Job, positions: usize) {
    naked_asm!(
        dsp_core!(),
        // To the assembler of naked functions no core has one.
        ".fpu fpv4-sp-d16",
        "push {{r4-r11, lr}}",
        prepare!(),
        begin!(),
        rounds!(),
        finish!(),
        store!(),
        "60:",
        "add sp, #60",
        "pop {{r4-r11, pc}}",
    )
}
