//! Where the greatest of some elements is.

use crate::Element;
use crate::mem::View;

/// The first `i` with the greatest `x[start + i * step]` of `count`.
pub fn arg_max<T: Element + PartialOrd>(x: View<T>, start: usize, step: usize, count: usize) -> i32 {
    let (mut best, mut at) = (0usize, start);
    for i in 1..count {
        let here = start.wrapping_add(i.wrapping_mul(step));
        if x.at(here) > x.at(at) {
            (best, at) = (i, here);
        }
    }
    best as i32
}
