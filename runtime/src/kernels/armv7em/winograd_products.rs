//! The products of four of Winograd's tiles, transformed, with the weights of two channels at a time, from bias to int8. See
//! [`ConvWinograd`](crate::ops::ConvWinograd).
//!
//! Tiles and weights are both read from the first to the last word, and 16 products take 11 instructions. Rows are summed up
//! on the way: with the sums of row 1 in M and those of rows 1 and 2 in P, outputs of the first row are P and row 0, and those
//! of the second 2M - P and row 3.

use core::arch::naked_asm;

/// Outputs of two tiles in a row.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Outputs {
    /// That of the first channel; null if there is none.
    pub first: *mut i8,
    /// Positions, in `1..=4`, if there is one.
    pub positions: usize,
}

/// What [`products`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Job {
    /// The transformed tiles.
    pub x: *const i32,
    pub w: *const i16,
    /// Room for 64 sums.
    pub sums: *mut i32,
    /// Bytes of `x` that are summed up without a stop, and the pairs of channels by which the first round of the loop,
    /// which takes 8, is shortened.
    pub run_bytes: usize,
    pub skipped: usize,
    /// Whether there is but one row of outputs.
    pub is_single: usize,
    /// The channel table, and its end.
    pub table: *const i32,
    pub table_end: *const i32,
    pub zero_point: i32,
    /// Bytes from a position's outputs to the next one's.
    pub stride: usize,
    /// Of the first row and of the second one, two tiles each.
    pub outputs: [[Outputs; 2]; 2],
}

/// The loop over pairs of input channels from one stop to the next, which begins at label `$label` and is entered at the
/// address at `$entry`: eight pairs a round, of four tiles and two output channels.
macro_rules! run {
    ($label:literal, $entry:literal) => {
        concat!(
            "ldr.w r8, [sp, #4]\n",
            "add r8, lr\n",
            "str.w r8, [sp]\n",
            "ldr.w pc, [sp, #",
            $entry,
            "]\n",
            $label,
            ":\n",
            run!(),
            run!(),
            run!(),
            run!(),
            run!(),
            run!(),
            run!(),
            run!(),
            "ldr.w r8, [sp]\n",
            "cmp lr, r8\n",
            "bne.w ",
            $label,
            "b\n",
        )
    };
    // 44 bytes of code.
    () => {
        concat!(
            "ldm.w r12!, {{r8, r9}}\n",
            "ldm.w lr!, {{r10, r11}}\n",
            "smlad r0, r8, r10, r0\n",
            "smlad r1, r8, r11, r1\n",
            "smlad r2, r9, r10, r2\n",
            "smlad r3, r9, r11, r3\n",
            "ldm.w lr!, {{r10, r11}}\n",
            "smlad r4, r8, r10, r4\n",
            "smlad r5, r8, r11, r5\n",
            "smlad r6, r9, r10, r6\n",
            "smlad r7, r9, r11, r7\n",
        )
    };
}

/// With the sums of row 1 at r8, and those of rows 1 and 2 in registers: what the second outputs begin with, in place of the
/// former.
macro_rules! differences {
    ($($low:literal $high:literal $at:literal)+) => {
        concat!($(
            "ldrd r9, r10, [r8, #", $at, "]\n",
            "rsb.w r9, ", $low, ", r9, lsl #1\n",
            "rsb.w r10, ", $high, ", r10, lsl #1\n",
            "strd r9, r10, [r8, #", $at, "]\n",
        )+)
    };
}

/// Requantizes four times sums (multiplier in r9, shift in r10, zero point in r11): see [`super::sums`].
macro_rules! finish {
    ($($acc:literal)+) => {
        concat!($(
            "asr.w ", $acc, ", ", $acc, ", #2\n",
            round!($acc: "r9" "r10" "r11"),
        )+)
    };
}

