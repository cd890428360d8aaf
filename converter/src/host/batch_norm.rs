//! Batch normalization and its gradients, vectors along the channels.

use dunlin::ops::{BatchNorm, BatchNormTrain, BatchNormTrainGrad};
use pulp::Simd;
use rayon::prelude::*;

use super::Kernel;
use super::conv2d::add_all;
use super::operands::{Operands, Shapes};
use super::simd::{load, store, vectorized};
use super::threads::part_len;

/// Elements of a part: of samples where there are several, of pixels otherwise.
fn part_elements(n: usize, channels: usize) -> usize {
    part_len(n / channels) * channels
}

pub(super) fn forward(op: BatchNormTrain, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let (n, c) = (shapes.inputs[0].count(), shapes.inputs[1].count());
    let parts = n.div_ceil(part_elements(n, c));
    let operands = operands.apart()?;
    Some(Box::new(Forward { operands, op, scale: vec![0.0; c], sums: vec![vec![0.0; 2 * c]; parts] }))
}

struct Forward {
    operands: Operands,
    op: BatchNormTrain,
    scale: Vec<f32>,
    /// Of each part: sums of the differences from the first pixel, then of their squares.
    sums: Vec<Vec<f32>>,
}

impl Kernel for Forward {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [x, gamma, beta, ..] = opened.inputs;
        let [out, mean, variance, ..] = opened.outputs;
        let c = gamma.len();
        let part = part_elements(x.len(), c);
        let shift = &x[..c];
        x.par_chunks(part).zip(&mut self.sums).for_each(|(x, sums)| {
            sums.fill(0.0);
            add_moments(x, shift, sums);
        });
        let Some((total, others)) = self.sums.split_first_mut() else { return };
        add_all(total, others);
        let n = (x.len() / c) as f32;
        for i in 0..c {
            let distance = total[i] / n;
            mean[i] = shift[i] + distance;
            variance[i] = (total[c + i] / n - distance * distance).max(0.0);
            self.scale[i] = gamma[i] / (variance[i] + self.op.epsilon).sqrt();
        }
        let (mean, scale, bounds) = (&*mean, &self.scale, self.op.bounds.f32());
        out.par_chunks_mut(part).zip(x.par_chunks(part)).for_each(|(out, x)| {
            normalize(Some(x), mean, scale, beta, bounds, out);
        });
    }
}

pub(super) fn inference(op: BatchNorm, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let c = shapes.inputs[1].count();
    let fits = (1..5).all(|i| operands.is_apart(i));
    fits.then(|| Box::new(Inference { operands, op, scale: vec![0.0; c] }) as Box<dyn Kernel>)
}

struct Inference {
    operands: Operands,
    op: BatchNorm,
    scale: Vec<f32>,
}

impl Kernel for Inference {
    fn run(&mut self, arena: &mut [f32]) {
        let in_place = !self.operands.is_apart(0);
        let opened = self.operands.open(arena);
        let [x, gamma, beta, mean, variance, ..] = opened.inputs;
        let [out, ..] = opened.outputs;
        for (i, scale) in self.scale.iter_mut().enumerate() {
            *scale = gamma[i] / (variance[i] + self.op.epsilon).sqrt();
        }
        let part = part_elements(out.len(), gamma.len());
        let unbounded = (f32::NEG_INFINITY, f32::INFINITY);
        out.par_chunks_mut(part).enumerate().for_each(|(i, out)| {
            let x = if in_place { None } else { Some(&x[i * part..][..out.len()]) };
            normalize(x, mean, &self.scale, beta, unbounded, out);
        });
    }
}

pub(super) fn grad(op: BatchNormTrainGrad, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let (n, c) = (shapes.inputs[0].count(), shapes.inputs[2].count());
    let parts = n.div_ceil(part_elements(n, c));
    let (factors, sums) = (vec![0.0; 3 * c], vec![vec![0.0; 2 * c]; parts]);
    let operands = operands.apart()?;
    Some(Box::new(Grad { operands, op, factors, sums }))
}

struct Grad {
    operands: Operands,
    op: BatchNormTrainGrad,
    /// Per channel: the scale, and the two numbers that `g` and `x - mean` come with.
    factors: Vec<f32>,
    /// Of each part: sums of the gradient that passes, then of its products with `x - mean`.
    sums: Vec<Vec<f32>>,
}

