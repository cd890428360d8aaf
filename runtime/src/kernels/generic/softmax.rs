//! Softmax of one vector.

use super::fixed_math::{exp_q31, high_mul, one_over_one_plus_q31, round_shift};
use super::requantize::Factor;
use crate::math;
use crate::mem::{View, ViewMut};

/// `out[i] = exp(beta * (x[i] - max)) / sum`; `out` may stand on `x`.
pub fn softmax_f32(x: View<f32>, beta: f32, out: ViewMut<f32>) {
    let max = x.iter().fold(f32::NEG_INFINITY, |max, v| if v > max { v } else { max });
    let mut sum = 0.0;
    for i in 0..x.len() {
        let exp = math::exp(beta * (x.at(i) - max));
        sum += exp;
        out.set(i, exp);
    }
    for i in 0..out.len() {
        out.set(i, out.at(i) / sum);
    }
}

/// Most elements of an int8 vector: the sum of so many exponentials still fits.
pub const MAX_LEN_I8: usize = 4095;

/// So many exponentials of a vector are kept until their sum is known; those behind them are computed twice.
const KEPT: usize = 16;

/// Softmax of int8 in 256ths with zero point -128; `out` may stand on `x`. `input` takes a difference of two
/// elements to Q5.26 of its natural exponent and shifts left.
pub fn softmax_i8(x: View<i8>, input: Factor, out: ViewMut<i8>) {
    let max = x.iter().fold(i8::MIN, i8::max);
    // Exponents below -31 do not fit Q5.26; their exponential is 0.
    let least = -(31i32 << 26).wrapping_shr(input.shift as u32);
    let exp = |v: i8| {
        let difference = v as i32 - max as i32;
        let exponent = || high_mul(difference.wrapping_shl(input.shift as u32), input.multiplier);
        if difference < least { 0 } else { exp_q31(exponent(), 5) }
    };
    let mut first = [0; KEPT];
    let mut sum_q19 = 0i32;
    for i in 0..x.len() {
        let exp_q31 = exp(x.at(i));
        if let Some(slot) = first.get_mut(i) {
            *slot = exp_q31;
        }
        sum_q19 = sum_q19.wrapping_add(round_shift(exp_q31, 12));
    }
    // sum = (1 + a) * 2^(12 - zeros)
    let zeros = sum_q19.leading_zeros();
    let a_q31 = sum_q19.wrapping_shl(zeros) & i32::MAX;
    let reciprocal_q31 = one_over_one_plus_q31(a_q31);
    let shift = 35u32.wrapping_sub(zeros);
    for i in 0..out.len() {
        let exp_q31 = first.get(i).copied().unwrap_or_else(|| exp(x.at(i)));
        let probability_q31 = high_mul(reciprocal_q31, exp_q31);
        // Beyond 31 the sum is so great that every quotient is below half a 256th.
        let probability_q8 = if shift > 31 { 0 } else { round_shift(probability_q31, shift) };
        out.set(i, (probability_q8.min(255) - 128) as i8);
    }
}
