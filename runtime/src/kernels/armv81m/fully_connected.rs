//! One output row of an int8 fully connected layer, four channels at a time.

use core::arch::naked_asm;

use super::requantize::{clamp_row, finish_any};
use super::sums::{Biases, CHANNELS, VECTOR, biases};
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::{Arithmetic, I8};
use crate::mem::{View, ViewMut};

pub use crate::kernels::generic::fully_connected::{fully_connected_row, fully_connected_scratch_bytes};

/// Channels whose biases are computed at a time.
const BIASES: usize = 16;

/// [`fully_connected_row`] of int8; see the generic function of this name.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn fully_connected_row_i8(
    arithmetic: &I8,
    quads: usize,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    if quads != 0 {
        // They are made for cores with the DSP extension.
        return generic::fully_connected::fully_connected_row_i8(arithmetic, quads, x, w, out, scratch);
    }
    rows(arithmetic, x, w, 0, out);
    clamp_row(out, arithmetic.requantize.bounds);
}

/// Computes the outputs of channels from `start` on, whose weights are rows, clamped to int8 alone.
fn rows(arithmetic: &I8, x: View<i8>, w: View<i8>, start: usize, out: ViewMut<i8>) {
    let (taps, channels) = (x.len(), out.len());
    let requantize = &arithmetic.requantize;
    let row = |c: usize| w.slice(c.wrapping_mul(taps), taps);
    if channels.wrapping_sub(start) < CHANNELS || taps == 0 {
        for c in start..channels {
            out.set(c, arithmetic.finish(arithmetic.dot(arithmetic.begin(c), x, row(c)), c));
        }
        return;
    }
    let mut next = start;
    while next < channels {
        // The last ones may be computed twice, so that there are four.
        let end = next.wrapping_add(BIASES).min(channels);
        let first = next.min(channels.wrapping_sub(CHANNELS));
        let n = end.wrapping_sub(first);
        let mut folded = [0; BIASES];
        let table = |c: usize| requantize.channels.0.as_ptr().wrapping_add(c.wrapping_mul(3));
        let to_fold = Biases {
            w: row(first).as_ptr(),
            table: table(first),
            to: folded.as_mut_ptr(),
            channels: n,
            taps,
            x_offset: arithmetic.x_offset,
        };
        let job = |c: usize, fours: usize| Dots {
            w: row(c).as_ptr(),
            taps,
            x: x.as_ptr(),
            biases: folded.as_ptr().wrapping_add(c.wrapping_sub(first)),
            table: table(c),
            out: out.as_ptr().wrapping_add(c),
            fours,
            zero_point: requantize.zero_point,
            minus_one: -(((requantize.bounds.0 as i32) < requantize.zero_point) as i32),
        };
        // SAFETY: weights, biases, entries and outputs of these channels, at least one tap and four channels.
        unsafe {
            biases(&to_fold);
            dots(&mut job(first, n / CHANNELS));
            if !n.is_multiple_of(CHANNELS) {
                dots(&mut job(end.wrapping_sub(CHANNELS), 1));
            }
        }
        next = end;
    }
}

/// [`fully_connected_row`] of int8 for [`Weights::Vectors`](crate::ops::fully_connected::Weights); the arithmetic has no zero
/// point of the activations.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn vectors_row_i8(arithmetic: &I8, x: View<i8>, w: View<i8>, out: ViewMut<i8>) {
    let (taps, channels) = (x.len(), out.len());
    let requantize = &arithmetic.requantize;
    let in_octets = if taps.is_multiple_of(VECTOR) { channels & !7 } else { 0 };
    if in_octets != 0 {
        let vectors = taps / VECTOR;
        let job = Octets {
            w: w.as_ptr(),
            w_end: w.as_ptr().wrapping_add(in_octets.wrapping_mul(taps)),
            x: x.as_ptr(),
            table: requantize.channels.0.as_ptr(),
            rounds: vectors.wrapping_sub(1).div_ceil(4),
            skipped: vectors.wrapping_sub(1).wrapping_neg() & 3,
            out: out.as_ptr(),
            zero_point: requantize.zero_point,
            minus_one: -(((requantize.bounds.0 as i32) < requantize.zero_point) as i32),
        };
        // SAFETY: weights, entries and outputs of these channels, at least eight, and at least one vector of taps.
        unsafe { octets(&job) };
    }
    rows(arithmetic, x, w, in_octets, out);
    clamp_row(out, requantize.bounds);
}

