//! [`crate::kernels::scalar::outputs`]: a channel's sums for four positions and their outputs in one loop.
//!
//! With a multiplier M in [2^30, 2^31), the high half of the product with 2M - 2^32, the sum itself and the carry of the
//! low half are the doubling high multiplication, rounded. The carry of the right shift by at least 1, after one is taken
//! from negative numbers, rounds to nearest with ties away from zero. At channels with other factors the loops end.

use core::arch::naked_asm;

use super::sums::{Quads, two_taps};
use crate::kernels::generic::requantize::Requantize;
use crate::kernels::scalar::outputs::{Four, finish_one_by};
use crate::kernels::scalar::requantize::finish_any;
use crate::mem::{View, ViewMut};

/// Computes all channels of four positions, clamped to int8 alone.
pub fn finish_four(four: &Four) {
    let requantize = &four.arithmetic.requantize;
    let table = |c: usize| requantize.channels.0.as_ptr().wrapping_add(c.wrapping_mul(3));
    let mut c = 0;
    while c < four.channels {
        let mut job = Job {
            x: four.x,
            table: table(c),
            table_end: table(four.channels),
            out: four.out.as_ptr().wrapping_add(c),
            stride: four.channels,
            x_offset: four.arithmetic.x_offset,
            zero_point: requantize.zero_point,
            w: four.w.as_ptr().wrapping_add(c.wrapping_mul(four.taps)),
        };
        // SAFETY: the taps are two at least, and weights, factors and outputs are there for all channels.
        unsafe { channels(&mut job) };
        c = job.out as usize - four.out.as_ptr() as usize;
        if c < four.channels {
            any_channel(four, c);
            c += 1;
        }
    }
}

/// A channel with a less common factor.
#[cold]
fn any_channel(four: &Four, c: usize) {
    let found = four.x.sums(four.w.slice(c.wrapping_mul(four.taps), four.taps));
    let requantize = &four.arithmetic.requantize;
    let bias = four.arithmetic.x_offset.wrapping_mul(found.weights).wrapping_add(requantize.channels.bias(c));
    for (i, sum) in found.sums.into_iter().enumerate() {
        let at = i.wrapping_mul(four.channels).wrapping_add(c);
        let factor = requantize.channels.factor(c);
        four.out.set(at, finish_any(factor, requantize.zero_point, sum.wrapping_add(bias)));
    }
}

/// What [`channels`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Job<'a> {
    x: Quads<'a>,
    table: *const i32,
    table_end: *const i32,
    /// The first position's output, and the distance of positions.
    out: *mut i8,
    stride: usize,
    x_offset: i32,
    zero_point: i32,
    w: *const i8,
}

/// The sum in this register to int8: twice the multiplier in r2, shift in r3, zero point in lr.
macro_rules! finish {
    ($sum:literal) => {
        concat!(
            "smull r1, r10, ",
            $sum,
            ", r2\n",
            "adds r1, r1\n",
            "adcs ",
            $sum,
            ", r10\n",
            "add.w ",
            $sum,
            ", ",
            $sum,
            ", ",
            $sum,
            ", asr #31\n",
            "asrs ",
            $sum,
            ", r3\n",
            "adcs ",
            $sum,
            ", lr\n",
            "ssat ",
            $sum,
            ", #8, ",
            $sum,
            "\n",
        )
    };
}

/// The tap behind the last pair: activations at r12, the weight at r11.
macro_rules! last_tap {
    () => {
        concat!(
            "ldm.w r12, {{r0-r1}}\n",
            "ldrsb.w r4, [r11], #1\n",
            "mla r0, r0, r4, r10\n",
            "mla r1, r1, r4, r10\n",
            "add r9, r4\n",
            "add r5, r0\n",
            "add.w r6, r6, r0, asr #16\n",
            "add r7, r1\n",
            "add.w r8, r8, r1, asr #16\n",
        )
    };
}

