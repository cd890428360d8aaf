//! Sums of pixels, four channels of a word at a time.

use crate::kernels::generic;
use crate::mem::{View, ViewMut};

#[cfg(not(dunlin_armv6m))]
pub use crate::kernels::generic::pool::means_i8;
pub use crate::kernels::generic::pool::{
    AverageF32, AverageI8, MaxF32, MaxI8, Pixels, Pool, clamp_row, finish_row, max_of_four_i8,
};
#[cfg(dunlin_armv6m)]
pub use means_without_division_i8 as means_i8;

/// Every other byte of a word.
const BYTES: u32 = 0x00FF_00FF;
/// What makes an element of int8 that of uint8 which is 128 more.
const SIGNS: u32 = 0x8080_8080;
/// The sum of so many elements of uint8 has 16 bits.
const MAX_ELEMENTS_U16: usize = 256;

/// [`generic::pool::add_pixels_i8`].
pub fn add_pixels_i8(acc: ViewMut<i32>, pixels: Pixels<i8>) {
    let Pixels { x, distance, count } = pixels;
    let at = x.as_ptr() as usize;
    if count < 2 || !(at | distance | acc.len()).is_multiple_of(4) {
        return generic::pool::add_pixels_i8(acc, pixels);
    }
    let (words, step) = (x.words(), distance / 4);
    for four in 0..acc.len() / 4 {
        let sums = acc.slice(4 * four, 4);
        let (mut first, mut left) = (four, count);
        while left != 0 {
            let n = left.min(MAX_ELEMENTS_U16);
            add_four(sums, words, first, step, n);
            first = first.wrapping_add(n.wrapping_mul(step));
            left = left.wrapping_sub(n);
        }
    }
}

/// Adds `n` words, `step` apart, to the sums of their four channels.
#[inline(always)]
fn add_four(sums: ViewMut<i32>, words: View<i32>, first: usize, step: usize, n: usize) {
    let (mut even, mut odd, mut i) = (0u32, 0u32, first);
    for _ in 0..n {
        let word = words.at(i) as u32 ^ SIGNS;
        even = even.wrapping_add(word & BYTES);
        odd = odd.wrapping_add(word >> 8 & BYTES);
        i = i.wrapping_add(step);
    }
    let offset = (n as i32).wrapping_mul(128);
    let add = |i: usize, sum: u32| sums.set(i, sums.at(i).wrapping_add(sum as i32).wrapping_sub(offset));
    add(0, even & 0xFFFF);
    add(1, odd & 0xFFFF);
    add(2, even >> 16);
    add(3, odd >> 16);
}

/// [`generic::pool::means_i8`] for cores that cannot divide.
///
/// A mean m of magnitude up to 128.5, rounding included, times 2^24 fits in 32 bits. `n * m` times 2^24 / n rounded down is
/// too little by less than `n * m`, at most 2^23.01: of m, less than 1. So its floor is that of m or one less.
#[cfg(any(dunlin_armv6m, test))]
pub fn means_without_division_i8(mean: &AverageI8, acc: View<i32>, n: usize, out: ViewMut<i8>) {
    let n = n.clamp(1, generic::pool::MAX_VALUES) as u32;
    let (half, reciprocal_q24) = (n >> 1, (1 << 24) / n);
    for i in 0..out.len() {
        let acc = acc.at(i);
        let magnitude = acc.unsigned_abs().wrapping_add(half);
        let below = magnitude.wrapping_mul(reciprocal_q24) >> 24;
        let rest = magnitude.wrapping_sub(below.wrapping_mul(n));
        let quotient = below.wrapping_add((rest >= n) as u32) as i32;
        out.set(i, if acc < 0 { quotient.wrapping_neg() } else { quotient } as i8);
    }
    clamp_row(out, mean.0);
}
