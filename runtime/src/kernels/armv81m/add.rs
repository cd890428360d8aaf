//! Sum of two int8 rows of different quantization, four elements at a time.

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
    let fits = sum.operands.contains(&HALF) && factor.shift <= 0 && sum.output.shift <= 0;
    if !fits || half.1 != 1 || other.1 != 1 || out.len() == 0 {
        return generic::add::add_row(sum, a, b, out);
    }
    let minus_one = |factor: Factor| -((factor.shift < 0) as i32);
    let job = Job {
        half: half.0.as_ptr(),
        other: other.0.as_ptr(),
        out: out.as_ptr(),
        len: out.len(),
        multiplier: factor.multiplier,
        shift: factor.shift as i32,
        minus_one: minus_one(factor),
        half_offset: -(half_zero_point << (LEFT_SHIFT - 1)),
        output_multiplier: sum.output.multiplier,
        output_shift: sum.output.shift as i32,
        output_minus_one: minus_one(sum.output),
        zero_point: sum.zero_point,
        other_offset: -(zero_point << LEFT_SHIFT),
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
    len: usize,
    multiplier: i32,
    shift: i32,
    /// -1 if there is a shift, for negative numbers: see [`super::sums`].
    minus_one: i32,
    /// What the zero points add to the operands, shifted left.
    half_offset: i32,
    output_multiplier: i32,
    output_shift: i32,
    output_minus_one: i32,
    zero_point: i32,
    other_offset: i32,
}

/// Adds elements as [`SumI8::add`] does, clamped to int8 alone.
#[unsafe(naked)]
unsafe extern "C" fn add(job: &Job) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r11, lr}}",
        "ldm.w r0!, {{r1-r12}}",
        "dlstp.32 lr, r4",
        "ldr r0, [r0]",
        "mov.w r4, #0x100000",
        "vdup.32 q2, r4",
        "mov.w r4, #0x80000",
        "20:",
        "vldrb.s32 q1, [r2], #4",
        "vldrb.s32 q0, [r1], #4",
        "vmlas.u32 q1, q2, r0",
        "vqrdmulh.s32 q1, q1, r5",
        "vpt.s32 lt, q1, zr",
        "vaddt.i32 q1, q1, r7",
        "vrshl.s32 q1, r6",
        "vmla.u32 q1, q0, r4",
        "vadd.i32 q1, q1, r8",
        "vqrdmulh.s32 q1, q1, r9",
        "vpt.s32 lt, q1, zr",
        "vaddt.i32 q1, q1, r11",
        "vrshl.s32 q1, r10",
        "vadd.i32 q1, q1, r12",
        "vqmovnb.s32 q1, q1",
        "vqmovnb.s16 q1, q1",
        "vstrb.32 q1, [r3], #4",
        "letp lr, 20b",
        "pop {{r4-r11, pc}}",
    )
}
