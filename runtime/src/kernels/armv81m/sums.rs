//! Sums of products to int8 for four channels and two positions at a time: weights as they are in the file, and
//! activations as they are in memory.
//!
//! A vector has 16 taps. The taps of a position are whole vectors: where a channel has fewer, zeros stand before the
//! position's first tap, and what stands before the channel's first weight is multiplied by them. Behind the zeros of the
//! first channel's first vector are the model's other bytes, of which every file has more than a vector.
//!
//! Zero points are no part of the products: sum((x + offset) * w) is sum(x * w) + offset * sum(w), of which
//! [`biases`] makes the latter a part of the bias.
//!
//! VQRDMULH is the doubling high multiplication, rounded, and VRSHL the rounding shift, which takes ties up: that is away
//! from zero if 1 is taken from negative numbers before, and does not matter where all of them are clamped.

use core::arch::naked_asm;

use super::requantize::finish_any;

/// Bytes of a vector.
pub const VECTOR: usize = 16;
/// Channels whose sums are computed at a time.
pub const CHANNELS: usize = 4;
/// The most vectors of a pass of [`sums`].
const MAX_PASS: usize = 9;

/// What [`biases`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Biases {
    /// Weights `[channels, taps]`.
    pub w: *const i8,
    /// The channel table from the first channel on.
    pub table: *const i32,
    pub to: *mut i32,
    pub channels: usize,
    pub taps: usize,
    /// Minus the zero point of the activations.
    pub x_offset: i32,
}

/// Writes the biases, with what the zero point adds to all sums.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with at least one tap and one channel.
#[unsafe(naked)]
pub unsafe extern "C" fn biases(job: &Biases) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r8, lr}}",
        "ldm.w r0, {{r1-r6}}",
        "10:",
        "movs r0, #0",
        "add.w r8, r1, r5",
        "dlstp.8 lr, r5",
        "20:",
        "vldrb.u8 q0, [r1], #16",
        "vaddva.s8 r0, q0",
        "letp lr, 20b",
        "ldr r7, [r2], #12",
        "mov r1, r8",
        "mla r0, r0, r6, r7",
        "subs r4, #1",
        "str r0, [r3], #4",
        "bne 10b",
        "pop {{r4-r8, pc}}",
    )
}

/// What [`sums`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Sums {
    /// Weights of the first channel; if its taps are no whole vectors, so much before them.
    pub w: *const i8,
    /// Taps of a channel.
    pub taps: usize,
    /// The first position's activations.
    pub x: *const i8,
    /// The second one's, or the first one's if there is only one.
    pub x_second: *const i8,
    /// Of [`biases`], from the first channel on.
    pub biases: *const i32,
    /// The channel table from the first channel on.
    pub table: *const i32,
    /// The first position's output of the first channel, and the distance of positions.
    pub out: *mut i8,
    pub stride: usize,
    /// From the end of a position's activations to those of the position after the next one.
    pub x_step: usize,
    /// Where the position behind the last one would begin.
    pub x_end: *const i8,
    /// Vectors of the first pass, and passes; all but the first have [`MAX_PASS`] vectors.
    pub first_vectors: usize,
    pub passes: usize,
    pub zero_point: i32,
    /// Fours of channels.
    pub fours: usize,
    /// Whether the least output is less than the zero point's.
    pub negative: bool,
    /// Vectors of a position.
    pub vectors: usize,
}

impl Sums {
    /// Vectors of the first pass and number of passes for positions of `vectors`.
    pub fn passes(vectors: usize) -> [usize; 2] {
        let passes = vectors.div_ceil(MAX_PASS);
        [vectors.wrapping_sub(passes.wrapping_sub(1).wrapping_mul(MAX_PASS)), passes]
    }
}

/// From the sums in r0, r2, r4, r6 and r8, r10, r12, lr to their doubling high products.
macro_rules! multiply {
    () => {
        concat!(
            "add r1, sp, #56\n",
            "stm.w r1, {{r0, r2, r4, r6, r8, r10, r12, lr}}\n",
            "vldrw.u32 q0, [r1]\n",
            "vldrw.u32 q1, [r1, #16]\n",
            "vqrdmulh.s32 q0, q0, q5\n",
            "vqrdmulh.s32 q1, q1, q5\n",
        )
    };
}

