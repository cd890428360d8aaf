//! Sum of two int8 rows with a weight each, four elements at a time.

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
    let job = Job { len: out.len(), weights: sum.weights, offset: sum.offset };
    // SAFETY: both operands have as many elements as the output, at least one.
    unsafe { add(a.0.as_ptr(), b.0.as_ptr(), out.as_ptr(), &job) };
    clamp_row(out, sum.bounds);
}

/// What [`add`] works with. The assembly knows the order of the fields.
#[repr(C)]
struct Job {
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

const _: () = assert!(SHIFT == 21 && WEIGHT_BITS == 8);
