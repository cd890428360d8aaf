//! Sums of products to int8 for four channels and two positions at a time, whose weights the converter has put in the
//! order in which they are read here: one pointer goes through those of all channels.
//!
//! What a position reads is in runs of neighbouring vectors, such as the lines of its window. A run's entry says where its
//! activations begin for both positions, and where the code goes on with so many vectors: the products of a run end with
//! the load of the next entry. The last entry has what follows the sums: first the products of two vectors of activations
//! that stay in registers for all channels, where a run is as long as that.
//!
//! Rounding is that of [`super::sums`].

use core::arch::naked_asm;

use crate::kernels::generic::conv_vectors::MAX_RUN;

/// Vectors of activations that stay in registers for all channels.
pub const KEPT: usize = 2;

/// Neighbouring vectors of two positions, or the end of the runs. The assembly knows the order of the fields.
#[repr(C)]
pub struct Run {
    /// Where the activations begin; at the end the zero point, and bytes from the first position's outputs to the second's.
    pub x: [*const i8; 2],
    /// Vectors, at most [`MAX_RUN`]; at the end whether negative sums must be rounded rightly. The code puts in the place
    /// where it goes on.
    pub vectors: usize,
}

/// What [`fours`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Fours {
    /// Weights of all channels.
    pub w: *const i8,
    pub w_end: *const i8,
    /// The channel table: biases, multipliers, shifts of four channels at a time.
    pub table: *const i32,
    /// Outputs of the first position.
    pub out: *mut i8,
    /// The runs and their end.
    pub runs: *mut Run,
    /// Pairs of positions, at least one.
    pub pairs: usize,
    /// Runs, at least one.
    pub n_runs: usize,
    /// From pair to pair: bytes in the activations, and in the outputs, less those of all channels.
    pub x_step: usize,
    pub out_step: usize,
    /// The run behind whose vectors, so many bytes from its start, there are two more that stay in registers for all
    /// channels; null if there are none.
    pub kept: *const Run,
    pub kept_offset: usize,
    /// Where the runs of the padding begin, which are the same for all positions; null if there are none.
    pub padding: *const i8,
}

/// The products of a vector that is in registers for both positions.
macro_rules! kept_vector {
    ($first:literal, $second:literal) => {
        concat!(
            "vldrb.u8 q0, [r1], #16\n",
            "vmladava.s8 r0, q0, ",
            $first,
            "\nvldrb.u8 q1, [r1], #16\n",
            "vmladava.s8 r8, q0, ",
            $second,
            "\nvldrb.u8 q0, [r1], #16\n",
            "vmladava.s8 r2, q1, ",
            $first,
            "\nvmladava.s8 r10, q1, ",
            $second,
            "\nvldrb.u8 q1, [r1], #16\n",
            "vmladava.s8 r4, q0, ",
            $first,
            "\nvmladava.s8 r12, q0, ",
            $second,
            "\nvmladava.s8 r6, q1, ",
            $first,
            "\nvmladava.s8 lr, q1, ",
            $second,
            "\n",
        )
    };
}

/// The pair's last two vectors into registers, if they stay there.
macro_rules! keep_vectors {
    () => {
        concat!(
            "ldrd r2, r4, [sp, #56]\n",
            "cbz r2, 19f\n",
            "ldrd r9, r11, [r2]\n",
            "add r9, r4\n",
            "add r11, r4\n",
            "vldrb.u8 q4, [r9], #16\n",
            "vldrb.u8 q6, [r9]\n",
            "vldrb.u8 q5, [r11], #16\n",
            "vldrb.u8 q7, [r11]\n",
            "19:\n",
        )
    };
}

/// From the sums in r0, r2, r4, r6 and r8, r10, r12, lr to their doubling high products.
macro_rules! multiply {
    () => {
        concat!(
            "stm.w sp, {{r0, r2, r4, r6, r8, r10, r12, lr}}\n",
            "vldrw.u32 q2, [r7], #16\n",
            "vldrw.u32 q0, [sp]\n",
            "vqrdmulh.s32 q0, q0, q2\n",
            "vldrw.u32 q1, [sp, #16]\n",
            "vqrdmulh.s32 q1, q1, q2\n",
        )
    };
}

/// From doubling high products to the outputs; whether there are weights left.
macro_rules! finish {
    () => {
        concat!(
            "vldrw.u32 q2, [r7], #16\n",
            "vrshl.s32 q0, q0, q2\n",
            "ldrd r5, r2, [sp, #32]\n",
            "vrshl.s32 q1, q1, q2\n",
            // Both positions side by side, in 16 and in 8 bits.
            "vqmovnb.s32 q0, q0\n",
            "vqmovnt.s32 q0, q1\n",
            "vqadd.s16 q0, q0, r9\n",
            "add.w r4, r3, r11\n",
            "vqmovnb.s16 q0, q0\n",
            "cmp r1, r2\n",
            "vstrb.32 q0, [r3], #4\n",
            "vshr.u32 q0, q0, #16\n",
            "vstrb.32 q0, [r4]\n",
        )
    };
}

