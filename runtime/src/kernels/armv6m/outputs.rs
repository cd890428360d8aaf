//! [`crate::kernels::scalar::outputs`] with 39 instructions for an output from its sum.

use core::arch::naked_asm;

use crate::kernels::generic::requantize::Requantize;
use crate::kernels::scalar::requantize::finish_any;
use crate::mem::{View, ViewMut};

pub use crate::kernels::scalar::outputs::finish_four;

/// The outputs of one position and channels `first..` from their sums, clamped to int8 alone.
pub fn finish_one(requantize: &Requantize, first: usize, sums: View<i32>, out: ViewMut<i8>) {
    let (mut i, n) = (0, sums.len());
    while i < n {
        let c = first.wrapping_add(i);
        let table = requantize.channels.0.as_ptr().wrapping_add(c.wrapping_mul(3));
        let rest = sums.slice(i, n.wrapping_sub(i));
        // SAFETY: there are as many factors and outputs as sums.
        i = n - unsafe {
            finish(rest.as_ptr(), table, out.as_ptr().wrapping_add(c), rest.len(), requantize.zero_point)
        };
        if i < n {
            let c = first.wrapping_add(i);
            out.set(c, finish_any(requantize.channels.factor(c), requantize.zero_point, sums.at(i)));
            i += 1;
        }
    }
}

/// The outputs of `n` sums, up to the first one with a less common factor. Returns how many are left.
///
/// The doubling high multiplication is made of four products of halves, the multiplier's without a sign: those with one
/// half of the sum and one of the multiplier are added in two steps, of which neither can overflow. The carry of the right
/// shift by at least 1, after one is taken from negative numbers, rounds to nearest with ties away from zero.
///
/// # Safety
/// There must be as many sums, factors and outputs.
#[unsafe(naked)]
unsafe extern "C" fn finish(
    sums: *const i32,
    table: *const i32,
    out: *mut i8,
    n: usize,
    zero_point: i32,
) -> usize {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "ldr r4, [sp, #36]",
        "mov r8, r4",
        "movs r4, #1",
        "lsls r4, r4, #14",
        "mov r9, r4",
        "mov r10, r2",
        "lsls r3, r3, #2",
        "adds r3, r0, r3",
        "mov r11, r3",
        "b 40f",
        "10:",
        "ldm r0!, {{r4}}",
        "ldm r1!, {{r5-r7}}",
        "lsls r2, r6, #1",
        "bpl 50f",
        "rsbs r7, r7, #0",
        "ble 50f",
        "uxth r2, r4",
        "asrs r3, r4, #16",
        "uxth r5, r6",
        "lsrs r6, r6, #16",
        "mov r4, r2",
        "muls r4, r5, r4",
        "muls r5, r3, r5",
        "muls r2, r6, r2",
        "muls r3, r6, r3",
        "lsrs r4, r4, #16",
        "adds r5, r5, r4",
        "uxth r4, r5",
        "asrs r5, r5, #16",
        "adds r2, r2, r4",
        "add r2, r9",
        "lsrs r2, r2, #15",
        "adds r3, r3, r5",
        "lsls r3, r3, #1",
        "adds r3, r3, r2",
        "asrs r2, r3, #31",
        "adds r3, r3, r2",
        "asrs r3, r7",
        "mov r2, r8",
        "adcs r3, r2",
        "sxtb r2, r3",
        "cmp r2, r3",
        "bne 30f",
        "20:",
        "mov r4, r10",
        "strb r3, [r4]",
        "adds r4, #1",
        "mov r10, r4",
        "40:",
        "cmp r0, r11",
        "bne 10b",
        "b 60f",
        // Saturated.
        "30:",
        "asrs r3, r3, #31",
        "movs r2, #127",
        "eors r3, r2",
        "b 20b",
        "50:",
        "subs r0, #4",
        "60:",
        "mov r2, r11",
        "subs r0, r2, r0",
        "lsrs r0, r0, #2",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r4-r7, pc}}",
    )
}