/// The outputs of two tiles' rows, from sums of columns at r12 to the channels that lr stands on: positions in r4, r0, r5
/// and r1.
macro_rules! outputs {
    () => {
        concat!(
            "ldrd r0, r1, [r12]\n",
            "ldrd r2, r3, [r12, #64]\n",
            "ldrd r4, r5, [r12, #128]\n",
            "ldrd r6, r7, [r12, #192]\n",
            "add r4, r0\n",
            "add r5, r1\n",
            "add r4, r2\n",
            "add r5, r3\n",
            "subs r0, r0, r2\n",
            "subs r1, r1, r3\n",
            "add r0, r6\n",
            "add r1, r7\n",
            "ldrd r9, r10, [sp, #56]\n",
            "ldr.w r11, [sp, #44]\n",
            finish!("r4" "r0" "r5" "r1"),
            "ldrd r2, r3, [r12, #8]\n",
            "ldrd r6, r7, [r12, #72]\n",
            "ldrd r8, r9, [r12, #136]\n",
            "ldrd r10, r11, [r12, #200]\n",
            "add r8, r2\n",
            "add r8, r6\n",
            "subs r2, r2, r6\n",
            "add r2, r10\n",
            "add.w r6, r9, r3\n",
            "add r6, r7\n",
            "subs r3, r3, r7\n",
            "add r3, r11\n",
            "ldrd r9, r10, [sp, #64]\n",
            "ldr.w r11, [sp, #44]\n",
            finish!("r8" "r2" "r6" "r3"),
            "bfi r4, r8, #8, #8\n",
            "bfi r0, r2, #8, #8\n",
            "bfi r5, r6, #8, #8\n",
            "bfi r1, r3, #8, #8\n",
        )
    };
}

/// What the stack of [`products`] holds: in words, the end of a run; its bytes; the entries of the four runs; the sums of a
/// column, the first column's; tiles; table, its end; zero point; the entry for a column; bytes of a position; multiplier
/// and shift of two channels; weights; where it goes on behind a column's first outputs; outputs and entries of storing.
macro_rules! frame {
    () => {
        concat!(
            "sub sp, #116\n",
            "ldm.w r0!, {{r1-r10}}\n",
            "str r4, [sp, #4]\n",
            "movs r12, #44\n",
            "mul r5, r5, r12\n",
            frame!("21f" "8" "22f" "12" "23f" "16" "24f" "20"),
            "str r3, [sp, #28]\n",
            "str r1, [sp, #32]\n",
            "mov r12, r2\n",
            "strd r7, r8, [sp, #36]\n",
            "str.w r9, [sp, #44]\n",
            "str.w r10, [sp, #52]\n",
        )
    };
    // Entries of runs, with the bytes of code in r5 that are skipped. An address of Thumb code is odd.
    ($($label:literal $at:literal)+) => {
        concat!($(
            "adr.w r11, ", $label, "\n",
            "add r11, r5\n",
            "add.w r11, r11, #1\n",
            "str.w r11, [sp, #", $at, "]\n",
        )+)
    };
}

/// Where columns begin and go on, and where storing begins.
macro_rules! entries {
    () => {
        concat!(
            "adr.w r1, 11f\n",
            "adr.w r2, 14f\n",
            "cbz r6, 2f\n",
            "adr.w r1, 13f\n",
            "adr.w r2, 15f\n",
            "2:\n",
            "adds r1, #1\n",
            "adds r2, #1\n",
            "str r1, [sp, #48]\n",
            "str r2, [sp, #76]\n",
            "adr.w r1, 40f\n",
            "adds r1, #1\n",
            "add r2, sp, #80\n",
            "add.w r3, r0, #32\n",
            "3:\n",
            "ldrd r4, r5, [r0], #8\n",
            "sub.w r5, r1, r5, lsl #2\n",
            "strd r4, r5, [r2], #8\n",
            "cmp r0, r3\n",
            "bne 3b\n",
        )
    };
}

/// The sums of two channels before the first product: four times their biases for the column with row 1, which all outputs
/// have in them.
macro_rules! biases {
    () => {
        concat!(
            "ldrd r10, r8, [sp, #32]\n",
            "ldr.w r11, [sp, #28]\n",
            "ldr.w r0, [r8]\n",
            "ldr.w r2, [r8, #12]\n",
            "str.w r11, [sp, #24]\n",
            "lsls r0, r0, #2\n",
            "lsls r2, r2, #2\n",
            "mov lr, r10\n",
            "mov r1, r0\n",
            "mov r3, r2\n",
            "mov r4, r0\n",
            "mov r5, r0\n",
            "mov r6, r2\n",
            "mov r7, r2\n",
        )
    };
}

