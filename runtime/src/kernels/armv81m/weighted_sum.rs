//! Sum of two int8 rows with a weight each: eight elements at a time, where weights have no bits behind those of the sum, or
//! four.

use core::arch::naked_asm;

use super::requantize::clamp_row;
use crate::kernels::generic;
use crate::kernels::generic::elementwise::Strided;
use crate::mem::ViewMut;

pub use crate::kernels::generic::weighted_sum::{SHIFT, WEIGHT_BITS, Weighted};

/// [`generic::weighted_sum::weighted_sum_row`].
pub fn weighted_sum_row(sum: &Weighted, a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>) {
    if a.1 != 1 || b.1 != 1 || out.len() == 0 {
        return generic::weighted_sum::weighted_sum_row(sum, a, b, out);
    }
    let is_whole = (sum.weights[0] | sum.weights[1]).trailing_zeros() >= WEIGHT_BITS;
    let eights = if is_whole { out.len() / 8 } else { 0 };
    if eights != 0 {
        let weights = sum.weights.map(|weight| weight >> WEIGHT_BITS);
        let job = Job { len: eights, weights, offset: sum.offset };
        // SAFETY: both operands and the output have so many times eight elements, at least once.
        unsafe { add_eights(a.0.as_ptr(), b.0.as_ptr(), out.as_ptr(), &job) };
    }
    let (done, left) = (eights.wrapping_mul(8), out.len().wrapping_sub(eights.wrapping_mul(8)));
    if left != 0 {
        let job = Job { len: left, weights: sum.weights, offset: sum.offset };
        let [a, b] = [a, b].map(|x| x.0.as_ptr().wrapping_add(done));
        // SAFETY: both operands and the output have so many elements more, at least one.
        unsafe { add(a, b, out.as_ptr().wrapping_add(done), &job) };
    }
    clamp_row(out, sum.bounds);
}

/// What [`add`] and [`add_eights`] work with. The assembly knows the order of the fields.
#[repr(C)]
struct Job {
    /// Elements, or eights of them.
    len: usize,
    weights: [i32; 2],
    offset: i32,
}

/// Adds elements as [`Weighted::apply`] does, clamped to int8 alone.
#[unsafe(naked)]
unsafe extern "C" fn add(a: *const i8, b: *const i8, out: *mut i8, job: &Job) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r6, lr}}",
        "ldm r3, {{r3-r6}}",
        "dlstp.32 lr, r3",
        "vdup.32 q2, r4",
        "vdup.32 q3, r5",
        "20:",
        "vldrb.s32 q0, [r0], #4",
        "vldrb.s32 q1, [r1], #4",
        // Elements in the highest byte: the high word of the product is without the weight's lowest eight bits.
        "vshl.i32 q0, q0, #24",
        "vshl.i32 q1, q1, #24",
        "vmulh.s32 q0, q0, q2",
        "vmulh.s32 q1, q1, q3",
        "vadd.i32 q0, q0, q1",
        "vadd.i32 q0, q0, r6",
        "vshr.s32 q0, q0, #21",
        "vqmovnb.s32 q0, q0",
        "vqmovnb.s16 q0, q0",
        "vstrb.32 q0, [r2], #4",
        "letp lr, 20b",
        "pop {{r4-r6, pc}}",
    )
}

/// Adds elements with weights that are shifted already, clamped to int8 alone.
#[unsafe(naked)]
unsafe extern "C" fn add_eights(a: *const i8, b: *const i8, out: *mut i8, job: &Job) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r6, lr}}",
        "ldm r3, {{r3-r6}}",
        "dls lr, r3",
        "vdup.32 q2, r4",
        "20:",
        "vldrb.s32 q0, [r0], #4",
        "vldrb.s32 q1, [r1], #4",
        "vmlas.u32 q0, q2, r6",
        "vldrb.s32 q3, [r0], #4",
        "vmla.u32 q0, q1, r5",
        "vldrb.s32 q1, [r1], #4",
        "vmlas.u32 q3, q2, r6",
        "vmla.u32 q3, q1, r5",
        // Both fours side by side, in 16 and in 8 bits: together 21 less.
        "vshrnb.i32 q0, q0, #16",
        "vshrnt.i32 q0, q3, #16",
        "vqshrnb.s16 q0, q0, #5",
        "vstrb.32 q0, [r2], #4",
        "vshr.u32 q0, q0, #16",
        "vstrb.32 q0, [r2], #4",
        "le lr, 20b",
        "pop {{r4-r6, pc}}",
    )
}

const _: () = assert!(SHIFT == 21 && WEIGHT_BITS == 8);
