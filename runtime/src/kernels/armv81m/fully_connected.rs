//! One output row of an int8 fully connected layer, four channels at a time.

use core::arch::naked_asm;

use super::requantize::{clamp_row, finish_any};
use super::sums::{Biases, CHANNELS, VECTOR, biases};
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::{Arithmetic, I8};
use crate::mem::{View, ViewMut};
use crate::ops::fully_connected::Weights;

pub use crate::kernels::generic::fully_connected::{fully_connected_row_f32, fully_connected_scratch_bytes};

/// Channels whose biases are computed at a time.
const BIASES: usize = 16;

/// [`fully_connected_row`] of int8; see the generic function of this name.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn fully_connected_row_i8(
    arithmetic: &I8,
    weights: Weights,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    if weights != Weights::ROWS {
        // They are made for cores with the DSP extension.
        return generic::fully_connected::fully_connected_row_i8(arithmetic, weights, x, w, out, scratch);
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

/// [`fully_connected_row`] of int8 for packed weights; see the generic function of this name.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn blocks_row_i8(
    arithmetic: &I8,
    weights: Weights,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    // Activations begin at a multiple of 4 wherever the planner puts them.
    if weights != Weights::VECTORS || !(x.as_ptr() as usize).is_multiple_of(4) {
        return generic::fully_connected::blocks_row_i8(arithmetic, weights, x, w, out, scratch);
    }
    let (taps, channels) = (x.len(), out.len());
    let requantize = &arithmetic.requantize;
    let in_octets = if taps.is_multiple_of(8) { channels & !7 } else { 0 };
    if in_octets != 0 && taps != 0 {
        let vectors = taps / VECTOR;
        let kept = vectors.min(4);
        let loaded = vectors.wrapping_sub(kept);
        // Pairs that are loaded: two of them at most once, the others in a loop.
        let (once, looped) = ((loaded / 2).min(2), (loaded / 2).saturating_sub(2));
        let job = Octets {
            w: w.as_ptr(),
            w_end: w.as_ptr().wrapping_add(in_octets.wrapping_mul(taps)),
            table: requantize.channels.0.as_ptr(),
            out: out.as_ptr(),
            x: x.as_ptr(),
            rounds: looped.div_ceil(2),
            odd: looped % 2,
            skipped_pairs: 2 - once,
            skipped: 4 - kept,
            zero_point: requantize.zero_point,
            one: ((requantize.bounds.0 as i32) < requantize.zero_point) as i32,
            x_end: x.as_ptr().wrapping_add(taps),
            half: taps & 8,
            single: loaded % 2,
        };
        // SAFETY: weights, entries and outputs of these channels, at least eight, and at least eight taps.
        unsafe { octets(&job) };
    }
    if in_octets != channels {
        rows(arithmetic, x, w, in_octets, out);
    }
    clamp_row(out, requantize.bounds);
}

/// What [`octets`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Octets {
    w: *const i8,
    w_end: *const i8,
    table: *const i32,
    out: *mut i8,
    x: *const i8,
    /// Times that four vectors, of the first time two if `odd` is 1, are loaded for every octet.
    rounds: usize,
    odd: usize,
    /// How many pairs of vectors fewer than two are loaded then.
    skipped_pairs: usize,
    /// How many fewer than four vectors stay in registers: the last ones.
    skipped: usize,
    zero_point: i32,
    /// 1 if negative sums must be rounded rightly, else 0. See [`super::sums`].
    one: i32,
    x_end: *const i8,
    /// Not 0 if eight taps come before the vectors.
    half: usize,
    /// Not 0 if a vector comes before the pairs that are loaded.
    single: usize,
}

/// The products of a vector of activations and eight channels: 64 bytes of code. The even channels' sums are in r0, r2, r4
/// and r6.
macro_rules! octet {
    ($x:literal) => {
        concat!(
            "vldrw.u32 q2, [r1, #16]\n",
            "vmladava.s8 r8, q2, ",
            $x,
            "\nvldrw.u32 q3, [r1, #32]\n",
            "vmladava.s8 r2, q3, ",
            $x,
            "\nvldrw.u32 q2, [r1, #48]\n",
            "vmladava.s8 r10, q2, ",
            $x,
            "\nvldrw.u32 q3, [r1, #64]\n",
            "vmladava.s8 r4, q3, ",
            $x,
            "\nvldrw.u32 q2, [r1, #80]\n",
            "vmladava.s8 r12, q2, ",
            $x,
            "\nvldrw.u32 q3, [r1, #96]\n",
            "vmladava.s8 r6, q3, ",
            $x,
            "\nvldrw.u32 q2, [r1, #112]\n",
            "vmladava.s8 lr, q2, ",
            $x,
            "\nvldrw.u32 q3, [r1], #128\n",
            "vmladava.s8 r0, q3, ",
            $x,
            "\n",
        )
    };
}