/// Room on the stack, and what is the same for all channels.
macro_rules! prepare {
    () => {
        concat!(
            "push {{r4-r11, lr}}\n",
            "vpush {{d8-d15}}\n",
            // On the stack: registers at the beginning of a pair (even ones: biases; odd ones: four channels' weights and two
            // positions' activations); eight sums (56); output, stride, zero point, step and end of the activations (88);
            // where the code goes on to the first pass, behind a pass and behind the last one (108); passes left, passes, a sum
            // (120); the job, the usual way behind the last pass (132).
            "sub sp, #140\n",
            "ldrd r2, r3, [r0, #32]\n",
            "ldr r1, [r0, #48]\n",
            "add.w r4, sp, #96\n",
            "stm r4!, {{r1-r3}}\n",
            "ldrd r3, r4, [r0, #40]\n",
            "strd r4, r4, [sp, #120]\n",
            "adr.w r5, 29f\n",
            "movs r6, #56\n",
            "mls r5, r3, r6, r5\n",
            "adds r5, #1\n",
            "adr.w r6, 28f\n",
            "adds r6, #1\n",
            "strd r5, r6, [sp, #108]\n",
            "adr.w r3, 30f\n",
            "ldrb.w r2, [r0, #56]\n",
            "cbz r2, 11f\n",
            "adr.w r3, 40f\n",
            "11:\n",
            "adds r3, #1\n",
            "strd r0, r3, [sp, #132]\n",
            // Bytes between the factors of channels.
            "movs r2, #0\n",
            "vidup.u32 q7, r2, #4\n",
            "movs r2, #3\n",
            "vmul.i32 q7, q7, r2\n",
        )
    };
}

/// A four of channels (label 10): its numbers, and how a pass ends.
macro_rules! four {
    () => {
        concat!(
            "10:\n",
            "ldm.w r0, {{r1-r8}}\n",
            "strd r7, r8, [sp, #88]\n",
            "adds r7, #4\n",
            "adds r6, #4\n",
            "str r7, [r0, #24]\n",
            "vldrw.u32 q5, [r6, q7]\n",
            "adds r6, #4\n",
            "vldrw.u32 q6, [r6, q7]\n",
            "adds r6, #40\n",
            "ldm.w r5!, {{r10, r11, r12, lr}}\n",
            "strd r5, r6, [r0, #16]\n",
            "adds r7, r1, r2\n",
            "add.w r8, r7, r2\n",
            "add.w r9, r8, r2\n",
            "strd r10, r1, [sp]\n",
            "strd r11, r7, [sp, #8]\n",
            "strd r12, r8, [sp, #16]\n",
            "strd lr, r9, [sp, #24]\n",
            "strd r10, r3, [sp, #32]\n",
            "strd r11, r4, [sp, #40]\n",
            "strd r12, lr, [sp, #48]\n",
            "add r2, r9\n",
            "vcmp.s32 ge, q6, zr\n",
            "str r2, [r0]\n",
            "vmrs r2, p0\n",
            "ldr r3, [sp, #136]\n",
            "cbz r2, 12f\n",
            "adr.w r3, 50f\n",
            "adds r3, #1\n",
            "12:\n",
            "str r3, [sp, #116]\n",
            "ldr r2, [sp, #124]\n",
            "cmp r2, #1\n",
            "it eq\n",
            "streq r3, [sp, #112]\n",
        )
    };
}

/// A pair of positions (label 20): vectors of a pass, and what follows a pass (label 28).
macro_rules! rounds {
    () => {
        concat!(
            "20:\n",
            "ldm.w sp, {{r0-r12, lr}}\n",
            "ldr.w pc, [sp, #108]\n",
            "21:\n",
            vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"),
            vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"),
            vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"),
            "29:\n",
            "ldr.w pc, [sp, #112]\n",
            ".p2align 2\n",
            "28:\n",
            "str.w lr, [sp, #128]\n",
            "ldr.w lr, [sp, #120]\n",
            "subs.w lr, lr, #1\n",
            "bne 27f\n",
            "ldr.w lr, [sp, #124]\n",
            "27:\n",
            "str.w lr, [sp, #120]\n",
            "ldr.w lr, [sp, #128]\n",
            "bne.w 21b\n",
            "ldr.w pc, [sp, #116]\n",
            ".p2align 2\n",
        )
    };
}