/// What [`octets`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Octets {
    w: *const i8,
    x: *const i8,
    table: *const i32,
    /// Times that four vectors, of the first time some less, follow the first vector.
    rounds: usize,
    skipped: usize,
    out: *mut i8,
    zero_point: i32,
    /// As in [`Dots`].
    minus_one: i32,
    w_end: *const i8,
}

/// The products of a vector of activations and eight channels, whose even ones are summed in r0, r2, r4 and r6: 68 bytes of
/// code.
macro_rules! octet {
    ($multiply:literal) => {
        concat!(
            "vldrb.u8 q0, [r3], #16\n",
            "vldrw.u32 q1, [r1, #16]\n",
            $multiply,
            ".s8 r8, q0, q1\n",
            "vldrw.u32 q2, [r1, #32]\n",
            $multiply,
            ".s8 r2, q0, q2\n",
            "vldrw.u32 q1, [r1, #48]\n",
            $multiply,
            ".s8 r10, q0, q1\n",
            "vldrw.u32 q2, [r1, #64]\n",
            $multiply,
            ".s8 r4, q0, q2\n",
            "vldrw.u32 q1, [r1, #80]\n",
            $multiply,
            ".s8 r12, q0, q1\n",
            "vldrw.u32 q2, [r1, #96]\n",
            $multiply,
            ".s8 r6, q0, q2\n",
            "vldrw.u32 q1, [r1, #112]\n",
            $multiply,
            ".s8 lr, q0, q1\n",
            "vldrw.u32 q2, [r1], #128\n",
            $multiply,
            ".s8 r0, q0, q2\n",
        )
    };
}

/// Computes the outputs of channels in octets, clamped to int8 alone.
#[unsafe(naked)]
unsafe extern "C" fn octets(job: &Octets) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d9}}",
        // On the stack: eight sums; output, zero point, -1 or 0, end of the weights (32).
        "sub sp, #52",
        "add.w r1, r0, #20",
        "ldm r1, {{r4-r7}}",
        "add r1, sp, #32",
        "stm r1!, {{r4-r7}}",
        "ldr r1, [r0]",
        "ldr.w r9, [r0, #4]",
        "ldr r2, [r0, #8]",
        "ldr.w r11, [r0, #12]",
        "ldr r0, [r0, #16]",
        // Where the code goes on behind the first vector.
        "adr.w r5, 21f",
        "movs r3, #68",
        "mla r5, r0, r3, r5",
        "cmp.w r11, #0",
        "bne 11f",
        "adr.w r5, 29f",
        "11:",
        "adds r5, #1",
        // Of channels 0, 2, 4, 6 what lies 76 bytes before their entries.
        "movs r0, #0",
        "vidup.u32 q4, r0, #8",
        "movs r0, #3",
        "vmul.i32 q4, q4, r0",
        "subs r2, #76",
        "vadd.i32 q4, q4, r2",
        ".p2align 2",
        "10:",
        "mov r3, r9",
        "mov r7, r11",
        octet!("vmladav"),
        "bx r5",
        ".p2align 2",
        "21:",
        octet!("vmladava"),
        octet!("vmladava"),
        octet!("vmladava"),
        octet!("vmladava"),
        "subs.w r7, r7, #1",
        "bne.w 21b",
        "29:",
        "stm.w sp, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "add r7, sp, #32",
        "vldrw.u32 q0, [sp]",
        "vldrw.u32 q2, [q4, #76]",
        "ldm r7, {{r0, r2, r4, r6}}",
        "vadd.i32 q0, q0, q2",
        "vldrw.u32 q1, [sp, #16]",
        "vldrw.u32 q2, [q4, #88]",
        "vadd.i32 q1, q1, q2",
        "vldrw.u32 q2, [q4, #80]",
        "vqrdmulh.s32 q0, q0, q2",
        "vldrw.u32 q2, [q4, #92]",
        "vqrdmulh.s32 q1, q1, q2",
        "cbz r4, 30f",
        "vpt.s32 lt, q0, zr",
        "vaddt.i32 q0, q0, r4",
        "vpt.s32 lt, q1, zr",
        "vaddt.i32 q1, q1, r4",
        "30:",
        "vldrw.u32 q2, [q4, #84]",
        "vrshl.s32 q0, q0, q2",
        "vldrw.u32 q2, [q4, #96]!",
        "vrshl.s32 q1, q1, q2",
        "vqmovnb.s32 q0, q0",
        "vqmovnt.s32 q0, q1",
        "vqadd.s16 q0, q0, r2",
        "vqmovnb.s16 q0, q0",
        "vstrb.16 q0, [r0], #8",
        "str r0, [r7]",
        "cmp r1, r6",
        "bne.w 10b",
        "add sp, #52",
        "vpop {{d8-d9}}",
        "pop {{r4-r11, pc}}",
    )
}

