//! A row of a fully connected layer: each weight is used once, so they are read where they are. A vector of them lies along
//! the taps of one channel; the lanes are summed at the end.

use super::cpu::{Cpu, Work, load};
use super::float32::Float32;
use super::int8::Int8;
use super::numbers::{Numbers, Sums};
use super::vectors;
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::{F32, I8};
use crate::kernels::is_f32_fast;
use crate::mem::{View, ViewMut};
use crate::ops::fully_connected::Weights;

pub use crate::kernels::generic::fully_connected::{blocks_row_i8, fully_connected_scratch_bytes};

/// [`generic::fully_connected::fully_connected_row_i8`].
pub fn fully_connected_row_i8(
    arithmetic: &I8,
    weights: Weights,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let numbers = Int8::new(arithmetic);
    // Quads are made for cores with the DSP extension.
    if weights != Weights::ROWS || !vectors::run(Row { numbers, x, w, out }) {
        generic::fully_connected::fully_connected_row_i8(arithmetic, weights, x, w, out, scratch);
    }
}

/// [`generic::fully_connected::fully_connected_row_f32`].
pub fn fully_connected_row_f32(arithmetic: &F32, x: View<f32>, w: View<f32>, out: ViewMut<f32>) {
    if !is_f32_fast() || !vectors::run(Row { numbers: Float32(arithmetic), x, w, out }) {
        generic::fully_connected::fully_connected_row_f32(arithmetic, x, w, out);
    }
}

struct Row<'a, N: Numbers> {
    numbers: N,
    x: View<'a, N::T>,
    w: View<'a, N::T>,
    out: ViewMut<'a, N::T>,
}

impl<N: Numbers> Work for Row<'_, N> {
    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) {
        match (C::LANES, self.numbers.wants_weights::<C>()) {
            (16, true) => self.channels::<C, 8, true>(cpu),
            (8 | 16, false) => self.channels::<C, 8, false>(cpu),
            (_, false) => self.channels::<C, 4, false>(cpu),
            (_, true) => self.channels::<C, 4, true>(cpu),
        }
    }
}

impl<N: Numbers> Row<'_, N> {
    /// `AT_ONCE`: channels that share a load of activations; `WEIGHTS`: the sums of the weights are wanted, too.
    #[inline(always)]
    fn channels<C: Cpu, const AT_ONCE: usize, const WEIGHTS: bool>(&self, cpu: C) {
        let mut c = 0;
        while c < self.out.len() {
            let n = C::LANES.min(self.out.len() - c);
            let mut sums = self.multiply::<C, AT_ONCE, WEIGHTS>(cpu, c);
            if C::LANES > AT_ONCE {
                let others = self.multiply::<C, AT_ONCE, WEIGHTS>(cpu, c + AT_ONCE);
                for (sum, other) in sums.iter_mut().zip(others) {
                    *sum = N::add_quarters(cpu, *sum, other);
                }
            }
            let [products, weights] = sums;
            let channels = self.numbers.channels(cpu, c, n, weights);
            let acc = N::add(cpu, N::begin(&channels), products);
            let sums = Sums { first: &acc, vectors: 1, positions: 1, channels: n, out_step: 0 };
            // SAFETY: the row has so many outputs.
            unsafe { self.numbers.finish(cpu, &channels, sums, self.out.slice(c, n).as_ptr()) };
            c += n;
        }
    }

    /// Of channels from `c` on, the sums of products and of weights, half a vector of them or a whole one: see
    /// [`reduced`].
    #[inline(always)]
    fn multiply<C: Cpu, const AT_ONCE: usize, const WEIGHTS: bool>(&self, cpu: C, c: usize) -> [C::V; 2] {
        let k = self.x.len();
        let mut rows = [self.w.as_ptr().wrapping_add(c * k); AT_ONCE];
        let valid = self.out.len().saturating_sub(c);
        if valid >= AT_ONCE {
            for i in 1..AT_ONCE {
                rows[i] = rows[i - 1].wrapping_add(k);
            }
        } else if valid > 0 {
            for i in 1..AT_ONCE {
                // What is behind the last channel is computed as it, and not used.
                rows[i] = rows[i - 1].wrapping_add(if i < valid { k } else { 0 });
            }
        } else {
            return [cpu.splat(0); 2];
        }
        let mut products = Products { sums: [cpu.splat(0); AT_ONCE], weights: [cpu.splat(0); AT_ONCE] };
        let (x, step) = (self.x.as_ptr(), C::LANES * N::TAPS);
        let mut at = 0;
        // Of long rows that begin at the same place of a vector, those of weights are read where vectors begin: where the
        // order of sums counts, it must not depend on where the weights happen to lie.
        let begin = rows[0] as usize % (4 * C::LANES) / size_of::<N::T>();
        let is_long = N::ANY_ORDER && k.is_multiple_of(step) && k >= 4 * step;
        // SAFETY: there are so many activations, and as many weights of each channel.
        unsafe {
            if is_long && begin > 0 {
                products.add::<N, WEIGHTS>(cpu, x, &rows, 0, (step - begin) * size_of::<N::T>());
                at = step - begin;
            }
            while at + step <= k {
                products.add::<N, WEIGHTS>(cpu, x.add(at), &rows, at, 4 * C::LANES);
                at += step;
            }
            if at < k {
                products.add::<N, WEIGHTS>(cpu, x.add(at), &rows, at, (k - at) * size_of::<N::T>());
            }
        }
        let weights = if WEIGHTS { reduced::<C, N, AT_ONCE>(cpu, &products.weights) } else { cpu.splat(0) };
        [reduced::<C, N, AT_ONCE>(cpu, &products.sums), weights]
    }
}

/// Of 4 or 8 channels, each quarter has the sums of 4: the quarters of a vector of them, added up, are the channels' sums.
#[inline(always)]
fn reduced<C: Cpu, N: Numbers, const AT_ONCE: usize>(cpu: C, v: &[C::V; AT_ONCE]) -> C::V {
    let first = N::sums_of_quarters(cpu, [v[0], v[1], v[2], v[3]]);
    if AT_ONCE == 4 {
        return first;
    }
    N::add_quarters(cpu, first, N::sums_of_quarters(cpu, [v[4], v[5], v[6], v[7]]))
}

/// Sums of some channels: of products, and of weights.
struct Products<C: Cpu, const N: usize> {
    sums: [C::V; N],
    weights: [C::V; N],
}

impl<C: Cpu, const AT_ONCE: usize> Products<C, AT_ONCE> {
    /// Adds the products of a vector of activations, or of its first bytes.
    ///
    /// # Safety
    /// So many bytes of activations and, from place `at` of each row on, of weights can be read.
    #[inline(always)]
    unsafe fn add<N: Numbers, const WEIGHTS: bool>(
        &mut self,
        cpu: C,
        x: *const N::T,
        rows: &[*const N::T; AT_ONCE],
        at: usize,
        n_bytes: usize,
    ) {
        // SAFETY: as the caller says.
        let x = cpu.xor(unsafe { load(cpu, x.cast(), n_bytes) }, cpu.splat(N::flip::<C>()));
        for (i, row) in rows.iter().enumerate() {
            // SAFETY: as above.
            let w = unsafe { load(cpu, row.add(at).cast(), n_bytes) };
            self.sums[i] = N::dot(cpu, self.sums[i], x, w);
            if WEIGHTS {
                self.weights[i] = N::add_weights(cpu, self.weights[i], w);
            }
        }
    }
}
