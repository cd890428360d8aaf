//! Means over all but the channels, and over the pixels of each image.

use dunlin::ops::Mean;
use rayon::prelude::*;

use super::Kernel;
use super::conv2d::add_all;
use super::operands::{Operands, Shapes};
use super::simd::{load, store, vectorized};
use super::threads::part_len;

pub(super) fn mean(op: Mean, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let x = &shapes.inputs[0];
    let operands = operands.apart().filter(|_| op.factor.is_none() && x.rank() > 1)?;
    let (rank, c) = (x.rank(), x.dim(x.rank() - 1));
    let all_leading = (1 << (rank - 1)) - 1;
    let n = x.count() / c;
    match op.axes {
        axes if axes == all_leading => {
            let part = part_len(n);
            Some(Box::new(OverAll { operands, part: part * c, sums: vec![vec![0.0; c]; n.div_ceil(part)] }))
        }
        axes if axes == all_leading & !1 => {
            Some(Box::new(OverPixels { operands, c, len: x.count() / x.dim(0) }))
        }
        _ => None,
    }
}

/// Of every channel of all samples.
struct OverAll {
    operands: Operands,
    part: usize,
    sums: Vec<Vec<f32>>,
}

impl Kernel for OverAll {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let ([x, ..], [out, ..]) = (opened.inputs, opened.outputs);
        x.par_chunks(self.part).zip(&mut self.sums).for_each(|(x, sums)| {
            sums.fill(0.0);
            add_rows(x, sums);
        });
        let Some((total, others)) = self.sums.split_first_mut() else { return };
        add_all(total, others);
        let n = (x.len() / out.len()) as f32;
        for (out, sum) in out.iter_mut().zip(total) {
            *out = *sum / n;
        }
    }
}

/// Of every channel of each sample.
struct OverPixels {
    operands: Operands,
    c: usize,
    len: usize,
}

impl Kernel for OverPixels {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let ([x, ..], [out, ..]) = (opened.inputs, opened.outputs);
        let n = (self.len / self.c) as f32;
        out.par_chunks_mut(self.c).zip(x.par_chunks(self.len)).with_min_len(4).for_each(|(out, x)| {
            out.fill(0.0);
            add_rows(x, out);
            for out in out {
                *out /= n;
            }
        });
    }
}

vectorized! {
    /// Adds every row of `x` to `sums`.
    fn add_rows[simd: S](x: &[f32], sums: &mut [f32]) {
        let n = sums.len();
        for c in (0..n).step_by(S::F32_LANES) {
            let range = c..(c + S::F32_LANES).min(n);
            let mut sum = load(simd, &sums[range.clone()]);
            for x in x.chunks_exact(n) {
                sum = simd.add_f32s(sum, load(simd, &x[range.clone()]));
            }
            store(simd, &mut sums[range], sum);
        }
    }
}
