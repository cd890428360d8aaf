//! [`crate::kernels::scalar::sums`] with MLA: 27 instructions for 16 products of four positions, 33 for 16 of four
//! channels, and a little for the loop.

use core::arch::naked_asm;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use crate::kernels::scalar::sums as scalar;
use crate::mem::{View, ViewMut};

use scalar::{HIGH, LOW};
pub use scalar::{QUAD_WORDS, Quad, one_channel};

/// The taps of four positions, to multiply by the weights of one channel after the other.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Quads<'a> {
    /// Where [`quad`] enters its loop.
    entry: usize,
    /// What the registers of the sums begin with, and a constant.
    begun: [i32; 5],
    low: i32,
    x: *const i32,
    /// End of the pairs of taps.
    x_end: *const i32,
    odd: usize,
    taps: PhantomData<View<'a, i32>>,
}

impl<'a> Quads<'a> {
    /// For `x`, which holds [`QUAD_WORDS`] a tap.
    pub fn new(x: View<'a, i32>) -> Quads<'a> {
        let taps = x.len() / QUAD_WORDS;
        let steps = taps.div_ceil(2) as i32;
        let (lower, upper) = (steps.wrapping_mul((HIGH << 16) - LOW), steps.wrapping_mul(HIGH));
        Quads {
            entry: (taps / 2).wrapping_neg() & 3,
            begun: [lower, upper, lower, upper, 0],
            low: LOW - (HIGH << 16),
            x: x.as_ptr(),
            x_end: x.as_ptr().wrapping_add((taps & !1) * QUAD_WORDS),
            odd: taps & 1,
            taps: PhantomData,
        }
    }

    /// The sums of one channel, whose weights are as many as the taps.
    #[inline(always)]
    pub fn sums(&self, w: View<i8>) -> Quad {
        debug_assert!(w.len() == 2 * ((self.x_end as usize - self.x as usize) / 16) + self.odd);
        let mut found = MaybeUninit::uninit();
        // SAFETY: the taps are those that `new` has seen, and `w` has as many weights; all fields are written.
        unsafe {
            quad(self, w.as_ptr(), &mut found);
            found.assume_init()
        }
    }
}

/// Two taps: words of x in r0-r3, weight in r4, sums in r5-r9, the constant in r10.
macro_rules! two_taps {
    () => {
        "ldm.w r12!, {{r0-r3}}
        ldrsb.w r4, [r11], #1
        mla r0, r0, r4, r10
        mla r1, r1, r4, r10
        add.w r9, r9, r4
        ldrsb.w r4, [r11], #1
        mla r0, r2, r4, r0
        mla r1, r3, r4, r1
        add.w r9, r9, r4
        add.w r5, r5, r0
        add.w r6, r6, r0, asr #16
        add.w r7, r7, r1
        add.w r8, r8, r1, asr #16"
    };
}
pub(crate) use two_taps;

/// Sums of one channel.
///
/// # Safety
/// `w` must have as many weights as `x` has taps.
#[unsafe(naked)]
unsafe extern "C" fn quad(x: &Quads, w: *const i8, found: &mut MaybeUninit<Quad>) {
    naked_asm!(
        "push {{r2, r4-r11, lr}}",
        "mov r11, r1",
        "ldr r4, [r0, #36]",
        "push {{r4}}",
        "ldm.w r0, {{r4-r10, r12, lr}}",
        "cmp r12, lr",
        "beq.w 30f",
        "adr.w r0, 20f",
        "mov.w r1, #(21f - 20f)",
        "mla r0, r4, r1, r0",
        "orr r0, r0, #1",
        "bx r0",
        ".p2align 2",
        "20:",
        two_taps!(),
        "21:",
        two_taps!(),
        two_taps!(),
        two_taps!(),
        "cmp r12, lr",
        "bne.w 20b",
        "30:",
        "pop {{r4}}",
        "cbz r4, 31f",
        "ldm.w r12, {{r0-r1}}",
        "ldrsb.w r4, [r11]",
        "mla r0, r0, r4, r10",
        "mla r1, r1, r4, r10",
        "add r9, r4",
        "add r5, r0",
        "add.w r6, r6, r0, asr #16",
        "add r7, r1",
        "add.w r8, r8, r1, asr #16",
        "31:",
        "sub.w r5, r5, r6, lsl #16",
        "sub.w r7, r7, r8, lsl #16",
        "pop {{r2}}",
        "stm r2!, {{r5-r9}}",
        "pop {{r4-r11, pc}}",
    )
}

/// `sums[c] += sum(x * w[c])` for channels whose weights begin `stride` elements apart.
pub fn add_channels(sums: ViewMut<i32>, x: View<i32>, w: View<i8>, stride: usize) {
    let fours = sums.len() & !3;
    if fours != 0 {
        let job = Channels {
            x: x.as_ptr(),
            fours_end: x.as_ptr().wrapping_add(x.len() & !3),
            w: w.as_ptr(),
            stride,
            thrice: stride.wrapping_mul(3),
            end: x.as_ptr().wrapping_add(x.len()),
            skip: stride.wrapping_mul(4).wrapping_sub(x.len()),
            sums_end: sums.as_ptr().wrapping_add(fours),
        };
        // SAFETY: each channel has as many weights as there are taps.
        unsafe { channels(sums.as_ptr(), &job) };
    }
    for c in fours..sums.len() {
        sums.set(c, one_channel(sums.at(c), x, w.slice(c.wrapping_mul(stride), x.len())));
    }
}

/// What [`channels`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Channels {
    x: *const i32,
    /// End of the taps in fours.
    fours_end: *const i32,
    w: *const i8,
    stride: usize,
    thrice: usize,
    /// End of all taps.
    end: *const i32,
    /// From the end of a channel's weights to the fourth next channel's.
    skip: usize,
    sums_end: *const i32,
}

