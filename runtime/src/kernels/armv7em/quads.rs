//! Sums of products for one output position and four channels at a time, from bias to int8, of weights in
//! [`Weights::quads`](crate::ops::fully_connected::Weights).
//!
//! They hold 256 T + S of two channels in 16 bits. One SMLAD adds 256 T x + S x of two taps, and behind SXTB16, which leaves
//! S, another one adds S x: so the activations, widened as [`super::block`] does it, are loaded once for four channels,
//! and 32 products take 27 instructions. In the end 256 T is the difference of the two sums, which may have wrapped.
//! Of [`MAX_WIDE_CHUNK`](crate::kernels::generic::tile::MAX_WIDE_CHUNK) taps T always has 24 bits.

use core::arch::naked_asm;

/// What [`quads`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Job {
    /// The block, and the end of its words.
    pub x: *mut i32,
    pub x_end: *mut i32,
    /// The channel table from the first channel on.
    pub table: *const i32,
    pub zero_point: i32,
    /// The first channel's output.
    pub out: *mut i8,
    /// Where the outputs end, or `stored` if sums are.
    pub end: *mut i32,
    /// Where sums are stored, unless they become outputs.
    pub stored: *mut i32,
    /// Where sums are taken up, unless they begin with the biases.
    pub begun: *mut i32,
    /// From the end of a quad's weights to the beginning of the next quad's.
    pub w_skip: usize,
    /// 1 if sums are taken up, else 0; plus [`WIDE`] if the sums of the second channels have 32 bits.
    pub begin: usize,
    /// Eights of taps by which the first round of the loop, which takes eight of them, is shortened.
    pub skipped: usize,
    pub w: *const i8,
    /// 4, or 5 if sums are stored; plus [`WIDE`] as in `begin`.
    pub finish: usize,
}

/// Of the block's products alone a second channel's sum has 24 bits: they are added to the others in the end.
pub const WIDE: usize = 2;

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

/// The first product of the requantization: of a sum and the doubled multiplier, or of 256 times a sum that is shifted so that
/// it is doubled, and the multiplier. See [`super::sums`].
macro_rules! multiply {
    ($($acc:literal $multiplier:literal)+) => {
        concat!($(
            "lsl.w ", $multiplier, ", ", $multiplier, ", #1\n",
            "smmlar ", $acc, ", ", $acc, ", ", $multiplier, ", ", $acc, "\n",
        )+)
    };
    (256: $($acc:literal $multiplier:literal)+) => {
        concat!($(
            "asr.w ", $acc, ", ", $acc, ", #7\n",
            "smmulr ", $acc, ", ", $acc, ", ", $multiplier, "\n",
        )+)
    };
}

/// The rest of it: shift; zero point in lr.
macro_rules! shift {
    ($($acc:literal $shift:literal)+) => {
        concat!($(
            "add.w ", $acc, ", ", $acc, ", ", $acc, ", asr #31\n",
            "asrs.w ", $acc, ", ", $acc, ", ", $shift, "\n",
            "adc.w ", $acc, ", ", $acc, ", lr\n",
            "ssat ", $acc, ", #8, ", $acc, "\n",
        )+)
    };
}

/// Puts the job on the stack, in it where a quad begins, the entry of the loop, and what becomes of sums; the words at 0 and
/// 48 are free.
macro_rules! prepare {
    () => {
        concat!(
            "ldm.w r0, {{r1-r12, lr}}\n",
            "mov.w r0, #(21f - 20f)\n",
            "mul r11, r11, r0\n",
            "adr.w r0, 20f\n",
            // An address of Thumb code is odd.
            "adds r0, #1\n",
            "add r11, r0\n",
            "adr.w r0, 70f\n",
            "ldrh.w r10, [r0, r10, lsl #1]\n",
            "ldrh.w lr, [r0, lr, lsl #1]\n",
            "add r10, r0\n",
            "add lr, r0\n",
            "push {{r0-r12, lr}}\n",
            "bx r10\n",
            ".p2align 2\n",
            "70:\n",
            // By `begin`, then by `finish`.
            ".hword 14f - 70b + 1, 15f - 70b + 1, 16f - 70b + 1, 17f - 70b + 1\n",
            ".hword 41f - 70b + 1, 40f - 70b + 1, 43f - 70b + 1, 42f - 70b + 1\n",
        )
    };
}

