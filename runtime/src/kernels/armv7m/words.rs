//! [`crate::kernels::scalar::words`] with MLA and shifted operands: 14 instructions for 8 products.

use core::arch::naked_asm;

use crate::kernels::scalar::words as scalar;
use crate::mem::{View, ViewMut};

pub use scalar::{LOW, PAIR_WORDS, spread};

/// As the scalar function of this name. Pairs of taps are an even number.
pub fn add_words(sums: ViewMut<i32>, x: View<i32>, w: View<i32>, stride: usize) {
    let pairs = x.len() / PAIR_WORDS;
    if pairs == 0 || sums.len() < 4 {
        return;
    }
    let job = Fours {
        x: x.as_ptr(),
        odd_half: pairs & 2,
        to_next: stride.wrapping_sub(2usize.wrapping_mul(pairs)).wrapping_mul(4),
        sums_end: sums.as_ptr().wrapping_add(sums.len() & !3),
        x_end: x.as_ptr().wrapping_add(x.len()),
    };
    // SAFETY: every four channels have words for all taps, and there are some of both.
    unsafe { fours(sums.as_ptr(), &job, w.as_ptr()) };
}

/// What [`fours`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Fours {
    /// Pairs of taps.
    x: *const i32,
    /// Whether the first round of the loop has two pairs, not four.
    odd_half: usize,
    /// Bytes from the end of the weights of four channels to those of the next four.
    to_next: usize,
    sums_end: *const i32,
    x_end: *const i32,
}

/// A pair of taps times four channels: the sums of channels 0 and 2 are in r9, of both, and r10, the upper one; those of
/// channels 1 and 3 in r11 and r12.
macro_rules! pair {
    () => {
        "ldm.w r0!, {{r3-r5}}
        ldm.w r1!, {{r6-r7}}
        and.w r8, r2, r6
        and.w r6, r2, r6, lsr #8
        mla r8, r8, r3, r5
        mla r6, r6, r3, r5
        and.w r3, r2, r7
        and.w r7, r2, r7, lsr #8
        mla r8, r3, r4, r8
        mla r6, r7, r4, r6
        add.w r9, r9, r8
        add.w r10, r10, r8, lsr #16
        add.w r11, r11, r6
        add.w r12, r12, r6, lsr #16"
    };
}

/// Adds to the sums of fours of channels.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with two pairs of taps and four channels at least.
#[unsafe(naked)]
unsafe extern "C" fn fours(sums: *mut i32, job: &Fours, w: *const i32) {
    naked_asm!(
        "push {{r0, r1, r4-r11, lr}}",
        "ldr.w lr, [r1, #16]",
        "mov r1, r2",
        "mov.w r2, #0x00FF00FF",
        "ldr r3, [sp]",
        "10:",
        "ldm.w r3, {{r9, r11}}",
        "ldrd r10, r12, [r3, #8]",
        "ldr r3, [sp, #4]",
        "add.w r9, r9, r10, lsl #16",
        "add.w r11, r11, r12, lsl #16",
        "ldrd r0, r3, [r3]",
        "cmp r3, #0",
        "bne 21f",
        "20:",
        pair!(),
        pair!(),
        "21:",
        pair!(),
        pair!(),
        "cmp r0, lr",
        "bne.w 20b",
        "ldr r3, [sp]",
        "sub.w r9, r9, r10, lsl #16",
        "sub.w r11, r11, r12, lsl #16",
        "strd r9, r11, [r3], #8",
        "strd r10, r12, [r3], #8",
        "str r3, [sp]",
        "ldr r4, [sp, #4]",
        "ldrd r4, r5, [r4, #8]",
        "add r1, r4",
        "cmp r3, r5",
        "bne.w 10b",
        "pop {{r0, r1, r4-r11, pc}}",
    )
}
