//! One row of elements that lie at constant distances.

use crate::Element;
use crate::kernels::copy::{Lines, copy_lines};
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
    if step == 1 {
        let lines = Lines { count: lines, len, from: first, from_step: line_step, to: 0, to_step: len };
        return copy_lines(x, lines, out);
    }
    // Lines of one element are elements of one line.
    let ([lines, len], [line_step, step]) = match len {
        1 => ([1, lines], [0, line_step]),
        _ => ([lines, len], [line_step, step]),
    };
    let (mut start, mut to) = (first, 0usize);
    for _ in 0..lines {
        let mut from = start;
        for _ in 0..len {
            out.set(to, x.at(from));
            to = to.wrapping_add(1);
            from = from.wrapping_add_signed(step);
        }
        start = start.wrapping_add_signed(line_step);
    }
}
