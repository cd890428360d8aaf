//! The f32 functions that operators need, from `libm` (default) or `micromath`.
//!
//! `libm` is accurate to 1 ulp or little more. `micromath` is smaller and faster; its worst errors, over the
//! range that operators use, against `libm`:
//!
//! | function | range | worst error |
//! |---|---|---|
//! | [`exp`] | -87 to 88 | 0.0024 relative |
//! | [`ln`] | 1e-30 to 1e30 | 0.12 absolute |
//! | [`sqrt`] | 1e-30 to 1e30 | 0.061 relative |
//! | [`tanh`] | -20 to 20 | 0.0011 relative |
//! | [`logistic`] | -80 to 80 | 0.0008 relative |
//!
//! Integer results never depend on this choice: [`round`] is the same in both.

#[cfg(not(any(feature = "libm", feature = "micromath")))]
compile_error!("choose the f32 functions: feature `libm` or `micromath`");

#[cfg(any(test, feature = "libm"))]
mod accurate {
    pub use libm::{expf as exp, logf as ln, sqrtf as sqrt, tanhf as tanh};
}

#[cfg(any(test, not(feature = "libm")))]
mod fast {
    use micromath::F32Ext;

    pub fn exp(x: f32) -> f32 {
        F32Ext::exp(x)
    }

    pub fn ln(x: f32) -> f32 {
        F32Ext::ln(x)
    }

    pub fn sqrt(x: f32) -> f32 {
        F32Ext::sqrt(x)
    }

    /// The series near 0, where the difference of the other formula would lose all digits.
    pub fn tanh(x: f32) -> f32 {
        let x2 = x * x;
        if x2 < 0.04 {
            return x * (1.0 - x2 * (1.0 / 3.0 - x2 * (2.0 / 15.0)));
        }
        (1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0)).copysign(x)
    }
}

#[cfg(feature = "libm")]
use accurate as chosen;
#[cfg(not(feature = "libm"))]
use fast as chosen;

/// e^x.
pub fn exp(x: f32) -> f32 {
    chosen::exp(x)
}

/// Natural logarithm.
pub fn ln(x: f32) -> f32 {
    chosen::ln(x)
}

/// Square root.
pub fn sqrt(x: f32) -> f32 {
    chosen::sqrt(x)
}

/// Hyperbolic tangent.
pub fn tanh(x: f32) -> f32 {
    chosen::tanh(x)
}

/// The error function, within 2e-7 of the exact one where [`exp`] is accurate: formula 7.1.26 of Abramowitz and Stegun's
/// Handbook of Mathematical Functions.
pub fn erf(x: f32) -> f32 {
    const FACTORS: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = FACTORS.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    (1.0 - series * exp(-x * x)).copysign(x)
}

/// 1 / (1 + e^-x).
pub fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The nearest integer, ties away from zero; saturated, and 0 for NaN. Exact on every machine.
pub fn round(x: f32) -> i32 {
    let whole = x as i32;
    let rest = x - whole as f32;
    if rest >= 0.5 {
        whole.saturating_add(1)
    } else if rest <= -0.5 {
        whole.saturating_sub(1)
    } else {
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::{accurate, fast, round};

    /// The greatest `error(fast, accurate)` on a fine grid of `[lo, hi]`.
    fn worst(
        [lo, hi]: [f32; 2],
        fast: impl Fn(f32) -> f32,
        accurate: impl Fn(f32) -> f32,
        error: impl Fn(f32, f32) -> f32,
    ) -> f32 {
        let at = |i: i32| lo + (hi - lo) * (i as f32 / 1e6);
        (0..=1_000_000).map(at).map(|x| error(fast(x), accurate(x))).fold(0.0, f32::max)
    }

    fn relative(a: f32, b: f32) -> f32 {
        if a == b { 0.0 } else { (a - b).abs() / b.abs() }
    }

    fn absolute(a: f32, b: f32) -> f32 {
        (a - b).abs()
    }

    #[test]
    #[cfg_attr(miri, ignore = "millions of function values: minutes in an interpreter")]
    fn micromaths_errors_are_those_documented() {
        let over_magnitudes = |f: fn(f32) -> f32| move |exponent: f32| f(libm::exp10f(exponent));
        let logistic = |exp: fn(f32) -> f32| move |x: f32| 1.0 / (1.0 + exp(-x));
        let ln = (over_magnitudes(fast::ln), over_magnitudes(accurate::ln));
        let sqrt = (over_magnitudes(fast::sqrt), over_magnitudes(accurate::sqrt));
        let magnitudes = [-30.0, 30.0];
        let errors = [
            (0.0024, worst([-87.0, 88.0], fast::exp, accurate::exp, relative)),
            (0.12, worst(magnitudes, ln.0, ln.1, absolute)),
            (0.061, worst(magnitudes, sqrt.0, sqrt.1, relative)),
            (0.0011, worst([-20.0, 20.0], fast::tanh, accurate::tanh, relative)),
            (0.0008, worst([-80.0, 80.0], logistic(fast::exp), logistic(accurate::exp), relative)),
        ];
        for (documented, measured) in errors {
            assert!(0.9 * documented < measured && measured < documented, "{documented}: {measured}");
        }
    }

    #[test]
    fn ends_of_the_range() {
        for exp in [fast::exp, accurate::exp] {
            assert_eq!([-1e4, -1e30, f32::NEG_INFINITY].map(exp), [0.0; 3]);
            assert_eq!([1e4, 1e30, f32::INFINITY].map(exp), [f32::INFINITY; 3]);
        }
        for tanh in [fast::tanh, accurate::tanh] {
            assert_eq!([-1e9, 0.0, 1e9, f32::INFINITY].map(tanh), [-1.0, 0.0, 1.0, 1.0]);
        }
    }

    #[test]
    fn rounding_is_exact() {
        let below_half = 0.499_999_97;
        assert_eq!([0.5, -0.5, 1.5, -2.5, below_half, -below_half].map(round), [1, -1, 2, -3, 0, 0]);
        assert_eq!([8_388_609.0, -16_777_215.0].map(round), [8_388_609, -16_777_215]);
        assert_eq!([1e10, -1e10, f32::INFINITY, f32::NAN].map(round), [i32::MAX, i32::MIN, i32::MAX, 0]);
    }
}
