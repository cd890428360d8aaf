//! Lines of a matrix product.

use super::conv_grad::add_scaled;
use super::dot::dot_f32;
use crate::mem::{View, ViewMut};

/// A line of `a · b`: `k` elements of `a` from `a_first` on, `a_step` apart, with the columns of `b`. Element `p` of column
/// `j` is `b_first + p * b_step + j * b_column`; one of the two steps is 1.
pub struct Line {
    pub k: usize,
    pub a_first: usize,
    pub a_step: usize,
    pub b_first: usize,
    pub b_step: usize,
    pub b_column: usize,
}

/// The line in f32.
pub fn matmul_line(line: &Line, a: View<f32>, b: View<f32>, out: ViewMut<f32>) {
    let &Line { k, a_first, a_step, b_first, b_step, b_column } = line;
    if b_step == 1 && a_step == 1 {
        for j in 0..out.len() {
            let column = b.slice(b_first.wrapping_add(j.wrapping_mul(b_column)), k);
            out.set(j, dot_f32(0.0, a.slice(a_first, k), column));
        }
        return;
    }
    out.fill(0.0);
    let (mut at, mut row) = (a_first, b_first);
    for _ in 0..k {
        if b_column == 1 {
            add_scaled(out, a.at(at), b.slice(row, out.len()));
        } else {
            for j in 0..out.len() {
                out.set(j, out.at(j) + a.at(at) * b.at(row.wrapping_add(j.wrapping_mul(b_column))));
            }
        }
        at = at.wrapping_add(a_step);
        row = row.wrapping_add(b_step);
    }
}

/// The line in int8: 32-bit sums of products without zero points, each an output by `finish`.
#[inline(always)]
pub fn matmul_line_i8(
    line: &Line,
    a: View<i8>,
    b: View<i8>,
    [a_zero, b_zero]: [i32; 2],
    out: ViewMut<i8>,
    finish: impl Fn(i32) -> i8,
) {
    for j in 0..out.len() {
        let (mut at, mut to) = (line.a_first, line.b_first.wrapping_add(j.wrapping_mul(line.b_column)));
        let mut acc = 0i32;
        for _ in 0..line.k {
            let product =
                (a.at(at) as i32).wrapping_sub(a_zero).wrapping_mul((b.at(to) as i32).wrapping_sub(b_zero));
            acc = acc.wrapping_add(product);
            at = at.wrapping_add(line.a_step);
            to = to.wrapping_add(line.b_step);
        }
        out.set(j, finish(acc));
    }
}
