//! Vectors brought to mean 0 and variance 1.

use super::requantize::{Factor, saturate};
use crate::kernels::normalize::inverse_deviation;
use crate::mem::{View, ViewMut};

/// The longest vector in int8: then no sum leaves 32 bits, but for those that have 64.
pub const MAX_LEN_I8: usize = 4096;
/// The greatest stored gamma.
pub const GAMMA_MAX: i32 = 1 << 13;
/// Bits behind the point of a normalized number.
pub const NORMALIZED_BITS: u32 = 10;

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta`; `out` may be `x`.
pub fn layer_norm_f32(x: View<f32>, gamma: View<f32>, beta: View<f32>, epsilon: f32, out: ViewMut<f32>) {
    let n = x.len() as f32;
    let mean = x.iter().sum::<f32>() / n;
    let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / n;
    let scale = inverse_deviation(variance, epsilon);
    for i in 0..x.len() {
        out.set(i, (x.at(i) - mean) * scale * gamma.at(i) + beta.at(i));
    }
}

/// What turns normalized numbers into outputs.
pub struct LayerNormI8<'a> {
    /// Pairs gamma, beta; beta in multiples of what gamma times a normalized number counts.
    pub table: View<'a, i32>,
    /// epsilon in multiples of the squared scale of the input over the squared length.
    pub epsilon: u64,
    pub factor: Factor,
    pub zero_point: i32,
}

impl LayerNormI8<'_> {
    /// Normalizes a vector; `out` may be `x`.
    pub fn apply(&self, x: View<i8>, out: ViewMut<i8>) {
        let n = x.len() as i64;
        let (mut sum, mut squares) = (0i32, 0i64);
        for q in x.iter() {
            sum = sum.wrapping_add(q as i32);
            squares = squares.wrapping_add((q as i64).wrapping_mul(q as i64));
        }
        // n² times the variance, which is not negative.
        let spread = n.wrapping_mul(squares).wrapping_sub((sum as i64).wrapping_mul(sum as i64)) as u64;
        let inverse = Inverse::of(spread.saturating_add(self.epsilon));
        for i in 0..x.len() {
            let centred = (x.len() as i32).wrapping_mul(x.at(i) as i32).wrapping_sub(sum);
            let (gamma, beta) =
                (self.table.at(i.wrapping_mul(2)), self.table.at(i.wrapping_mul(2).wrapping_add(1)));
            let acc = inverse.times(centred).wrapping_mul(gamma).wrapping_add(beta);
            out.set(i, saturate(self.factor.apply(acc), self.zero_point, (i8::MIN, i8::MAX)));
        }
    }
}

/// `2^(31 - half_shift) / sqrt(square)`: the reciprocal of a root of 16 bits.
struct Inverse {
    /// In (2^15, 2^16]; 0 for the root of 0.
    reciprocal: i64,
    half_shift: i32,
}

impl Inverse {
    fn of(square: u64) -> Inverse {
        if square == 0 {
            return Inverse { reciprocal: 0, half_shift: 0 };
        }
        // Even shifts bring it to [2^30, 2^32).
        let half_shift = 16i32.wrapping_sub((square.leading_zeros() / 2) as i32);
        let double = half_shift.wrapping_mul(2);
        let scaled = if double >= 0 {
            square.wrapping_shr(double as u32)
        } else {
            square.wrapping_shl(double.wrapping_neg() as u32)
        };
        let root = root_u32(scaled as u32);
        Inverse { reciprocal: (1u32 << 31).checked_div(root).unwrap_or(0) as i64, half_shift }
    }

    /// `x / sqrt(square)` with [`NORMALIZED_BITS`], rounded to nearest with ties up.
    fn times(&self, x: i32) -> i32 {
        let shift = self.half_shift.wrapping_add(31 - NORMALIZED_BITS as i32) as u32;
        let half = 1i64.wrapping_shl(shift.wrapping_sub(1));
        (x as i64).wrapping_mul(self.reciprocal).wrapping_add(half).wrapping_shr(shift) as i32
    }
}

/// The square root, rounded down.
fn root_u32(square: u32) -> u32 {
    let mut root = 0u32;
    for bit in (0..16).rev() {
        let larger = root | 1u32.wrapping_shl(bit);
        // At most 0xffff², which fits.
        if larger.wrapping_mul(larger) <= square {
            root = larger;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn quotients_are_good_to_14_bits(square in 1u64..1 << 45, x in -(1i32 << 20)..1 << 20) {
            let exact = x as f64 / (square as f64).sqrt() * 1024.0;
            // What leaves 32 bits cannot be: no number is further from the mean than all spread allows.
            proptest::prop_assume!(exact.abs() < 65536.0);
            let have = Inverse::of(square).times(x) as f64;
            proptest::prop_assert!((have - exact).abs() <= 0.5 + exact.abs() / 8192.0, "{have} {exact}");
        }
    }

    #[test]
    fn roots_are_rounded_down() {
        assert_eq!([0, 1, 3, 4, 8, u32::MAX].map(root_u32), [0, 1, 1, 2, 2, 65535]);
    }
}
