//! Convolution and its gradients, as matrix products over windows.

use dunlin::Shape;
use dunlin::ops::{Conv2d, Conv2dInputGrad, Conv2dWeightsGrad, TransposeConv2d};
use rayon::prelude::*;

use super::Kernel;
use super::correlate::Correlation;
use super::operands::{Operands, Shapes};
use super::simd::LANES;
use super::threads::part_len;
use super::tile::{Matrix, multiply, multiply_transposed};

/// Dimensions `[h, w, c]` of an image `[n, h, w, c]`.
pub(super) fn image(shape: &Shape) -> [usize; 3] {
    [shape.dim(1), shape.dim(2), shape.dim(3)]
}

/// Scratch memory of each part of the samples.
pub(super) fn scratch_of_parts(windows: &Correlation, n_samples: usize, padding: f32) -> Vec<Vec<f32>> {
    vec![windows.scratch(padding); n_samples.div_ceil(part_len(n_samples))]
}

pub(super) fn forward(op: Conv2d, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let (x, w, y) = (&shapes.inputs[0], &shapes.inputs[1], &shapes.outputs[0]);
    let kernel = [w.dim(1), w.dim(2)];
    let windows = Correlation::forward(op.window, kernel, image(x), [y.dim(1), y.dim(2)]).with_long_runs();
    let (n, k) = (w.dim(0), w.count() / w.dim(0));
    product(windows, operands, x.dim(0), [n, k], Pack::Forward, op.bounds.f32())
}

pub(super) fn input_grad(
    op: Conv2dInputGrad,
    shapes: &Shapes,
    operands: Operands,
) -> Option<Box<dyn Kernel>> {
    let (dy, w, dx) = (&shapes.inputs[0], &shapes.inputs[1], &shapes.outputs[0]);
    let kernel = [w.dim(1), w.dim(2)];
    let windows = Correlation::transposed(op.window, kernel, image(dy), [dx.dim(1), dx.dim(2)])?;
    let (n, n_taps, c_out) = (w.dim(3), w.dim(1) * w.dim(2), w.dim(0));
    let pack = Pack::Transposed { n_taps, c_out };
    let unbounded = (f32::NEG_INFINITY, f32::INFINITY);
    product(windows.with_long_runs(), operands, dy.dim(0), [n, n_taps * c_out], pack, unbounded)
}

pub(super) fn transposed(
    op: TransposeConv2d,
    shapes: &Shapes,
    operands: Operands,
) -> Option<Box<dyn Kernel>> {
    let (x, w, y) = (&shapes.inputs[0], &shapes.inputs[1], &shapes.outputs[0]);
    let kernel = [w.dim(1), w.dim(2)];
    let windows = Correlation::transposed(op.window, kernel, image(x), [y.dim(1), y.dim(2)])?;
    let (n, n_taps, c_in) = (w.dim(0), w.dim(1) * w.dim(2), w.dim(3));
    let pack = Pack::Backwards { n_taps, c_in };
    product(windows.with_long_runs(), operands, x.dim(0), [n, n_taps * c_in], pack, op.bounds.f32())
}

fn product(
    windows: Correlation,
    operands: Operands,
    n_samples: usize,
    [n, k]: [usize; 2],
    pack: Pack,
    bounds: (f32, f32),
) -> Option<Box<dyn Kernel>> {
    let operands = operands.apart()?;
    let ld = n.next_multiple_of(LANES);
    let scratch = scratch_of_parts(&windows, n_samples, 0.0);
    let (weights, bias) = (vec![0.0; k * ld], vec![0.0; ld]);
    Some(Box::new(Product { operands, windows, pack, n, n_samples, weights, bias, bounds, scratch }))
}

/// Order of the weights in a product.
enum Pack {
    /// Weights `[n, k]`, transposed.
    Forward,
    /// Weights `[c_out, taps, n]` as `[taps, c_out, n]`, taps turned around.
    Transposed { n_taps: usize, c_out: usize },
    /// Weights `[n, taps, c_in]` as `[taps, c_in, n]`, taps turned around.
    Backwards { n_taps: usize, c_in: usize },
}

/// The windows of every sample by weights `[k, ld]`.
struct Product {
    operands: Operands,
    windows: Correlation,
    pack: Pack,
    n: usize,
    n_samples: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
    bounds: (f32, f32),
    scratch: Vec<Vec<f32>>,
}

