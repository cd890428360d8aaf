//! Sums to int8, where [`super::sums`] does not do it itself.

pub use crate::kernels::generic::requantize::clamp_row;
use crate::kernels::generic::requantize::{Factor, saturate};

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
