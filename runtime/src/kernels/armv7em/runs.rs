//! Widens the taps of four positions at a time: by runs, neighbouring elements that for each position lie inside the image
//! or in its padding as a whole; or by pixels that windows share.

use core::arch::naked_asm;

/// What [`widen_runs`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Runs {
    /// Where the row of the first run stands; it is null in the padding.
    pub row: *const *const i8,
    /// Runs of that row.
    pub left: usize,
    /// The element of the row with which the first position's run begins; it is beyond the row in the padding.
    pub start: usize,
    /// Runs of all rows.
    pub runs: usize,
    /// Elements of a row, from position to position, and of a run.
    pub row_len: usize,
    pub step: usize,
    pub len: usize,
    /// So many stored numbers that stand for 0.
    pub padding: *const i8,
    /// Runs of a row, and the element with which the first one of them begins.
    pub runs_of_row: usize,
    pub first: usize,
    pub to: *mut i32,
    /// Added to every element: a pair of 16-bit numbers.
    pub offset: i32,
}

/// Where the runs of the four positions begin: in r0 to r3.
macro_rules! begin {
    () => {
        concat!(
            "ldm.w sp, {{r5-r7}}\n",
            "add.w r8, sp, #16\n",
            "ldm.w r8, {{r8-r11}}\n",
            "ldr r5, [r5]\n",
            "cmp r5, #0\n",
            "it eq\n",
            "moveq.w r8, #0\n",
            begin!("r0"),
            "add r7, r9\n",
            begin!("r1"),
            "add r7, r9\n",
            begin!("r2"),
            "add r7, r9\n",
            begin!("r3"),
        )
    };
    ($x:literal) => {
        concat!("cmp r7, r8\nite lo\naddlo.w ", $x, ", r5, r7\nmovhs ", $x, ", r11\n")
    };
}

/// The words of four taps a round.
macro_rules! widen {
    () => {
        concat!(
            "21:\n",
            "ldr r6, [r0], #4\nldr r7, [r1], #4\nldr r8, [r2], #4\nldr r9, [r3], #4\n",
            "sxtab16 r5, r12, r6\n",
            "sxtab16 r11, r12, r7\n",
            "stm.w r4!, {{r5, r11}}\n",
            "sxtab16 r5, r12, r8\n",
            "sxtab16 r11, r12, r9\n",
            "stm.w r4!, {{r5, r11}}\n",
            "sxtab16 r6, r12, r6, ror #8\n",
            "sxtab16 r7, r12, r7, ror #8\n",
            "sxtab16 r8, r12, r8, ror #8\n",
            "sxtab16 r9, r12, r9, ror #8\n",
            "subs.w r10, r10, #4\n",
            "stm.w r4!, {{r6-r9}}\n",
            "bne 21b\n",
        )
    };
}

/// Widens runs, of four elements at least and a multiple of 4, of one row after the other.
///
/// # Safety
/// Each run of each position is inside its row, or begins beyond it, and there is room for all words.
#[unsafe(naked)]
pub unsafe extern "C" fn widen_runs(runs: &Runs) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldm.w r0, {{r1-r12}}",
        "push {{r1-r12}}",
        "mov r4, r11",
        "20:",
        begin!(),
        widen!(),
        // The next run, or the first one of the next row.
        "ldm.w sp, {{r5-r8}}",
        "ldr.w r9, [sp, #24]",
        "subs r6, #1",
        "add r7, r9",
        "bne 22f",
        "adds r5, #4",
        "ldrd r6, r7, [sp, #32]",
        "22:",
        "subs.w r8, r8, #1",
        "stm.w sp, {{r5-r8}}",
        "bne 20b",
        "add sp, #48",
        "pop {{r4-r11, pc}}",
    )
}

/// What [`widen_triples`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Triples {
    /// Elements of a pixel, and bytes of its words.
    pub step: usize,
    pub words_step: usize,
    /// The element of each row with which the first position's line begins.
    pub start: usize,
    pub to: *mut i32,
    /// Where the rows end.
    pub end: *const *const i8,
    /// Added to every element: a pair of 16-bit numbers.
    pub offset: i32,
}

/// The words of four channels of six neighbouring pixels, of which each of three places in a window has four.
macro_rules! six {
    ($rotated:literal) => {
        concat!(
            "sxtab16 r6, r12, r6",
            $rotated,
            "\n",
            "sxtab16 r7, r12, r7",
            $rotated,
            "\n",
            "sxtab16 r8, r12, r8",
            $rotated,
            "\n",
            "sxtab16 r9, r12, r9",
            $rotated,
            "\n",
            "sxtab16 r10, r12, r10",
            $rotated,
            "\n",
            "sxtab16 r11, r12, r11",
            $rotated,
            "\n",
            "stm.w r3!, {{r6-r9}}\n",
            "stm.w r4!, {{r7-r10}}\n",
            "stm.w r5!, {{r8-r11}}\n",
        )
    };
}

/// Widens lines of three pixels for positions that are neighbours: each of six pixels is in up to three of their windows.
///
/// # Safety
/// All six pixels are inside each of the rows, at least one, and there is room for the words of all lines. A pixel has four
/// elements at least, and a multiple of 4.
#[unsafe(naked)]
pub unsafe extern "C" fn widen_triples(rows: *const *const i8, triples: &Triples) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldm.w r1, {{r2, r4-r6, r11, r12}}",
        // On the stack: rows, pixel, bytes of its words, start, end.
        "mov r3, r6",
        "mov r6, r11",
        "mov r1, r0",
        "push {{r1, r2, r4-r6}}",
        "20:",
        "ldm.w sp, {{r0, r2, r4-r6}}",
        "ldr r1, [r0], #4",
        "str r0, [sp]",
        "add.w r0, r1, r5",
        "add.w r1, r2, r2, lsl #1",
        "add r1, r0",
        "add.w lr, r0, r2",
        "add.w r5, r3, r4, lsl #1",
        "add r4, r3",
        "21:",
        "ldr r6, [r0]",
        "ldr r7, [r0, r2]",
        "ldr.w r8, [r0, r2, lsl #1]",
        "ldr.w r9, [r1]",
        "ldr.w r10, [r1, r2]",
        "ldr.w r11, [r1, r2, lsl #1]",
        six!(""),
        "ldr r7, [r0, r2]",
        "ldr.w r8, [r0, r2, lsl #1]",
        "ldr.w r10, [r1, r2]",
        "ldr.w r11, [r1, r2, lsl #1]",
        "ldr r6, [r0], #4",
        "ldr.w r9, [r1], #4",
        six!(", ror #8"),
        "cmp r0, lr",
        "bne 21b",
        "mov r3, r5",
        "ldr r7, [sp, #16]",
        "ldr r0, [sp]",
        "cmp r0, r7",
        "bne 20b",
        "add sp, #20",
        "pop {{r4-r11, pc}}",
    )
}
