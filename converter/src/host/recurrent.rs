//! What recurrent layers share: samples in parts, each of which takes all its steps on its own.

use super::conv2d::transpose;
use super::operands::Shapes;
use super::simd::LANES;
use super::threads::part_len;
use super::tile::{Matrix, View, multiply};

const UNBOUNDED: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);

/// Sizes of a layer on sequences `[n, len, c]`.
pub(super) struct Sizes {
    n: usize,
    pub len: usize,
    c: usize,
    pub units: usize,
    gates: usize,
}

impl Sizes {
    /// Of a layer whose inputs are sequences, weights and recurrent weights.
    pub(super) fn of(shapes: &Shapes, gates: usize) -> Sizes {
        let (x, u) = (&shapes.inputs[0], &shapes.inputs[2]);
        Sizes { n: x.dim(0), len: x.dim(1), c: x.dim(2), units: u.dim(1), gates }
    }

    /// Arguments of gates in a step.
    pub(super) fn rows(&self) -> usize {
        self.gates * self.units
    }

    /// Elements of a sequence.
    pub(super) fn sample_len(&self) -> usize {
        self.len * self.c
    }

    /// Samples of a part.
    pub(super) fn part_len(&self) -> usize {
        part_len(self.n)
    }

    /// Memory for every part.
    pub(super) fn parts(&self) -> Vec<Part> {
        (0..self.n.div_ceil(self.part_len())).map(|_| Part::new(self)).collect()
    }
}

/// Both matrices as products take them, and their biases.
pub(super) struct Weights {
    /// `[c, ld]` and `[units, ld]`: transposed.
    w: Vec<f32>,
    u: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
    /// `[rows, ld]`, for the way back.
    u_back: Vec<f32>,
}

impl Weights {
    pub(super) fn new(sizes: &Sizes) -> Weights {
        let ld = sizes.rows().next_multiple_of(LANES);
        let zeros = |rows: usize| vec![0.0; rows * ld];
        let u_back = vec![0.0; sizes.rows() * sizes.units.next_multiple_of(LANES)];
        Weights { w: zeros(sizes.c), u: zeros(sizes.units), b: zeros(1), c: zeros(1), u_back }
    }

    /// Takes `w` `[rows, c]`, `u` `[rows, units]` and the biases of both.
    pub(super) fn pack(&mut self, [w, u, b, c]: [&[f32]; 4]) {
        let (rows, ld) = (b.len(), self.b.len());
        transpose(w, rows, &mut self.w, ld);
        transpose(u, rows, &mut self.u, ld);
        self.b[..rows].copy_from_slice(b);
        if let Some(to) = self.c.get_mut(..c.len()) {
            to.copy_from_slice(c);
        }
        let (units, ld) = (u.len() / rows, self.u_back.len() / rows);
        for (to, from) in self.u_back.chunks_exact_mut(ld).zip(u.chunks_exact(units)) {
            to[..units].copy_from_slice(from);
        }
    }
}

/// Memory of a part: the arguments of the gates of one step, `[samples, rows]`, and states `[samples, units]`.
pub(super) struct Part {
    pub from_input: Vec<f32>,
    pub from_hidden: Vec<f32>,
    /// The hidden state before a step.
    pub h: Vec<f32>,
    /// The gradient of the hidden state after it.
    pub dh: Vec<f32>,
    /// What the way back adds to it.
    more: Vec<f32>,
    zero: Vec<f32>,
    /// Where each sample starts in sequences, in states and in arguments of all steps.
    bases: [Vec<usize>; 3],
}

impl Part {
    fn new(sizes: &Sizes) -> Part {
        let (n, units, rows) = (sizes.part_len(), sizes.units, sizes.rows());
        let zeros = |len: usize| vec![0.0; n * len];
        let strides = [sizes.sample_len(), units, sizes.len * rows];
        Part {
            from_input: zeros(rows),
            from_hidden: zeros(rows),
            h: zeros(units),
            dh: zeros(units),
            more: zeros(units),
            zero: vec![0.0; units.next_multiple_of(LANES)],
            bases: strides.map(|stride| (0..n).map(|i| i * stride).collect()),
        }
    }

    /// What the input makes of the arguments of step `step`, with its bias.
    pub(super) fn project_input(&mut self, sizes: &Sizes, weights: &Weights, x: &[f32], step: usize) {
        let n = x.len() / sizes.sample_len();
        let source = &x[step * sizes.c..];
        let view = View { source, bases: &self.bases[0][..n], taps: &[0], run: sizes.c };
        let matrix = Matrix { values: &weights.w, ld: weights.b.len(), n: sizes.rows() };
        multiply(view, matrix, &weights.b, UNBOUNDED, &mut self.from_input);
    }

    /// What the hidden state makes of them.
    pub(super) fn project_hidden(&mut self, sizes: &Sizes, weights: &Weights) {
        let view = View { source: &self.h, bases: &self.bases[1], taps: &[0], run: sizes.units };
        let matrix = Matrix { values: &weights.u, ld: weights.c.len(), n: sizes.rows() };
        multiply(view, matrix, &weights.c, UNBOUNDED, &mut self.from_hidden);
    }

    /// Takes the hidden state before step `step` from those after all steps.
    pub(super) fn take_states_before(&mut self, sizes: &Sizes, states: &[f32], step: usize) {
        let units = sizes.units;
        let Some(before) = step.checked_sub(1) else { return self.h.fill(0.0) };
        let samples = states.chunks_exact(sizes.len * units);
        for (to, from) in self.h.chunks_exact_mut(units).zip(samples) {
            to.copy_from_slice(&from[before * units..][..units]);
        }
    }

    /// Adds the gradient that comes from outside to that of the hidden state after step `step`.
    pub(super) fn add_outer(&mut self, sizes: &Sizes, dy: &[f32], step: usize) {
        let units = sizes.units;
        for (dh, dy) in self.dh.chunks_exact_mut(units).zip(dy.chunks_exact(sizes.len * units)) {
            for (dh, dy) in dh.iter_mut().zip(&dy[step * units..]) {
                *dh += dy;
            }
        }
    }

    /// Adds to the gradient of the hidden state what the arguments that it made, of step `step`, pass back.
    pub(super) fn add_passed_back(
        &mut self,
        sizes: &Sizes,
        weights: &Weights,
        d_hidden: &[f32],
        step: usize,
    ) {
        let (rows, units) = (sizes.rows(), sizes.units);
        let n = d_hidden.len() / (sizes.len * rows);
        let view =
            View { source: &d_hidden[step * rows..], bases: &self.bases[2][..n], taps: &[0], run: rows };
        let matrix = Matrix { values: &weights.u_back, ld: self.zero.len(), n: units };
        multiply(view, matrix, &self.zero, UNBOUNDED, &mut self.more);
        for (dh, more) in self.dh[..n * units].iter_mut().zip(&self.more) {
            *dh += more;
        }
    }
}