/// Four outputs, from r5 to r8, a stride apart; the job at r0 goes on to the next channel.
macro_rules! store_four {
    () => {
        concat!(
            "ldrd r1, r2, [r0, #48]\n",
            "strb.w r5, [r1]\n",
            "strb.w r6, [r1, r2]\n",
            "strb.w r7, [r1, r2, lsl #1]\n",
            "add r3, r1, r2\n",
            "strb.w r8, [r3, r2, lsl #1]\n",
            "adds r1, #1\n",
            "str r1, [r0, #48]\n",
        )
    };
}

/// Computes the outputs of channels up to the first one with a less common factor.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with two taps at least.
#[unsafe(naked)]
unsafe extern "C" fn channels(job: &mut Job) {
    naked_asm!(
        "push {{r0, r4-r11, lr}}",
        "ldr.w r11, [r0, #64]",
        // Where the loop, which takes eight taps a round, begins.
        "ldr r3, [r0]",
        "adr.w r1, 20f",
        "mov.w r2, #(21f - 20f)",
        "mla r1, r3, r2, r1",
        "orr r1, r1, #1",
        "str r1, [r0]",
        "b 11f",
        "10:",
        "ldr r0, [sp]",
        "11:",
        "ldrd r1, r2, [r0, #40]",
        "cmp r1, r2",
        "beq.w 90f",
        "ldm.w r0, {{r4-r10, r12, lr}}",
        "bx r4",
        ".p2align 2",
        "20:",
        two_taps!(),
        "21:",
        two_taps!(),
        two_taps!(),
        two_taps!(),
        "cmp r12, lr",
        "bne.w 20b",
        "ldr r0, [sp]",
        "ldr r4, [r0, #36]",
        "cbz r4, 31f",
        last_tap!(),
        "ldr r0, [sp]",
        "31:",
        "sub.w r5, r5, r6, lsl #16",
        "sub.w r7, r7, r8, lsl #16",
        "ldr r4, [r0, #40]",
        "ldm r4!, {{r1-r3}}",
        "ldrd r12, lr, [r0, #56]",
        "mla r9, r9, r12, r1",
        "lsls r2, r2, #1",
        "bpl 90f",
        "rsbs r3, r3, #0",
        "ble 90f",
        "str r4, [r0, #40]",
        "add r5, r9",
        "add r6, r9",
        "add r7, r9",
        "add r8, r9",
        finish!("r5"),
        finish!("r6"),
        finish!("r7"),
        finish!("r8"),
        store_four!(),
        "b 10b",
        "90:",
        "pop {{r0, r4-r11, pc}}",
    )
}

/// The outputs of one position and channels `first..` from their sums, clamped to int8 alone.
pub fn finish_one(requantize: &Requantize, first: usize, sums: View<i32>, out: ViewMut<i8>) {
    finish_one_by(finish, requantize, first, sums, out);
}

/// The outputs of `n` sums, up to the first one with a less common factor. Returns how many are left.
///
/// # Safety
/// There must be as many sums, factors and outputs.
#[unsafe(naked)]
unsafe extern "C" fn finish(
    sums: *const i32,
    table: *const i32,
    out: *mut i8,
    n: usize,
    zero_point: i32,
) -> usize {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "ldr.w r12, [sp, #20]",
        "cbz r3, 30f",
        "20:",
        "ldm r1!, {{r4-r6}}",
        "lsls r5, r5, #1",
        "bpl 30f",
        "rsbs r6, r6, #0",
        "ble 30f",
        "ldr.w r4, [r0], #4",
        "smull lr, r7, r4, r5",
        "adds.w lr, lr, lr",
        "adcs r4, r7",
        "add.w r4, r4, r4, asr #31",
        "asrs r4, r6",
        "adc.w r4, r4, r12",
        "ssat r4, #8, r4",
        "strb.w r4, [r2], #1",
        "subs r3, #1",
        "bne 20b",
        "30:",
        "mov r0, r3",
        "pop {{r4-r7, pc}}",
    )
}
