//! One row of elements that lie at constant distances.

use crate::Element;
use crate::mem::{View, ViewMut};

/// Fills `out`, which has `lines` lines of `len` elements: element `i` of line `line` is element
/// `first + line * line_step + i * step` of `x`.
pub fn gather_row<T: Element>(
    x: View<T>,
    first: usize,
    [lines, len]: [usize; 2],
    [line_step, step]: [isize; 2],
    out: ViewMut<T>,
) {
    let mut start = first;
    for line in 0..lines {
        let to = out.slice(line.wrapping_mul(len), len);
        if step == 1 {
            to.copy_from(x.slice(start, len));
        } else {
            let mut from = start;
            for i in 0..len {
                to.set(i, x.at(from));
                from = from.wrapping_add_signed(step);
            }
        }
        start = start.wrapping_add_signed(line_step);
    }
}
