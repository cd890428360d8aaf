//! What arrays hold, and what can be done with it.

use std::fmt::Debug;

use num_complex::Complex;

/// An element of an array.
pub trait Element: Copy + Debug + PartialEq + Default + Send + Sync + 'static {
    /// NumPy's name of the type.
    const DTYPE: &'static str;
}

/// An element that can become a `U`. Numbers become `bool` by comparison with 0; a float becomes an integer by leaving
/// out its fraction; what does not fit saturates between float and integer, and wraps between integers.
pub trait Cast<U>: Element {
    /// The converted element.
    fn cast(self) -> U;
}

/// A number. Integers wrap, as in NumPy.
pub trait Number: Element + PartialOrd + Cast<f64> {
    /// What sums and products are made in: i64 for integers, the type itself for floats.
    type Sum: Number;
    /// What means are made in: f64 for integers, the type itself for floats.
    type Mean: Float;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The sum.
    fn plus(self, other: Self) -> Self;
    /// The difference.
    fn minus(self, other: Self) -> Self;
    /// The product.
    fn times(self, other: Self) -> Self;
    /// The quotient, rounded down for integers (0 where the divisor is 0); the exact quotient of floats.
    fn over(self, other: Self) -> Self;
    /// What is left of the quotient rounded down; has the sign of the divisor.
    fn modulo(self, other: Self) -> Self;
    /// The magnitude.
    fn magnitude(self) -> Self;
    /// For sums.
    fn to_sum(self) -> Self::Sum;
    /// For means.
    fn to_mean(self) -> Self::Mean;
    /// Whether it is NaN.
    fn is_nan(self) -> bool;

    /// The greater one; NaN if one is.
    fn greater(self, other: Self) -> Self {
        if self.is_nan() || self > other { self } else { other }
    }

    /// The lesser one; NaN if one is.
    fn lesser(self, other: Self) -> Self {
        if self.is_nan() || self < other { self } else { other }
    }

    /// The order of sorts: NaN comes last.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.partial_cmp(other).unwrap_or_else(|| self.is_nan().cmp(&other.is_nan()))
    }
}

/// A number with a fraction: f32 or f64.
pub trait Float: Number<Sum = Self, Mean = Self> + num_traits::Float + rustfft::FftNum {
    /// The nearest one.
    fn nearest(x: f64) -> Self;
}

macro_rules! elements {
    ($($t:ty, $name:literal;)*) => { $(
        impl Element for $t {
            const DTYPE: &'static str = $name;
        }
    )* };
}

elements! {
    f32, "float32"; f64, "float64"; u8, "uint8"; i8, "int8"; i16, "int16"; i32, "int32"; i64, "int64"; bool, "bool";
    Complex<f32>, "complex64"; Complex<f64>, "complex128";
}

macro_rules! casts {
    ($from:ty => $($to:ty)*) => { $(
        impl Cast<$to> for $from {
            fn cast(self) -> $to {
                self as $to
            }
        }
    )* };
}

macro_rules! casts_of_numbers {
    ($($t:ty)*) => { $(
        casts! { $t => f32 f64 u8 i8 i16 i32 i64 }
        impl Cast<bool> for $t {
            fn cast(self) -> bool {
                self != <$t>::ZERO
            }
        }
        impl Cast<$t> for bool {
            fn cast(self) -> $t {
                if self { <$t>::ONE } else { <$t>::ZERO }
            }
        }
    )* };
}

casts_of_numbers! { f32 f64 u8 i8 i16 i32 i64 }

impl Cast<bool> for bool {
    fn cast(self) -> bool {
        self
    }
}

macro_rules! integers {
    ($($t:ty, $magnitude:ident;)*) => { $(
        impl Number for $t {
            type Sum = i64;
            type Mean = f64;
            const ZERO: $t = 0;
            const ONE: $t = 1;
            fn plus(self, other: $t) -> $t {
                self.wrapping_add(other)
            }
            fn minus(self, other: $t) -> $t {
                self.wrapping_sub(other)
            }
            fn times(self, other: $t) -> $t {
                self.wrapping_mul(other)
            }
            fn over(self, other: $t) -> $t {
                if other == 0 {
                    return 0;
                }
                let quotient = self.wrapping_div(other);
                let inexact = self.wrapping_rem(other) != 0;
                if inexact && (self < 0 as $t) != (other < 0 as $t) { quotient - 1 } else { quotient }
            }
            fn modulo(self, other: $t) -> $t {
                if other == 0 { 0 } else { self.wrapping_sub(self.over(other).wrapping_mul(other)) }
            }
            fn magnitude(self) -> $t {
                integers!($magnitude self)
            }
            fn to_sum(self) -> i64 {
                self as i64
            }
            fn to_mean(self) -> f64 {
                self as f64
            }
            fn is_nan(self) -> bool {
                false
            }
        }
    )* };
    (signed $x:ident) => { $x.wrapping_abs() };
    (unsigned $x:ident) => { $x };
}

integers! { i8, signed; i16, signed; i32, signed; i64, signed; u8, unsigned; }

macro_rules! floats {
    ($($t:ty)*) => { $(
        impl Number for $t {
            type Sum = $t;
            type Mean = $t;
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            fn plus(self, other: $t) -> $t {
                self + other
            }
            fn minus(self, other: $t) -> $t {
                self - other
            }
            fn times(self, other: $t) -> $t {
                self * other
            }
            fn over(self, other: $t) -> $t {
                self / other
            }
            fn modulo(self, other: $t) -> $t {
                let left = self % other;
                let other_sign = left != 0.0 && (left < 0.0) != (other < 0.0);
                match left {
                    _ if other_sign => left + other,
                    0.0 => left.copysign(other),
                    _ => left,
                }
            }
            fn magnitude(self) -> $t {
                self.abs()
            }
            fn to_sum(self) -> $t {
                self
            }
            fn to_mean(self) -> $t {
                self
            }
            fn is_nan(self) -> bool {
                <$t>::is_nan(self)
            }
        }
        impl Float for $t {
            fn nearest(x: f64) -> $t {
                x as $t
            }
        }
    )* };
}

floats! { f32 f64 }
