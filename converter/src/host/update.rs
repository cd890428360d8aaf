//! Updates of parameters, in place.

use dunlin::ops::{Adam, Sgd};
use rayon::prelude::*;

use super::Kernel;
use super::operands::Operands;
use super::simd::vectorized;

/// Parameters that are worth a task of their own.
const PART: usize = 1 << 14;

pub(super) fn sgd(op: Sgd, operands: Operands) -> Option<Box<dyn Kernel>> {
    let in_place = operands.is_on(0, 0) && operands.is_apart(1) && operands.is_on(2, 1);
    in_place.then(|| Box::new(SgdUpdate { operands, op }) as Box<dyn Kernel>)
}

struct SgdUpdate {
    operands: Operands,
    op: Sgd,
}

impl Kernel for SgdUpdate {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let ([_, gradient, _, rates, ..], [parameters, velocity, ..]) = (opened.inputs, opened.outputs);
        let (op, rate) = (self.op, rates[0]);
        let parts = parameters.par_chunks_mut(PART).zip(velocity.par_chunks_mut(PART));
        parts.zip(gradient.par_chunks(PART)).for_each(|((p, v), g)| sgd_step(op, rate, p, v, g));
    }
}

pub(super) fn adam(op: Adam, operands: Operands) -> Option<Box<dyn Kernel>> {
    let on = [(0, 0), (2, 1), (3, 2)].iter().all(|&(input, output)| operands.is_on(input, output));
    let in_place = on && operands.is_apart(1);
    in_place.then(|| Box::new(AdamUpdate { operands, op }) as Box<dyn Kernel>)
}

struct AdamUpdate {
    operands: Operands,
    op: Adam,
}

impl Kernel for AdamUpdate {
    fn run(&mut self, arena: &mut [f32]) {
        let opened = self.operands.open(arena);
        let ([_, gradient, _, _, rates, ..], [parameters, first, second, ..]) =
            (opened.inputs, opened.outputs);
        let (op, rates) = (self.op, [rates[0], rates[1], rates[2]]);
        let parts = parameters.par_chunks_mut(PART).zip(first.par_chunks_mut(PART));
        let parts = parts.zip(second.par_chunks_mut(PART)).zip(gradient.par_chunks(PART));
        parts.for_each(|(((p, m), v), g)| adam_step(op, rates, p, m, v, g));
    }
}

// These loops are over plain numbers: the compiler finds the vectors, and the operations stay those of the runtime.
vectorized! {
    fn sgd_step[_simd: S](op: Sgd, rate: f32, parameters: &mut [f32], velocity: &mut [f32], gradient: &[f32]) {
        let ahead = if op.nesterov { (op.momentum, 1.0) } else { (1.0, 0.0) };
        for ((p, v), g) in parameters.iter_mut().zip(velocity).zip(gradient) {
            let g = g + op.weight_decay * *p;
            *v = op.momentum * *v + g;
            *p -= rate * (ahead.0 * *v + ahead.1 * g);
        }
    }

    fn adam_step[_simd: S](
        op: Adam,
        rates: [f32; 3],
        parameters: &mut [f32],
        first: &mut [f32],
        second: &mut [f32],
        gradient: &[f32],
    ) {
        let ([beta1, beta2], [rate, correct1, correct2]) = (op.betas, rates);
        for (((p, m), v), g) in parameters.iter_mut().zip(first).zip(second).zip(gradient) {
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * (g * g);
            let step = *m * correct1 / ((*v * correct2).sqrt() + op.epsilon);
            *p -= rate * (step + op.weight_decay * *p);
        }
    }
}
