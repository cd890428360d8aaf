//! Moving parts of a row.

use crate::Element;
use crate::mem::{View, ViewMut};

/// Lines of elements in two rows.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    /// Number of lines.
    pub count: usize,
    /// Elements of a line.
    pub len: usize,
    /// Where the first one is.
    pub from: usize,
    /// From one to the next where they are.
    pub from_step: isize,
    /// Where the first one goes.
    pub to: usize,
    /// From one to the next where they go.
    pub to_step: usize,
}

/// Lines of up to so many elements are copied without a call.
const SHORT: usize = 8;

/// Copies lines of `x` to their places in `out`.
pub fn copy_lines<T: Element>(x: View<T>, lines: Lines, out: ViewMut<T>) {
    let Lines { count, len, mut from, from_step, mut to, to_step } = lines;
    for _ in 0..count {
        let (x, out) = (x.slice(from, len), out.slice(to, len));
        if len <= SHORT {
            for i in 0..len {
                out.set(i, x.at(i));
            }
        } else {
            out.copy_from(x);
        }
        from = from.wrapping_add_signed(from_step);
        to = to.wrapping_add(to_step);
    }
}
