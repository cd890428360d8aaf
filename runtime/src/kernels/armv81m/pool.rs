//! Sums of pixels, eight channels at a time, and maxima of sixteen.

use core::arch::naked_asm;

use super::requantize;
use crate::mem::ViewMut;

pub use crate::kernels::generic::pool::{
    AverageF32, AverageI8, FourTaps, MaxF32, MaxI8, Pixels, Pool, finish_row, means_i8,
};
pub use requantize::clamp_row;

/// So many elements have a sum of 16 bits.
const MAX_ELEMENTS_I16: usize = 255;

/// Adds pixels to an accumulator for each of their channels.
pub fn add_pixels_i8(acc: ViewMut<i32>, Pixels { x, distance, count }: Pixels<i8>) {
    let (mut at, mut left) = (x.as_ptr(), count);
    while acc.len() != 0 && left != 0 {
        let count = left.min(MAX_ELEMENTS_I16);
        let job = Sums { distance, count, channels: acc.len() as isize };
        // SAFETY: each pixel has as many channels as there are accumulators, at least one.
        unsafe { add_eights(acc.as_ptr(), at, &job) };
        at = at.wrapping_add(distance.wrapping_mul(count));
        left = left.wrapping_sub(count);
    }
}

/// What [`add_eights`] works with. The assembly knows the order of the fields.
#[repr(C)]
struct Sums {
    distance: usize,
    /// 1 to [`MAX_ELEMENTS_I16`].
    count: usize,
    channels: isize,
}

/// Adds pixels to accumulators, eight channels after eight: their sums of 16 bits go through the stack to become wide.
#[unsafe(naked)]
unsafe extern "C" fn add_eights(acc: *mut i32, x: *const i8, job: &Sums) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r7, lr}}",
        "sub sp, #20",
        "mov r7, sp",
        "ldm r2, {{r3-r5}}",
        "20:",
        "mov r6, r1",
        "vmov.i32 q0, #0",
        "vctp.16 r5",
        "dls lr, r4",
        "21:",
        "vpst",
        "vldrbt.s16 q1, [r6]",
        "add r6, r3",
        "vadd.i16 q0, q0, q1",
        "le lr, 21b",
        "vstrh.16 q0, [r7]",
        "vldrh.s32 q0, [r7]",
        "vldrh.s32 q1, [r7, #8]",
        "subs r6, r5, #4",
        "it mi",
        "movmi r6, #0",
        "vctp.32 r5",
        "vpst",
        "vldrwt.u32 q2, [r0]",
        "vadd.i32 q2, q2, q0",
        "vpst",
        "vstrwt.32 q2, [r0], #16",
        "vctp.32 r6",
        "vpst",
        "vldrwt.u32 q2, [r0]",
        "vadd.i32 q2, q2, q1",
        "vpst",
        "vstrwt.32 q2, [r0], #16",
        "adds r1, #8",
        "subs r5, #8",
        "bgt 20b",
        "add sp, #20",
        "pop {{r4-r7, pc}}",
    )
}

/// Pixels of `out`, which follow each other: the maxima of those of four taps.
pub fn max_of_four_i8(four: &FourTaps, out: ViewMut<i8>) {
    let FourTaps { taps, channels, distance, .. } = *four;
    if out.len() == 0 {
        return;
    }
    // Pixels that follow each other are one.
    let len = if distance == channels { out.len() } else { channels };
    let first_distance = if four.continues { channels } else { distance };
    // The pointers stand behind the last vector of a pixel, which may be a part of one.
    let read = len.next_multiple_of(16);
    let job = Maxima {
        taps: taps.map(|tap| tap.as_ptr()),
        first_step: first_distance.wrapping_sub(read),
        step: distance.wrapping_sub(read),
        len,
        out_step: len.wrapping_sub(read),
        out_end: out.as_ptr().wrapping_add(out.len()),
    };
    // SAFETY: each tap has as many pixels as the output, at least one of at least one element.
    unsafe { max_of_four(out.as_ptr(), &job) };
}

/// What [`max_of_four`] works with. The assembly knows the order of the fields.
#[repr(C)]
struct Maxima {
    taps: [*const i8; 4],
    /// Elements from behind the last vector of a pixel of the first tap to the next pixel, and of the others.
    first_step: usize,
    step: usize,
    len: usize,
    /// The same for the output.
    out_step: usize,
    out_end: *const i8,
}

/// The maxima of four taps.
#[unsafe(naked)]
unsafe extern "C" fn max_of_four(out: *mut i8, job: &Maxima) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r10, lr}}",
        "ldm r1, {{r2-r10}}",
        "20:",
        "dlstp.8 lr, r8",
        "21:",
        "vldrb.u8 q0, [r2], #16",
        "vldrb.u8 q1, [r3], #16",
        "vldrb.u8 q2, [r4], #16",
        "vldrb.u8 q3, [r5], #16",
        "vmax.s8 q0, q0, q1",
        "vmax.s8 q2, q2, q3",
        "vmax.s8 q0, q0, q2",
        "vstrb.8 q0, [r0], #16",
        "letp lr, 21b",
        "add r0, r9",
        "add r2, r6",
        "add r3, r7",
        "add r4, r7",
        "add r5, r7",
        "cmp r0, r10",
        "bne 20b",
        "pop {{r4-r10, pc}}",
    )
}
