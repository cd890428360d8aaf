//! Steps over batches: graphs compiled for the batch size, and for the smaller last batch.

use std::ops::Range;

use dunlin::mem::cast;
use dunlin::{Model, Session};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Loss;
use super::source::Batch;
use crate::host::{Executor, Threads};
use crate::pack::Packing;
use crate::plan::whole;
use crate::program::AlignedBytes;
use crate::{Error, Graph, Kind, Program, Result, Tensor, TensorId};

/// A step on `batch` samples. Its inputs are the samples, their targets and the optimizer's rates (in
/// training); its outputs the mean loss and the predictions.
pub(super) struct Step {
    batch: usize,
    program: Program,
    /// Where the arena has each parameter of the network.
    parameters: Vec<Range<usize>>,
    /// The state tensors, in the order of the graph.
    states: Vec<State>,
    /// What each mask for dropout drops; the masks are the inputs behind the samples.
    masks: Vec<f32>,
    /// Elements of each output of the network, for a sample.
    parts: Vec<usize>,
    /// Inputs that samples have.
    n_inputs: usize,
    /// Of operators, constants and masks: what the step computes.
    checksum: u32,
}

/// The graph of a step, with what the step is asked for later.
pub(super) struct Built {
    pub graph: Graph,
    pub parameters: Vec<TensorId>,
    pub masks: Vec<f32>,
    pub parts: Vec<usize>,
    pub n_inputs: usize,
}

/// What a step needs beside its samples.
pub(super) struct Pass<'p> {
    pub loss: Loss,
    /// Numbers of the optimizer; none without one.
    pub rates: &'p [f32],
    /// Decides the masks, together with the number of the step.
    pub seed: u64,
    pub step: u64,
}

/// What a step keeps for the next: a parameter, or a moment of the optimizer.
pub(super) struct State {
    pub name: String,
    pub dims: Vec<usize>,
    /// Where the arena has it.
    range: Range<usize>,
}

impl Step {
    fn compile(built: Built, batch: usize) -> Result<Step> {
        let Built { graph, parameters, masks, parts, n_inputs } = &built;
        // Tensors that never share a byte but in place: the host's kernels take them as slices.
        let program = Program::compile_with(graph, Packing::Portable, |graph| Ok(whole(graph)))?;
        let states = graph.tensors().filter(|(_, tensor)| matches!(tensor.kind, Kind::State(_)));
        let state = |(id, tensor): (TensorId, &Tensor)| {
            let range = program.arena_range(id)?;
            Some(State { name: tensor.name.clone(), dims: graph.dims(id), range })
        };
        let states = states.filter_map(state).collect();
        let parameters = parameters.iter().filter_map(|&id| program.arena_range(id)).collect();
        let checksum = checksum(graph, masks);
        let (masks, parts, n_inputs) = (masks.clone(), parts.clone(), *n_inputs);
        Ok(Step { batch, program, parameters, states, masks, parts, n_inputs, checksum })
    }

    /// A number that steps which compute something else do not have; the values of states do not matter.
    pub(super) fn checksum(&self) -> u32 {
        self.checksum
    }
}

fn checksum(graph: &Graph, masks: &[f32]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for node in graph.nodes() {
        crc.update(format!("{}: {:?}", node.name, node.op).as_bytes());
        for data in node.inputs.iter().filter_map(|&id| graph.constant_data(id)?.as_f32()) {
            crc.update(bytemuck::cast_slice(data));
        }
    }
    crc.update(bytemuck::cast_slice(masks));
    crc.finalize()
}

/// The steps that one pass over `n_samples` takes: one for whole batches of `batch_size`, and one for the
/// samples that are left over. `build` makes the graph for a batch size.
pub(super) fn compile_steps(
    n_samples: usize,
    batch_size: usize,
    build: impl Fn(usize) -> Result<Built>,
) -> Result<Vec<Step>> {
    let whole = batch_size.min(n_samples);
    let left = n_samples % whole;
    let sizes = [whole, left].into_iter().filter(|&size| size > 0);
    sizes.map(|batch| Step::compile(build(batch)?, batch)).collect()
}

/// The checked models of steps, and memory to run them in.
pub(super) struct Loaded<'s> {
    steps: &'s [Step],
    models: Vec<Model<'s>>,
    arenas: Vec<AlignedBytes>,
}

impl<'s> Loaded<'s> {
    pub(super) fn new(steps: &'s [Step]) -> Result<Loaded<'s>> {
        let models = steps.iter().map(|step| step.program.model()).collect::<Result<_>>()?;
        let arenas = steps.iter().map(|step| step.program.arena()).collect();
        Ok(Loaded { steps, models, arenas })
    }

    pub(super) fn runner(&mut self, n_threads: Option<usize>) -> Result<Runner<'_>> {
        let loaded = self.steps.iter().zip(&self.models).zip(&mut self.arenas);
        let sessions =
            loaded.map(|((step, model), arena)| step.program.session(model, arena)).collect::<Result<_>>()?;
        let executors = self.steps.iter().map(|step| Executor::new(&step.program)).collect();
        let threads = Threads::new(n_threads)?;
        Ok(Runner { steps: self.steps, sessions, executors, threads, current: 0 })
    }
}

/// Runs steps whose state goes along from one to the other.
pub(super) struct Runner<'r> {
    steps: &'r [Step],
    sessions: Vec<Session<'r, 'r>>,
    executors: Vec<Executor>,
    threads: Threads,
    current: usize,
}

