//! Long short-term memories: every part of the samples takes all its steps on its own.

use std::iter::zip;

use dunlin::ops::Lstm;
use rayon::prelude::*;

use super::Kernel;
use super::math::{logistic, tanh};
use super::operands::{Operands, Shapes};
use super::recurrent::{Part, Sizes, Weights};
use super::simd::{load, store, vectorized};

const GATES: usize = 4;

pub(super) fn forward(op: Lstm, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let Lstm::F32 { sequences, clip, .. } = op else { return None };
    let sizes = Sizes::of(shapes, GATES);
    let operands = operands.apart().filter(|_| clip.is_infinite())?;
    let (weights, parts) = (Weights::new(&sizes), sizes.parts());
    let cells = vec![vec![0.0; sizes.part_len() * sizes.units]; parts.len()];
    Some(Box::new(Forward { operands, sequences, sizes, weights, parts, cells }))
}

pub(super) fn grad(shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let sizes = Sizes::of(shapes, GATES);
    let (weights, parts) = (Weights::new(&sizes), sizes.parts());
    let n_states = sizes.part_len() * sizes.units;
    let memory = vec![
        Memory { cells: vec![0.0; (sizes.len + 1) * n_states], dcells: vec![0.0; n_states] };
        parts.len()
    ];
    Some(Box::new(Grad { operands: operands.apart()?, sizes, weights, parts, memory }))
}

struct Forward {
    operands: Operands,
    sequences: bool,
    sizes: Sizes,
    weights: Weights,
    parts: Vec<Part>,
    cells: Vec<Vec<f32>>,
}

impl Kernel for Forward {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [x, w, u, b, ..] = opened.inputs;
        let [out, ..] = opened.outputs;
        self.weights.pack([w, u, b, &[]]);
        let (sizes, weights, sequences) = (&self.sizes, &self.weights, self.sequences);
        let Sizes { len, units, .. } = *sizes;
        let out_len = if sequences { len * units } else { units };
        let n = sizes.part_len();
        let parts = x.par_chunks(n * sizes.sample_len()).zip(out.par_chunks_mut(n * out_len));
        parts.zip(&mut self.parts).zip(&mut self.cells).for_each(|(((x, out), part), cells)| {
            part.h.fill(0.0);
            cells.fill(0.0);
            for step in 0..len {
                part.project_input(sizes, weights, x, step);
                part.project_hidden(sizes, weights);
                let states = zip(part.h.chunks_exact_mut(units), cells.chunks_exact_mut(units));
                for ((from_input, from_hidden), (h, cells)) in
                    part_arguments(&part.from_input, &part.from_hidden, sizes.rows()).zip(states)
                {
                    step_forward(from_input, from_hidden, h, cells);
                }
                if sequences || step + 1 == len {
                    let start = if sequences { step * units } else { 0 };
                    for (out, h) in out.chunks_exact_mut(out_len).zip(part.h.chunks_exact(units)) {
                        out[start..start + units].copy_from_slice(h);
                    }
                }
            }
        });
    }
}

/// The arguments of every sample.
fn part_arguments<'a>(
    from_input: &'a [f32],
    from_hidden: &'a [f32],
    rows: usize,
) -> impl Iterator<Item = (&'a [f32], &'a [f32])> {
    zip(from_input.chunks_exact(rows), from_hidden.chunks_exact(rows))
}

struct Grad {
    operands: Operands,
    sizes: Sizes,
    weights: Weights,
    parts: Vec<Part>,
    memory: Vec<Memory>,
}

/// Memory of a part beside what recurrent layers share.
#[derive(Clone)]
struct Memory {
    /// Cells before the first step and after each, `[steps + 1, samples, units]`.
    cells: Vec<f32>,
    dcells: Vec<f32>,
}

impl Kernel for Grad {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let [x, w, u, b, h, dh, ..] = opened.inputs;
        let [arguments, ..] = opened.outputs;
        self.weights.pack([w, u, b, &[]]);
        let (sizes, weights) = (&self.sizes, &self.weights);
        let (n, rows, units) = (sizes.part_len(), sizes.rows(), sizes.units);
        let states = n * sizes.len * units;
        let inputs =
            x.par_chunks(n * sizes.sample_len()).zip(h.par_chunks(states).zip(dh.par_chunks(states)));
        let outputs = arguments.par_chunks_mut(n * sizes.len * rows);
        let parts = inputs.zip(outputs).zip(self.parts.par_iter_mut().zip(&mut self.memory));
        parts.for_each(|(((x, (h, dh)), arguments), (part, Memory { cells, dcells }))| {
            cells[..n * units].fill(0.0);
            for step in 0..sizes.len {
                part.project_input(sizes, weights, x, step);
                part.take_states_before(sizes, h, step);
                part.project_hidden(sizes, weights);
                let (before, after) = cells[step * n * units..].split_at_mut(n * units);
                let cells = zip(before.chunks_exact(units), after.chunks_exact_mut(units));
                let gates = arguments.chunks_exact_mut(sizes.len * rows);
                let sums = part_arguments(&part.from_input, &part.from_hidden, rows);
                for (((from_input, from_hidden), (before, after)), gates) in sums.zip(cells).zip(gates) {
                    let gates = &mut gates[step * rows..(step + 1) * rows];
                    remember(from_input, from_hidden, before, after, gates);
                }
            }
            part.dh.fill(0.0);
            dcells.fill(0.0);
            for step in (0..sizes.len).rev() {
                part.add_outer(sizes, dh, step);
                let (before, after) = cells[step * n * units..].split_at(n * units);
                let cells = zip(before.chunks_exact(units), after.chunks_exact(units));
                let gradients = zip(part.dh.chunks_exact_mut(units), dcells.chunks_exact_mut(units));
                let gates = arguments.chunks_exact_mut(sizes.len * rows);
                for (((before, after), (dh, dcells)), gates) in cells.zip(gradients).zip(gates) {
                    step_back(&mut gates[step * rows..(step + 1) * rows], before, after, dh, dcells);
                }
                part.add_passed_back(sizes, weights, arguments, step);
            }
        });
    }
}

