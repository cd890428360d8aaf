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

/// Computes the outputs of all fours of channels and all positions, clamped to int8 alone.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with at least one vector, position and four of channels.
#[unsafe(naked)]
pub unsafe extern "C" fn sums(job: &mut Sums) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // On the stack: registers at the beginning of a pair (even ones: biases; odd ones: four channels' weights and two
        // positions' activations); eight sums (56); output, stride, zero point, step and end of the activations (88);
        // where the code goes on to the first pass, behind a pass and behind the last one (108); passes left, passes, a sum
        // (120); the job, the usual way behind the last pass (132).
        "sub sp, #140",
        "ldrd r2, r3, [r0, #32]",
        "ldr r1, [r0, #48]",
        "add.w r4, sp, #96",
        "stm r4!, {{r1-r3}}",
        "ldrd r3, r4, [r0, #40]",
        "strd r4, r4, [sp, #120]",
        "adr.w r5, 29f",
        "movs r6, #56",
        "mls r5, r3, r6, r5",
        "adds r5, #1",
        "adr.w r6, 28f",
        "adds r6, #1",
        "strd r5, r6, [sp, #108]",
        "adr.w r3, 30f",
        "ldrb.w r2, [r0, #56]",
        "cbz r2, 11f",
        "adr.w r3, 40f",
        "11:",
        "adds r3, #1",
        "strd r0, r3, [sp, #132]",
        // Bytes between the factors of channels.
        "movs r2, #0",
        "vidup.u32 q7, r2, #4",
        "movs r2, #3",
        "vmul.i32 q7, q7, r2",
        "10:",
        "ldm.w r0, {{r1-r8}}",
        "strd r7, r8, [sp, #88]",
        "adds r7, #4",
        "adds r6, #4",
        "str r7, [r0, #24]",
        "vldrw.u32 q5, [r6, q7]",
        "adds r6, #4",
        "vldrw.u32 q6, [r6, q7]",
        "adds r6, #40",
        "ldm.w r5!, {{r10, r11, r12, lr}}",
        "strd r5, r6, [r0, #16]",
        "adds r7, r1, r2",
        "add.w r8, r7, r2",
        "add.w r9, r8, r2",
        "strd r10, r1, [sp]",
        "strd r11, r7, [sp, #8]",
        "strd r12, r8, [sp, #16]",
        "strd lr, r9, [sp, #24]",
        "strd r10, r3, [sp, #32]",
        "strd r11, r4, [sp, #40]",
        "strd r12, lr, [sp, #48]",
        "add r2, r9",
        "vcmp.s32 ge, q6, zr",
        "str r2, [r0]",
        "vmrs r2, p0",
        "ldr r3, [sp, #136]",
        "cbz r2, 12f",
        "adr.w r3, 50f",
        "adds r3, #1",
        "12:",
        "str r3, [sp, #116]",
        "ldr r2, [sp, #124]",
        "cmp r2, #1",
        "it eq",
        "streq r3, [sp, #112]",
        "20:",
        "ldm.w sp, {{r0-r12, lr}}",
        "ldr.w pc, [sp, #108]",
        "21:",
        vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"), vector!("r1" "r3" "r5" "r7"),
        "29:",
        "ldr.w pc, [sp, #112]",
        ".p2align 2",
        "28:",
        "str.w lr, [sp, #128]",
        "ldr.w lr, [sp, #120]",
        "subs.w lr, lr, #1",
        "bne 27f",
        "ldr.w lr, [sp, #124]",
        "27:",
        "str.w lr, [sp, #120]",
        "ldr.w lr, [sp, #128]",
        "bne.w 21b",
        "ldr.w pc, [sp, #116]",
        ".p2align 2",
        "40:",
        multiply!(),
        "mov.w r3, #-1",
        "vpt.s32 lt, q0, zr",
        "vaddt.i32 q0, q0, r3",
        "vpt.s32 lt, q1, zr",
        "vaddt.i32 q1, q1, r3",
        "b 31f",
        ".p2align 2",
        "30:",
        multiply!(),
        "31:",
        "add r7, sp, #88",
        "vrshl.s32 q0, q0, q6",
        "ldm r7, {{r0-r3, r5}}",
        "vrshl.s32 q1, q1, q6",
        // Both positions side by side, in 16 and in 8 bits.
        "vqmovnb.s32 q0, q0",
        "vqmovnt.s32 q0, q1",
        "vqadd.s16 q0, q0, r2",
        "vqmovnb.s16 q0, q0",
        "vstrb.32 q0, [r0]",
        "vshr.u32 q0, q0, #16",
        "add r0, r1",
        "vstrb.32 q0, [r0]",
        "32:",
        "add r0, r1",
        "str r0, [sp, #88]",
        "add r9, r3",
        "add r11, r3",
        "str.w r9, [sp, #36]",
        "cmp r11, r5",
        "str.w r11, [sp, #44]",
        "blo.w 20b",
        "cmp r9, r5",
        "blo 35f",
        "ldr r0, [sp, #132]",
        "ldr r1, [r0, #52]",
        "subs r1, #1",
        "str r1, [r0, #52]",
        "bne.w 10b",
        "add sp, #140",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        // One position is left: it is computed alone and stored twice.
        "35:",
        "movs r1, #0",
        "str r1, [sp, #92]",
        "ldm.w sp, {{r0-r12}}",
        "ldr.w lr, [sp, #132]",
        "ldr.w lr, [lr, #60]",
        "dls lr, lr",
        "36:",
        "vldrb.u8 q2, [r9], #16",
        "vldrb.u8 q0, [r1], #16",
        "vmladava.s8 r0, q0, q2",
        "vldrb.u8 q1, [r3], #16",
        "vmladava.s8 r2, q1, q2",
        "vldrb.u8 q0, [r5], #16",
        "vmladava.s8 r4, q0, q2",
        "vldrb.u8 q1, [r7], #16",
        "vmladava.s8 r6, q1, q2",
        "le lr, 36b",
        "mov r8, r0",
        "mov r10, r2",
        "mov r12, r4",
        "mov lr, r6",
        "mov r11, r9",
        "ldr.w pc, [sp, #116]",
        // A factor that shifts left or not at all: sums, table entries, output, distance, zero point.
        ".p2align 2",
        "50:",
        "add r1, sp, #56",
        "stm.w r1, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "ldr r4, [sp, #132]",
        "mov r0, r1",
        "ldr r1, [r4, #20]",
        "ldrd r2, r3, [sp, #88]",
        "subs r1, #48",
        "ldr r5, [r4, #48]",
        "push {{r4, r5}}",
        "str r5, [sp]",
        "bl {finish_any}",
        "add sp, #8",
        "add r7, sp, #88",
        "ldm r7, {{r0-r3, r5}}",
        "add r0, r1",
        "b 32b",
        finish_any = sym finish_any,
    )
}
