//! Columns of pairs of rows, widened, and the outputs of a depthwise convolution from them: see [`super::depthwise`].

use core::arch::naked_asm;

/// A pair of rows.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Line {
    pub from: *const i8,
    /// Bytes from there to the lower row.
    pub lower: usize,
    /// What keeps the elements of the lower row.
    pub mask: i32,
}

/// What [`widen_columns`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Widen {
    pub lines: *const Line,
    pub lines_end: *const Line,
    /// Bytes from the beginning of a line to the first column.
    pub at: usize,
    /// Bytes from column to column.
    pub step: usize,
    /// Where the first column of the first line comes, the bytes from there to the second column, and to the one behind the
    /// last.
    pub to: *mut i32,
    pub to_step: usize,
    pub to_bytes: usize,
    /// Added to every element: a pair of 16-bit numbers.
    pub offset: i32,
}

/// Makes a word of each of four channels in each column of all lines; at least one line and one column.
///
/// # Safety
/// The job's pointers must stand on what the fields describe: in each row four channels of every column.
#[unsafe(naked)]
pub unsafe extern "C" fn widen_columns(job: &mut Widen) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldr r10, [r0, #28]",
        "10:",
        "ldr.w r12, [r0]",
        "ldr.w lr, [r0, #8]",
        "ldm.w r12!, {{r4, r5, r11}}",
        "ldrd r6, r7, [r0, #12]",
        "ldrd r8, r9, [r0, #20]",
        "str.w r12, [r0]",
        "add r4, lr",
        "add r9, r7",
        "add.w r12, r7, #16",
        "str.w r12, [r0, #16]",
        "mov lr, r0",
        "20:",
        "ldr r0, [r4]",
        "ldr r1, [r4, r5]",
        "add r4, r6",
        "and.w r1, r1, r11",
        // Channels 2 and 3, then 0 and 1, of both rows.
        "pkhtb r2, r1, r0, asr #16",
        "pkhbt r0, r0, r1, lsl #16",
        "sxtab16 r1, r10, r0, ror #8",
        "sxtab16 r0, r10, r0",
        "sxtab16 r3, r10, r2, ror #8",
        "sxtab16 r2, r10, r2",
        "stm.w r7, {{r0-r3}}",
        "add r7, r8",
        "cmp r7, r9",
        "bne 20b",
        "mov r0, lr",
        "ldrd r4, r5, [r0]",
        "cmp r4, r5",
        "bne 10b",
        "pop {{r4-r11, pc}}",
    )
}

/// What [`sweep_columns`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Sweep {
    pub weights_end: *const i32,
    pub weights: *const i32,
    /// Words of a channel by which the first round of the loop, which takes four, is shortened.
    pub skipped: usize,
    /// The first output's columns, and the bytes from there to the next one's.
    pub columns: *const i32,
    pub step: usize,
    pub zero_point: i32,
    pub out: *mut i8,
    /// From output to output.
    pub out_step: usize,
    /// From channel to channel.
    pub multiplier: usize,
    /// The output behind the last one.
    pub out_end: *mut i8,
    /// Bias, multiplier and shift of the first channel.
    pub table: *const i32,
}

/// Two products of each of four channels: 24 bytes of code.
macro_rules! quad {
    () => {
        "ldm.w r12!, {{r4-r7}}
        ldm.w lr!, {{r8-r11}}
        smlad r0, r4, r8, r0
        smlad r1, r5, r9, r1
        smlad r2, r6, r10, r2
        smlad r3, r7, r11, r3
        "
    };
}

/// Brings the biases and factors of four channels to the stack, or goes to label 40 if one is unusual: see `super::sums`.
macro_rules! load_factors {
    () => {
        "add.w r12, r9, r9, lsl #1
        add.w r0, sp, #44
        add.w r1, sp, #60
        movs r2, #4
        30:
        ldm.w r11, {{r4-r6}}
        lsls r5, r5, #1
        bpl 40f
        rsbs r6, r6, #0
        ble 40f
        str r4, [r0], #4
        strd r5, r6, [r1], #8
        add.w r11, r11, r12, lsl #2
        subs r2, #1
        bne 30b
        "
    };
}

/// Computes and requantizes outputs of four channels, at least one each. Returns whether it has: not if one has another
/// factor than usual.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with one word of weights at least.
#[unsafe(naked)]
pub unsafe extern "C" fn sweep_columns(job: &Sweep) -> bool {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        // On the stack comes the job, with the loop's entry in the place of `skipped` (an address of Thumb code is odd);
        // then four biases, four times multiplier and shift.
        "sub sp, #48",
        "ldm.w r0, {{r1-r11}}",
        "adr.w r12, 21f",
        "add.w r3, r3, r3, lsl #1",
        "add.w r3, r12, r3, lsl #3",
        "adds r3, #1",
        "push {{r1-r11}}",
        load_factors!(),
        "20:",
        "ldrd r12, r4, [sp, #12]",
        "ldr.w lr, [sp, #4]",
        "add r4, r12",
        "str r4, [sp, #12]",
        "add.w r5, sp, #44",
        "ldm.w r5, {{r0-r3}}",
        "ldr.w pc, [sp, #8]",
        ".p2align 2",
        "21:",
        quad!(),
        quad!(),
        quad!(),
        quad!(),
        "ldr r4, [sp]",
        "cmp lr, r4",
        "bne 21b",
        "add.w r12, sp, #60",
        "ldm.w r12, {{r4-r11}}",
        "ldr.w r12, [sp, #20]",
        round!("r0": "r4" "r5" "r12"),
        round!("r1": "r6" "r7" "r12"),
        round!("r2": "r8" "r9" "r12"),
        round!("r3": "r10" "r11" "r12"),
        "add.w r8, sp, #24",
        "ldm.w r8, {{r4-r7}}",
        "add.w r9, r4, r6",
        "strb r0, [r4]",
        "strb r1, [r4, r6]",
        "strb.w r2, [r4, r6, lsl #1]",
        "strb.w r3, [r9, r6, lsl #1]",
        "add r4, r5",
        "str r4, [sp, #24]",
        "cmp r4, r7",
        "bne 20b",
        "movs r0, #1",
        "31:",
        "add sp, #92",
        "pop {{r4-r11, pc}}",
        "40:",
        "movs r0, #0",
        "b 31b",
    )
}