impl Kernel for Grad {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [dy, x, gamma, beta, mean, variance, ..] = opened.inputs;
        let [dx, dgamma, dbeta, ..] = opened.outputs;
        let (c, epsilon, bounds) = (gamma.len(), self.op.epsilon, self.op.bounds.f32());
        let (scale, spread) = self.factors.split_at_mut(c);
        for (i, scale) in scale.iter_mut().enumerate() {
            *scale = gamma[i] / (variance[i] + epsilon).sqrt();
        }
        let norm = Norm { mean, scale, beta, bounds };
        let part = part_elements(x.len(), c);
        x.par_chunks(part).zip(dy.par_chunks(part)).zip(&mut self.sums).for_each(|((x, dy), sums)| {
            sums.fill(0.0);
            add_passed(norm, x, dy, sums);
        });
        let Some((total, others)) = self.sums.split_first_mut() else { return };
        add_all(total, others);
        let n = (x.len() / c) as f32;
        let (shares, slopes) = spread.split_at_mut(c);
        for i in 0..c {
            let deviation = (variance[i] + epsilon).sqrt();
            (dbeta[i], dgamma[i]) = (total[i], total[c + i] / deviation);
            (shares[i], slopes[i]) = (dbeta[i] / n, dgamma[i] / deviation / n);
        }
        let (shares, slopes) = (&*shares, &*slopes);
        let parts = dx.par_chunks_mut(part).zip(x.par_chunks(part)).zip(dy.par_chunks(part));
        parts.for_each(|((dx, x), dy)| input_grad(norm, shares, slopes, x, dy, dx));
    }
}

/// Pixels that stay in the fastest cache while all channels pass over them.
const BLOCK: usize = 16;

/// What normalizes each channel, and the activation behind it.
#[derive(Clone, Copy)]
struct Norm<'a> {
    mean: &'a [f32],
    scale: &'a [f32],
    beta: &'a [f32],
    bounds: (f32, f32),
}

impl Norm<'_> {
    /// Channels from `c` on, as many as a vector has.
    #[inline(always)]
    fn channels<S: Simd>(&self, simd: S, c: usize) -> Channels<S> {
        let width = S::F32_LANES.min(self.mean.len() - c);
        let of = |values: &[f32]| load(simd, &values[c..c + width]);
        Channels { mean: of(self.mean), scale: of(self.scale), beta: of(self.beta) }
    }
}

/// A vector of channels.
struct Channels<S: Simd> {
    mean: S::f32s,
    scale: S::f32s,
    beta: S::f32s,
}

impl<S: Simd> Channels<S> {
    /// The part of `dy` that passes the activation, strictly inside its bounds, and `x - mean`.
    #[inline(always)]
    fn passed(&self, simd: S, (lo, hi): (S::f32s, S::f32s), x: S::f32s, dy: S::f32s) -> (S::f32s, S::f32s) {
        let centred = simd.sub_f32s(x, self.mean);
        let y = simd.mul_add_f32s(centred, self.scale, self.beta);
        let zero = simd.splat_f32s(0.0);
        let above = simd.select_f32s(simd.less_than_f32s(lo, y), dy, zero);
        (simd.select_f32s(simd.less_than_f32s(y, hi), above, zero), centred)
    }
}