/// The sums of gate `$gate` in some units.
macro_rules! sum {
    ($simd:ident, $from_input:ident, $from_hidden:ident, $units:ident, $range:ident, $gate:expr) => {{
        let at = $gate * $units + $range.start..$gate * $units + $range.end;
        $simd.add_f32s(load($simd, &$from_input[at.clone()]), load($simd, &$from_hidden[at]))
    }};
}

vectorized! {
    /// The hidden state and the cells after a step, from the arguments `[4 * units]`.
    fn step_forward[simd: S](from_input: &[f32], from_hidden: &[f32], h: &mut [f32], cells: &mut [f32]) {
        let units = h.len();
        for j in (0..units).step_by(S::F32_LANES) {
            let range = j..(j + S::F32_LANES).min(units);
            let i = logistic(simd, sum!(simd, from_input, from_hidden, units, range, 0));
            let f = logistic(simd, sum!(simd, from_input, from_hidden, units, range, 1));
            let g = tanh(simd, sum!(simd, from_input, from_hidden, units, range, 2));
            let o = logistic(simd, sum!(simd, from_input, from_hidden, units, range, 3));
            let cell = simd.mul_add_f32s(f, load(simd, &cells[range.clone()]), simd.mul_f32s(i, g));
            store(simd, &mut cells[range.clone()], cell);
            store(simd, &mut h[range], simd.mul_f32s(o, tanh(simd, cell)));
        }
    }

    /// The gates of a step, and the cells after it.
    fn remember[simd: S](from_input: &[f32], from_hidden: &[f32], before: &[f32], after: &mut [f32], gates: &mut [f32]) {
        let units = before.len();
        for j in (0..units).step_by(S::F32_LANES) {
            let range = j..(j + S::F32_LANES).min(units);
            let i = logistic(simd, sum!(simd, from_input, from_hidden, units, range, 0));
            let f = logistic(simd, sum!(simd, from_input, from_hidden, units, range, 1));
            let g = tanh(simd, sum!(simd, from_input, from_hidden, units, range, 2));
            let o = logistic(simd, sum!(simd, from_input, from_hidden, units, range, 3));
            for (gate, value) in [i, f, g, o].into_iter().enumerate() {
                store(simd, &mut gates[gate * units + range.start..gate * units + range.end], value);
            }
            let cell = simd.mul_add_f32s(f, load(simd, &before[range.clone()]), simd.mul_f32s(i, g));
            store(simd, &mut after[range], cell);
        }
    }

    /// The gradients of the arguments in place of the gates, and that of the cells before the step in place of that after.
    /// `dh` becomes 0: all of it goes through the arguments.
    fn step_back[simd: S](gates: &mut [f32], before: &[f32], after: &[f32], dh: &mut [f32], dcells: &mut [f32]) {
        let units = dh.len();
        let one = simd.splat_f32s(1.0);
        for j in (0..units).step_by(S::F32_LANES) {
            let range = j..(j + S::F32_LANES).min(units);
            let at = |gate: usize| gate * units + range.start..gate * units + range.end;
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| load(simd, &gates[at(gate)]));
            let times = |a, b| simd.mul_f32s(a, b);
            let rest = |a| simd.sub_f32s(one, a);
            let curve = tanh(simd, load(simd, &after[range.clone()]));
            let d = load(simd, &dh[range.clone()]);
            let slope = times(times(d, o), rest(times(curve, curve)));
            let dcell = simd.add_f32s(load(simd, &dcells[range.clone()]), slope);
            let before = load(simd, &before[range.clone()]);
            store(simd, &mut gates[at(0)], times(times(dcell, g), times(i, rest(i))));
            store(simd, &mut gates[at(1)], times(times(dcell, before), times(f, rest(f))));
            store(simd, &mut gates[at(2)], times(times(dcell, i), rest(times(g, g))));
            store(simd, &mut gates[at(3)], times(times(d, curve), times(o, rest(o))));
            store(simd, &mut dcells[range.clone()], times(dcell, f));
            store(simd, &mut dh[range.clone()], simd.splat_f32s(0.0));
        }
    }
}
