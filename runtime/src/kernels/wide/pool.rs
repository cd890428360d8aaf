//! Means of int8: pixels of many channels are added to their accumulators.

use super::cpu::{Cpu, MAX_LANES, Work, load};
use super::vectors;
use crate::kernels::generic;
use crate::mem::{View, ViewMut};

pub use crate::kernels::generic::pool::{
    AverageF32, AverageI8, MaxF32, MaxI8, Pixels, Pool, clamp_row, finish_row, max_of_four_i8,
};

/// [`generic::pool::add_pixels_i8`].
pub fn add_pixels_i8(acc: ViewMut<i32>, pixels: Pixels<i8>) {
    if !vectors::run(Sums { acc, pixels }) {
        generic::pool::add_pixels_i8(acc, pixels);
    }
}

struct Sums<'a> {
    acc: ViewMut<'a, i32>,
    pixels: Pixels<'a, i8>,
}

impl Work for Sums<'_> {
    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) {
        let n_channels = self.acc.len();
        let Pixels { x, distance, count: n_pixels } = self.pixels;
        let mut c = 0;
        while c + 4 * C::LANES <= n_channels {
            let to = self.acc.as_ptr().wrapping_add(c);
            let x = x.as_ptr().wrapping_add(c);
            let mut acc = [cpu.splat(0); 4];
            for pixel in 0..n_pixels {
                // SAFETY: there are so many channels.
                let x = unsafe { cpu.load_4_i8(x.wrapping_add(pixel * distance)) };
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
            let x = x.as_ptr().wrapping_add(c);
            // SAFETY: there are so many channels, of accumulators and pixels.
            unsafe {
                let mut acc = cpu.load(to);
                for pixel in 0..n_pixels {
                    acc = cpu.add(acc, cpu.load_i8(x.wrapping_add(pixel * distance)));
                }
                cpu.store(acc, to);
            }
            c += C::LANES;
        }
        for c in c..n_channels {
            for pixel in 0..n_pixels {
                let x = x.at(pixel * distance + c);
                self.acc.set(c, self.acc.at(c).wrapping_add(x as i32));
            }
        }
    }
}

/// [`generic::pool::means_i8`].
pub fn means_i8(mean: &AverageI8, acc: View<i32>, n: usize, out: ViewMut<i8>) {
    if !vectors::run(Means { mean, acc, n, out }) {
        generic::pool::means_i8(mean, acc, n, out);
    }
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
