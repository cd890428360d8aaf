//! Gated recurrent units: every part of the samples takes all its steps on its own.

use std::iter::zip;

use dunlin::ops::Gru;
use rayon::prelude::*;

use super::Kernel;
use super::math::{logistic, tanh};
use super::operands::{Operands, Shapes};
use super::recurrent::{Part, Sizes, Weights};
use super::simd::{load, store, vectorized};

/// The gates r, z and n of some units, and what the hidden state adds to the argument of n before r takes its part.
macro_rules! gates {
    ($simd:ident, $from_input:ident, $from_hidden:ident, $units:ident, $range:ident) => {{
        let arguments = |gate: usize| {
            let at = gate * $units + $range.start..gate * $units + $range.end;
            (load($simd, &$from_input[at.clone()]), load($simd, &$from_hidden[at]))
        };
        let ((rx, rh), (zx, zh), (nx, nh)) = (arguments(0), arguments(1), arguments(2));
        let r = logistic($simd, $simd.add_f32s(rx, rh));
        let z = logistic($simd, $simd.add_f32s(zx, zh));
        [r, z, tanh($simd, $simd.mul_add_f32s(r, nh, nx)), nh]
    }};
}

const GATES: usize = 3;

pub(super) fn forward(op: Gru, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let sizes = Sizes::of(shapes, GATES);
    let (weights, parts) = (Weights::new(&sizes), sizes.parts());
    Some(Box::new(Forward { operands: operands.apart()?, sequences: op.sequences, sizes, weights, parts }))
}

pub(super) fn grad(shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let sizes = Sizes::of(shapes, GATES);
    let (weights, parts) = (Weights::new(&sizes), sizes.parts());
    Some(Box::new(Grad { operands: operands.apart()?, sizes, weights, parts }))
}

struct Forward {
    operands: Operands,
    sequences: bool,
    sizes: Sizes,
    weights: Weights,
    parts: Vec<Part>,
}

impl Kernel for Forward {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [x, w, u, b, c, ..] = opened.inputs;
        let [out, ..] = opened.outputs;
        self.weights.pack([w, u, b, c]);
        let (sizes, weights) = (&self.sizes, &self.weights);
        let Sizes { len, units, .. } = *sizes;
        let out_len = if self.sequences { len * units } else { units };
        let part_len = sizes.part_len();
        let parts = x.par_chunks(part_len * sizes.sample_len()).zip(out.par_chunks_mut(part_len * out_len));
        parts.zip(&mut self.parts).for_each(|((x, out), part)| {
            part.h.fill(0.0);
            for step in 0..len {
                part.project_input(sizes, weights, x, step);
                part.project_hidden(sizes, weights);
                let gates = zip(
                    part.from_input.chunks_exact(sizes.rows()),
                    part.from_hidden.chunks_exact(sizes.rows()),
                );
                for ((from_input, from_hidden), h) in gates.zip(part.h.chunks_exact_mut(units)) {
                    step_forward(from_input, from_hidden, h);
                }
                if self.sequences || step + 1 == len {
                    let start = if self.sequences { step * units } else { 0 };
                    for (out, h) in out.chunks_exact_mut(out_len).zip(part.h.chunks_exact(units)) {
                        out[start..start + units].copy_from_slice(h);
                    }
                }
            }
        });
    }
}

struct Grad {
    operands: Operands,
    sizes: Sizes,
    weights: Weights,
    parts: Vec<Part>,
}

