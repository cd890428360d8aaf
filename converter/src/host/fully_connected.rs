//! Fully connected layers and matrix products.

use dunlin::ops::fully_connected::Weights;
use dunlin::ops::{FullyConnected, MatMul};
use rayon::prelude::*;

use super::Kernel;
use super::conv2d::transpose;
use super::operands::{Operands, Shapes};
use super::simd::LANES;
use super::threads::part_len;
use super::tile::{Matrix, View, multiply, multiply_transposed};

pub(super) fn forward(op: FullyConnected, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let (w, out) = (&shapes.inputs[1], &shapes.outputs[0]);
    let (k, n, m) = (w.dim(1), w.dim(0), out.dim(0));
    let operands = operands.apart().filter(|_| op.weights == Weights::ROWS)?;
    let ld = n.next_multiple_of(LANES);
    let bases = (0..m).map(|i| i * k).collect();
    let (weights, bias) = (vec![0.0; k * ld], vec![0.0; ld]);
    Some(Box::new(Product {
        operands,
        transposed: true,
        bases,
        k,
        n,
        ld,
        weights,
        bias,
        bounds: op.bounds.f32(),
    }))
}

pub(super) fn matmul(op: MatMul, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let (a, b) = (&shapes.inputs[0], &shapes.inputs[1]);
    let [m, k, n] = op.sizes(a, b);
    let operands = operands.apart()?;
    if b.rank() > 2 {
        return Some(Box::new(Batches::new(op, operands, [m, k, n], b.count() / (k * n))));
    }
    if op.transpose_a && op.transpose_b {
        return None;
    }
    if op.transpose_a {
        let bases = (0..k).map(|p| p * m).collect();
        return Some(Box::new(TransposedProduct { operands, bases, m, n }));
    }
    let ld = n.next_multiple_of(LANES);
    let bases = (0..m).map(|i| i * k).collect();
    let transposed = op.transpose_b;
    let weights = if ld == n && !transposed { Vec::new() } else { vec![0.0; k * ld] };
    let bias = vec![0.0; ld];
    Some(Box::new(Product { operands, transposed, bases, k, n, ld, weights, bias, bounds: UNBOUNDED }))
}

const UNBOUNDED: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);

/// `clamp(bias + a · b)`, where `b` is `[n, k]` if it is transposed first.
struct Product {
    operands: Operands,
    transposed: bool,
    bases: Vec<usize>,
    k: usize,
    n: usize,
    ld: usize,
    /// The other matrix with padded rows; empty if it is read where it is.
    weights: Vec<f32>,
    bias: Vec<f32>,
    bounds: (f32, f32),
}

impl Kernel for Product {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [a, b, bias, ..] = opened.inputs;
        let [out, ..] = opened.outputs;
        let (k, n, ld) = (self.k, self.n, self.ld);
        if self.transposed {
            transpose(b, n, &mut self.weights, ld);
        } else if ld != n {
            for (to, from) in self.weights.chunks_exact_mut(ld).zip(b.chunks_exact(n)) {
                to[..n].copy_from_slice(from);
            }
        }
        if let Some(to) = self.bias.get_mut(..bias.len()) {
            to.copy_from_slice(bias);
        }
        let values = if self.weights.is_empty() { b } else { &self.weights };
        let (bases, bias, bounds) = (&self.bases, &self.bias, self.bounds);
        let part = part_len(bases.len());
        a.par_chunks(part * k).zip(out.par_chunks_mut(part * n)).for_each(|(a, out)| {
            let view = View { source: a, bases: &bases[..a.len() / k], taps: &[0], run: k };
            multiply(view, Matrix { values, ld, n }, bias, bounds, out);
        });
    }
}

/// `aᵀ · b` of `a` `[k, m]` and `b` `[k, n]`.
struct TransposedProduct {
    operands: Operands,
    bases: Vec<usize>,
    m: usize,
    n: usize,
}

impl Kernel for TransposedProduct {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [a, b, ..] = opened.inputs;
        let [out, ..] = opened.outputs;
        let (m, n, bases) = (self.m, self.n, &self.bases);
        let part = part_len(m).next_multiple_of(8);
        out.par_chunks_mut(part * n).enumerate().for_each(|(i, out)| {
            out.fill(0.0);
            let view = View { source: a, bases, taps: &[i * part], run: out.len() / n };
            multiply_transposed(view, Matrix { values: b, ld: n, n }, out, n);
        });
    }
}

/// One product for each index of the outer dimensions.
struct Batches {
    operands: Operands,
    op: MatMul,
    sizes: [usize; 3],
    n_batches: usize,
    bases: Vec<usize>,
    bias: Vec<f32>,
    /// Of each part of the batches: both matrices as a product takes them.
    scratch: Vec<[Vec<f32>; 2]>,
}

impl Batches {
    fn new(op: MatMul, operands: Operands, sizes: [usize; 3], n_batches: usize) -> Batches {
        let [m, k, n] = sizes;
        let ld = n.next_multiple_of(LANES);
        let bases = (0..m).map(|i| i * k).collect();
        let a_len = if op.transpose_a { m * k } else { 0 };
        let scratch = vec![[vec![0.0; a_len], vec![0.0; k * ld]]; n_batches.div_ceil(part_len(n_batches))];
        Batches { operands, op, sizes, n_batches, bases, bias: vec![0.0; ld], scratch }
    }
}

impl Kernel for Batches {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [a, b, ..] = opened.inputs;
        let [out, ..] = opened.outputs;
        let ([m, k, n], ld, part) = (self.sizes, self.bias.len(), part_len(self.n_batches));
        let (op, bases, bias) = (self.op, &self.bases, &self.bias);
        let parts = a.par_chunks(part * m * k).zip(b.par_chunks(part * k * n));
        let parts = parts.zip(out.par_chunks_mut(part * m * n)).zip(&mut self.scratch);
        parts.for_each(|(((a, b), out), [turned, values])| {
            let batches = a.chunks_exact(m * k).zip(b.chunks_exact(k * n));
            for ((a, b), out) in batches.zip(out.chunks_exact_mut(m * n)) {
                if op.transpose_a {
                    transpose(a, k, turned, k);
                }
                if op.transpose_b {
                    transpose(b, n, values, ld);
                } else {
                    for (to, from) in values.chunks_exact_mut(ld).zip(b.chunks_exact(n)) {
                        to[..n].copy_from_slice(from);
                    }
                }
                let source = if op.transpose_a { &turned[..] } else { a };
                let view = View { source, bases, taps: &[0], run: k };
                multiply(view, Matrix { values, ld, n }, bias, UNBOUNDED, out);
            }
        });
    }
}
