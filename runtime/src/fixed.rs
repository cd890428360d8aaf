//! Fixed-point scalars in [-1, 1) for signal code: [`Q7`], [`Q15`] and [`Q31`], named after their fraction
//! bits.
//!
//! All arithmetic saturates. Every rounding is to nearest with ties towards +∞, as Arm's rounding
//! instructions do it (`VQRDMULH`, `VRSHR`): a product is `(2ab + half) >> bits` of the exact integers.
//!
//! ```
//! use dunlin::fixed::Q15;
//! const GAIN: Q15 = Q15::from_f32(0.75);
//! let sample = Q15::from_bits(0x4000); // 0.5
//! assert_eq!((sample * GAIN).to_f32(), 0.375);
//! assert_eq!(sample + GAIN, Q15::MAX);
//! ```

use core::fmt;
use core::ops::{Add, Mul, Neg, Sub};

macro_rules! fixed {
    ($($(#[$doc:meta])* $Q:ident $Bits:ident $Wide:ident $fraction_bits:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $Q($Bits);

        impl $Q {
            /// Bits behind the binary point.
            pub const FRACTION_BITS: u32 = $fraction_bits;
            /// 0.
            pub const ZERO: $Q = $Q(0);
            /// -1.
            pub const MIN: $Q = $Q($Bits::MIN);
            /// The number nearest to 1: `1 - EPSILON`.
            pub const MAX: $Q = $Q($Bits::MAX);
            /// The distance of neighbours.
            pub const EPSILON: $Q = $Q(1);

            /// The number `bits / 2^FRACTION_BITS`.
            pub const fn from_bits(bits: $Bits) -> $Q {
                $Q(bits)
            }

            /// The number times `2^FRACTION_BITS`.
            pub const fn to_bits(self) -> $Bits {
                self.0
            }

            /// The nearest number; NaN gives 0.
            pub const fn from_f32(x: f32) -> $Q {
                // Exact: a product with a power of two (an overflow saturates below), then a difference of
                // neighbours.
                let scaled = x * (1u64 << $fraction_bits) as f32;
                let truncated = scaled as $Bits;
                let rest = scaled - truncated as f32;
                let away = if rest >= 0.5 { 1 } else if rest < -0.5 { -1 } else { 0 };
                $Q(truncated.saturating_add(away))
            }

            /// The number as f32; rounded to nearest even for [`Q31`], exact for the others.
            pub const fn to_f32(self) -> f32 {
                self.0 as f32 / (1u64 << $fraction_bits) as f32
            }

            /// The number as f64, exact.
            pub const fn to_f64(self) -> f64 {
                self.0 as f64 / (1u64 << $fraction_bits) as f64
            }

            /// The absolute value; 1 - EPSILON for -1.
            pub const fn abs(self) -> $Q {
                $Q(self.0.saturating_abs())
            }
        }

        impl Add for $Q {
            type Output = $Q;
            fn add(self, other: $Q) -> $Q {
                $Q(self.0.saturating_add(other.0))
            }
        }

        impl Sub for $Q {
            type Output = $Q;
            fn sub(self, other: $Q) -> $Q {
                $Q(self.0.saturating_sub(other.0))
            }
        }

        impl Neg for $Q {
            type Output = $Q;
            fn neg(self) -> $Q {
                $Q(self.0.saturating_neg())
            }
        }

        impl Mul for $Q {
            type Output = $Q;
            /// Rounded to nearest; -1 · -1 saturates.
            fn mul(self, other: $Q) -> $Q {
                let half = 1 << ($fraction_bits - 1);
                let product = (self.0 as $Wide * other.0 as $Wide + half) >> $fraction_bits;
                // Only -1 · -1 reaches 1.
                if product > $Bits::MAX as $Wide { $Q::MAX } else { $Q(product as $Bits) }
            }
        }

        impl From<$Q> for f32 {
            /// See `to_f32`.
            fn from(x: $Q) -> f32 {
                x.to_f32()
            }
        }

        impl fmt::Display for $Q {
            /// The exact number, with the formatter's precision.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.to_f64(), f)
            }
        }

        impl fmt::Debug for $Q {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($Q)).field(&self.to_f64()).finish()
            }
        }

        #[cfg(feature = "defmt")]
        impl defmt::Format for $Q {
            fn format(&self, f: defmt::Formatter) {
                defmt::write!(f, "{=f64}", self.to_f64())
            }
        }
    )*};
}

