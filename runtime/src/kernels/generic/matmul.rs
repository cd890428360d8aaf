//! Rows of a matrix product.

use super::conv_grad::add_scaled;
use crate::mem::{View, ViewMut};

/// A row of `a · b`: the `k` elements of `a` at `start`, `start + step`, ... with the rows of `b` `[k, n]`.
pub fn matmul_row(a: View<f32>, start: usize, step: usize, b: View<f32>, k: usize, out: ViewMut<f32>) {
    let n = out.len();
    out.fill(0.0);
    let mut at = start;
    for i in 0..k {
        add_scaled(out, a.at(at), b.slice(i.wrapping_mul(n), n));
        at = at.wrapping_add(step);
    }
}