vectorized! {
    /// Adds to `sums` `[2, c]` the differences from `shift` `[c]` of every pixel, and their squares.
    fn add_moments[simd: S](x: &[f32], shift: &[f32], sums: &mut [f32]) {
        let n = shift.len();
        let (sums, squares) = sums.split_at_mut(n);
        for x in x.chunks(BLOCK * n) {
            for c in (0..n).step_by(S::F32_LANES) {
                let range = c..(c + S::F32_LANES).min(n);
                let of = |values: &[f32]| load(simd, &values[range.clone()]);
                let (shift, mut sum, mut square) = (of(shift), of(sums), of(squares));
                for x in x.chunks_exact(n) {
                    let d = simd.sub_f32s(of(x), shift);
                    sum = simd.add_f32s(sum, d);
                    square = simd.mul_add_f32s(d, d, square);
                }
                store(simd, &mut sums[range.clone()], sum);
                store(simd, &mut squares[range.clone()], square);
            }
        }
    }

    /// `out = clamp((x - mean) * scale + beta)`; without `x`, of what stands in `out`.
    fn normalize[simd: S](
        x: Option<&[f32]>,
        mean: &[f32],
        scale: &[f32],
        beta: &[f32],
        bounds: (f32, f32),
        out: &mut [f32],
    ) {
        let n = mean.len();
        let norm = Norm { mean, scale, beta, bounds };
        let (lo, hi) = (simd.splat_f32s(bounds.0), simd.splat_f32s(bounds.1));
        for (i, out) in out.chunks_mut(BLOCK * n).enumerate() {
            let x = x.map(|x| &x[i * BLOCK * n..][..out.len()]);
            for c in (0..n).step_by(S::F32_LANES) {
                let channels = norm.channels(simd, c);
                let range = c..(c + S::F32_LANES).min(n);
                for (i, out) in out.chunks_exact_mut(n).enumerate() {
                    let out = &mut out[range.clone()];
                    let x = match x {
                        Some(x) => load(simd, &x[i * n..][range.clone()]),
                        None => load(simd, out),
                    };
                    let centred = simd.sub_f32s(x, channels.mean);
                    let y = simd.mul_add_f32s(centred, channels.scale, channels.beta);
                    store(simd, out, simd.min_f32s(hi, simd.max_f32s(lo, y)));
                }
            }
        }
    }

    /// Adds to `sums` `[2, c]` the gradient that passes, and its products with `x - mean`.
    fn add_passed[simd: S](norm: Norm<'_>, x: &[f32], dy: &[f32], sums: &mut [f32]) {
        let n = norm.mean.len();
        let bounds = (simd.splat_f32s(norm.bounds.0), simd.splat_f32s(norm.bounds.1));
        let (sums, products) = sums.split_at_mut(n);
        for (x, dy) in x.chunks(BLOCK * n).zip(dy.chunks(BLOCK * n)) {
            for c in (0..n).step_by(S::F32_LANES) {
                let range = c..(c + S::F32_LANES).min(n);
                let of = |values: &[f32]| load(simd, &values[range.clone()]);
                let (channels, mut sum, mut product) = (norm.channels(simd, c), of(sums), of(products));
                for (x, dy) in x.chunks_exact(n).zip(dy.chunks_exact(n)) {
                    let (g, centred) = channels.passed(simd, bounds, of(x), of(dy));
                    sum = simd.add_f32s(sum, g);
                    product = simd.mul_add_f32s(g, centred, product);
                }
                store(simd, &mut sums[range.clone()], sum);
                store(simd, &mut products[range.clone()], product);
            }
        }
    }

    /// `dx = scale * (g - share - (x - mean) * slope)`, `g` the part of `dy` that passes.
    fn input_grad[simd: S](
        norm: Norm<'_>,
        shares: &[f32],
        slopes: &[f32],
        x: &[f32],
        dy: &[f32],
        dx: &mut [f32],
    ) {
        let n = norm.mean.len();
        let bounds = (simd.splat_f32s(norm.bounds.0), simd.splat_f32s(norm.bounds.1));
        let blocks = x.chunks(BLOCK * n).zip(dy.chunks(BLOCK * n));
        for (dx, (x, dy)) in dx.chunks_mut(BLOCK * n).zip(blocks) {
            for c in (0..n).step_by(S::F32_LANES) {
                let range = c..(c + S::F32_LANES).min(n);
                let of = |values: &[f32]| load(simd, &values[range.clone()]);
                let (channels, share, slope) = (norm.channels(simd, c), of(shares), of(slopes));
                let pixels = x.chunks_exact(n).zip(dy.chunks_exact(n));
                for (dx, (x, dy)) in dx.chunks_exact_mut(n).zip(pixels) {
                    let (g, centred) = channels.passed(simd, bounds, of(x), of(dy));
                    let rest = simd.sub_f32s(g, simd.mul_add_f32s(centred, slope, share));
                    store(simd, &mut dx[range.clone()], simd.mul_f32s(channels.scale, rest));
                }
            }
        }
    }
}
