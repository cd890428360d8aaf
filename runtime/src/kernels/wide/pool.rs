//! Means of int8 over whole images: pixels of many channels are added to their accumulators.

use super::cpu::{Cpu, MAX_LANES, Work, load};
use super::vectors;
use crate::kernels::generic;
use crate::mem::{View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::pool::{AverageF32, AverageI8, MaxF32, MaxI8, Pool, add_row_i8, pool_row};

/// [`generic::pool::accumulate_row`].
pub fn accumulate_row<P: Pool>(pool: &P, geometry: &Geometry, x: View<P::T>, y: usize, acc: ViewMut<P::Acc>) {
    let [_, out_w, channels] = geometry.output;
    let (_, rows) = geometry.row_taps(0);
    if !(rows.index(rows.valid.start)..rows.index(rows.valid.end)).contains(&y) {
        return;
    }
    for ox in 0..out_w {
        let columns = geometry.column_taps(ox);
        let pixels = x.slice(columns.index(columns.valid.start) * channels, columns.valid.len() * channels);
        if !pool.add_pixels(acc.slice(ox * channels, channels), pixels) {
            return generic::pool::accumulate_row(pool, geometry, x, y, acc);
        }
    }
}

/// [`generic::pool::finish_row`].
pub fn finish_row<P: Pool>(pool: &P, geometry: &Geometry, acc: View<P::Acc>, out: ViewMut<P::T>) {
    let [_, out_w, channels] = geometry.output;
    let (_, rows) = geometry.row_taps(0);
    for ox in 0..out_w {
        let n = rows.valid.len() * geometry.column_taps(ox).valid.len();
        let pixel = acc.slice(ox * channels, channels);
        if !pool.finish_pixel(pixel, n, out.slice(ox * channels, channels)) {
            return generic::pool::finish_row(pool, geometry, acc, out);
        }
    }
}

/// Adds pixels, of as many channels as there are accumulators; false, and nothing is done, if the machine has no vectors.
pub fn add_pixels_i8(acc: ViewMut<i32>, pixels: View<i8>) -> bool {
    vectors::run(Pixels { acc, pixels })
}

struct Pixels<'a> {
    acc: ViewMut<'a, i32>,
    pixels: View<'a, i8>,
}

impl Work for Pixels<'_> {
    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) {
        let n_channels = self.acc.len();
        let n_pixels = self.pixels.len().checked_div(n_channels).unwrap_or(0);
        let mut c = 0;
        while c + 4 * C::LANES <= n_channels {
            let to = self.acc.as_ptr().wrapping_add(c);
            let x = self.pixels.as_ptr().wrapping_add(c);
            let mut acc = [cpu.splat(0); 4];
            for pixel in 0..n_pixels {
                // SAFETY: there are so many channels.
                let x = unsafe { cpu.load_4_i8(x.wrapping_add(pixel * n_channels)) };
                for i in 0..4 {
                    acc[i] = cpu.add(acc[i], x[i]);
                }
            }
            for (i, &acc) in acc.iter().enumerate() {
                let to = to.wrapping_add(i * C::LANES);
                // SAFETY: as many accumulators.
                unsafe { cpu.store(cpu.add(cpu.load(to), acc), to) };
            }
            c += 4 * C::LANES;
        }
        while c + C::LANES <= n_channels {
            let to = self.acc.as_ptr().wrapping_add(c);
            let x = self.pixels.as_ptr().wrapping_add(c);
            // SAFETY: there are so many channels, of accumulators and pixels.
            unsafe {
                let mut acc = cpu.load(to);
                for pixel in 0..n_pixels {
                    acc = cpu.add(acc, cpu.load_i8(x.wrapping_add(pixel * n_channels)));
                }
                cpu.store(acc, to);
            }
            c += C::LANES;
        }
        for c in c..n_channels {
            for pixel in 0..n_pixels {
                let x = self.pixels.at(pixel * n_channels + c);
                self.acc.set(c, self.acc.at(c).wrapping_add(x as i32));
            }
        }
    }
}

/// Means of `n` values of int8; false, and nothing is done, if the machine has no vectors.
pub fn finish_means_i8(mean: &AverageI8, acc: View<i32>, n: usize, out: ViewMut<i8>) -> bool {
    vectors::run(Means { mean, acc, n, out })
}

struct Means<'a> {
    mean: &'a AverageI8,
    acc: View<'a, i32>,
    n: usize,
    out: ViewMut<'a, i8>,
}

impl Work for Means<'_> {
    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) {
        let n = cpu.splat(self.n as i32);
        let half = cpu.splat(self.n as i32 / 2);
        let bounds = self.mean.0;
        let mut c = 0;
        while c < self.out.len() {
            let len = C::LANES.min(self.out.len() - c);
            let mut means = [0; MAX_LANES];
            // SAFETY: there are so many accumulators and outputs, and in the copy as many as any CPU has lanes.
            unsafe {
                let acc = load(cpu, self.acc.as_ptr().wrapping_add(c).cast(), 4 * len);
                // Halves go away from zero.
                let mean = cpu.divide(cpu.add(acc, cpu.with_sign_of(half, acc)), n);
                let to = self.out.as_ptr().wrapping_add(c);
                if len == C::LANES {
                    cpu.store_i8(mean, 0, bounds, to);
                } else {
                    cpu.store_i8(mean, 0, bounds, means.as_mut_ptr());
                    core::ptr::copy_nonoverlapping(means.as_ptr(), to, len);
                }
            }
            c += len;
        }
    }
}
