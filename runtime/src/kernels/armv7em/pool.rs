//! Sums of rows for average pooling.

use core::arch::asm;

use crate::kernels::generic;
use crate::mem::{View, ViewMut};

pub use crate::kernels::generic::pool::{
    AverageF32, AverageI8, MaxF32, MaxI8, Pool, accumulate_row, finish_row, pool_row,
};

/// `acc[i] += x[i]`, four at a time.
#[inline(always)]
pub fn add_row_i8(acc: ViewMut<i32>, x: View<i8>) {
    let whole = x.len() & !3;
    if whole != 0 {
        add_fours(acc, x.slice(0, whole));
    }
    let rest = x.len().wrapping_sub(whole);
    generic::pool::add_row_i8(acc.slice(whole, rest), x.slice(whole, rest));
}

#[inline(never)]
fn add_fours(acc: ViewMut<i32>, x: View<i8>) {
    // SAFETY: reads the elements of `x`, at least four and a multiple of 4, and writes as many of `acc`.
    unsafe {
        asm!(
            "20:",
            "ldr {x4}, [{x}], #4",
            "ldm {acc}, {{r2, r3, r4, r5}}",
            "cmp {x}, {end}",
            "sxtab r2, r2, {x4}",
            "sxtab r3, r3, {x4}, ror #8",
            "sxtab r4, r4, {x4}, ror #16",
            "sxtab r5, r5, {x4}, ror #24",
            "stm {acc}!, {{r2, r3, r4, r5}}",
            "bne 20b",
            x = inout(reg) x.as_ptr() => _,
            end = in(reg) x.as_ptr().wrapping_add(x.len()),
            acc = inout(reg) acc.as_ptr() => _,
            x4 = out(reg) _,
            out("r2") _, out("r3") _, out("r4") _, out("r5") _,
            options(nostack),
        );
    }
}
