//! Depthwise convolution and its gradients, vectors along the channels.

use std::ops::Range;

use dunlin::ops::{DepthwiseConv2d, DepthwiseConv2dInputGrad, DepthwiseConv2dWeightsGrad};
use pulp::Simd;
use rayon::prelude::*;

use super::Kernel;
use super::conv2d::{add_all, image, scratch_of_parts};
use super::correlate::Correlation;
use super::operands::{Operands, Shapes};
use super::simd::{load, store, vectorized};
use super::threads::part_len;
use super::tile::View;

pub(super) fn forward(op: DepthwiseConv2d, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let (x, w, y) = (&shapes.inputs[0], &shapes.inputs[1], &shapes.outputs[0]);
    let operands = operands.apart().filter(|_| x.dim(3) == w.dim(3))?;
    let windows = Correlation::forward(op.window, [w.dim(1), w.dim(2)], image(x), [y.dim(1), y.dim(2)]);
    let (scratch, bias) = (scratch_of_parts(&windows, x.dim(0), 0.0), vec![0.0; w.dim(3)]);
    let (n_samples, bounds) = (x.dim(0), op.bounds.f32());
    Some(Box::new(Product { operands, windows, n_samples, bias, turned: None, bounds, scratch }))
}

pub(super) fn input_grad(
    op: DepthwiseConv2dInputGrad,
    shapes: &Shapes,
    operands: Operands,
) -> Option<Box<dyn Kernel>> {
    let (dy, w, dx) = (&shapes.inputs[0], &shapes.inputs[1], &shapes.outputs[0]);
    let operands = operands.apart().filter(|_| dx.dim(3) == w.dim(3))?;
    let kernel = [w.dim(1), w.dim(2)];
    let windows = Correlation::transposed(op.window, kernel, image(dy), [dx.dim(1), dx.dim(2)])?;
    let (scratch, bias) = (scratch_of_parts(&windows, dy.dim(0), 0.0), vec![0.0; w.dim(3)]);
    let (n_samples, bounds) = (dy.dim(0), (f32::NEG_INFINITY, f32::INFINITY));
    let turned = Some(vec![0.0; w.count()]);
    Some(Box::new(Product { operands, windows, n_samples, bias, turned, bounds, scratch }))
}

/// The windows of every sample by weights `[taps, c]`, each channel for itself.
struct Product {
    operands: Operands,
    windows: Correlation,
    n_samples: usize,
    bias: Vec<f32>,
    /// The weights with the last tap first, if that is how they are taken.
    turned: Option<Vec<f32>>,
    bounds: (f32, f32),
    scratch: Vec<Vec<f32>>,
}

impl Kernel for Product {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [x, mut w, bias, ..] = opened.inputs;
        let [out, ..] = opened.outputs;
        let n = self.bias.len();
        if let Some(turned) = &mut self.turned {
            for (to, from) in turned.chunks_exact_mut(n).zip(w.chunks_exact(n).rev()) {
                to.copy_from_slice(from);
            }
            w = turned;
        }
        if let Some(to) = self.bias.get_mut(..bias.len()) {
            to.copy_from_slice(bias);
        }
        let (windows, bias, bounds) = (&self.windows, &self.bias, self.bounds);
        let part = part_len(self.n_samples);
        let (in_len, out_len) = (windows.image_len(), windows.n_windows() * n);
        let parts =
            x.par_chunks(part * in_len).zip(out.par_chunks_mut(part * out_len)).zip(&mut self.scratch);
        parts.for_each(|((x, out), scratch)| {
            for (x, out) in x.chunks_exact(in_len).zip(out.chunks_exact_mut(out_len)) {
                multiply(windows.view(x, scratch), w, bias, bounds, out);
            }
        });
    }
}

pub(super) fn weights_grad(
    op: DepthwiseConv2dWeightsGrad,
    shapes: &Shapes,
    operands: Operands,
) -> Option<Box<dyn Kernel>> {
    let (dy, x) = (&shapes.inputs[0], &shapes.inputs[1]);
    let operands = operands.apart().filter(|_| x.dim(3) == dy.dim(3))?;
    let out = [dy.dim(1), dy.dim(2)];
    let windows = Correlation::forward(op.window, op.kernel.map(usize::from), image(x), out);
    let scratch = scratch_of_parts(&windows, dy.dim(0), 0.0);
    let sums = vec![vec![0.0; shapes.outputs[0].count()]; scratch.len()];
    Some(Box::new(WeightsGrad { operands, windows, n_samples: dy.dim(0), n: dy.dim(3), scratch, sums }))
}

/// The windows of every sample by the output's gradient, each channel for itself.
struct WeightsGrad {
    operands: Operands,
    windows: Correlation,
    n_samples: usize,
    n: usize,
    scratch: Vec<Vec<f32>>,
    /// Of each part of the samples, `[taps, c]`.
    sums: Vec<Vec<f32>>,
}

impl Kernel for WeightsGrad {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [dy, x, ..] = opened.inputs;
        let [dw, ..] = opened.outputs;
        let windows = &self.windows;
        let part = part_len(self.n_samples);
        let (in_len, out_len) = (windows.image_len(), windows.n_windows() * self.n);
        let parts = x.par_chunks(part * in_len).zip(dy.par_chunks(part * out_len));
        parts.zip(&mut self.scratch).zip(&mut self.sums).for_each(|(((x, dy), scratch), sums)| {
            sums.fill(0.0);
            for (x, dy) in x.chunks_exact(in_len).zip(dy.chunks_exact(out_len)) {
                add_products(windows.view(x, scratch), dy, sums);
            }
        });
        let Some((total, others)) = self.sums.split_first_mut() else { return };
        add_all(total, others);
        dw.copy_from_slice(total);
    }
}

