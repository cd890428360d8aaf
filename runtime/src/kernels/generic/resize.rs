//! Rows of resized images.

use crate::Element;
use crate::kernels::copy::{Lines, copy_lines};
use crate::mem::{View, ViewMut};

/// Copies, for each column of `out`, the one of `x` that `column` names; both have `c` channels.
pub fn nearest_row<T: Element>(x: View<T>, c: usize, out: ViewMut<T>, column: impl Fn(usize) -> usize) {
    let (mut to, mut i) = (0usize, 0usize);
    while to < out.len() {
        out.slice(to, c).copy_from(x.slice(column(i).wrapping_mul(c), c));
        to = to.wrapping_add(c.max(1));
        i = i.wrapping_add(1);
    }
}

/// Copies each column of `x`, of `c` channels, `n` times.
pub fn repeat_row<T: Element>(x: View<T>, c: usize, n: usize, out: ViewMut<T>) {
    let count = x.len().checked_div(c).unwrap_or(0);
    for i in 0..n {
        let (to, to_step) = (i.wrapping_mul(c), n.wrapping_mul(c));
        copy_lines(x, Lines { count, len: c, from: 0, from_step: c as isize, to, to_step }, out);
    }
}

/// The two neighbours of a position along an axis, and their weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbours<W> {
    /// Indices.
    pub at: [usize; 2],
    /// Weights; in Q10 for integers.
    pub weights: [W; 2],
}

/// Mixes, for each column of `out`, two neighbours of two rows of `c` channels: `column` gives them and their weights, `mix`
/// is one of the functions below.
pub fn bilinear_row<T: Element, W: Copy>(
    [top, bottom]: [View<T>; 2],
    y_weights: [W; 2],
    c: usize,
    out: ViewMut<T>,
    column: impl Fn(usize) -> Neighbours<W>,
    mix: impl Fn([View<T>; 4], [W; 2], [W; 2], ViewMut<T>),
) {
    let (mut to, mut i) = (0usize, 0usize);
    while to < out.len() {
        let Neighbours { at: [left, right], weights } = column(i);
        let (left, right) = (left.wrapping_mul(c), right.wrapping_mul(c));
        let four = [top.slice(left, c), top.slice(right, c), bottom.slice(left, c), bottom.slice(right, c)];
        mix(four, y_weights, weights, out.slice(to, c));
        to = to.wrapping_add(c.max(1));
        i = i.wrapping_add(1);
    }
}

/// The means of four pixels, the upper two first, in f32.
pub fn mix_f32([a, b, c, d]: [View<f32>; 4], y: [f32; 2], x: [f32; 2], out: ViewMut<f32>) {
    for i in 0..out.len() {
        let (top, bottom) = ([a.at(i), b.at(i)], [c.at(i), d.at(i)]);
        let sum =
            top[0] * y[0] * x[0] + bottom[0] * y[1] * x[0] + top[1] * y[0] * x[1] + bottom[1] * y[1] * x[1];
        out.set(i, sum);
    }
}

/// The means of four pixels of stored numbers, the upper two first, with weights in Q10, rounded to nearest with ties away
/// from zero.
///
/// The sum of the four weights in Q20 is 1, if only as numbers of 32 bits: where single ones overflow, the pixels that they
/// are for are the same. So the mean is of int8.
#[inline(never)]
pub fn mix_i8([a, b, c, d]: [View<i8>; 4], y: [i32; 2], x: [i32; 2], out: ViewMut<i8>) {
    let (a_q20, b_q20) = (y[0].wrapping_mul(x[0]), y[0].wrapping_mul(x[1]));
    let (c_q20, d_q20) = (y[1].wrapping_mul(x[0]), y[1].wrapping_mul(x[1]));
    let product = |x: i8, weight: i32| weight.wrapping_mul(x as i32);
    for i in 0..out.len() {
        let top = product(a.at(i), a_q20).wrapping_add(product(b.at(i), b_q20));
        let bottom = product(c.at(i), c_q20).wrapping_add(product(d.at(i), d_q20));
        let sum_q20 = top.wrapping_add(bottom);
        // Halves up, after one is taken from negative numbers.
        let rounded = sum_q20.wrapping_add(sum_q20 >> 31).wrapping_add(1 << 19) >> 20;
        out.set(i, rounded as i8);
    }
}