/// A quad begins with its biases (labels 14, 16), or with its sums so far. Sums of 32 bits (16, 17) begin as 0 in the second
/// channels, which is the sum of the first one in what holds both; those so far wait on the stack.
macro_rules! begin {
    () => {
        concat!(
            "14:\n",
            "ldr.w lr, [sp, #12]\n",
            "ldm.w lr, {{r0-r3}}\n",
            "12:\n",
            "add.w r1, r0, r1, lsl #8\n",
            "add.w r3, r2, r3, lsl #8\n",
            "ldr.w lr, [sp, #4]\n",
            "ldr.w pc, [sp, #44]\n",
            "15:\n",
            "ldr.w lr, [sp, #32]\n",
            "ldm.w lr!, {{r0-r3}}\n",
            "str.w lr, [sp, #32]\n",
            "b 12b\n",
            "16:\n",
            "ldr.w lr, [sp, #12]\n",
            "ldm.w lr, {{r0-r3}}\n",
            "18:\n",
            "str r1, [sp]\n",
            "str r3, [sp, #48]\n",
            "mov r1, r0\n",
            "mov r3, r2\n",
            "ldr.w lr, [sp, #4]\n",
            "ldr.w pc, [sp, #44]\n",
            "17:\n",
            "ldr.w lr, [sp, #32]\n",
            "ldm.w lr!, {{r0-r3}}\n",
            "str.w lr, [sp, #32]\n",
            "b 18b\n",
        )
    };
}

/// The sums are kept (label 40, of 32 bits 42), or are outputs (41, 43).
macro_rules! finish {
    () => {
        concat!(
            "42:\n",
            finish!("wide"),
            "b 44f\n",
            "40:\n",
            "asrs r1, r1, #8\nasrs r3, r3, #8\n",
            "44:\n",
            "ldr r6, [sp, #12]\n",
            "ldrd r4, r5, [sp, #24]\n",
            "adds r6, #48\n",
            "stm r5!, {{r0-r3}}\n",
            "str r6, [sp, #12]\n",
            "str r5, [sp, #28]\n",
            "cmp r5, r4\n",
            "beq.w 54f\n",
            "ldr.w pc, [sp, #40]\n",
            "43:\n",
            finish!("wide"),
            finish!("table"),
            multiply!("r0" "r4" "r1" "r5" "r2" "r6" "r3" "r7"),
            "b 45f\n",
            "41:\n",
            finish!("table"),
            multiply!("r0" "r4" "r2" "r6"),
            multiply!(256: "r1" "r5" "r3" "r7"),
            "45:\n",
            shift!("r0" "r8" "r1" "r9" "r2" "r10" "r3" "r11"),
            "ldrd r5, r4, [sp, #20]\n",
            "bfi r0, r1, #8, #8\nbfi r0, r2, #16, #8\nbfi r0, r3, #24, #8\n",
            "str.w r0, [r5], #4\n",
            "cmp r5, r4\n",
            "str r5, [sp, #20]\n",
            "beq 54f\n",
            "ldr.w pc, [sp, #40]\n",
        )
    };
    // What a second channel has from this block, and what it had before.
    ("wide") => {
        concat!(
            "ldr r4, [sp]\n",
            "ldr r5, [sp, #48]\n",
            "add.w r1, r4, r1, asr #8\n",
            "add.w r3, r5, r3, asr #8\n",
        )
    };
    // Multipliers from r4 on, shifts from r8 on, and the zero point.
    ("table") => {
        concat!(
            "ldr.w lr, [sp, #12]\n",
            "add.w lr, lr, #16\n",
            "ldm.w lr!, {{r4-r11}}\n",
            "str.w lr, [sp, #12]\n",
            "ldr.w lr, [sp, #16]\n",
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
        "ldr r4, [sp, #8]",
        "cmp lr, r4",
        "bne.w 20b",
        "ldr.w r11, [sp, #36]",
        "subs r1, r1, r0",
        "add r12, r11",
        "subs r3, r3, r2",
        "ldr.w pc, [sp, #52]",
        finish!(),
        "54:",
        "add sp, #56",
        "pop {{r4-r11, pc}}",
    )
}
