//! Exponential and reciprocal in 32-bit fixed point, bit-equal to those of gemmlowp on which TensorFlow Lite
//! Micro's int8 softmax, logistic and tanh are built.
//!
//! Q5.26 is a number with 5 integer and 26 fractional bits beside its sign; Q0.31 is in [-1, 1).

use super::requantize::{self, Factor};
use super::table::TABLE_LEN;

/// exp(-2^k) in Q0.31 for k = -2, -1, ... 4.
static EXP_OF_MINUS_POWER_Q31: [i32; 7] =
    [1_672_461_947, 1_302_514_674, 790_015_084, 290_630_308, 39_332_535, 720_401, 242];

/// exp(-1/8) in Q0.31.
const EXP_OF_MINUS_EIGHTH_Q31: i32 = 1_895_147_668;

/// [`requantize::high_mul`] of numbers that are not both -1, the only ones whose product is 1; once in flash, as these functions
/// are for a few numbers.
#[inline(never)]
pub fn high_mul(a: i32, b: i32) -> i32 {
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// [`requantize::round_shift`], once in flash.
#[inline(never)]
pub fn round_shift(x: i32, shift: u32) -> i32 {
    requantize::round_shift(x, shift)
}

/// e^x in Q0.31 of x <= 0 with `integer_bits` (at most 5) integer bits; e^0 is the greatest number below 1.
///
/// x is cut into r in [-1/4, 0), a series, and minus a sum of powers of two, a product of constants.
pub fn exp_q31(x: i32, integer_bits: u32) -> i32 {
    if x == 0 {
        return i32::MAX;
    }
    let quarter_bit = 29u32.wrapping_sub(integer_bits);
    let quarter = 1i32.wrapping_shl(quarter_bit);
    let r = (x & quarter.wrapping_sub(1)).wrapping_sub(quarter);
    let mut powers = (r.wrapping_sub(x) as u32).wrapping_shr(quarter_bit);
    let mut exp = exp_of_quarter_q31(r.wrapping_shl(integer_bits));
    for &factor in &EXP_OF_MINUS_POWER_Q31 {
        if powers & 1 != 0 {
            exp = high_mul(exp, factor);
        }
        powers >>= 1;
        if powers == 0 {
            break;
        }
    }
    exp
}

/// e^a of a in [-1/4, 0), both Q0.31: the Taylor series to the fourth power about -1/8.
fn exp_of_quarter_q31(a: i32) -> i32 {
    const THIRD_Q31: i32 = 715_827_883;
    let t = a.wrapping_add(1 << 28);
    let t2 = high_mul(t, t);
    let t3 = high_mul(t2, t);
    let t4 = high_mul(t2, t2);
    // t^2/2 + t^3/6 + t^4/24
    let higher = round_shift(high_mul(round_shift(t4, 2).wrapping_add(t3), THIRD_Q31).wrapping_add(t2), 1);
    let series = high_mul(EXP_OF_MINUS_EIGHTH_Q31, t.wrapping_add(higher));
    EXP_OF_MINUS_EIGHTH_Q31.wrapping_add(series)
}

/// 1 / (1 + a) of a in [0, 1), both Q0.31.
pub fn one_over_one_plus_q31(a: i32) -> i32 {
    two_over_one_plus_q29(a).saturating_mul(1 << 1)
}

/// (1 - a) / (1 + a) of a in [0, 1), both Q0.31.
pub fn one_minus_over_one_plus_q31(a: i32) -> i32 {
    two_over_one_plus_q29(a).wrapping_sub(1 << 29).saturating_mul(1 << 2)
}

/// 2 / (1 + a) in Q2.29 of a in [0, 1) in Q0.31: three Newton steps for the reciprocal of d = (1 + a) / 2
/// from the first guess 48/17 - 32/17 d, which is best on [1/2, 1].
fn two_over_one_plus_q29(a: i32) -> i32 {
    const FIRST_Q29: i32 = 1_515_870_810;
    const SLOPE_Q29: i32 = -1_010_580_540;
    let d = ((a as i64 + (1 << 31)) >> 1) as i32;
    let mut y = FIRST_Q29.wrapping_add(high_mul(d, SLOPE_Q29));
    for _ in 0..3 {
        let error_q29 = (1i32 << 29).wrapping_sub(high_mul(d, y));
        // The product of two Q2.29 is a Q4.27.
        y = y.wrapping_add(high_mul(y, error_q29).saturating_mul(1 << 2));
    }
    y
}

/// 1 / sqrt(n) of a whole number `n` >= 0, as a factor; that of 0 is the one of 1.
///
/// With n = 2^(29 - 2p) d, d in [1/4, 1) in Q3.28: five Newton steps for 1 / sqrt(d) from the first guess 1, times
/// sqrt(1/2) and 2^(p - 14). (TensorFlow Lite's way: the last bits are not those of the nearest factor.)
pub fn inverse_sqrt(n: i32) -> Factor {
    const ONE_AND_A_HALF_Q28: i32 = 3 << 27;
    const SQRT_HALF_Q31: i32 = 1_518_500_250;
    if n <= 1 {
        return Factor { multiplier: i32::MAX, shift: 0 };
    }
    // n is brought into [2^27, 2^29).
    let pairs = (n.leading_zeros() as i32 - 3) >> 1;
    let scaled = if pairs >= 0 { n << (2 * pairs) } else { n / 4 };
    let d = scaled >> 1;
    let half_d = round_shift(d, 1);
    let mut y = 1i32 << 28;
    for _ in 0..5 {
        let cube = high_mul(high_mul(y, y), y).saturating_mul(1 << 6);
        let step = high_mul(ONE_AND_A_HALF_Q28, y).wrapping_sub(high_mul(half_d, cube));
        y = step.saturating_mul(1 << 3);
    }
    let shift = pairs - 11;
    let multiplier = high_mul(y, SQRT_HALF_Q31);
    // A factor with all bits does not shift left.
    if shift > 0 {
        return Factor { multiplier: multiplier.wrapping_shl(shift as u32), shift: 0 };
    }
    Factor { multiplier, shift: shift as i8 }
}

/// The logistic function in Q0.31 of a Q4.27.
pub fn logistic_q31(x_q27: i32) -> i32 {
    let positive_q31 = || one_over_one_plus_q31(exp_q31(-x_q27.wrapping_abs(), 4));
    match x_q27 {
        0 => 1 << 30,
        1.. => positive_q31(),
        _ => i32::MAX - positive_q31(),
    }
}

/// tanh x = (1 - exp(-2x)) / (1 + exp(-2x)) in Q0.31 of x >= 0 in Q4.27; odd. Read as Q5.26, x is doubled.
pub fn tanh_q31(x_q27: i32) -> i32 {
    if x_q27 == 0 {
        return 0;
    }
    let positive_q31 = one_minus_over_one_plus_q31(exp_q31(-x_q27.wrapping_abs(), 5));
    if x_q27 < 0 { -positive_q31 } else { positive_q31 }
}

/// The table of an int8 function for inputs of `scale` and `zero_point`. `f` gives the value at a Q4.27; inputs
/// from about 15 on take the ends of int8, as the product of factor and shift would no longer fit.
///
/// `None` if the scale is not in (2^-59, 8) or the zero point not an int8.
pub fn table(scale: f32, zero_point: i32, f: impl Fn(i32) -> i8) -> Option<[i8; TABLE_LEN]> {
    let factor = Factor::from_real(scale as f64 * (1 << 27) as f64)?;
    if factor.multiplier == 0 || i8::try_from(zero_point).is_err() {
        return None;
    }
    // Scales below 2^-27 shift right: then no input comes near the ends.
    let radius = (15i32 << 27).wrapping_shr(factor.shift.max(0) as u32);
    Some(core::array::from_fn(|i| {
        let x = i as i32 - 128 - zero_point;
        match x {
            _ if x <= -radius => i8::MIN,
            _ if x >= radius => i8::MAX,
            _ => f(factor.apply(x)),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(x: i32, fraction_bits: i32) -> f64 {
        x as f64 / f64::from(1u32 << fraction_bits)
    }

    proptest::proptest! {
        #[test]
        fn exponential_is_good_to_21_bits(x in i32::MIN + 1..=0, integer_bits in 4u32..=5) {
            let exact = libm::exp(real(x, 31 - integer_bits as i32));
            let error = real(exp_q31(x, integer_bits), 31) - exact;
            proptest::prop_assert!(error.abs() < 1.0 / f64::from(1u32 << 21), "{error}");
        }

        #[test]
        fn reciprocals_are_good_to_28_bits(a in 0..=i32::MAX) {
            let exact = 1.0 / (1.0 + real(a, 31));
            let bound = 8.0 / f64::from(1u32 << 31);
            proptest::prop_assert!((real(one_over_one_plus_q31(a), 31) - exact).abs() < bound);
            let tanh_like = (1.0 - real(a, 31)) * exact;
            proptest::prop_assert!((real(one_minus_over_one_plus_q31(a), 31) - tanh_like).abs() < 2.0 * bound);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "70,000 roots: minutes in an interpreter")]
    fn inverse_roots_are_good_to_19_bits() {
        for n in (1..=70_000).chain((17..31).flat_map(|bit| [(1 << bit) - 1, 1 << bit])) {
            let factor = inverse_sqrt(n);
            let real = real(factor.multiplier, 31) * libm::exp2(factor.shift.into());
            let relative = real * f64::from(n).sqrt() - 1.0;
            assert!(relative.abs() < 1.0 / f64::from(1u32 << 19), "{n}: {relative}");
        }
        assert_eq!(inverse_sqrt(0), inverse_sqrt(1));
    }

    #[test]
    fn tables_take_scales_that_the_shift_can_hold() {
        let identity = |scale| table(scale, 0, |x| (x >> 24) as i8);
        assert!(identity(7.99).is_some() && identity(1e-9).is_some());
        assert!([8.0, 0.0, -1.0, f32::NAN, f32::INFINITY, 1e-30].iter().all(|&s| identity(s).is_none()));
    }
}