/// Sums to outputs of two positions (label 40; 30 where nothing is negative), and on to the next ones.
macro_rules! finish {
    () => {
        concat!(
            "40:\n",
            multiply!(),
            "mov.w r3, #-1\n",
            "vpt.s32 lt, q0, zr\n",
            "vaddt.i32 q0, q0, r3\n",
            "vpt.s32 lt, q1, zr\n",
            "vaddt.i32 q1, q1, r3\n",
            "b 31f\n",
            ".p2align 2\n",
            "30:\n",
            multiply!(),
            "31:\n",
            "add r7, sp, #88\n",
            "vrshl.s32 q0, q0, q6\n",
            "ldm r7, {{r0-r3, r5}}\n",
            "vrshl.s32 q1, q1, q6\n",
            // Both positions side by side, in 16 and in 8 bits.
            "vqmovnb.s32 q0, q0\n",
            "vqmovnt.s32 q0, q1\n",
            "vqadd.s16 q0, q0, r2\n",
            "vqmovnb.s16 q0, q0\n",
            "vstrb.32 q0, [r0]\n",
            "vshr.u32 q0, q0, #16\n",
            "add r0, r1\n",
            "vstrb.32 q0, [r0]\n",
            "32:\n",
            "add r0, r1\n",
            "str r0, [sp, #88]\n",
            "add r9, r3\n",
            "add r11, r3\n",
            "str.w r9, [sp, #36]\n",
            "cmp r11, r5\n",
            "str.w r11, [sp, #44]\n",
            "blo.w 20b\n",
            "cmp r9, r5\n",
            "blo 35f\n",
            "ldr r0, [sp, #132]\n",
            "ldr r1, [r0, #52]\n",
            "subs r1, #1\n",
            "str r1, [r0, #52]\n",
            "bne.w 10b\n",
            "add sp, #140\n",
            "vpop {{d8-d15}}\n",
            "pop {{r4-r11, pc}}\n",
        )
    };
}

/// One position is left (label 35): it is computed alone and stored twice.
macro_rules! last {
    () => {
        concat!(
            "35:\n",
            "movs r1, #0\n",
            "str r1, [sp, #92]\n",
            "ldm.w sp, {{r0-r12}}\n",
            "ldr.w lr, [sp, #132]\n",
            "ldr.w lr, [lr, #60]\n",
            "dls lr, lr\n",
            "36:\n",
            "vldrb.u8 q2, [r9], #16\n",
            "vldrb.u8 q0, [r1], #16\n",
            "vmladava.s8 r0, q0, q2\n",
            "vldrb.u8 q1, [r3], #16\n",
            "vmladava.s8 r2, q1, q2\n",
            "vldrb.u8 q0, [r5], #16\n",
            "vmladava.s8 r4, q0, q2\n",
            "vldrb.u8 q1, [r7], #16\n",
            "vmladava.s8 r6, q1, q2\n",
            "le lr, 36b\n",
            "mov r8, r0\n",
            "mov r10, r2\n",
            "mov r12, r4\n",
            "mov lr, r6\n",
            "mov r11, r9\n",
            "ldr.w pc, [sp, #116]\n",
            ".p2align 2\n",
        )
    };
}

/// A factor that shifts left or not at all (label 50): sums, table entries, output, distance, zero point.
macro_rules! unusual {
    () => {
        concat!(
            "50:\n",
            "add r1, sp, #56\n",
            "stm.w r1, {{r0, r2, r4, r6, r8, r10, r12, lr}}\n",
            "ldr r4, [sp, #132]\n",
            "mov r0, r1\n",
            "ldr r1, [r4, #20]\n",
            "ldrd r2, r3, [sp, #88]\n",
            "subs r1, #48\n",
            "ldr r5, [r4, #48]\n",
            "push {{r4, r5}}\n",
            "str r5, [sp]\n",
            "bl {finish_any}\n",
            "add sp, #8\n",
            "add r7, sp, #88\n",
            "ldm r7, {{r0-r3, r5}}\n",
            "add r0, r1\n",
            "b 32b\n",
        )
    };
}

/// Computes the outputs of all fours of channels and all positions, clamped to int8 alone.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with at least one vector, position and four of channels.
#[unsafe(naked)]
pub unsafe extern "C" fn sums(job: &mut Sums) {
    naked_asm!(
        mve_core!(),
        prepare!(),
        four!(),
        rounds!(),
        finish!(),
        last!(),
        unusual!(),
        finish_any = sym finish_any,
    )
}
