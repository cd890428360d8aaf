//! Functions of elements.

use crate::{Array, Float, Number, Result};

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident $f:path;)*) => {
        impl<T: Float> Array<T> { $(
            $(#[$doc])*
            pub fn $name(&self) -> Array<T> {
                self.map($f)
            }
        )* }
    };
}

use num_traits::Float as F;

unary! {
    /// e to the power of each element.
    exp F::exp;
    /// e to the power of each element, minus 1, exact near 0.
    expm1 F::exp_m1;
    /// 2 to the power of each element.
    exp2 F::exp2;
    /// Natural logarithm.
    ln F::ln;
    /// Natural logarithm of 1 plus each element, exact near 0.
    ln1p F::ln_1p;
    /// Logarithm to base 2.
    log2 F::log2;
    /// Logarithm to base 10.
    log10 F::log10;
    /// Square root.
    sqrt F::sqrt;
    /// Cube root.
    cbrt F::cbrt;
    /// Sine of radians.
    sin F::sin;
    /// Cosine of radians.
    cos F::cos;
    /// Tangent of radians.
    tan F::tan;
    /// Inverse sine, in radians.
    asin F::asin;
    /// Inverse cosine, in radians.
    acos F::acos;
    /// Inverse tangent, in radians.
    atan F::atan;
    /// Hyperbolic sine.
    sinh F::sinh;
    /// Hyperbolic cosine.
    cosh F::cosh;
    /// Hyperbolic tangent.
    tanh F::tanh;
    /// The greatest whole number that is not greater.
    floor F::floor;
    /// The least whole number that is not less.
    ceil F::ceil;
    /// Without the fraction.
    trunc F::trunc;
    /// 1 over each element.
    recip F::recip;
}

impl<T: Float> Array<T> {
    /// The nearest whole number; of two, the even one, as in NumPy.
    pub fn round(&self) -> Array<T> {
        let half = T::nearest(0.5);
        self.map(|x| {
            let rounded = F::round(x);
            let tie = F::abs(F::trunc(x) - x) == half;
            if tie { F::round(x * half) * T::nearest(2.0) } else { rounded }
        })
    }

    /// Each element to the power of the other's.
    ///
    /// # Errors
    /// If the shapes cannot be broadcast together.
    pub fn pow(&self, exponent: &Array<T>) -> Result<Array<T>> {
        self.zip(exponent, F::powf)
    }

    /// The angle of the point (`x`, self), in radians.
    ///
    /// # Errors
    /// If the shapes cannot be broadcast together.
    pub fn atan2(&self, x: &Array<T>) -> Result<Array<T>> {
        self.zip(x, F::atan2)
    }

    /// The root of the sum of squares.
    ///
    /// # Errors
    /// If the shapes cannot be broadcast together.
    pub fn hypot(&self, other: &Array<T>) -> Result<Array<T>> {
        self.zip(other, F::hypot)
    }

    /// Where elements are neither infinite nor NaN.
    pub fn is_finite(&self) -> Array<bool> {
        self.map(F::is_finite)
    }

    /// Where elements are NaN.
    pub fn is_nan(&self) -> Array<bool> {
        self.map(F::is_nan)
    }
}

impl<T: Number> Array<T> {
    /// Magnitudes.
    pub fn abs(&self) -> Array<T> {
        self.map(T::magnitude)
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> Array<T> {
        self.map(|x| match x {
            _ if x > T::ZERO => T::ONE,
            _ if x < T::ZERO => T::ZERO.minus(T::ONE),
            _ => x,
        })
    }

    /// Squares.
    pub fn square(&self) -> Array<T> {
        self.map(|x| x.times(x))
    }

    /// Elements at least `low` and at most `high`.
    pub fn clip(&self, low: T, high: T) -> Array<T> {
        self.map(|x| x.greater(low).lesser(high))
    }

    /// The greater elements; NaN where one is.
    ///
    /// # Errors
    /// If the shapes cannot be broadcast together.
    pub fn maximum(&self, other: &Array<T>) -> Result<Array<T>> {
        self.zip(other, |a, b| b.greater(a))
    }

    /// The lesser elements; NaN where one is.
    ///
    /// # Errors
    /// If the shapes cannot be broadcast together.
    pub fn minimum(&self, other: &Array<T>) -> Result<Array<T>> {
        self.zip(other, |a, b| b.lesser(a))
    }
}
