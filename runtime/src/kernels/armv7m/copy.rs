//! Moving parts of a row by words, wherever they begin: ARMv7-M reads and writes words at any address. For all cores that
//! have its instructions.

use core::arch::naked_asm;

use crate::Element;
use crate::kernels::generic;
use crate::mem::{View, ViewMut};

pub use crate::kernels::generic::copy::Lines;

/// From so many bytes on, aligned lines are left to the routine that moves several words at a time.
const LONG_BYTES: usize = 64;

/// [`generic::copy::copy_lines`].
pub fn copy_lines<T: Element>(x: View<T>, lines: Lines, out: ViewMut<T>) {
    let Lines { mut count, mut len, from, from_step, to, to_step } = lines;
    if count == 0 || len == 0 {
        return;
    }
    // Lines that follow each other are one.
    if from_step == len as isize && to_step == len {
        (count, len) = (1, len.wrapping_mul(count));
    }
    let bytes = |elements: usize| elements.wrapping_mul(size_of::<T>());
    let (x_at, out_at) = (x.as_ptr().wrapping_add(from), out.as_ptr().wrapping_add(to));
    let steps = if count == 1 { 0 } else { bytes(from_step as usize) | bytes(to_step) };
    if bytes(len) >= LONG_BYTES && (x_at as usize | out_at as usize | steps).is_multiple_of(4) {
        return generic::copy::copy_lines(x, Lines { count, len, ..lines }, out);
    }
    let job = Job {
        count,
        n_words: bytes(len) / 4,
        n_bytes: bytes(len) % 4,
        from_gap: bytes((from_step as usize).wrapping_sub(len)),
        to_gap: bytes(to_step.wrapping_sub(len)),
    };
    // SAFETY: reads and writes as many lines of as many bytes as the two have, at least one of each.
    unsafe { copy(out_at.cast(), x_at.cast(), &job) };
}

/// What [`copy`] works with. The assembly knows the order of the fields.
#[repr(C)]
struct Job {
    count: usize,
    /// Words of a line, and bytes behind them.
    n_words: usize,
    n_bytes: usize,
    /// Bytes from the end of a line to the next one.
    from_gap: usize,
    to_gap: usize,
}

#[unsafe(naked)]
unsafe extern "C" fn copy(out: *mut u8, x: *const u8, job: &Job) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "ldm r2, {{r3-r7}}",
        "20:",
        "movs r2, r4",
        "beq 22f",
        "21:",
        "ldr r12, [r1], #4",
        "subs r2, #1",
        "str r12, [r0], #4",
        "bne 21b",
        "22:",
        "movs r2, r5",
        "beq 24f",
        "23:",
        "ldrb r12, [r1], #1",
        "subs r2, #1",
        "strb r12, [r0], #1",
        "bne 23b",
        "24:",
        "add r1, r6",
        "add r0, r7",
        "subs r3, #1",
        "bne 20b",
        "pop {{r4-r7, pc}}",
    )
}
