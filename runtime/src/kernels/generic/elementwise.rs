//! One row of a function of single elements, or of pairs of them.

use crate::Element;
use crate::mem::{View, ViewMut};

/// `out[i] = f(x[i])`; `out` may stand on `x`.
#[inline(always)]
pub fn map_row<X: Element, Y: Element>(x: View<X>, out: ViewMut<Y>, f: impl Fn(X) -> Y) {
    for i in 0..out.len() {
        out.set(i, f(x.at(i)));
    }
}

/// An operand of [`zip_row`]: its elements, and the step from one to the next. Step 0 repeats the first.
pub type Strided<'a, T> = (View<'a, T>, usize);

/// The elements of an operand behind the first `n`; the one of step 0.
#[cfg(dunlin_dsp)]
pub fn behind<T: Element>((x, step): Strided<T>, n: usize) -> Strided<T> {
    let n = n.wrapping_mul(step);
    (x.slice(n, x.len().wrapping_sub(n)), step)
}

/// `out[i] = f(a[i * step], b[i * step])`; `out` may stand on an operand of step 1.
#[inline(always)]
pub fn zip_row<T: Element>(
    (a, a_step): Strided<T>,
    (b, b_step): Strided<T>,
    out: ViewMut<T>,
    f: impl Fn(T, T) -> T,
) {
    for i in 0..out.len() {
        out.set(i, f(a.at(i.wrapping_mul(a_step)), b.at(i.wrapping_mul(b_step))));
    }
}
