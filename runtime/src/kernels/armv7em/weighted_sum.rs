//! Sum of two int8 rows with a weight each, four elements at a time.

use core::arch::naked_asm;

use super::requantize::clamp_row;
use crate::kernels::generic;
use crate::kernels::generic::elementwise::{Strided, behind};
use crate::mem::ViewMut;

pub use crate::kernels::generic::weighted_sum::{SHIFT, WEIGHT_BITS, Weighted};

/// [`generic::weighted_sum::weighted_sum_row`].
pub fn weighted_sum_row(sum: &Weighted, a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>) {
    let whole = if a.1 == 1 && b.1 == 1 { out.len() & !3 } else { 0 };
    if whole != 0 {
        let end = out.as_ptr().wrapping_add(whole);
        let job = Job { end, weights: sum.weights, offset: sum.offset, odd: 0xFF00_FF00 };
        // SAFETY: both operands have as many elements as the output.
        unsafe { add_fours(a.0.as_ptr(), b.0.as_ptr(), out.as_ptr(), &job) };
        clamp_row(out.slice(0, whole), sum.bounds);
    }
    let out = out.slice(whole, out.len().wrapping_sub(whole));
    generic::weighted_sum::weighted_sum_row(sum, behind(a, whole), behind(b, whole), out);
}

/// What [`add_fours`] works with. The assembly knows the order of the fields.
#[repr(C)]
struct Job {
    /// Where the outputs end.
    end: *const i8,
    weights: [i32; 2],
    offset: i32,
    /// The odd bytes of a word: elements times 256.
    odd: u32,
}

/// The output of the elements in a half of r9 and of r10, times 256: so SMLAW, which leaves out the product's lowest 16
/// bits, leaves out the weight's lowest eight.
macro_rules! one {
    ($half:literal $at:literal) => {
        concat!(
            "smlaw",
            $half,
            " r11, r5, r9, r7\n",
            "smlaw",
            $half,
            " r11, r6, r10, r11\n",
            "ssat r11, #8, r11, asr #21\n",
            "strb.w r11, [r2, #",
            $at,
            "]\n",
        )
    };
}

/// Adds elements as [`Weighted::apply`] does, clamped to int8 alone: at least four, and a multiple of 4.
#[unsafe(naked)]
unsafe extern "C" fn add_fours(a: *const i8, b: *const i8, out: *mut i8, job: &Job) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldm.w r3, {{r4-r8}}",
        "20:",
        "ldr r3, [r0], #4",
        "ldr.w r12, [r1], #4",
        "and.w r9, r8, r3, lsl #8",
        "and.w r10, r8, r12, lsl #8",
        one!("b" "0"),
        one!("t" "2"),
        "and.w r9, r8, r3",
        "and.w r10, r8, r12",
        one!("b" "1"),
        one!("t" "3"),
        "adds r2, #4",
        "cmp r2, r4",
        "bne 20b",
        "pop {{r4-r11, pc}}",
    )
}

const _: () = assert!(SHIFT == 21 && WEIGHT_BITS == 8);
