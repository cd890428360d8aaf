//! Sums to int8, where [`super::sums`] does not do it itself.

use core::arch::asm;

use crate::kernels::generic::requantize::{Channels, Factor, Requantize, saturate};
use crate::mem::{View, ViewMut};

/// The sums of one channel, whose factor is that of the table's `entry`, to positions `stride` apart, clamped to int8
/// alone.
///
/// # Safety
/// `sums` and `out` must have so many positions, `entry` three numbers.
#[cold]
pub unsafe extern "C" fn finish_any(
    sums: *const i32,
    entry: *const i32,
    out: *mut i8,
    stride: usize,
    positions: usize,
    zero_point: i32,
) {
    // SAFETY: the caller's.
    unsafe {
        let factor = Factor { multiplier: entry.add(1).read(), shift: entry.add(2).read() as i8 };
        for i in 0..positions {
            let q = saturate(factor.apply(sums.add(i).read()), zero_point, (i8::MIN, i8::MAX));
            out.add(i.wrapping_mul(stride)).write(q);
        }
    }
}

/// Requantizes the sums of one position, of channels `first..`, clamped to int8 alone.
pub fn finish_position(requantize: &Requantize, first: usize, sums: View<i32>, out: ViewMut<i8>) {
    for i in 0..sums.len() {
        let c = first.wrapping_add(i);
        out.set(c, finish(requantize.channels, c, sums.at(i), requantize.zero_point));
    }
}

/// One sum, as [`super::sums`] describes it.
#[inline(always)]
fn finish(channels: Channels, c: usize, sum: i32, zero_point: i32) -> i8 {
    let factor = channels.factor(c);
    let (multiplier, shift) = (factor.multiplier << 1, -(factor.shift as i32));
    if multiplier >= 0 || shift <= 0 {
        return saturate(factor.apply(sum), zero_point, (i8::MIN, i8::MAX));
    }
    let mut q = sum;
    // SAFETY: arithmetic on registers.
    unsafe {
        asm!(
            "smmlar {q}, {q}, {multiplier}, {q}",
            "add {q}, {q}, {q}, asr #31",
            "asrs {q}, {q}, {shift}",
            "adc {q}, {q}, {zero_point}",
            "ssat {q}, #8, {q}",
            q = inout(reg) q,
            multiplier = in(reg) multiplier,
            shift = in(reg) shift,
            zero_point = in(reg) zero_point,
            options(pure, nomem, nostack),
        );
    }
    q as i8
}

/// Clamps a row that is already int8.
pub fn clamp_row(out: ViewMut<i8>, (lo, hi): (i8, i8)) {
    if (lo, hi) == (i8::MIN, i8::MAX) {
        return;
    }
    for i in 0..out.len() {
        out.set(i, out.at(i).max(lo).min(hi));
    }
}
