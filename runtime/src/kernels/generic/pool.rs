//! One output row of a pooling, and how each kind of pooling reduces a window.

use super::arithmetic::clamp_f32;
use super::requantize::clamp_i8;
use crate::Element;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

/// How the values of a window become one.
pub trait Pool {
    /// Element of input and output.
    type T: Element;
    /// Accumulator.
    type Acc: Element;
    /// What an empty window gives.
    const EMPTY: Self::Acc;
    /// Takes one value more.
    fn add(&self, acc: Self::Acc, x: Self::T) -> Self::Acc;
    /// Takes one value more into each of several accumulators.
    #[inline(always)]
    fn add_row(&self, acc: ViewMut<Self::Acc>, x: View<Self::T>) {
        for i in 0..x.len() {
            acc.set(i, self.add(acc.at(i), x.at(i)));
        }
    }
    /// The output for a window of `n` values inside the image.
    fn finish(&self, acc: Self::Acc, n: usize) -> Self::T;
    /// [`Pool::add_row`] of several pixels, for which a host may have instructions of its own; else false.
    #[cfg(dunlin_host)]
    fn add_pixels(&self, _acc: ViewMut<Self::Acc>, _pixels: View<Self::T>) -> bool {
        false
    }
    /// [`Pool::finish`] of all channels of a pixel; see [`Pool::add_pixels`].
    #[cfg(dunlin_host)]
    fn finish_pixel(&self, _acc: View<Self::Acc>, _n: usize, _out: ViewMut<Self::T>) -> bool {
        false
    }
}

/// f32 mean, clamped.
pub struct AverageF32(pub (f32, f32));

impl Pool for AverageF32 {
    type T = f32;
    type Acc = f32;
    const EMPTY: f32 = 0.0;

    #[inline(always)]
    fn add(&self, acc: f32, x: f32) -> f32 {
        acc + x
    }
    #[inline(always)]
    fn finish(&self, acc: f32, n: usize) -> f32 {
        clamp_f32(acc / n as f32, self.0)
    }
}

/// `acc[i] += x[i]`.
#[cfg(not(dunlin_mve))]
#[inline(always)]
pub fn add_row_i8(acc: ViewMut<i32>, x: View<i8>) {
    for i in 0..x.len() {
        acc.set(i, acc.at(i).wrapping_add(x.at(i) as i32));
    }
}

/// Mean of the stored integers, rounded to nearest with ties away from zero, clamped. A window has at most
/// 255 * 255 values, so that the sum stays below 2^23.
pub struct AverageI8(pub (i8, i8));

impl Pool for AverageI8 {
    type T = i8;
    type Acc = i32;
    const EMPTY: i32 = 0;

    #[inline(always)]
    fn add(&self, acc: i32, x: i8) -> i32 {
        acc.wrapping_add(x as i32)
    }
    #[inline(always)]
    fn add_row(&self, acc: ViewMut<i32>, x: View<i8>) {
        crate::kernels::pool::add_row_i8(acc, x);
    }
    #[inline(always)]
    fn finish(&self, acc: i32, n: usize) -> i8 {
        let n = n as i32;
        let half = if acc > 0 { n / 2 } else { -(n / 2) };
        let mean = acc.wrapping_add(half).checked_div(n).unwrap_or(0);
        clamp_i8(mean, self.0)
    }
    #[cfg(dunlin_host)]
    fn add_pixels(&self, acc: ViewMut<i32>, pixels: View<i8>) -> bool {
        crate::kernels::pool::add_pixels_i8(acc, pixels)
    }
    #[cfg(dunlin_host)]
    fn finish_pixel(&self, acc: View<i32>, n: usize, out: ViewMut<i8>) -> bool {
        crate::kernels::pool::finish_means_i8(self, acc, n, out)
    }
}

/// f32 maximum, clamped; NaNs are passed over.
pub struct MaxF32(pub (f32, f32));

impl Pool for MaxF32 {
    type T = f32;
    type Acc = f32;
    const EMPTY: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn add(&self, acc: f32, x: f32) -> f32 {
        if x > acc { x } else { acc }
    }
    #[inline(always)]
    fn finish(&self, acc: f32, _n: usize) -> f32 {
        clamp_f32(acc, self.0)
    }
}

/// Maximum of the stored integers, clamped.
pub struct MaxI8(pub (i8, i8));

impl Pool for MaxI8 {
    type T = i8;
    type Acc = i8;
    const EMPTY: i8 = i8::MIN;

    #[inline(always)]
    fn add(&self, acc: i8, x: i8) -> i8 {
        acc.max(x)
    }
    #[inline(always)]
    fn finish(&self, acc: i8, _n: usize) -> i8 {
        acc.max(self.0.0).min(self.0.1)
    }
}

/// Row `y` of a pooling of `x`. Positions in the padding do not count.
pub fn pool_row<P: Pool>(pool: &P, geometry: &Geometry, x: &Rows<P::T>, y: usize, out: ViewMut<P::T>) {
    let [_, out_w, channels] = geometry.output;
    let (image, rows) = geometry.row_taps(y);
    for ox in 0..out_w {
        let columns = geometry.column_taps(ox);
        let n = rows.valid.len().wrapping_mul(columns.valid.len());
        for c in 0..channels {
            let mut acc = P::EMPTY;
            for ky in rows.valid.clone() {
                let row = x.row(image.wrapping_add(rows.index(ky)));
                for kx in columns.valid.clone() {
                    acc = pool.add(acc, row.at(columns.index(kx).wrapping_mul(channels).wrapping_add(c)));
                }
            }
            out.set(ox.wrapping_mul(channels).wrapping_add(c), pool.finish(acc, n));
        }
    }
}

/// Takes row `y` of the image, `x`, into the accumulators of a pooling to one row.
pub fn accumulate_row<P: Pool>(pool: &P, geometry: &Geometry, x: View<P::T>, y: usize, acc: ViewMut<P::Acc>) {
    let [_, out_w, channels] = geometry.output;
    let (_, rows) = geometry.row_taps(0);
    // Pools have no dilation: the taps are neighbours.
    if !(rows.index(rows.valid.start)..rows.index(rows.valid.end)).contains(&y) {
        return;
    }
    for ox in 0..out_w {
        let columns = geometry.column_taps(ox);
        let acc = acc.slice(ox.wrapping_mul(channels), channels);
        for kx in columns.valid.clone() {
            let pixel = x.slice(columns.index(kx).wrapping_mul(channels), channels);
            pool.add_row(acc, pixel);
        }
    }
}

/// The one row that the accumulators hold.
pub fn finish_row<P: Pool>(pool: &P, geometry: &Geometry, acc: View<P::Acc>, out: ViewMut<P::T>) {
    let [_, out_w, channels] = geometry.output;
    let (_, rows) = geometry.row_taps(0);
    for ox in 0..out_w {
        let n = rows.valid.len().wrapping_mul(geometry.column_taps(ox).valid.len());
        for i in ox.wrapping_mul(channels)..ox.wrapping_add(1).wrapping_mul(channels) {
            out.set(i, pool.finish(acc.at(i), n));
        }
    }
}