/// Puts the addresses of code into the entries: from r5 on, r4 of them and the end.
macro_rules! place_code {
    () => {
        concat!(
            "adr.w r6, 29f\n",
            "adds r6, #1\n",
            "mov.w r8, #56\n",
            "11:\n",
            "ldr r2, [r5, #8]\n",
            "mls r2, r2, r8, r6\n",
            "subs r4, #1\n",
            "str r2, [r5, #8]\n",
            "add.w r5, r5, #12\n",
            "bne 11b\n",
            "ldr r2, [r5, #8]\n",
            "ldrd r8, r9, [r0, #36]\n",
            "strd r8, r9, [sp, #56]\n",
            "adr.w r6, 30f\n",
            "cbz r2, 12f\n",
            "adr.w r6, 40f\n",
            "12:\n",
            "cmp.w r8, #0\n",
            "it ne\n",
            "subne.w r6, r6, #96\n",
            "adds r6, #1\n",
            "str r6, [r5, #8]\n",
        )
    };
}

/// The next pair's activations, r2 bytes further in all r8 entries from r5 on, but for those of the padding, r4, if there
/// are some.
macro_rules! step_runs {
    () => {
        concat!(
            "cbz r4, 14f\n",
            "13:\n",
            "ldrd r9, r11, [r5]\n",
            "cmp r9, r4\n",
            "itt ne\n",
            "addne r9, r2\n",
            "addne r11, r2\n",
            "subs.w r8, r8, #1\n",
            "strd r9, r11, [r5], #12\n",
            "bne 13b\n",
            "b 15f\n",
            "14:\n",
            "ldrd r9, r11, [r5]\n",
            "subs.w r8, r8, #1\n",
            "add r9, r2\n",
            "add r11, r2\n",
            "strd r9, r11, [r5], #12\n",
            "bne 14b\n",
            "15:\n",
        )
    };
}

/// As many vectors as the longest run has.
macro_rules! nine_vectors {
    () => {
        concat!(
            vector!("r1" "r1" "r1" "r1"),
            vector!("r1" "r1" "r1" "r1"),
            vector!("r1" "r1" "r1" "r1"),
            vector!("r1" "r1" "r1" "r1"),
            vector!("r1" "r1" "r1" "r1"),
            vector!("r1" "r1" "r1" "r1"),
            vector!("r1" "r1" "r1" "r1"),
            vector!("r1" "r1" "r1" "r1"),
            vector!("r1" "r1" "r1" "r1")
        )
    };
}

/// Computes the outputs of all channels and pairs of positions, clamped to int8 alone.
///
/// # Safety
/// The job's pointers must stand on what the fields describe.
#[unsafe(naked)]
pub unsafe extern "C" fn fours(job: &Fours) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // On the stack: eight sums; the runs, the end of the weights (32); weights, table (40); the job, pairs left (48); the
        // run before the vectors that are kept, and their offset (56).
        "sub sp, #68",
        "ldm.w r0, {{r1, r2, r3, r4, r5, r6}}",
        "strd r0, r6, [sp, #48]",
        "strd r5, r2, [sp, #32]",
        "mov r7, r3",
        "mov r3, r4",
        "strd r1, r7, [sp, #40]",
        "ldr r4, [r0, #24]",
        place_code!(),
        "ldr r5, [sp, #32]",
        "18:",
        keep_vectors!(),
        ".p2align 2",
        "20:",
        "ldm.w r7, {{r0, r2, r4, r6}}",
        "ldm.w r7!, {{r8, r10, r12, lr}}",
        "ldm.w r5!, {{r9, r11, pc}}",
        ".p2align 2",
        nine_vectors!(),
        "29:",
        "ldm.w r5!, {{r9, r11, pc}}",
        ".p2align 2",
        kept_vector!("q4", "q5"),
        kept_vector!("q6", "q7"),
        "40:",
        multiply!(),
        "movs r0, #1",
        // With 1: takes 1 from negative numbers, twice which are less than 0 in the high half.
        "vqdmlah.s32 q0, q0, r0",
        "vqdmlah.s32 q1, q1, r0",
        finish!(),
        "bne.w 20b",
        "b 31f",
        ".p2align 2",
        kept_vector!("q4", "q5"),
        kept_vector!("q6", "q7"),
        "30:",
        multiply!(),
        finish!(),
        "bne.w 20b",
        "31:",
        "ldrd r0, r6, [sp, #48]",
        "subs r6, #1",
        "beq 50f",
        "str r6, [sp, #52]",
        "ldrd r2, r4, [r0, #28]",
        "ldr.w r8, [r0, #24]",
        "add r3, r4",
        "ldr r4, [r0, #44]",
        step_runs!(),
        "ldr r5, [sp, #32]",
        "ldrd r1, r7, [sp, #40]",
        "b.w 18b",
        "50:",
        "add sp, #68",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}

const _: () = assert!(MAX_RUN == 9);
