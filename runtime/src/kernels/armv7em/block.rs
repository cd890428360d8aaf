//! Activations widened to 16 bits, without their zero point, in the order that [`super::sums`] reads.

use core::arch::asm;

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
                offset = in(reg) self.offset & 0xFFFF | self.offset << 16,
                even = out(reg) _,
                odd = out(reg) _,
                options(nostack),
            );
        }
    }
}
