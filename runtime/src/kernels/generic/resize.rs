//! Rows of resized images.

use crate::Element;
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

/// The two neighbours of a position along an axis, and their weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbours<W> {
    /// Indices.
    pub at: [usize; 2],
    /// Weights; in Q10 for integers.
    pub weights: [W; 2],
}

/// Mixes, for each column of `out`, two neighbours of two rows of `c` channels.
pub fn bilinear_row<T: Element, W: Copy>(
    rows: [View<T>; 2],
    y_weights: [W; 2],
    c: usize,
    out: ViewMut<T>,
    column: impl Fn(usize) -> Neighbours<W>,
    mix: impl Fn([[T; 2]; 2], [W; 2], [W; 2]) -> T,
) {
    let (mut to, mut i) = (0usize, 0usize);
    while to < out.len() {
        let Neighbours { at, weights } = column(i);
        let [left, right] = at.map(|x| x.wrapping_mul(c));
        for channel in 0..c {
            let pair =
                |row: View<T>| [row.at(left.wrapping_add(channel)), row.at(right.wrapping_add(channel))];
            out.set(to.wrapping_add(channel), mix(rows.map(pair), y_weights, weights));
        }
        to = to.wrapping_add(c.max(1));
        i = i.wrapping_add(1);
    }
}

/// The mean of `[[top left, top right], [bottom left, bottom right]]` in f32.
#[inline(always)]
pub fn mix_f32([top, bottom]: [[f32; 2]; 2], y: [f32; 2], x: [f32; 2]) -> f32 {
    top[0] * y[0] * x[0] + bottom[0] * y[1] * x[0] + top[1] * y[0] * x[1] + bottom[1] * y[1] * x[1]
}

/// The mean of stored numbers with weights in Q10, rounded to nearest with ties away from zero.
#[inline(always)]
pub fn mix_i8([top, bottom]: [[i8; 2]; 2], y: [i32; 2], x: [i32; 2]) -> i8 {
    let line = |pair: [i8; 2]| pair[0] as i64 * x[0] as i64 + pair[1] as i64 * x[1] as i64;
    let sum_q20 = line(top) * y[0] as i64 + line(bottom) * y[1] as i64;
    let half = if sum_q20 > 0 { 1 << 19 } else { -(1 << 19) };
    ((sum_q20 + half) / (1 << 20)).max(i8::MIN as i64).min(i8::MAX as i64) as i8
}