fixed! {
    /// 8 bits: steps of 2^-7.
    Q7 i8 i32 7;
    /// 16 bits: steps of 2^-15.
    Q15 i16 i32 15;
    /// 32 bits: steps of 2^-31.
    Q31 i32 i64 31;
}

/// Exact.
impl From<Q7> for Q15 {
    fn from(x: Q7) -> Q15 {
        Q15((x.0 as i16) << 8)
    }
}

/// Exact.
impl From<Q7> for Q31 {
    fn from(x: Q7) -> Q31 {
        Q31((x.0 as i32) << 24)
    }
}

/// Exact.
impl From<Q15> for Q31 {
    fn from(x: Q15) -> Q31 {
        Q31((x.0 as i32) << 16)
    }
}

/// `bits / 2^extra` rounded to nearest and at most `max`; the least number needs no saturation.
const fn narrow(bits: i32, extra: u32, max: i32) -> i32 {
    let rounded = ((bits as i64 + (1 << (extra - 1))) >> extra) as i32;
    if rounded > max { max } else { rounded }
}

impl Q15 {
    /// The nearest [`Q7`], saturated.
    pub const fn to_q7(self) -> Q7 {
        Q7(narrow(self.0 as i32, 8, i8::MAX as i32) as i8)
    }
}

impl Q31 {
    /// The nearest [`Q7`], saturated.
    pub const fn to_q7(self) -> Q7 {
        Q7(narrow(self.0, 24, i8::MAX as i32) as i8)
    }

