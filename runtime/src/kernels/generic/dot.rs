//! Dot products.

use crate::mem::View;

/// `acc + sum((x[i] + offset) * w[i])` in 32 bits. The converter has proved that the true sum fits, so the
/// order of additions is free.
#[inline(always)]
pub fn dot_i8(mut acc: i32, x: View<i8>, offset: i32, w: View<i8>) -> i32 {
    debug_assert_eq!(x.len(), w.len());
    for i in 0..x.len() {
        acc = acc.wrapping_add((x.at(i) as i32 + offset).wrapping_mul(w.at(i) as i32));
    }
    acc
}

/// `acc + sum(x[i] * w[i])`, in eight interleaved partial sums: so wide that hosts use their vectors, and
/// the same order everywhere.
#[inline(always)]
pub fn dot_f32(acc: f32, x: View<f32>, w: View<f32>) -> f32 {
    debug_assert_eq!(x.len(), w.len());
    let mut sums = [0.0f32; 8];
    let blocks = x.len() / 8;
    for b in 0..blocks {
        let (x, w) = (x.slice(8 * b, 8), w.slice(8 * b, 8));
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += x.at(lane) * w.at(lane);
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let mut sum = acc + (((a + e) + (c + g)) + ((b + f) + (d + h)));
    for i in 8 * blocks..x.len() {
        sum += x.at(i) * w.at(i);
    }
    sum
}