impl Kernel for Grad {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [x, w, u, b, c, h, dh, ..] = opened.inputs;
        let [d_input, d_hidden, ..] = opened.outputs;
        self.weights.pack([w, u, b, c]);
        let (sizes, weights) = (&self.sizes, &self.weights);
        let n = sizes.part_len();
        let (states, arguments) = (n * sizes.len * sizes.units, n * sizes.len * sizes.rows());
        let inputs =
            x.par_chunks(n * sizes.sample_len()).zip(h.par_chunks(states).zip(dh.par_chunks(states)));
        let outputs = d_input.par_chunks_mut(arguments).zip(d_hidden.par_chunks_mut(arguments));
        inputs.zip(outputs).zip(&mut self.parts).for_each(|(((x, (h, dh)), (d_input, d_hidden)), part)| {
            part.dh.fill(0.0);
            for step in (0..sizes.len).rev() {
                part.project_input(sizes, weights, x, step);
                part.take_states_before(sizes, h, step);
                part.project_hidden(sizes, weights);
                part.add_outer(sizes, dh, step);
                part.back(sizes, weights, [&mut *d_input, &mut *d_hidden], step);
            }
        });
    }
}

impl Part {
    /// Goes back step `step` of every sample.
    fn back(&mut self, sizes: &Sizes, weights: &Weights, [d_input, d_hidden]: [&mut [f32]; 2], step: usize) {
        let (rows, units) = (sizes.rows(), sizes.units);
        let arguments = zip(self.from_input.chunks_exact(rows), self.from_hidden.chunks_exact(rows));
        let states = zip(self.h.chunks_exact(units), self.dh.chunks_exact_mut(units));
        let sample_len = sizes.len * rows;
        let gradients = zip(d_input.chunks_exact_mut(sample_len), d_hidden.chunks_exact_mut(sample_len));
        for (((from_input, from_hidden), (h, dh)), (d_input, d_hidden)) in
            arguments.zip(states).zip(gradients)
        {
            let at = step * rows..(step + 1) * rows;
            let (d_input, d_hidden) = (&mut d_input[at.clone()], &mut d_hidden[at]);
            step_back(from_input, from_hidden, h, dh, d_input, d_hidden);
        }
        self.add_passed_back(sizes, weights, d_hidden, step);
    }
}

vectorized! {
    /// The hidden state after a step, from the arguments `[3 * units]`.
    fn step_forward[simd: S](from_input: &[f32], from_hidden: &[f32], h: &mut [f32]) {
        let units = h.len();
        for j in (0..units).step_by(S::F32_LANES) {
            let range = j..(j + S::F32_LANES).min(units);
            let [_, z, n, _] = gates!(simd, from_input, from_hidden, units, range);
            let before = load(simd, &h[range.clone()]);
            store(simd, &mut h[range], simd.mul_add_f32s(z, simd.sub_f32s(before, n), n));
        }
    }

    /// The gradients of the arguments, and that of the hidden state `h` before the step as far as it does not go through
    /// them, in place of that after it.
    fn step_back[simd: S](
        from_input: &[f32],
        from_hidden: &[f32],
        h: &[f32],
        dh: &mut [f32],
        d_input: &mut [f32],
        d_hidden: &mut [f32],
    ) {
        let units = h.len();
        let one = simd.splat_f32s(1.0);
        for j in (0..units).step_by(S::F32_LANES) {
            let range = j..(j + S::F32_LANES).min(units);
            let [r, z, n, hidden] = gates!(simd, from_input, from_hidden, units, range);
            let (before, d) = (load(simd, &h[range.clone()]), load(simd, &dh[range.clone()]));
            let times = |a, b| simd.mul_f32s(a, b);
            let rest = |a| simd.sub_f32s(one, a);
            let dn = times(times(d, rest(z)), rest(times(n, n)));
            let dr = times(times(dn, hidden), times(r, rest(r)));
            let dz = times(times(d, simd.sub_f32s(before, n)), times(z, rest(z)));
            let dn_hidden = times(dn, r);
            for (gate, [in_x, in_h]) in [[dr, dr], [dz, dz], [dn, dn_hidden]].into_iter().enumerate() {
                let at = gate * units + range.start..gate * units + range.end;
                store(simd, &mut d_input[at.clone()], in_x);
                store(simd, &mut d_hidden[at], in_h);
            }
            store(simd, &mut dh[range], times(d, z));
        }
    }
}