/// What a step says about a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    /// Mean over the batch.
    pub loss: f32,
    /// Samples whose prediction is right.
    pub n_correct: usize,
}

impl Runner<'_> {
    /// Runs the step for as many samples as the batch has. Its predictions, row by row, are [`Runner::outputs`] then.
    pub(super) fn run(&mut self, batch: &Batch, pass: &Pass) -> Result<Outcome> {
        self.switch_to(batch.len)?;
        let session = &mut self.sessions[self.current];
        let Step { masks, parts, n_inputs, .. } = &self.steps[self.current];
        fill_samples(session, *n_inputs, batch)?;
        let mut rng = ChaCha8Rng::seed_from_u64(pass.seed);
        rng.set_stream(pass.step); // stream 0 is the samples' order
        for (i, &rate) in masks.iter().enumerate() {
            draw_mask(session, n_inputs + i, rate, &mut rng)?;
        }
        fill(session, n_inputs + masks.len(), &batch.targets)?;
        if !pass.rates.is_empty() {
            fill(session, n_inputs + masks.len() + 1, pass.rates)?;
        }
        let executor = &mut self.executors[self.current];
        self.threads.run(|| executor.run(session));
        let loss = session.output::<f32>(0).map_err(failed("the loss"))?[0];
        let row_len = batch.targets.len() / batch.len;
        let rows = self.outputs()?.chunks_exact(row_len).zip(batch.targets.chunks_exact(row_len));
        let is_right = |&(row, target): &(&[f32], &[f32])| {
            let mut at = 0;
            parts.iter().all(|len| {
                let part = at..at + len;
                at += len;
                pass.loss.is_right(&row[part.clone()], &target[part])
            })
        };
        let n_correct = rows.filter(is_right).count();
        Ok(Outcome { loss, n_correct })
    }

    /// What the network made of the last batch: as many numbers a sample as its target has.
    pub(super) fn outputs(&self) -> Result<&[f32]> {
        self.sessions[self.current].output(1).map_err(failed("the predictions"))
    }

    /// The parameters' values, in the network's order.
    pub(super) fn parameters(&mut self) -> Vec<Vec<f32>> {
        let arena = self.sessions[self.current].arena_mut();
        let values = |range: &Range<usize>| cast::<f32>(&arena[range.clone()]).unwrap_or_default().to_vec();
        self.steps[self.current].parameters.iter().map(values).collect()
    }

    /// Everything that training goes on with: each state with its bytes.
    pub(super) fn states(&mut self) -> Vec<(&State, Vec<u8>)> {
        let arena = self.sessions[self.current].arena_mut();
        let states = self.steps[self.current].states.iter();
        states.map(|state| (state, arena[state.range.clone()].to_vec())).collect()
    }

    /// Takes bytes in the order and of the lengths of [`Runner::states`].
    pub(super) fn set_states(&mut self, values: &[Vec<u8>]) {
        let arena = self.sessions[self.current].arena_mut();
        for (state, bytes) in self.steps[self.current].states.iter().zip(values) {
            arena[state.range.clone()].copy_from_slice(bytes);
        }
    }

    fn switch_to(&mut self, batch: usize) -> Result<()> {
        let found = self.steps.iter().position(|step| step.batch == batch);
        let next = found.ok_or_else(|| Error::Invalid(format!("no step takes a batch of {batch}")))?;
        if next != self.current {
            let from = &self.steps[self.current].states;
            for (from, to) in from.iter().zip(&self.steps[next].states) {
                let bytes = self.sessions[self.current].arena_mut()[from.range.clone()].to_vec();
                self.sessions[next].arena_mut()[to.range.clone()].copy_from_slice(&bytes);
            }
            self.current = next;
        }
        Ok(())
    }
}

/// Fills input `i` with a mask: 0 for the part `rate` of the elements, `1 / (1 - rate)` for the others.
fn draw_mask(session: &mut Session, i: usize, rate: f32, rng: &mut ChaCha8Rng) -> Result<()> {
    let elements = session.input(i).and_then(|input| input.elements::<f32>()).map_err(failed("a mask"))?;
    for element in elements {
        *element = if rng.random::<f32>() < rate { 0.0 } else { 1.0 / (1.0 - rate) };
    }
    Ok(())
}

/// Fills the first inputs with samples, each a row of all its inputs.
fn fill_samples(session: &mut Session, n_inputs: usize, batch: &Batch) -> Result<()> {
    let row_len = batch.x.len() / batch.len;
    let mut at = 0;
    for i in 0..n_inputs {
        let elements =
            session.input(i).and_then(|input| input.elements::<f32>()).map_err(failed("an input"))?;
        let len = elements.len() / batch.len;
        for (own, row) in elements.chunks_exact_mut(len).zip(batch.x.chunks_exact(row_len)) {
            own.copy_from_slice(&row[at..at + len]);
        }
        at += len;
    }
    Ok(())
}

/// Fills input `i`.
fn fill(session: &mut Session, i: usize, values: &[f32]) -> Result<()> {
    let elements = session.input(i).and_then(|input| input.elements::<f32>()).map_err(failed("an input"))?;
    elements.copy_from_slice(values);
    Ok(())
}

fn failed(what: &str) -> impl Fn(dunlin::Error) -> Error {
    move |source| Error::Model { what: format!("{what} of a training step"), source }
}