/// What [`dots`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Dots {
    /// Weights from the first channel on, and taps of a channel.
    w: *const i8,
    taps: usize,
    x: *const i8,
    /// Of [`biases`], from the first channel on.
    biases: *const i32,
    /// The channel table and the outputs from the first channel on.
    table: *const i32,
    out: *mut i8,
    /// Fours of channels.
    fours: usize,
    zero_point: i32,
    /// -1 if negative sums must be rounded rightly: they are less than the least output otherwise. See [`super::sums`].
    minus_one: i32,
}

/// Computes the outputs of all fours of channels, clamped to int8 alone.
#[unsafe(naked)]
unsafe extern "C" fn dots(job: &mut Dots) {
    naked_asm!(
        mve_core!(),
        "push {{r0, r4-r11, lr}}",
        // On the stack: four sums twice, the job.
        "sub sp, #32",
        // Bytes between the factors of channels.
        "movs r2, #0",
        "vidup.u32 q3, r2, #4",
        "movs r2, #3",
        "vmul.i32 q3, q3, r2",
        "10:",
        "ldr r0, [sp, #32]",
        "ldm.w r0, {{r1, r8, r9, r10}}",
        "adds.w r3, r1, r8",
        "add.w r5, r3, r8",
        "add.w r7, r5, r8",
        "add.w r2, r7, r8",
        "add.w r4, r10, #16",
        "str r2, [r0]",
        "str r4, [r0, #12]",
        "ldm.w r10, {{r0, r2, r4, r6}}",
        "dlstp.8 lr, r8",
        "20:",
        "vldrb.u8 q0, [r9], #16",
        "vldrb.u8 q1, [r1], #16",
        "vmladava.s8 r0, q0, q1",
        "vldrb.u8 q2, [r3], #16",
        "vmladava.s8 r2, q0, q2",
        "vldrb.u8 q1, [r5], #16",
        "vmladava.s8 r4, q0, q1",
        "vldrb.u8 q2, [r7], #16",
        "vmladava.s8 r6, q0, q2",
        "letp lr, 20b",
        "stm.w sp, {{r0, r2, r4, r6}}",
        "ldr r7, [sp, #32]",
        "ldrd r1, r5, [r7, #16]",
        "vldrw.u32 q0, [sp]",
        "adds r1, #4",
        "vldrw.u32 q1, [r1, q3]",
        "adds r1, #4",
        "vldrw.u32 q2, [r1, q3]",
        "vcmp.s32 ge, q2, zr",
        "vmrs r3, p0",
        "cbnz r3, 40f",
        "ldrd r2, r3, [r7, #28]",
        "vqrdmulh.s32 q0, q0, q1",
        "vpt.s32 lt, q0, zr",
        "vaddt.i32 q0, q0, r3",
        "vrshl.s32 q0, q0, q2",
        "vadd.i32 q0, q0, r2",
        "vqmovnb.s32 q0, q0",
        "vqmovnb.s16 q0, q0",
        "vstrb.32 q0, [r5]",
        "30:",
        "adds r1, #40",
        "adds r5, #4",
        "strd r1, r5, [r7, #16]",
        "ldr r2, [r7, #24]",
        "subs r2, #1",
        "str r2, [r7, #24]",
        "bne 10b",
        "add sp, #32",
        "pop {{r0, r4-r11, pc}}",
        // A factor that shifts left or not at all: sums of two positions that are one, entries, output, no distance,
        // zero point.
        "40:",
        "vstrw.32 q0, [sp, #16]",
        "mov r0, sp",
        "ldr r2, [r7, #28]",
        "push {{r1, r2}}",
        "str r2, [sp]",
        "mov r4, r1",
        "subs r1, #8",
        "mov r2, r5",
        "movs r3, #0",
        "bl {finish_any}",
        "mov r1, r4",
        "add sp, #8",
        // The called function may have used the vector.
        "movs r2, #0",
        "vidup.u32 q3, r2, #4",
        "movs r2, #3",
        "vmul.i32 q3, q3, r2",
        "b 30b",
        finish_any = sym finish_any,
    )
}
