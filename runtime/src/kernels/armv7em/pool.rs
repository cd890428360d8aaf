//! Sums and maxima of pixels, four channels at a time.

use core::arch::naked_asm;

use crate::kernels::generic;
use crate::mem::ViewMut;

pub use crate::kernels::generic::pool::{
    AverageF32, AverageI8, FourTaps, MaxF32, MaxI8, Pixels, Pool, clamp_row, finish_row, means_i8,
};

/// So many elements have a sum of 16 bits; a multiple of 4.
const MAX_ELEMENTS_I16: usize = 252;

/// [`generic::pool::add_pixels_i8`].
pub fn add_pixels_i8(acc: ViewMut<i32>, pixels: Pixels<i8>) {
    let Pixels { x, distance, count } = pixels;
    let whole = acc.len() & !3;
    let (mut at, mut left) = (x.as_ptr(), count);
    while whole != 0 && left != 0 {
        let count = left.min(MAX_ELEMENTS_I16);
        let job = Sums { distance, count, acc_end: acc.as_ptr().wrapping_add(whole) };
        // SAFETY: each pixel has as many channels as there are accumulators: at least four, and the end is a multiple of
        // 4 behind the first.
        unsafe { add_fours(acc.as_ptr(), at, &job) };
        at = at.wrapping_add(distance.wrapping_mul(count));
        left = left.wrapping_sub(count);
    }
    let rest = acc.len().wrapping_sub(whole);
    if rest != 0 && count != 0 {
        let x = x.slice(whole, x.len().wrapping_sub(whole));
        generic::pool::add_pixels_i8(acc.slice(whole, rest), Pixels { x, ..pixels });
    }
}

/// What [`add_fours`] works with. The assembly knows the order of the fields.
#[repr(C)]
struct Sums {
    distance: usize,
    /// 1 to [`MAX_ELEMENTS_I16`].
    count: usize,
    acc_end: *const i32,
}

/// Adds a word of a pixel to the sums of its even channels, in r4, and of its odd ones.
macro_rules! add_word {
    ($word:literal) => {
        concat!("sxtab16 r4, r4, ", $word, "\n", "sxtab16 r5, r5, ", $word, ", ror #8\n")
    };
}

/// Adds pixels to accumulators, four channels after four. The sums of a four are in halves of two registers.
#[unsafe(naked)]
unsafe extern "C" fn add_fours(acc: *mut i32, x: *const i8, job: &Sums) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldr r3, [r2]",
        "add.w lr, r3, r3, lsl #1",
        "20:",
        "mov r6, r1",
        "ldr r7, [r2, #4]",
        "movs r4, #0",
        "movs r5, #0",
        "lsrs r7, r7, #1",
        "bcc 21f",
        "ldr.w r9, [r6]",
        "add r6, r3",
        add_word!("r9"),
        "21:",
        "lsrs r7, r7, #1",
        "bcc 22f",
        "ldr.w r9, [r6]",
        "ldr.w r10, [r6, r3]",
        "add.w r6, r6, r3, lsl #1",
        add_word!("r9"),
        add_word!("r10"),
        "22:",
        "beq 24f",
        "23:",
        "ldr.w r9, [r6]",
        "ldr.w r10, [r6, r3]",
        "ldr.w r11, [r6, r3, lsl #1]",
        "ldr.w r12, [r6, lr]",
        "add.w r6, r6, r3, lsl #2",
        "subs r7, #1",
        add_word!("r9"),
        add_word!("r10"),
        add_word!("r11"),
        add_word!("r12"),
        "bne 23b",
        "24:",
        "ldm.w r0, {{r8-r11}}",
        "adds r1, #4",
        "ldr r6, [r2, #8]",
        "sxtah r8, r8, r4",
        "sxtah r9, r9, r5",
        "sxtah r10, r10, r4, ror #16",
        "sxtah r11, r11, r5, ror #16",
        "stm.w r0!, {{r8-r11}}",
        "cmp r0, r6",
        "bne 20b",
        "pop {{r4-r11, pc}}",
    )
}

/// [`generic::pool::max_of_four_i8`].
pub fn max_of_four_i8(four: &FourTaps, out: ViewMut<i8>) {
    let FourTaps { taps, channels, distance, .. } = *four;
    if channels < 4 || out.len() == 0 {
        return generic::pool::max_of_four_i8(four, out);
    }
    // Pixels that follow each other are one.
    let len = if distance == channels { out.len() } else { channels };
    let first_distance = if four.continues { channels } else { distance };
    let job = Maxima {
        taps: taps.map(|tap| tap.as_ptr()),
        first_gap: first_distance.wrapping_sub(channels),
        gap: distance.wrapping_sub(channels),
        n_words: len / 4,
        back: len.wrapping_neg() % 4,
        out_end: out.as_ptr().wrapping_add(out.len()),
    };
    // SAFETY: each tap has as many pixels as the output, at least one of at least a word.
    unsafe { max_of_four(out.as_ptr(), &job) };
}

/// What [`max_of_four`] works with. The assembly knows the order of the fields.
#[repr(C)]
struct Maxima {
    taps: [*const i8; 4],
    /// Elements from a pixel of the first tap to the next, and of the others.
    first_gap: usize,
    gap: usize,
    /// Whole words of a pixel.
    n_words: usize,
    /// By how much the last word overlaps the one before, if there are elements behind the whole ones.
    back: usize,
    out_end: *const i8,
}

/// A word of the output.
macro_rules! max_word {
    () => {
        "ldr r11, [r2], #4
        ldr r12, [r3], #4
        ssub8 lr, r11, r12
        ldr lr, [r4], #4
        sel r11, r11, r12
        ldr r12, [r5], #4
        ssub8 r1, r11, lr
        sel r11, r11, lr
        ssub8 r1, r11, r12
        sel r11, r11, r12
        str r11, [r0], #4
        "
    };
}

/// The maxima of four taps. What is behind the whole words of a pixel is the end of one more, which has some maxima twice.
#[unsafe(naked)]
unsafe extern "C" fn max_of_four(out: *mut i8, job: &Maxima) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldr r12, [r1, #32]",
        "push {{r12}}",
        "ldm.w r1, {{r2-r9}}",
        "20:",
        "mov r10, r8",
        "21:",
        max_word!(),
        "subs.w r10, r10, #1",
        "bne 21b",
        "cmp.w r9, #0",
        "beq 22f",
        "sub.w r0, r0, r9",
        "sub.w r2, r2, r9",
        "sub.w r3, r3, r9",
        "sub.w r4, r4, r9",
        "sub.w r5, r5, r9",
        max_word!(),
        "22:",
        "ldr r12, [sp]",
        "add r2, r6",
        "add r3, r7",
        "add r4, r7",
        "add r5, r7",
        "cmp r0, r12",
        "bne 20b",
        "pop {{r3-r11, pc}}",
    )
}
