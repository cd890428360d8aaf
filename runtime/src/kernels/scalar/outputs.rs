//! From sums of all taps to int8 outputs.

use super::requantize::{Finish, finish_any};
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::requantize::Requantize;
use crate::kernels::sums::{Quad, Quads};
use crate::mem::{View, ViewMut};

/// Four positions of which all taps are in memory.
pub struct Four<'a> {
    pub arithmetic: &'a I8<'a>,
    pub x: Quads<'a>,
    pub taps: usize,
    /// Weights `[channels, taps]`.
    pub w: View<'a, i8>,
    /// The outputs `[4, channels]`.
    pub out: ViewMut<'a, i8>,
    pub channels: usize,
}

impl Four<'_> {
    /// Computes the outputs of channel `c`, clamped to int8 alone.
    #[inline(always)]
    pub fn channel(&self, c: usize) {
        let requantize = &self.arithmetic.requantize;
        let Quad { sums: [s0, s1, s2, s3], weights } =
            self.x.sums(self.w.slice(c.wrapping_mul(self.taps), self.taps));
        let zero_point = self.arithmetic.x_offset.wrapping_mul(weights);
        let bias = requantize.channels.bias(c).wrapping_add(zero_point);
        let (finish, n) = (Finish::new(requantize, c), self.channels);
        self.out.set(c, finish.apply(s0.wrapping_add(bias)));
        self.out.set(c.wrapping_add(n), finish.apply(s1.wrapping_add(bias)));
        self.out.set(c.wrapping_add(2usize.wrapping_mul(n)), finish.apply(s2.wrapping_add(bias)));
        self.out.set(c.wrapping_add(3usize.wrapping_mul(n)), finish.apply(s3.wrapping_add(bias)));
    }
}

/// Computes all channels of four positions, clamped to int8 alone.
#[inline(always)]
pub fn finish_four(four: &Four) {
    for c in 0..four.channels {
        four.channel(c);
    }
}

/// The outputs of one position and channels `first..` from their sums, clamped to int8 alone.
#[inline(always)]
pub fn finish_one(requantize: &Requantize, first: usize, sums: View<i32>, out: ViewMut<i8>) {
    for i in 0..sums.len() {
        let c = first.wrapping_add(i);
        out.set(c, Finish::new(requantize, c).apply(sums.at(i)));
    }
}

/// A function that finishes as many sums as it can, with their factors, into outputs at a distance of 1: up to the first
/// less common factor. It takes their number and the zero point, and returns how many are left.
#[cfg(any(dunlin_armv6m, dunlin_armv7m))]
pub type FinishRun = unsafe extern "C" fn(*const i32, *const i32, *mut i8, usize, i32) -> usize;

/// [`finish_one`] by `finish_run`, which takes one sum after another of as many sums, factors and outputs.
#[cfg(any(dunlin_armv6m, dunlin_armv7m))]
#[inline(always)]
pub fn finish_one_by(
    finish_run: FinishRun,
    requantize: &Requantize,
    first: usize,
    sums: View<i32>,
    out: ViewMut<i8>,
) {
    let (mut i, n) = (0, sums.len());
    while i < n {
        let c = first.wrapping_add(i);
        let table = requantize.channels.0.as_ptr().wrapping_add(c.wrapping_mul(3));
        let (rest, out_c) = (sums.slice(i, n.wrapping_sub(i)), out.as_ptr().wrapping_add(c));
        // SAFETY: there are as many factors and outputs as sums.
        i = n - unsafe { finish_run(rest.as_ptr(), table, out_c, rest.len(), requantize.zero_point) };
        if i < n {
            let c = first.wrapping_add(i);
            out.set(c, finish_any(requantize.channels.factor(c), requantize.zero_point, sums.at(i)));
            i += 1;
        }
    }
}
