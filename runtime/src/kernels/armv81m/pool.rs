//! Sums of pixels, four elements at a time.

use core::arch::asm;

use crate::mem::{View, ViewMut};

pub use crate::kernels::generic::pool::{
    AverageF32, AverageI8, MaxF32, MaxI8, Pool, accumulate_row, finish_row, pool_row,
};

/// `acc[i] += x[i]`.
pub fn add_row_i8(acc: ViewMut<i32>, x: View<i8>) {
    if x.len() == 0 {
        return;
    }
    // SAFETY: reads the elements of `x`, and reads and writes as many of `acc`.
    unsafe {
        asm!(
            ".cpu cortex-m55",
            "dlstp.32 lr, {len}",
            "20:",
            "vldrb.s32 q0, [r2], #4",
            "vldrw.u32 q1, [{acc}]",
            "vadd.i32 q0, q0, q1",
            "vstrw.32 q0, [{acc}], #16",
            "letp lr, 20b",
            len = in(reg) x.len(),
            acc = inout(reg) acc.as_ptr() => _,
            inout("r2") x.as_ptr() => _,
            out("q0") _, out("q1") _, out("lr") _,
            options(nostack),
        );
    }
}
