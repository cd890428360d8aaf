//! [`crate::kernels::scalar::sums`] with the registers of ARMv6-M: 22 instructions for 8 products of four positions,
//! 57 for 16 of four channels.

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
    /// What the sums begin with.
    begun: [i32; 2],
    low: i32,
    x: *const i32,
    /// Minus the taps in pairs.
    pairs: isize,
    odd: usize,
    taps: PhantomData<View<'a, i32>>,
}

impl<'a> Quads<'a> {
    /// For `x`, which holds [`QUAD_WORDS`] a tap.
    pub fn new(x: View<'a, i32>) -> Quads<'a> {
        let taps = x.len() / QUAD_WORDS;
        let steps = taps.div_ceil(2) as i32;
        Quads {
            begun: [steps.wrapping_mul((HIGH << 16) - LOW), steps.wrapping_mul(HIGH)],
            low: LOW - (HIGH << 16),
            x: x.as_ptr(),
            pairs: -((taps & !1) as isize),
            odd: taps & 1,
            taps: PhantomData,
        }
    }

    /// The sums of one channel, whose weights are as many as the taps.
    #[inline(always)]
    pub fn sums(&self, w: View<i8>) -> Quad {
        debug_assert!(w.len() as isize == self.odd as isize - self.pairs);
        let mut found = MaybeUninit::uninit();
        // SAFETY: the taps are those that `new` has seen, and `w` has as many weights; all fields are written.
        unsafe {
            quad(self, w.as_ptr(), &mut found);
            found.assume_init()
        }
    }
}

/// Leaves on the stack, from the top: whether there is an odd tap, `found`, the caller's registers. From here on r5 is at
/// the taps, r6 is where the weights of the pairs of taps end, and r7 is minus how many of those are left. Of the first
/// two positions, r8 sums up the words of products, and r9 their upper halves; of the others, r10 and r11 do. Adding r12
/// to a word keeps its products to their halves, for which what the sums begin with makes up. lr sums up the weights.
macro_rules! begin {
    () => {
        "push {{r4-r7, lr}}
        mov r3, r8
        mov r4, r9
        mov r5, r10
        mov r6, r11
        push {{r2-r6}}
        ldr r7, [r0, #20]
        push {{r7}}
        ldm r0!, {{r2-r6}}
        mov r8, r2
        mov r9, r3
        mov r10, r2
        mov r11, r3
        mov r12, r4
        movs r7, #0
        mov lr, r7
        mov r7, r6
        subs r6, r1, r6"
    };
}

/// Adds the products in r0 (of the first two positions) and r1 to the sums.
macro_rules! add_products {
    () => {
        "add r0, r12
        add r1, r12
        add r8, r0
        asrs r0, r0, #16
        add r9, r0
        add r10, r1
        asrs r1, r1, #16
        add r11, r1
        "
    };
}

/// Two taps a round (label 20), if there are as many: their words in r0 to r3, a weight in r4.
macro_rules! pairs {
    () => {
        concat!(
            "cmp r7, #0
            beq 21f
            20:
            ldm r5!, {{r0-r3}}
            ldrsb r4, [r6, r7]
            adds r7, #1
            add lr, r4
            muls r0, r4, r0
            muls r1, r4, r1
            ldrsb r4, [r6, r7]
            add lr, r4
            muls r2, r4, r2
            muls r3, r4, r3
            adds r0, r0, r2
            adds r1, r1, r3
            ",
            add_products!(),
            "adds r7, #1
            bne 20b
            "
        )
    };
}

/// The odd tap (label 21), if there is one; r7 is 0.
macro_rules! odd {
    () => {
        concat!(
            "21:
            pop {{r4}}
            cmp r4, #0
            beq 22f
            ldm r5!, {{r0-r1}}
            ldrsb r4, [r6, r7]
            add lr, r4
            muls r0, r4, r0
            muls r1, r4, r1
            ",
            add_products!(),
        )
    };
}

/// Takes the upper halves out of the sums of words, which leaves those of the lower ones, and writes all to `found`
/// (label 22).
macro_rules! finish {
    () => {
        "22:
        mov r0, r8
        mov r1, r9
        mov r2, r10
        mov r3, r11
        mov r4, lr
        lsls r5, r1, #16
        subs r0, r0, r5
        lsls r5, r3, #16
        subs r2, r2, r5
        pop {{r5}}
        stm r5!, {{r0-r4}}
        pop {{r3-r6}}
        mov r8, r3
        mov r9, r4
        mov r10, r5
        mov r11, r6
        pop {{r4-r7, pc}}"
    };
}

/// Sums of one channel.
///
/// # Safety
/// `w` must have as many weights as `x` has taps.
#[unsafe(naked)]
unsafe extern "C" fn quad(x: &Quads, w: *const i8, found: &mut MaybeUninit<Quad>) {
    naked_asm!(begin!(), pairs!(), odd!(), finish!())
}

/// `sums[c] += sum(x * w[c])` for channels whose weights begin `stride` elements apart.
pub fn add_channels(sums: ViewMut<i32>, x: View<i32>, w: View<i8>, stride: usize) {
    let fours = if x.len() == 0 { 0 } else { sums.len() & !3 };
    if fours != 0 {
        let job = Channels {
            taps: -(x.len() as isize),
            x: x.as_ptr(),
            sums_end: sums.as_ptr().wrapping_add(fours),
            four_channels: stride.wrapping_mul(4),
        };
        // SAFETY: each channel has as many weights as there are taps, and there are some.
        unsafe { channels(sums.as_ptr(), &job, w.as_ptr().wrapping_add(x.len()), stride) };
    }
    for c in fours..sums.len() {
        sums.set(c, one_channel(sums.at(c), x, w.slice(c.wrapping_mul(stride), x.len())));
    }
}

/// What [`channels`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Channels {
    /// Minus the number of taps.
    taps: isize,
    x: *const i32,
    sums_end: *const i32,
    /// Weights of four channels.
    four_channels: usize,
}

/// One tap of four channels.
macro_rules! tap {
    () => {
        "ldm r5!, {{r6}}
        ldrsb r7, [r0, r4]
        muls r7, r6, r7
        add r8, r7
        ldrsb r7, [r1, r4]
        muls r7, r6, r7
        add r9, r7
        ldrsb r7, [r2, r4]
        muls r7, r6, r7
        add r10, r7
        ldrsb r7, [r3, r4]
        muls r7, r6, r7
        add r11, r7
        adds r4, #1"
    };
}

/// Adds to the sums of a multiple of four channels, of which `w_end` is the end of the first one's weights.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with one tap and four channels at least.
#[unsafe(naked)]
unsafe extern "C" fn channels(sums: *mut i32, job: &Channels, w_end: *const i8, stride: usize) {
    naked_asm!(
        "push {{r1, r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        "mov lr, r0",
        "ldr r4, [r1, #12]",
        "mov r12, r4",
        "mov r0, r2",
        "adds r1, r0, r3",
        "adds r2, r1, r3",
        "adds r3, r2, r3",
        "10:",
        "mov r4, lr",
        "ldm r4!, {{r5-r7}}",
        "mov r8, r5",
        "mov r9, r6",
        "mov r10, r7",
        "ldr r4, [r4]",
        "mov r11, r4",
        "ldr r7, [sp, #16]",
        "ldm r7!, {{r4, r5}}",
        // The first round has one to four taps.
        "lsls r7, r4, #30",
        "beq 20f",
        "lsrs r7, r7, #30",
        "cmp r7, #2",
        "blo 21f",
        "beq 22f",
        "b 23f",
        "20:",
        tap!(),
        "21:",
        tap!(),
        "22:",
        tap!(),
        "23:",
        tap!(),
        "bne 20b",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, lr",
        "stm r7!, {{r4-r6}}",
        "mov r4, r11",
        "stm r7!, {{r4}}",
        "mov lr, r7",
        "add r0, r12",
        "add r1, r12",
        "add r2, r12",
        "add r3, r12",
        "ldr r4, [sp, #16]",
        "ldr r4, [r4, #8]",
        "cmp r7, r4",
        "bne 10b",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "pop {{r1, r4-r7, pc}}",
    )
}