    /// The nearest [`Q15`], saturated.
    pub const fn to_q15(self) -> Q15 {
        Q15(narrow(self.0, 16, i16::MAX as i32) as i16)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use proptest::prelude::*;

    use super::*;

    /// `x` rounded to nearest, ties up, and saturated to `bits` bits.
    fn nearest(x: f64, bits: u32) -> i64 {
        let end = 1i64 << (bits - 1);
        ((x + 0.5).floor() as i64).clamp(-end, end - 1)
    }

    /// `numerator / 2^shift` rounded to nearest, ties up, and saturated to `bits` bits.
    fn nearest_quotient(numerator: i128, shift: u32, bits: u32) -> i64 {
        let end = 1i128 << (bits - 1);
        ((2 * numerator + (1 << shift)).div_euclid(2 << shift)).clamp(-end, end - 1) as i64
    }

    macro_rules! suite {
        ($module:ident $Q:ident $Bits:ident $bits:literal) => {
            mod $module {
                use super::*;

                /// All values, with the ends and the middle as often as the rest.
                fn any_bits() -> impl Strategy<Value = $Bits> {
                    let edges = [$Bits::MIN, $Bits::MIN + 1, -1, 0, 1, $Bits::MAX - 1, $Bits::MAX];
                    prop_oneof![prop::sample::select(edges.to_vec()), any::<$Bits>()]
                }

                proptest! {
                    #[test]
                    fn arithmetic_saturates(a in any_bits(), b in any_bits()) {
                        let (qa, qb) = ($Q::from_bits(a), $Q::from_bits(b));
                        let (a, b) = (a as i128, b as i128);
                        let exact = |x: i128| nearest_quotient(x, 0, $bits) as $Bits;
                        prop_assert_eq!((qa + qb).to_bits(), exact(a + b));
                        prop_assert_eq!((qa - qb).to_bits(), exact(a - b));
                        prop_assert_eq!((-qa).to_bits(), exact(-a));
                        prop_assert_eq!(qa.abs().to_bits(), exact(a.abs()));
                        prop_assert_eq!(
                            (qa * qb).to_bits() as i64,
                            nearest_quotient(a * b, $Q::FRACTION_BITS, $bits)
                        );
                        prop_assert_eq!(qa.cmp(&qb), a.cmp(&b));
                    }

                    #[test]
                    fn f32_rounds_and_saturates(x in -1.5f32..1.5, fine in -1e-6f32..1e-6) {
                        for x in [x, fine] {
                            // An f32 times 2^31 is exact in f64, and so is a half more.
                            let exact = nearest(x as f64 * 2f64.powi($Q::FRACTION_BITS as i32), $bits);
                            prop_assert_eq!($Q::from_f32(x).to_bits() as i64, exact);
                        }
                    }

                    #[test]
                    fn f32_ties_go_up(bits in -1000i16..1000) {
                        let half = (bits as f32 + 0.5) / 2f32.powi($Q::FRACTION_BITS as i32);
                        let exact = (bits as i64 + 1).clamp($Bits::MIN as i64, $Bits::MAX as i64);
                        prop_assert_eq!($Q::from_f32(half).to_bits() as i64, exact);
                    }

                    #[test]
                    fn numbers_survive(bits in any_bits()) {
                        let q = $Q::from_bits(bits);
                        prop_assert_eq!(nearest(q.to_f64() * 2f64.powi($Q::FRACTION_BITS as i32), $bits), bits as i64);
                        prop_assert_eq!(q.to_f32(), q.to_f64() as f32);
                        if $bits < 24 {
                            prop_assert_eq!($Q::from_f32(q.to_f32()), q);
                        }
                    }
                }

                #[test]
                fn special_numbers() {
                    assert_eq!($Q::from_f32(f32::NAN), $Q::ZERO);
                    assert_eq!($Q::from_f32(f32::INFINITY), $Q::MAX);
                    assert_eq!($Q::from_f32(f32::MAX), $Q::MAX);
                    assert_eq!($Q::from_f32(f32::NEG_INFINITY), $Q::MIN);
                    assert_eq!($Q::from_f32(1.0), $Q::MAX);
                    assert_eq!($Q::MIN * $Q::MIN, $Q::MAX);
                    assert_eq!($Q::MIN.to_f32(), -1.0);
                    assert_eq!($Q::MAX.to_f64() + $Q::EPSILON.to_f64(), 1.0);
                    assert_eq!(format!("{} {:.1}", $Q::MIN, $Q::from_f32(0.5)), "-1 0.5");
                    assert_eq!(format!("{:?}", $Q::from_f32(-0.25)), concat!(stringify!($Q), "(-0.25)"));
                }
            }
        };
    }
    suite!(q7 Q7 i8 8);
    suite!(q15 Q15 i16 16);
    suite!(q31 Q31 i32 32);

    proptest! {
        #[test]
        fn formats_convert(bits: i32) {
            let q = Q31::from_bits(bits);
            prop_assert_eq!(q.to_q15().to_bits() as i64, nearest_quotient(bits as i128, 16, 16));
            prop_assert_eq!(q.to_q7().to_bits() as i64, nearest_quotient(bits as i128, 24, 8));
            let short = Q15::from_bits(bits as i16);
            prop_assert_eq!(short.to_q7().to_bits() as i64, nearest_quotient(short.to_bits() as i128, 8, 8));
            prop_assert_eq!(Q31::from(short).to_f64(), short.to_f64());
            let byte = Q7::from_bits(bits as i8);
            prop_assert_eq!(Q15::from(byte).to_f64(), byte.to_f64());
            prop_assert_eq!(Q31::from(byte).to_f64(), byte.to_f64());
        }
    }
}