/// Taps that are taken together: their weights or sums stay in registers.
const MAX_TAPS: usize = 9;

/// Calls `$f::<S, T>` with `T` as large as `$taps` is long.
macro_rules! for_taps {
    ($taps:expr, $f:ident::<$S:ident, _>($($arg:expr),*)) => {
        match $taps.len() {
            1 => $f::<$S, 1>($($arg),*),
            2 => $f::<$S, 2>($($arg),*),
            3 => $f::<$S, 3>($($arg),*),
            4 => $f::<$S, 4>($($arg),*),
            5 => $f::<$S, 5>($($arg),*),
            6 => $f::<$S, 6>($($arg),*),
            7 => $f::<$S, 7>($($arg),*),
            8 => $f::<$S, 8>($($arg),*),
            _ => $f::<$S, 9>($($arg),*),
        }
    };
}

vectorized! {
    /// `out = clamp(bias + Σ x[tap] * w[tap])` for every window, `out` `[windows, c]`.
    fn multiply[simd: S](x: View<'_>, w: &[f32], bias: &[f32], bounds: (f32, f32), out: &mut [f32]) {
        let (n, n_taps) = (bias.len(), x.taps.len());
        let unbounded = (f32::NEG_INFINITY, f32::INFINITY);
        for c in (0..n).step_by(S::F32_LANES) {
            let channels = c..(c + S::F32_LANES).min(n);
            for (i, (taps, w)) in x.taps.chunks(MAX_TAPS).zip(w.chunks(MAX_TAPS * n)).enumerate() {
                let x = View { taps, ..x };
                let bias = (i == 0).then_some(bias);
                let bounds = if (i + 1) * MAX_TAPS >= n_taps { bounds } else { unbounded };
                for_taps!(taps, multiply_taps::<S, _>(simd, x, w, bias, bounds, channels.clone(), n, out));
            }
        }
    }

    /// `sums[tap] += Σ x[tap] * dy` over all windows, `sums` `[taps, c]`.
    fn add_products[simd: S](x: View<'_>, dy: &[f32], sums: &mut [f32]) {
        let n = sums.len() / x.taps.len();
        for (taps, sums) in x.taps.chunks(MAX_TAPS).zip(sums.chunks_mut(MAX_TAPS * n)) {
            for c in (0..n).step_by(S::F32_LANES) {
                let channels = c..(c + S::F32_LANES).min(n);
                let x = View { taps, ..x };
                for_taps!(taps, add_taps::<S, _>(simd, x, dy, channels, n, sums));
            }
        }
    }
}

/// What each tap reads, all of one length, so that one check of an index serves all.
#[inline(always)]
fn rows<'a, const T: usize>(x: View<'a>) -> [&'a [f32]; T] {
    let len = x.source.len() - x.taps.iter().max().copied().unwrap_or(0);
    let mut rows: [&[f32]; T] = [&[]; T];
    for (row, &tap) in rows.iter_mut().zip(x.taps) {
        *row = &x.source[tap..][..len];
    }
    rows
}

/// `T` taps of a vector of channels; without `bias`, added to what stands in `out`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn multiply_taps<S: Simd, const T: usize>(
    simd: S,
    x: View,
    w: &[f32],
    bias: Option<&[f32]>,
    (lo, hi): (f32, f32),
    channels: Range<usize>,
    n: usize,
    out: &mut [f32],
) {
    let rows = rows::<T>(x);
    let mut weights = [simd.splat_f32s(0.0); T];
    for t in 0..T {
        weights[t] = load(simd, &w[t * n..][channels.clone()]);
    }
    let bias = bias.map(|bias| load(simd, &bias[channels.clone()]));
    let (lo, hi) = (simd.splat_f32s(lo), simd.splat_f32s(hi));
    let width = channels.len();
    for (&base, out) in x.bases.iter().zip(out.chunks_exact_mut(n)) {
        let out = &mut out[channels.clone()];
        let mut sum = bias.unwrap_or_else(|| load(simd, out));
        for t in 0..T {
            let x = load(simd, &rows[t][base + channels.start..][..width]);
            sum = simd.mul_add_f32s(x, weights[t], sum);
        }
        store(simd, out, simd.min_f32s(hi, simd.max_f32s(lo, sum)));
    }
}

/// The sums of `T` taps of a vector of channels.
#[inline(always)]
fn add_taps<S: Simd, const T: usize>(
    simd: S,
    x: View,
    dy: &[f32],
    channels: Range<usize>,
    n: usize,
    sums: &mut [f32],
) {
    let rows = rows::<T>(x);
    let mut block = [simd.splat_f32s(0.0); T];
    for t in 0..T {
        block[t] = load(simd, &sums[t * n..][channels.clone()]);
    }
    let width = channels.len();
    for (&base, dy) in x.bases.iter().zip(dy.chunks_exact(n)) {
        let dy = load(simd, &dy[channels.clone()]);
        for t in 0..T {
            let x = load(simd, &rows[t][base + channels.start..][..width]);
            block[t] = simd.mul_add_f32s(x, dy, block[t]);
        }
    }
    for t in 0..T {
        store(simd, &mut sums[t * n..][channels.clone()], block[t]);
    }
}
