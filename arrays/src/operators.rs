//! `+ - * / %` of arrays and numbers, `& | ^ !` of truth values.

use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Rem, Sub};

use crate::{Array, Number};

fn fit<T>(result: crate::Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $f:ident;)*) => { $(
        impl<T: Number> $trait<&Array<T>> for &Array<T> {
            type Output = Array<T>;
            fn $method(self, other: &Array<T>) -> Array<T> {
                fit(self.zip(other, T::$f))
            }
        }
        impl<T: Number> $trait<Array<T>> for Array<T> {
            type Output = Array<T>;
            fn $method(self, other: Array<T>) -> Array<T> {
                (&self).$method(&other)
            }
        }
        impl<T: Number> $trait<&Array<T>> for Array<T> {
            type Output = Array<T>;
            fn $method(self, other: &Array<T>) -> Array<T> {
                (&self).$method(other)
            }
        }
        impl<T: Number> $trait<Array<T>> for &Array<T> {
            type Output = Array<T>;
            fn $method(self, other: Array<T>) -> Array<T> {
                self.$method(&other)
            }
        }
        impl<T: Number> $trait<T> for &Array<T> {
            type Output = Array<T>;
            fn $method(self, other: T) -> Array<T> {
                self.map(|x| x.$f(other))
            }
        }
        impl<T: Number> $trait<T> for Array<T> {
            type Output = Array<T>;
            fn $method(self, other: T) -> Array<T> {
                (&self).$method(other)
            }
        }
    )* };
}

arithmetic! {
    Add add plus;
    Sub sub minus;
    Mul mul times;
    Div div over;
    Rem rem modulo;
}

macro_rules! logic {
    ($($trait:ident $method:ident;)*) => { $(
        impl $trait<&Array<bool>> for &Array<bool> {
            type Output = Array<bool>;
            fn $method(self, other: &Array<bool>) -> Array<bool> {
                fit(self.zip(other, bool::$method))
            }
        }
    )* };
}

logic! {
    BitAnd bitand;
    BitOr bitor;
    BitXor bitxor;
}

impl Not for &Array<bool> {
    type Output = Array<bool>;
    fn not(self) -> Array<bool> {
        self.map(|x| !x)
    }
}

impl<T: Number> Neg for &Array<T> {
    type Output = Array<T>;
    fn neg(self) -> Array<T> {
        // Times -1: a zero changes its sign too.
        self.map(|x| x.times(T::ZERO.minus(T::ONE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "shapes [2] and [3] cannot be broadcast together")]
    fn shapes_that_do_not_fit_are_named() {
        let _ = &Array::from([1, 2]) + &Array::from([1, 2, 3]);
    }
}
