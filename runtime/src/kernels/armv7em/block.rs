//! Activations widened to 16 bits, without their zero point, in the order that [`super::sums`] reads.

use core::arch::asm;
#[cfg(dunlin_dsp_fpu)]
use core::arch::naked_asm;

use crate::mem::{View, ViewMut};

/// The block of a group of positions.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    pub words: ViewMut<'a, i32>,
    pub positions: usize,
    /// Minus the zero point of the activations.
    pub offset: i32,
}

impl<'a> Block<'a> {
    /// Writes taps of a position from tap `at` on, a multiple of 4; zeros behind them up to the next one.
    pub fn widen(&self, position: usize, at: usize, x: View<i8>) {
        let whole = x.len() & !3;
        if whole != 0 {
            self.widen_fours(position, at, x.slice(0, whole));
        }
        let rest = x.slice(whole, x.len() % 4);
        if rest.len() != 0 {
            let tap = |i: usize| if i < rest.len() { rest.at(i) as i32 + self.offset } else { 0 };
            let pair = |i: usize| tap(i) & 0xFFFF | tap(i.wrapping_add(2)) << 16;
            self.set_four(position, at.wrapping_add(whole), pair(0), pair(1));
        }
    }

    /// Writes `len` taps that lie in the padding; `at` and `len` are multiples of 4.
    pub fn clear(&self, position: usize, at: usize, len: usize) {
        let mut i = 0;
        while i < len {
            self.set_four(position, at.wrapping_add(i), 0, 0);
            i = i.wrapping_add(4);
        }
    }

    /// The offset twice, in 16 bits each.
    #[inline(always)]
    pub fn offset_pair(&self) -> i32 {
        self.offset & 0xFFFF | self.offset << 16
    }

    /// Index of the word of taps `at` and `at + 2`.
    #[inline(always)]
    fn index(&self, position: usize, at: usize) -> usize {
        (at / 2).wrapping_mul(self.positions).wrapping_add(position)
    }

    #[inline(always)]
    fn set_four(&self, position: usize, at: usize, even: i32, odd: i32) {
        let i = self.index(position, at);
        self.words.set(i, even);
        self.words.set(i.wrapping_add(self.positions), odd);
    }

    /// Writes `len` taps of all four positions from tap `at` on: at least four, and a multiple of 4. The first one of each
    /// position is `step` bytes behind that of the position before.
    #[cfg(dunlin_dsp_fpu)]
    #[inline(always)]
    pub fn widen_all(&self, at: usize, x: *const i8, step: usize, len: usize) {
        let to = self.words.slice(self.index(0, at), 1).as_ptr();
        let offset = self.offset_pair();
        // SAFETY: reads `len` elements from each of four places, and writes the words of as many taps of four positions.
        unsafe { widen_four(x, step, to, x.wrapping_add(len), offset) };
    }

    /// Writes the taps of a block's only position: at least eight, and a multiple of 8.
    #[inline(always)]
    pub fn widen_eights(&self, x: View<i8>) {
        // SAFETY: reads the elements of `x`, and writes the words of as many taps.
        unsafe {
            asm!(
                "20:",
                "ldr r4, [{x}], #4",
                "ldr r12, [{x}], #4",
                "cmp {x}, {end}",
                "sxtab16 r2, {offset}, r4",
                "sxtab16 r3, {offset}, r4, ror #8",
                "sxtab16 r4, {offset}, r12",
                "sxtab16 r12, {offset}, r12, ror #8",
                "stm.w {to}!, {{r2, r3, r4, r12}}",
                "bne 20b",
                x = inout(reg) x.as_ptr() => _,
                end = in(reg) x.as_ptr().wrapping_add(x.len()),
                to = inout(reg) self.words.as_ptr() => _,
                offset = in(reg) self.offset_pair(),
                out("r2") _, out("r3") _, out("r4") _, out("r12") _,
                options(nostack),
            );
        }
    }

    /// Writes the taps of a block's only position, at least one; zeros behind them up to the next multiple of 8.
    #[inline(always)]
    pub fn widen_padded(&self, x: View<i8>) {
        let (whole, rest) = (x.len() & !7, x.len() & 7);
        if whole != 0 {
            self.widen_eights(x.slice(0, whole));
        }
        if rest != 0 {
            self.clear(0, whole.wrapping_add(4), 4);
            self.widen(0, whole, x.slice(whole, rest));
        }
    }

    /// Writes taps of a position from tap `at` on: at least four, and a multiple of 4.
    #[inline(never)]
    pub fn widen_fours(&self, position: usize, at: usize, x: View<i8>) {
        let to = self.words.slice(self.index(position, at), 1).as_ptr();
        // SAFETY: reads the elements of `x`, and writes the words of as many taps of one position.
        unsafe {
            asm!(
                // Eight taps a round; the first one may begin in its middle.
                "tst {count}, #4",
                "bne 21f",
                "20:",
                "ldr {even}, [{x}], #4",
                "sxtab16 {odd}, {offset}, {even}, ror #8",
                "sxtab16 {even}, {offset}, {even}",
                "str {odd}, [{to}, {step}]",
                "str {even}, [{to}]",
                "add {to}, {to}, {step}, lsl #1",
                "21:",
                "ldr {even}, [{x}], #4",
                "sxtab16 {odd}, {offset}, {even}, ror #8",
                "sxtab16 {even}, {offset}, {even}",
                "cmp {x}, {end}",
                "str {odd}, [{to}, {step}]",
                "str {even}, [{to}]",
                "add {to}, {to}, {step}, lsl #1",
                "bne 20b",
                count = in(reg) x.len(),
                x = inout(reg) x.as_ptr() => _,
                end = in(reg) x.as_ptr().wrapping_add(x.len()),
                to = inout(reg) to => _,
                step = in(reg) self.positions.wrapping_mul(4),
                offset = in(reg) self.offset_pair(),
                even = out(reg) _,
                odd = out(reg) _,
                options(nostack),
            );
        }
    }
}

/// Widens vectors of four positions, from `x` to `end` and each `step` bytes behind the one before: at least four
/// elements, and a multiple of 4.
#[cfg(dunlin_dsp_fpu)]
#[unsafe(naked)]
unsafe extern "C" fn widen_four(x: *const i8, step: usize, to: *mut i32, end: *const i8, offset: i32) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        "ldr.w r12, [sp, #36]",
        "add.w r4, r0, r1, lsl #1",
        "add.w r5, r4, r1",
        "add r1, r0",
        "20:",
        "ldr r6, [r0], #4",
        "ldr r7, [r1], #4",
        "ldr r8, [r4], #4",
        "ldr r9, [r5], #4",
        "sxtab16 r10, r12, r6",
        "sxtab16 r11, r12, r7",
        "stm.w r2!, {{r10, r11}}",
        "sxtab16 r10, r12, r8",
        "sxtab16 r11, r12, r9",
        "stm.w r2!, {{r10, r11}}",
        "sxtab16 r6, r12, r6, ror #8",
        "sxtab16 r7, r12, r7, ror #8",
        "sxtab16 r8, r12, r8, ror #8",
        "sxtab16 r9, r12, r9, ror #8",
        "cmp r0, r3",
        "stm.w r2!, {{r6-r9}}",
        "bne 20b",
        "pop {{r4-r11, pc}}",
    )
}