/// One tap of four channels.
macro_rules! tap {
    ($x:literal) => {
        concat!(
            "ldrsb.w r4, [r10, r11]\n",
            "mla r6, ",
            $x,
            ", r4, r6\n",
            "ldrsb.w r4, [r10, r11, lsl #1]\n",
            "mla r7, ",
            $x,
            ", r4, r7\n",
            "ldrsb.w r4, [r10, r12]\n",
            "mla r8, ",
            $x,
            ", r4, r8\n",
            "ldrsb.w r4, [r10], #1\n",
            "mla r5, ",
            $x,
            ", r4, r5\n",
        )
    };
}

macro_rules! four_taps {
    () => {
        concat!("ldm.w r9!, {{r0-r3}}\n", tap!("r0"), tap!("r1"), tap!("r2"), tap!("r3"))
    };
}

/// Adds to the sums of a multiple of four channels.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, and there must be four channels at least.
#[unsafe(naked)]
unsafe extern "C" fn channels(sums: *mut i32, job: &Channels) {
    naked_asm!(
        "push {{r0, r1, r4-r11, lr}}",
        "ldrd r10, r11, [r1, #8]",
        "ldr.w r12, [r1, #16]",
        "10:",
        "ldm.w r0, {{r5-r8}}",
        "ldrd r9, lr, [r1]",
        "subs.w r0, lr, r9",
        "beq.w 30f",
        "lsls r0, r0, #27",
        "bmi 21f",
        "20:",
        four_taps!(),
        "21:",
        four_taps!(),
        "cmp r9, lr",
        "bne.w 20b",
        "30:",
        "ldr r1, [sp, #4]",
        "ldr.w lr, [r1, #20]",
        "b 41f",
        "40:",
        "ldr.w r0, [r9], #4",
        tap!("r0"),
        "41:",
        "cmp r9, lr",
        "bne 40b",
        "ldrd r2, r3, [r1, #24]",
        "add r10, r2",
        "ldr r0, [sp]",
        "stm.w r0!, {{r5-r8}}",
        "str r0, [sp]",
        "cmp r0, r3",
        "bne.w 10b",
        "pop {{r0, r1, r4-r11, pc}}",
    )
}