/// Goes to the next column, whose sums begin with 0, or to the outputs.
macro_rules! next_column {
    () => {
        concat!(
            "ldrd r8, r9, [sp, #24]\n",
            "add.w r8, r8, #64\n",
            "str.w r8, [sp, #24]\n",
            "add.w r9, r9, #256\n",
            "cmp r8, r9\n",
            "beq 16f\n",
            "movs r0, #0\n",
            "movs r1, #0\n",
            "movs r2, #0\n",
            "movs r3, #0\n",
            "movs r4, #0\n",
            "movs r5, #0\n",
            "movs r6, #0\n",
            "movs r7, #0\n",
            "ldr.w pc, [sp, #48]\n",
        )
    };
}

/// Multipliers and shifts of two channels as `finish` takes them; those of the next channels come behind them. From now on
/// r12 is not the weights but the sums, and lr the outputs.
macro_rules! factors {
    () => {
        concat!(
            "str.w r12, [sp, #72]\n",
            "ldr.w r8, [sp, #36]\n",
            "ldrd r0, r1, [r8, #4]\n",
            "ldrd r2, r3, [r8, #16]\n",
            "lsls r0, r0, #1\n",
            "rsbs r1, r1, #0\n",
            "lsls r2, r2, #1\n",
            "rsbs r3, r3, #0\n",
            "strd r0, r1, [sp, #56]\n",
            "strd r2, r3, [sp, #64]\n",
            "add.w r8, r8, #24\n",
            "str.w r8, [sp, #36]\n",
            "ldr.w r12, [sp, #28]\n",
            "add.w lr, sp, #80\n",
        )
    };
}

/// Computes all channels of a group of four tiles from their transformed pixels.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with at least four input and two output channels.
#[unsafe(naked)]
pub unsafe extern "C" fn products(job: &Job) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        frame!(),
        entries!(),
        // Two channels.
        "10:",
        biases!(),
        "ldr.w pc, [sp, #48]",
        // A column of tiles of two rows.
        "11:",
        run!("21", "8"),
        "ldr.w r8, [sp, #24]",
        "add.w r8, r8, #32",
        "stm.w r8, {{r0-r7}}",
        run!("22", "12"),
        "ldr.w r8, [sp, #24]",
        differences!("r0" "r1" "32" "r2" "r3" "40" "r4" "r5" "48" "r6" "r7" "56"),
        // A column of tiles of one row.
        "13:",
        run!("23", "16"),
        "ldr.w r8, [sp, #24]",
        "stm.w r8!, {{r0-r7}}",
        "ldr.w pc, [sp, #76]",
        "14:",
        "ldm.w r8, {{r0-r7}}",
        run!("24", "20"),
        "ldr.w r8, [sp, #24]",
        "add.w r8, r8, #32",
        "stm.w r8, {{r0-r7}}",
        "15:",
        next_column!(),
        "16:",
        factors!(),
        // Two tiles in a row.
        "30:",
        "ldr.w r0, [lr]",
        "cmp r0, #0",
        "beq.w 41f",
        outputs!(),
        "ldrd r2, r3, [lr]",
        "ldr r6, [sp, #52]",
        "adds r7, r2, r6",
        "bx r3",
        "strh.w r1, [r7, r6, lsl #1]",
        "strh.w r5, [r2, r6, lsl #1]",
        "strh.w r0, [r2, r6]",
        "strh.w r4, [r2]",
        "40:",
        "adds r2, #2",
        "str.w r2, [lr]",
        "41:",
        "ldr r0, [sp, #28]",
        "add.w lr, lr, #8",
        "add.w r12, r12, #16",
        "adds r0, #64",
        "cmp r12, r0",
        "bne.w 30b",
        "ldr.w r12, [sp, #72]",
        "ldrd r0, r1, [sp, #36]",
        "cmp r0, r1",
        "bne.w 10b",
        "add sp, #116",
        "pop {{r4-r11, pc}}",
    )
}
