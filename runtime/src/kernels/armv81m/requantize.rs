//! What the vector kernels leave to others: unusual factors, and bounds.

use core::arch::asm;

use crate::kernels::generic::requantize::{Channels, saturate};
use crate::mem::{View, ViewMut};

use super::sums::CHANNELS;

/// The sums of two positions, `[2, CHANNELS]`, to outputs clamped to int8 alone.
///
/// # Safety
/// `sums` must stand on as many numbers, `table` on the entries of the channels, and `out` on the outputs, the positions
/// `stride` apart.
#[cold]
pub unsafe extern "C" fn finish_any(
    sums: *const i32,
    table: *const i32,
    out: *mut i8,
    stride: usize,
    zero_point: i32,
) {
    // SAFETY: the caller's.
    let (sums, table) = unsafe {
        (core::slice::from_raw_parts(sums, 2 * CHANNELS), core::slice::from_raw_parts(table, 3 * CHANNELS))
    };
    let (sums, channels) = (View::from(sums), Channels(View::from(table)));
    for i in 0..2 * CHANNELS {
        let (position, channel) = (i / CHANNELS, i % CHANNELS);
        let q = saturate(channels.factor(channel).apply(sums.at(i)), zero_point, (i8::MIN, i8::MAX));
        // SAFETY: the caller's.
        unsafe { out.add(position.wrapping_mul(stride).wrapping_add(channel)).write(q) };
    }
}

/// Clamps a row that is already int8.
pub fn clamp_row(out: ViewMut<i8>, (lo, hi): (i8, i8)) {
    let is_whole = hi as i32 - lo as i32 == u8::MAX as i32;
    if is_whole || out.len() == 0 {
        return;
    }
    // SAFETY: reads and writes the elements of `out`, of which there is at least one.
    unsafe {
        asm!(
            ".cpu cortex-m55",
            "vdup.8 q1, {lo}",
            "vdup.8 q2, {hi}",
            "dlstp.8 lr, {len}",
            "20:",
            "vldrb.u8 q0, [{at}]",
            "vmax.s8 q0, q0, q1",
            "vmin.s8 q0, q0, q2",
            "vstrb.8 q0, [{at}], #16",
            "letp lr, 20b",
            lo = in(reg) lo as i32,
            hi = in(reg) hi as i32,
            len = in(reg) out.len(),
            at = inout(reg) out.as_ptr() => _,
            out("q0") _, out("q1") _, out("q2") _, out("lr") _,
            options(nostack),
        );
    }
}
