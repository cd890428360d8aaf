//! Sum of two int8 rows of different quantization.

use core::arch::naked_asm;

use super::requantize::clamp_row;
use crate::kernels::generic;
use crate::kernels::generic::elementwise::Strided;
use crate::kernels::generic::requantize::Factor;
use crate::mem::ViewMut;

pub use crate::kernels::generic::add::{LEFT_SHIFT, SumI8};

/// The factor of the operand of the greater scale, of which the common scale is twice.
const HALF: Factor = Factor { multiplier: 1 << 30, shift: 0 };

/// [`generic::add::add_row`].
pub fn add_row(sum: &SumI8, a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>) {
    let [a_zero_point, b_zero_point] = sum.zero_points;
    let (half, other, half_zero_point, zero_point, factor) = match sum.operands {
        [HALF, factor] => (a, b, a_zero_point, b_zero_point, factor),
        [factor, _] => (b, a, b_zero_point, a_zero_point, factor),
    };
    let usual = |factor: Factor| factor.multiplier >= 1 << 30 && factor.shift < 0;
    let fits =
        sum.operands.contains(&HALF) && usual(factor) && usual(sum.output) && half.1 == 1 && other.1 == 1;
    if !fits || out.len() == 0 {
        return generic::add::add_row(sum, a, b, out);
    }
    let job = Job {
        half: half.0.as_ptr(),
        other: other.0.as_ptr(),
        out: out.as_ptr(),
        end: out.as_ptr().wrapping_add(out.len()),
        other_zero_point: zero_point,
        multiplier: factor.multiplier << 1,
        shift: -(factor.shift as i32),
        half_offset: -(half_zero_point << (LEFT_SHIFT - 1)),
        output_multiplier: sum.output.multiplier << 1,
        output_shift: -(sum.output.shift as i32),
        zero_point: sum.zero_point,
    };
    // SAFETY: both operands have as many elements as the output, at least one.
    unsafe { add(&job) };
    clamp_row(out, sum.bounds);
}

/// What [`add`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Job {
    half: *const i8,
    other: *const i8,
    out: *mut i8,
    end: *const i8,
    other_zero_point: i32,
    /// Twice the multiplier, and the shift to the right.
    multiplier: i32,
    shift: i32,
    /// What the zero point of `half` adds to the sum.
    half_offset: i32,
    output_multiplier: i32,
    output_shift: i32,
    zero_point: i32,
}

/// Adds elements as [`SumI8::add`] does, clamped to int8 alone; [`super::sums`] describes how factors are applied.
#[unsafe(naked)]
unsafe extern "C" fn add(job: &Job) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldm.w r0, {{r2-r12}}",
        "20:",
        "ldrsb r0, [r3], #1",
        "ldrsb r1, [r2], #1",
        "sub r0, r0, r6",
        "lsl r0, r0, #20",
        "smmlar r0, r0, r7, r0",
        "add r0, r0, r0, asr #31",
        "asrs r0, r8",
        "adc r0, r0, r9",
        // Half of 2^20.
        "add r0, r0, r1, lsl #19",
        "smmlar r0, r0, r10, r0",
        "add r0, r0, r0, asr #31",
        "asrs r0, r11",
        "adc r0, r0, r12",
        "ssat r0, #8, r0",
        "strb r0, [r4], #1",
        "cmp r4, r5",
        "bne 20b",
        "pop {{r4-r11, pc}}",
    )
}
