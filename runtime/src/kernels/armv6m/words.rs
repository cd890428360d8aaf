//! [`crate::kernels::scalar::words`] with the registers of ARMv6-M: 23 instructions for 8 products.

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
        bytes: scalar::BYTES,
        to_next: stride.wrapping_sub(2usize.wrapping_mul(pairs)).wrapping_mul(4),
        x_end: x.as_ptr().wrapping_add(x.len()),
        sums_end: sums.as_ptr().wrapping_add(sums.len() & !3),
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
    bytes: i32,
    /// Bytes from the end of the weights of four channels to those of the next four.
    to_next: usize,
    x_end: *const i32,
    sums_end: *const i32,
}

/// A pair of taps times four channels: the sums of channels 0 and 2 are in r8, of both, and r9, the upper one; those of
/// channels 1 and 3 in r10 and r11.
macro_rules! pair {
    () => {
        "ldm r0!, {{r2-r4}}
        ldm r1!, {{r5}}
        lsrs r6, r5, #8
        ands r5, r7
        ands r6, r7
        muls r5, r2, r5
        muls r6, r2, r6
        adds r5, r5, r4
        adds r6, r6, r4
        ldm r1!, {{r2}}
        lsrs r4, r2, #8
        ands r2, r7
        ands r4, r7
        muls r2, r3, r2
        muls r4, r3, r4
        adds r5, r5, r2
        adds r6, r6, r4
        add r8, r5
        lsrs r5, r5, #16
        add r9, r5
        add r10, r6
        lsrs r6, r6, #16
        add r11, r6"
    };
}

/// Adds to the sums of fours of channels.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with two pairs of taps and four channels at least.
#[unsafe(naked)]
unsafe extern "C" fn fours(sums: *mut i32, job: &Fours, w: *const i32) {
    naked_asm!(
        "push {{r1, r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "mov lr, r0",
        "ldr r4, [r1, #16]",
        "mov r12, r4",
        "ldr r7, [r1, #8]",
        "mov r1, r2",
        "10:",
        "mov r4, lr",
        "ldm r4!, {{r2, r3, r5, r6}}",
        "mov r9, r5",
        "lsls r5, r5, #16",
        "adds r2, r2, r5",
        "mov r8, r2",
        "mov r11, r6",
        "lsls r6, r6, #16",
        "adds r3, r3, r6",
        "mov r10, r3",
        "ldr r4, [sp, #16]",
        "ldm r4!, {{r0, r2}}",
        "cmp r2, #0",
        "bne 21f",
        "20:",
        pair!(),
        pair!(),
        "21:",
        pair!(),
        pair!(),
        "cmp r0, r12",
        "bne 20b",
        "mov r2, r8",
        "mov r5, r9",
        "lsls r4, r5, #16",
        "subs r2, r2, r4",
        "mov r3, r10",
        "mov r6, r11",
        "lsls r4, r6, #16",
        "subs r3, r3, r4",
        "mov r4, lr",
        "stm r4!, {{r2, r3, r5, r6}}",
        "mov lr, r4",
        "ldr r5, [sp, #16]",
        "ldr r6, [r5, #12]",
        "adds r1, r1, r6",
        "ldr r5, [r5, #20]",
        "cmp r4, r5",
        "bne 10b",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r1, r4-r7, pc}}",
    )
}
