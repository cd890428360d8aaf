//! Greatest values of windows, and where their gradients go.

use dunlin::ops::pooling::Pooling;
use dunlin::ops::{MaxPool2d, MaxPool2dGrad};
use rayon::prelude::*;

use super::Kernel;
use super::conv2d::{image, scratch_of_parts};
use super::correlate::Correlation;
use super::operands::{Operands, Shapes};
use super::simd::{load, store, vectorized};
use super::threads::part_len;
use super::tile::View;
use dunlin::Shape;

fn windows(pooling: &Pooling, x: &Shape, y: &Shape) -> Correlation {
    Correlation::forward(pooling.window, pooling.kernel.map(usize::from), image(x), [y.dim(1), y.dim(2)])
}

pub(super) fn forward(op: MaxPool2d, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let (x, y) = (&shapes.inputs[0], &shapes.outputs[0]);
    let (operands, windows) = (operands.apart()?, windows(&op.0, x, y));
    let scratch = scratch_of_parts(&windows, x.dim(0), f32::NEG_INFINITY);
    let (bounds, n_samples, n) = (op.0.bounds.f32(), x.dim(0), x.dim(3));
    Some(Box::new(Forward { operands, windows, n_samples, n, bounds, scratch }))
}

struct Forward {
    operands: Operands,
    windows: Correlation,
    n_samples: usize,
    n: usize,
    bounds: (f32, f32),
    scratch: Vec<Vec<f32>>,
}

impl Kernel for Forward {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let ([x, ..], [out, ..]) = (opened.inputs, opened.outputs);
        let (windows, n, bounds) = (&self.windows, self.n, self.bounds);
        let part = part_len(self.n_samples);
        let (in_len, out_len) = (windows.image_len(), windows.n_windows() * n);
        let parts =
            x.par_chunks(part * in_len).zip(out.par_chunks_mut(part * out_len)).zip(&mut self.scratch);
        parts.for_each(|((x, out), scratch)| {
            for (x, out) in x.chunks_exact(in_len).zip(out.chunks_exact_mut(out_len)) {
                greatest(windows.view(x, scratch), n, bounds, out);
            }
        });
    }
}

/// Only for windows that stay inside the image.
pub(super) fn grad(op: MaxPool2dGrad, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let (dy, x) = (&shapes.inputs[0], &shapes.inputs[1]);
    let (operands, windows) = (operands.apart()?, windows(&op.0, x, dy));
    let (n_samples, n) = (x.dim(0), x.dim(3));
    windows.is_in_place().then(|| Box::new(Grad { operands, windows, n_samples, n }) as Box<dyn Kernel>)
}

struct Grad {
    operands: Operands,
    windows: Correlation,
    n_samples: usize,
    n: usize,
}

impl Kernel for Grad {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let ([dy, x, ..], [dx, ..]) = (opened.inputs, opened.outputs);
        let (windows, n) = (&self.windows, self.n);
        let part = part_len(self.n_samples);
        let (in_len, out_len) = (windows.image_len(), windows.n_windows() * n);
        let parts = x.par_chunks(part * in_len).zip(dy.par_chunks(part * out_len));
        parts.zip(dx.par_chunks_mut(part * in_len)).for_each(|((x, dy), dx)| {
            let samples = x.chunks_exact(in_len).zip(dy.chunks_exact(out_len));
            for ((x, dy), dx) in samples.zip(dx.chunks_exact_mut(in_len)) {
                dx.fill(0.0);
                pass_back(windows.view(x, &mut []), n, dy, dx);
            }
        });
    }
}

vectorized! {
    /// The greatest value of every window, clamped, each channel for itself: `out` `[windows, n]`.
    fn greatest[simd: S](x: View<'_>, n: usize, bounds: (f32, f32), out: &mut [f32]) {
        let (lo, hi) = (simd.splat_f32s(bounds.0), simd.splat_f32s(bounds.1));
        for (&base, out) in x.bases.iter().zip(out.chunks_exact_mut(n)) {
            for (c, out) in (0..n).step_by(S::F32_LANES).zip(out.chunks_mut(S::F32_LANES)) {
                let mut greatest = simd.splat_f32s(f32::NEG_INFINITY);
                for &tap in x.taps {
                    let x = load(simd, &x.source[base + tap + c..][..out.len()]);
                    greatest = simd.max_f32s(greatest, x);
                }
                store(simd, out, simd.min_f32s(hi, simd.max_f32s(lo, greatest)));
            }
        }
    }

    /// Adds the gradient of every window to that of its first greatest value.
    fn pass_back[simd: S](x: View<'_>, n: usize, dy: &[f32], dx: &mut [f32]) {
        let zero = simd.splat_f32s(0.0);
        for (&base, dy) in x.bases.iter().zip(dy.chunks_exact(n)) {
            for (c, dy) in (0..n).step_by(S::F32_LANES).zip(dy.chunks(S::F32_LANES)) {
                let width = dy.len();
                let at = |tap: usize| load(simd, &x.source[base + tap + c..][..width]);
                let mut greatest = simd.splat_f32s(f32::NEG_INFINITY);
                for &tap in x.taps {
                    greatest = simd.max_f32s(greatest, at(tap));
                }
                // What is left of the gradient once the first greatest value has taken it: nothing.
                let mut left = load(simd, dy);
                for &tap in x.taps {
                    let is_greatest = simd.equal_f32s(at(tap), greatest);
                    let dx = &mut dx[base + tap + c..][..width];
                    let share = simd.select_f32s(is_greatest, left, zero);
                    left = simd.select_f32s(is_greatest, zero, left);
                    store(simd, dx, simd.add_f32s(load(simd, dx), share));
                }
            }
        }
    }
}
