//! What the gates of recurrent layers compute in 16 bits: arguments in Q3.12, results in Q0.15.

use super::dot::dot_i8;
use super::fixed_math::{logistic_q31, round_shift, tanh_q31};
use super::requantize::Channels;
use crate::mem::View;

/// Fraction bits of a gate's argument.
pub const ARGUMENT_BITS: u32 = 12;

/// `x` as 16 bits hold it.
#[inline(always)]
pub fn saturate_i16(x: i32) -> i32 {
    x.max(i16::MIN as i32).min(i16::MAX as i32)
}

/// The logistic function of a Q3.12, which is saturated first.
pub fn logistic_q15(x_q12: i32) -> i32 {
    saturate_i16(round_shift(logistic_q31(saturate_i16(x_q12).wrapping_shl(27 - ARGUMENT_BITS)), 16))
}

/// The hyperbolic tangent of a Q3.12, which is saturated first.
pub fn tanh_q15(x_q12: i32) -> i32 {
    saturate_i16(round_shift(tanh_q31(saturate_i16(x_q12).wrapping_shl(27 - ARGUMENT_BITS)), 16))
}

/// `a * b` of a Q0.15 and a number of 16 bits, rounded to nearest with ties up.
#[inline(always)]
pub fn mul_q15(a: i32, b: i32) -> i32 {
    a.wrapping_mul(b).wrapping_add(1 << 14).wrapping_shr(15)
}

/// A hidden state in Q0.15 as int8 in Q0.7, rounded to nearest with ties up.
#[inline(always)]
pub fn to_q7(state_q15: i32) -> i8 {
    state_q15.wrapping_add(1 << 7).wrapping_shr(8).min(i8::MAX as i32) as i8
}

/// int8 weights `[gates, len]` with their channels: what turns a vector into arguments of gates.
pub struct Projection<'a> {
    pub w: View<'a, i8>,
    pub channels: Channels<'a>,
    /// Minus the zero point of the vector.
    pub offset: i32,
}

impl Projection<'_> {
    /// The argument of gate `gate` from `x`, in Q3.12 but not saturated.
    #[inline(always)]
    pub fn apply(&self, x: View<i8>, gate: usize) -> i32 {
        let w = self.w.slice(gate.wrapping_mul(x.len()), x.len());
        self.channels.factor(gate).apply(dot_i8(self.channels.bias(gate), x, self.offset, w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "65,536 gates: minutes in an interpreter")]
    fn gates_are_good_to_15_bits() {
        for x_q12 in i16::MIN as i32..=i16::MAX as i32 {
            let x = f64::from(x_q12) / 4096.0;
            let logistic = f64::from(logistic_q15(x_q12)) / 32768.0;
            let tanh = f64::from(tanh_q15(x_q12)) / 32768.0;
            assert!((logistic - 1.0 / (1.0 + libm::exp(-x))).abs() < 1.1 / 32768.0, "logistic {x}");
            assert!((tanh - libm::tanh(x)).abs() < 1.1 / 32768.0, "tanh {x}");
        }
        assert_eq!(logistic_q15(1 << 20), logistic_q15(i16::MAX as i32));
        assert_eq!(tanh_q15(-(1 << 20)), tanh_q15(i16::MIN as i32));
    }

    #[test]
    fn the_int8_state_saturates_at_the_greatest_only() {
        assert_eq!([-32768, -32640, -128, -129, 127, 128, 32767].map(to_q7), [-128, -127, 0, -1, 0, 1, 127]);
    }
}