/// Those of two vectors, loaded here: 132 bytes of code. One instruction loads both, for no other one could overlap with
/// the second load: each of the weights' loads overlaps with the multiplication before it.
macro_rules! two_vectors {
    () => {
        concat!("vldmia r9!, {{d0-d3}}\n", octet!("q0"), octet!("q1"))
    };
}

/// Where the code goes on to the vectors, for all octets: into r4 and on the stack.
macro_rules! enter_octets {
    () => {
        concat!(
            "movs r2, #132\n",
            "adr.w r4, 25f\n",
            "add.w r4, r4, r9, lsl #6\n",
            "cmp.w r10, #2\n",
            "beq 11f\n",
            "adr.w r4, 22f\n",
            "mla r4, r10, r2, r4\n",
            "cbz r7, 11f\n",
            "adr.w r4, 21f\n",
            "mla r4, r8, r2, r4\n",
            "11:\n",
            "adds r4, #1\n",
            "str r4, [sp, #44]\n",
            "ldr r2, [r0, #52]\n",
            "cbz r2, 14f\n",
            "adr.w r4, 19f\n",
            "adds r4, #1\n",
            "14:\n",
            "str r4, [sp, #80]\n",
        )
    };
}

/// Eight taps that come before the vectors are put between zeros, for two channels a vector of weights.
macro_rules! widen_half {
    () => {
        concat!(
            "ldrd r8, r10, [r6], #8\n",
            "movs r2, #0\n",
            "strd r2, r2, [sp, #56]\n",
            "strd r8, r10, [sp, #64]\n",
            "strd r2, r2, [sp, #72]\n",
            "adr.w r4, 20f\n",
            "adds r4, #1\n",
        )
    };
}

/// The last vectors of activations, at most four, into q4 to q7. They end at r6.
macro_rules! keep_last_vectors {
    () => {
        concat!(
            "cmp.w r9, #4\n",
            "beq 10f\n",
            "cmp.w r9, #0\n",
            "bne 13f\n",
            "subs r6, #64\n",
            "vldmia r6, {{d8-d15}}\n",
            "b 10f\n",
            "13:\n",
            "vldrw.u32 q7, [r6, #-16]\n",
            "cmp.w r9, #3\n",
            "beq 10f\n",
            "vldrw.u32 q6, [r6, #-32]\n",
            "cmp.w r9, #2\n",
            "beq 10f\n",
            "vldrw.u32 q5, [r6, #-48]\n",
        )
    };
}

/// Two channels a vector of weights.
macro_rules! octet_of_half {
    () => {
        concat!(
            "vldrw.u32 q1, [sp, #56]\n",
            "vldrw.u32 q0, [sp, #64]\n",
            "vldrw.u32 q2, [r1, #16]\n",
            "vmladava.s8 r2, q2, q0\n",
            "vldrw.u32 q3, [r1, #32]\n",
            "vmladava.s8 r10, q2, q1\n",
            "vmladava.s8 r4, q3, q0\n",
            "vldrw.u32 q2, [r1, #48]\n",
            "vmladava.s8 r12, q3, q1\n",
            "vmladava.s8 r6, q2, q0\n",
            "vldrw.u32 q3, [r1], #64\n",
            "vmladava.s8 lr, q2, q1\n",
            "vmladava.s8 r0, q3, q0\n",
            "vmladava.s8 r8, q3, q1\n",
        )
    };
}

/// Eight sums to int8.
macro_rules! finish_octet {
    () => {
        concat!(
            "stm.w sp, {{r0, r2, r4, r6, r8, r10, r12, lr}}\n",
            "vldmia sp, {{d0-d3}}\n",
            "vldmia r5!, {{d4-d7}}\n",
            "vqrdmulh.s32 q0, q0, q2\n",
            "ldrd r0, r2, [sp, #48]\n",
            "vqrdmulh.s32 q1, q1, q3\n",
            "cbz r2, 30f\n",
            // With 1: takes 1 from negative numbers, twice which are less than 0 in the high half.
            "vqdmlah.s32 q0, q0, r2\n",
            "vqdmlah.s32 q1, q1, r2\n",
            "30:\n",
            "vldmia r5!, {{d4-d7}}\n",
            "vrshl.s32 q0, q0, q2\n",
            "vrshl.s32 q1, q1, q3\n",
            "vqmovnb.s32 q0, q0\n",
            "vqmovnt.s32 q0, q1\n",
            "vqadd.s16 q0, q0, r0\n",
            "vqmovnb.s16 q0, q0\n",
            "vstrb.16 q0, [r3], #8\n",
        )
    };
}

