//! A vector divided by its Euclidean norm.

use super::fixed_math::inverse_sqrt;
use super::requantize::Factor;
use crate::math;
use crate::mem::{View, ViewMut};

/// What the vector is divided by at least.
const LEAST_NORM: f32 = 1e-6;

/// `out[i] = x[i] / |x|`; `out` may stand on `x`.
pub fn l2_normalize_f32(x: View<f32>, out: ViewMut<f32>) {
    let norm = math::sqrt(x.iter().fold(0.0, |sum, v| sum + v * v));
    // A norm that is no number stays so.
    let norm = if norm < LEAST_NORM { LEAST_NORM } else { norm };
    for i in 0..out.len() {
        out.set(i, x.at(i) / norm);
    }
}

/// Most elements of an int8 vector: so many squares fit, each of at most 255 steps.
pub const MAX_LEN_I8: usize = i32::MAX as usize / (255 * 255);

/// The same of int8, in 128ths with zero point 0; `out` may stand on `x`.
pub fn l2_normalize_i8(x: View<i8>, zero_point: i32, out: ViewMut<i8>) {
    let step = |v: i8| (v as i32).wrapping_sub(zero_point);
    let squares = x.iter().map(|v| step(v).wrapping_mul(step(v)));
    let inverse = inverse_sqrt(squares.fold(0, i32::wrapping_add));
    let in_128ths = Factor { shift: inverse.shift.wrapping_add(7), ..inverse };
    for i in 0..out.len() {
        out.set(i, in_128ths.apply(step(x.at(i))).clamp(i8::MIN as i32, i8::MAX as i32) as i8);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;

    use super::*;

    #[test]
    fn squares_fit_up_to_the_greatest_length() {
        // Equal elements, 255 steps each: 128 / sqrt(n).
        for (n, expected) in [(8256, 1), (4200, 2), (MAX_LEN_I8, 1)] {
            let (x, mut out) = (vec![127; n], vec![0; n]);
            l2_normalize_i8((&x[..]).into(), -128, (&mut out[..]).into());
            assert_eq!(out, vec![expected; n]);
        }
    }
}