impl Kernel for Product {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [x, w, bias, ..] = opened.inputs;
        let [out, ..] = opened.outputs;
        let (n, ld) = (self.n, self.bias.len());
        match self.pack {
            Pack::Forward => transpose(w, n, &mut self.weights, ld),
            Pack::Transposed { n_taps, c_out } => turn_around(w, [c_out, n_taps, n], &mut self.weights, ld),
            Pack::Backwards { n_taps, c_in } => {
                for (i, &w) in w.iter().enumerate() {
                    let (channel, tap, c) = (i / (n_taps * c_in), i / c_in % n_taps, i % c_in);
                    self.weights[((n_taps - 1 - tap) * c_in + c) * ld + channel] = w;
                }
            }
        }
        if let Some(to) = self.bias.get_mut(..bias.len()) {
            to.copy_from_slice(bias);
        }
        let (windows, weights, bias, bounds) = (&self.windows, &self.weights, &self.bias, self.bounds);
        let part = part_len(self.n_samples);
        let (in_len, out_len) = (windows.image_len(), windows.n_windows() * n);
        let parts =
            x.par_chunks(part * in_len).zip(out.par_chunks_mut(part * out_len)).zip(&mut self.scratch);
        parts.for_each(|((x, out), scratch)| {
            for (x, out) in x.chunks_exact(in_len).zip(out.chunks_exact_mut(out_len)) {
                let view = windows.view(x, scratch);
                multiply(view, Matrix { values: weights, ld, n }, bias, bounds, out);
            }
        });
    }
}

/// `from` `[n, k]` as `to` `[k, ld]`.
pub(super) fn transpose(from: &[f32], n: usize, to: &mut [f32], ld: usize) {
    let k = from.len() / n;
    // By squares, so that the lines of both stay in the cache.
    const SIDE: usize = 16;
    for i in (0..n).step_by(SIDE) {
        for p in (0..k).step_by(SIDE) {
            for i in i..(i + SIDE).min(n) {
                let row = &from[i * k..][..k];
                for p in p..(p + SIDE).min(k) {
                    to[p * ld + i] = row[p];
                }
            }
        }
    }
}

/// `from` `[c_out, taps, n]` as `to` `[taps, c_out, ld]`, the last tap first.
fn turn_around(from: &[f32], [c_out, n_taps, n]: [usize; 3], to: &mut [f32], ld: usize) {
    for (i, row) in from.chunks_exact(n).enumerate() {
        let (c, tap) = (i / n_taps, n_taps - 1 - i % n_taps);
        to[(tap * c_out + c) * ld..][..n].copy_from_slice(row);
    }
}

pub(super) fn weights_grad(
    op: Conv2dWeightsGrad,
    shapes: &Shapes,
    operands: Operands,
) -> Option<Box<dyn Kernel>> {
    let (dy, x) = (&shapes.inputs[0], &shapes.inputs[1]);
    let out = [dy.dim(1), dy.dim(2)];
    let windows = Correlation::forward(op.window, op.kernel.map(usize::from), image(x), out).with_long_runs();
    let n = dy.dim(3);
    let k = shapes.outputs[0].count() / n;
    let ld = n.next_multiple_of(LANES);
    let scratch = scratch_of_parts(&windows, dy.dim(0), 0.0);
    let sums = vec![vec![0.0; k * ld]; scratch.len()];
    let operands = operands.apart()?;
    Some(Box::new(WeightsGrad { operands, windows, n_samples: dy.dim(0), n, ld, scratch, sums }))
}

/// The transposed windows of every sample by the output's gradient.
struct WeightsGrad {
    operands: Operands,
    windows: Correlation,
    n_samples: usize,
    n: usize,
    ld: usize,
    scratch: Vec<Vec<f32>>,
    /// Of each part of the samples, `[k, ld]`.
    sums: Vec<Vec<f32>>,
}

impl Kernel for WeightsGrad {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [dy, x, ..] = opened.inputs;
        let [dw, ..] = opened.outputs;
        let (windows, n, ld) = (&self.windows, self.n, self.ld);
        let part = part_len(self.n_samples);
        let (in_len, out_len) = (windows.image_len(), windows.n_windows() * n);
        let parts = x.par_chunks(part * in_len).zip(dy.par_chunks(part * out_len));
        parts.zip(&mut self.scratch).zip(&mut self.sums).for_each(|(((x, dy), scratch), sums)| {
            sums.fill(0.0);
            for (x, dy) in x.chunks_exact(in_len).zip(dy.chunks_exact(out_len)) {
                multiply_transposed(windows.view(x, scratch), Matrix { values: dy, ld: n, n }, sums, ld);
            }
        });
        let Some((total, others)) = self.sums.split_first_mut() else { return };
        add_all(total, others);
        let k = dw.len() / n;
        for (i, row) in dw.chunks_exact_mut(k).enumerate() {
            for (p, dw) in row.iter_mut().enumerate() {
                *dw = total[p * ld + i];
            }
        }
    }
}

/// Adds `others` to `total`, in their order.
pub(super) fn add_all(total: &mut [f32], others: &[Vec<f32>]) {
    for other in others {
        for (total, other) in total.iter_mut().zip(other) {
            *total += other;
        }
    }
}