/// Computes the outputs of channels in octets, clamped to int8 alone.
#[unsafe(naked)]
unsafe extern "C" fn octets(job: &Octets) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // On the stack: eight sums; activations that are loaded, rounds (32); where the code goes on to an octet, and to the
        // vectors that are no single one (40); zero point, 1 if negative sums are rounded (48); eight taps between zeros
        // (56); where the code goes on behind these (80).
        "sub sp, #84",
        "ldrd r1, r11, [r0]",
        "ldrd r5, r3, [r0, #8]",
        "ldrd r6, r7, [r0, #16]",
        "ldrd r8, r10, [r0, #24]",
        "ldr.w r9, [r0, #32]",
        enter_octets!(),
        "ldr r2, [r0, #48]",
        "cbz r2, 12f",
        widen_half!(),
        "12:",
        "str r4, [sp, #40]",
        "strd r6, r7, [sp, #32]",
        "ldrd r2, r4, [r0, #36]",
        "strd r2, r4, [sp, #48]",
        "ldr r6, [r0, #44]",
        keep_last_vectors!(),
        ".p2align 2",
        "10:",
        // Biases, those of the even channels before those of the odd ones.
        "ldm.w r5!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "ldrd r9, r7, [sp, #32]",
        "ldr.w pc, [sp, #40]",
        // Two channels a vector of weights.
        "20:",
        octet_of_half!(),
        "ldr.w pc, [sp, #80]",
        ".p2align 2",
        "19:",
        "vldrw.u32 q0, [r9], #16",
        octet!("q0"),
        "ldr.w pc, [sp, #44]",
        ".p2align 2",
        "21:",
        two_vectors!(),
        two_vectors!(),
        "subs r7, #1",
        "bne.w 21b",
        "22:",
        two_vectors!(),
        two_vectors!(),
        "25:",
        octet!("q4"),
        octet!("q5"),
        octet!("q6"),
        octet!("q7"),
        finish_octet!(),
        "cmp r1, r11",
        "bne.w 10b",
        "add sp, #84",
        "vpop {{d8-d15}}",
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

/// Bytes between the factors of four channels, into q3.
macro_rules! factor_distances {
    () => {
        concat!("movs r2, #0\n", "vidup.u32 q3, r2, #4\n", "movs r2, #3\n", "vmul.i32 q3, q3, r2\n",)
    };
}

/// The products of all taps and four channels, whose sums are in r0, r2, r4 and r6.
macro_rules! dot_four {
    () => {
        concat!(
            "dlstp.8 lr, r8\n",
            "20:\n",
            "vldrb.u8 q0, [r9], #16\n",
            "vldrb.u8 q1, [r1], #16\n",
            "vmladava.s8 r0, q0, q1\n",
            "vldrb.u8 q2, [r3], #16\n",
            "vmladava.s8 r2, q0, q2\n",
            "vldrb.u8 q1, [r5], #16\n",
            "vmladava.s8 r4, q0, q1\n",
            "vldrb.u8 q2, [r7], #16\n",
            "vmladava.s8 r6, q0, q2\n",
            "letp lr, 20b\n",
        )
    };
}

/// Four sums to int8, unless a factor does not shift to the right.
macro_rules! finish_four {
    () => {
        concat!(
            "stm.w sp, {{r0, r2, r4, r6}}\n",
            "ldr r7, [sp, #32]\n",
            "ldrd r1, r5, [r7, #16]\n",
            "vldrw.u32 q0, [sp]\n",
            "adds r1, #4\n",
            "vldrw.u32 q1, [r1, q3]\n",
            "adds r1, #4\n",
            "vldrw.u32 q2, [r1, q3]\n",
            "vcmp.s32 ge, q2, zr\n",
            "vmrs r3, p0\n",
            "cbnz r3, 40f\n",
            "ldrd r2, r3, [r7, #28]\n",
            "vqrdmulh.s32 q0, q0, q1\n",
            "vpt.s32 lt, q0, zr\n",
            "vaddt.i32 q0, q0, r3\n",
            "vrshl.s32 q0, q0, q2\n",
            "vadd.i32 q0, q0, r2\n",
            "vqmovnb.s32 q0, q0\n",
            "vqmovnb.s16 q0, q0\n",
            "vstrb.32 q0, [r5]\n",
        )
    };
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
        factor_distances!(),
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
        dot_four!(),
        finish_four!(),
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
        factor_distances!(),
        "b 30b",
        finish_any = sym finish_any,
    )
}
