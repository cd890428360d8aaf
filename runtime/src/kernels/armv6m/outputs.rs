//! [`crate::kernels::scalar::outputs`] with 39 instructions for an output from its sum.

use core::arch::naked_asm;

use crate::kernels::generic::requantize::Requantize;
use crate::kernels::scalar::outputs::finish_one_by;
use crate::mem::{View, ViewMut};

pub use crate::kernels::scalar::outputs::finish_four;

/// The outputs of one position and channels `first..` from their sums, clamped to int8 alone.
pub fn finish_one(requantize: &Requantize, first: usize, sums: View<i32>, out: ViewMut<i8>) {
    finish_one_by(finish, requantize, first, sums, out);
}

/// Of the sum in r4 and twice the multiplier in r6, the high half of the product, doubled and rounded, into r3. The
/// multiplier's halves have no sign.
macro_rules! high_product {
    () => {
        concat!(
            "uxth r2, r4\n",
            "asrs r3, r4, #16\n",
            "uxth r5, r6\n",
            "lsrs r6, r6, #16\n",
            "mov r4, r2\n",
            "muls r4, r5, r4\n",
            "muls r5, r3, r5\n",
            "muls r2, r6, r2\n",
            "muls r3, r6, r3\n",
            "lsrs r4, r4, #16\n",
            "adds r5, r5, r4\n",
            "uxth r4, r5\n",
            "asrs r5, r5, #16\n",
            "adds r2, r2, r4\n",
            "add r2, r9\n",
            "lsrs r2, r2, #15\n",
            "adds r3, r3, r5\n",
            "lsls r3, r3, #1\n",
            "adds r3, r3, r2\n",
        )
    };
}

/// That, shifted right by r7 and rounded, and the zero point in r8.
macro_rules! shifted {
    () => {
        concat!("asrs r2, r3, #31\n", "adds r3, r3, r2\n", "asrs r3, r7\n", "mov r2, r8\n", "adcs r3, r2\n",)
    };
}

/// Puts r8 to r11 on the stack.
macro_rules! keep_high_registers {
    () => {
        concat!("mov r4, r8\n", "mov r5, r9\n", "mov r6, r10\n", "mov r7, r11\n", "push {{r4-r7}}\n",)
    };
}

/// Takes them from there.
macro_rules! restore_high_registers {
    () => {
        concat!("pop {{r4-r7}}\n", "mov r8, r4\n", "mov r9, r5\n", "mov r10, r6\n", "mov r11, r7\n",)
    };
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
        keep_high_registers!(),
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
        high_product!(),
        shifted!(),
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
        restore_high_registers!(),
        "pop {{r4-r7, pc}}",
    )
}
