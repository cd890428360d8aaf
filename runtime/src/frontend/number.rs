//! The two arithmetics of the front end: fixed point, which is bit-equal everywhere, and f32.

use core::ops::{Add, Sub};

use super::Config;
use crate::{Element, math};

/// Bits behind the point of a logarithm in fixed point.
const LOG_BITS: u32 = 16;
/// Bits behind the point of a filter's weight.
pub(super) const WEIGHT_BITS: u32 = 15;
/// Bits behind the point of the factors of the cosine transform.
pub(super) const FACTOR_BITS: u32 = 20;
/// Bits behind the point of a feature in fixed point.
const FEATURE_BITS: u32 = 8;
const LN_2_Q31: i64 = 1_488_522_236;

/// What a front end computes with: `i32` (fixed point) or `f32`.
///
/// In fixed point samples have headroom for the sums of the FFT, so that nothing overflows: `|x| * fft_samples` is at
/// most 2^30.
pub trait Number: Element + Default + Add<Output = Self> + Sub<Output = Self> {
    /// A feature as it is handed out.
    type Feature: Element + Default;
    /// |X|² of a bin.
    type Power: Copy;
    /// Weighted sums of powers.
    type Energy: Copy + Default;

    /// A sample under the window.
    fn windowed(pcm: i16, window_q31: i32, config: &Config) -> Self;
    /// `(re + i im) * (cos - i sin)`.
    fn rotated(re: Self, im: Self, cosine_q31: i32, sine_q31: i32) -> [Self; 2];
    /// A half, rounded down in fixed point.
    fn half(self) -> Self;
    /// Minus it.
    fn negated(self) -> Self;
    /// `re² + im²`.
    fn power(re: Self, im: Self) -> Self::Power;
    /// `energy + weight * power`.
    fn accumulate(energy: Self::Energy, weight_q15: u32, power: Self::Power) -> Self::Energy;
    /// The natural logarithm of energy and floor, relative to samples in [-1, 1).
    fn log(energy: Self::Energy, config: &Config) -> Self;
    /// A logarithm as a feature.
    fn feature(log: Self) -> Self::Feature;
    /// `factor * Σ logs[m] * cosine(m)` as a feature.
    fn transformed(logs: &[Self], cosine_q31: impl Fn(usize) -> i32, factor_q20: u32) -> Self::Feature;
}

/// Fixed point: features are i16 with 8 bits behind the point, saturated.
impl Number for i32 {
    type Feature = i16;
    type Power = u64;
    /// Upper and lower 32 bits of the powers, summed apart: a product with 15 bits more has no overflow then.
    type Energy = [u64; 2];

    fn windowed(pcm: i16, window_q31: i32, config: &Config) -> i32 {
        let shift = 31 - config.headroom_bits();
        ((i64::from(pcm) * i64::from(window_q31) + (1 << (shift - 1))) >> shift) as i32
    }

    fn rotated(re: i32, im: i32, cosine_q31: i32, sine_q31: i32) -> [i32; 2] {
        let [re, im, cosine, sine] = [re, im, cosine_q31, sine_q31].map(i64::from);
        let rounded = |product: i64| ((product + (1 << 30)) >> 31) as i32;
        [rounded(re * cosine + im * sine), rounded(im * cosine - re * sine)]
    }

    fn half(self) -> i32 {
        self >> 1
    }

    fn negated(self) -> i32 {
        -self
    }

    fn power(re: i32, im: i32) -> u64 {
        let square = |x: i32| (i64::from(x) * i64::from(x)) as u64;
        square(re) + square(im)
    }

    fn accumulate([high, low]: [u64; 2], weight_q15: u32, power: u64) -> [u64; 2] {
        let weight = u64::from(weight_q15);
        [high + (power >> 32) * weight, low + (power & 0xffff_ffff) * weight]
    }

    fn log([high, low]: [u64; 2], config: &Config) -> i32 {
        let unit_bits = 2 * (15 + config.headroom_bits());
        let energy = (high << (32 - WEIGHT_BITS)) + (low >> WEIGHT_BITS);
        let log2 = i64::from(log2_q16(energy + (1 << (unit_bits - u32::from(config.floor_bits)))));
        (((log2 - i64::from(unit_bits << LOG_BITS)) * LN_2_Q31 + (1 << 30)) >> 31) as i32
    }

    fn feature(log: i32) -> i16 {
        saturated(i64::from(log), LOG_BITS - FEATURE_BITS)
    }

    fn transformed(logs: &[i32], cosine_q31: impl Fn(usize) -> i32, factor_q20: u32) -> i16 {
        let products = logs.iter().enumerate().map(|(m, &log)| i64::from(log) * i64::from(cosine_q31(m)));
        let sum = products.sum::<i64>() >> 20;
        saturated(sum * i64::from(factor_q20), LOG_BITS + 31 - FEATURE_BITS)
    }
}

/// `x / 2^bits`, rounded to nearest.
fn saturated(x: i64, bits: u32) -> i16 {
    ((x + (1 << (bits - 1))) >> bits).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// The logarithm to base 2 of `x` above 0, rounded down: each squaring of the mantissa gives a bit.
fn log2_q16(x: u64) -> u32 {
    let whole = 63 - x.leading_zeros();
    let mut mantissa = (x << (63 - whole)) >> 32;
    let mut log2 = whole;
    for _ in 0..LOG_BITS {
        mantissa = (mantissa * mantissa) >> 31;
        let bit = (mantissa >> 32) as u32;
        mantissa >>= bit;
        log2 = log2 << 1 | bit;
    }
    log2
}

/// f32: features are the real numbers.
impl Number for f32 {
    type Feature = f32;
    type Power = f32;
    type Energy = f32;

    fn windowed(pcm: i16, window_q31: i32, _: &Config) -> f32 {
        f32::from(pcm) / 32768.0 * q31(window_q31)
    }

    fn rotated(re: f32, im: f32, cosine_q31: i32, sine_q31: i32) -> [f32; 2] {
        let [cosine, sine] = [cosine_q31, sine_q31].map(q31);
        [re * cosine + im * sine, im * cosine - re * sine]
    }

    fn half(self) -> f32 {
        self * 0.5
    }

    fn negated(self) -> f32 {
        -self
    }

    fn power(re: f32, im: f32) -> f32 {
        re * re + im * im
    }

    fn accumulate(energy: f32, weight_q15: u32, power: f32) -> f32 {
        energy + weight_q15 as f32 / (1 << WEIGHT_BITS) as f32 * power
    }

    fn log(energy: f32, config: &Config) -> f32 {
        math::ln(energy + 1.0 / (1u64 << config.floor_bits) as f32)
    }

    fn feature(log: f32) -> f32 {
        log
    }

    fn transformed(logs: &[f32], cosine_q31: impl Fn(usize) -> i32, factor_q20: u32) -> f32 {
        let sum: f32 = logs.iter().enumerate().map(|(m, &log)| log * q31(cosine_q31(m))).sum();
        sum * factor_q20 as f32 / (1 << FACTOR_BITS) as f32
    }
}

fn q31(x: i32) -> f32 {
    x as f32 / (1u64 << 31) as f32
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn logarithms_are_near_the_librarys() {
        for x in (0..64)
            .flat_map(|bit| [0u64, 1, 12345].map(|more| (1u64 << bit).saturating_add(more << (bit / 2))))
        {
            let difference = (x as f64).log2() - log2_q16(x) as f64 / 65536.0;
            assert!((0.0..1.1 / 65536.0).contains(&(difference + 1e-9)), "{x}: {difference}");
        }
    }
}
