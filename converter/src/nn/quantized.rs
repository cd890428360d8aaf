//! Quantization-aware training: the network goes on learning with weights and activations as int8 stores them.
//!
//! What is trained is the network as it will be quantized: simplified, with batch normalization folded into weights and
//! biases (Jacob et al. 2018, "Quantization and training of neural networks"). Weights are stored per channel, activations
//! per tensor; their scales stay, follow the greatest weight, or are learned as well (Esser et al. 2020).

use std::ops::ControlFlow;

use dunlin::Session;
use dunlin::mem::cast;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::fit::progress_bar;
use super::simulation::{Exported, Scale, Simulation, with_constants};
use super::source::for_each_batch;
use super::{FitOptions, Network, Source};
use crate::host::{Executor, Threads};
use crate::pack::Packing;
use crate::plan::whole;
use crate::program::set_input;
use crate::quantize::{Quants, Ranges, weight_scales};
use crate::{Data, Error, Graph, Program, Result, TensorId};

/// How numbers are stored while training, and in the end.
#[derive(Clone, Copy, Debug)]
pub struct Rounding<'a> {
    /// Of the activations of the simplified network.
    pub ranges: &'a Ranges,
    /// The greatest stored weight: 127, or 7 for four bits.
    pub weight_max: i32,
    /// Whether the scales of weights and activations are trained too, from those of the ranges on. Otherwise activations
    /// keep theirs, and the greatest weight of each channel is stored as `weight_max`.
    pub learn_scales: bool,
}

/// The least factor that a learned scale can shrink by.
const FACTOR_MIN: f32 = 1.0 / 64.0;

impl Network {
    /// Trains with rounding, and returns the quantized graph for one sample: what it computes, to the byte, is what
    /// training saw. The network itself does not change. Samples that do not fill a batch are left out at the end of an
    /// epoch; nothing is dropped (dropout); early stopping goes by the losses of the training samples, and metrics are not computed.
    ///
    /// # Errors
    /// If the data do not fit the network or fill no batch, or an operator has no int8 form or no gradient; if the loss
    /// stops being finite; if a checkpoint is asked for.
    pub fn fit_quantized(
        &self,
        rounding: &Rounding,
        data: &dyn Source,
        options: &FitOptions,
    ) -> Result<Graph> {
        if data.len() < options.batch_size || options.batch_size == 0 || data.dims() != self.dims() {
            let (n, dims) = (data.len(), data.dims());
            return Err(Error::Invalid(format!(
                "{n} samples of shape {dims:?} fill no batch of the network's"
            )));
        }
        if options.checkpoint.is_some() {
            return Err(Error::Invalid(
                "training with rounding writes no checkpoint: leave it out".to_string(),
            ));
        }
        self.check_options(options)?;
        let real = self.simplified_for(options.batch_size)?;
        let simulation = Simulation::new(&real, self.parameters(), rounding, data, options)?;
        let program = Program::compile_with(&simulation.graph, Packing::Portable, |graph| Ok(whole(graph)))?;
        let (model, mut arena) = (program.model()?, program.arena());
        let mut steps = Steps {
            network: &real,
            weight_max: rounding.weight_max,
            simulation: &simulation,
            program: &program,
            session: program.session(&model, &mut arena)?,
            executor: Executor::new(&program),
            threads: Threads::new(options.threads)?,
        };
        steps.train(data, options)?;
        Ok(steps.exported(&self.simplified()?)?.into_graph())
    }
}

/// The steps of a training.
struct Steps<'a> {
    /// For a batch.
    network: &'a Graph,
    weight_max: i32,
    simulation: &'a Simulation<'a>,
    program: &'a Program,
    session: Session<'a, 'a>,
    executor: Executor,
    threads: Threads,
}

impl Steps<'_> {
    /// Runs all batches of all epochs.
    fn train(&mut self, data: &dyn Source, options: &FitOptions) -> Result<()> {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let mut order: Vec<usize> = (0..data.len()).collect();
        let n_batches = data.len() / options.batch_size;
        let mut losses = Vec::new();
        let bar = progress_bar(options, n_batches);
        for epoch in 0..options.epochs {
            if options.early_stopping.is_some_and(|early| early.stops(&losses)) {
                break;
            }
            order.shuffle(&mut rng);
            let (mut total, mut i) = (0.0, 0);
            let whole = &order[..n_batches * options.batch_size];
            for_each_batch(data, whole, options.batch_size, epoch, |batch| {
                let done = epoch as f64 + i as f64 / n_batches as f64;
                let factor = options.schedule.factor(done, options.epochs as f64, &losses);
                let rates = options.optimizer.rates(factor, (epoch * n_batches + i + 1) as u64);
                let loss = self.step(&batch.x, batch.targets.clone(), rates)?;
                i += 1;
                bar.inc(1);
                if !loss.is_finite() {
                    let at = format!("epoch {}, batch {i}, with rounding", epoch + 1);
                    return Err(Error::Invalid(format!("{at}: the loss is {loss}; lower the learning rate")));
                }
                total += f64::from(loss);
                Ok(ControlFlow::Continue(()))
            })?;
            losses.push(total / n_batches as f64);
        }
        bar.finish();
        Ok(())
    }

    /// Runs one step; the loss before its update.
    fn step(&mut self, samples: &[f32], targets: Vec<f32>, rates: Vec<f32>) -> Result<f32> {
        let quants = self.quants()?;
        let exported = self.exported_as(self.network, &quants)?;
        let samples = self.columns(samples);
        let stored = &self.simulation.stored;
        for (stored, values) in stored.iter().zip(exported.run(&samples, stored)?) {
            self.set(stored.rounded, values)?;
            if let Scale::Filled(input) = stored.scale {
                self.set(input, quants[&stored.tensor].scales.clone())?;
            }
        }
        let inputs = self.simulation.graph.inputs();
        for (i, samples) in samples.iter().enumerate() {
            self.set(inputs[i], exported.samples(i, samples))?;
        }
        let last = inputs.len() - 2;
        self.set(inputs[last], targets)?;
        self.set(inputs[last + 1], rates)?;
        let Steps { session, executor, threads, .. } = self;
        threads.run(|| executor.run(session));
        Ok(self.session.output::<f32>(0).map_err(failed)?[0])
    }

    /// The numbers of each input, of samples that are each a row of all inputs.
    fn columns(&self, samples: &[f32]) -> Vec<Vec<f32>> {
        let dims = self.network.inputs().iter().map(|&id| self.network.dims(id));
        let lens: Vec<usize> = dims.map(|dims| dims[1..].iter().product()).collect();
        let rows = || samples.chunks_exact(lens.iter().sum());
        let first = |i: usize| lens[..i].iter().sum::<usize>();
        let column = |i: usize| rows().flat_map(|row| &row[first(i)..][..lens[i]]).copied().collect();
        (0..lens.len()).map(column).collect()
    }

    /// How everything is stored at the moment.
    fn quants(&mut self) -> Result<Quants> {
        let mut quants = self.simulation.quants.clone();
        for stored in &self.simulation.stored {
            let Some(quant) = quants.get_mut(&stored.tensor) else { continue };
            match stored.scale {
                Scale::Constant => {}
                Scale::Filled(_) => {
                    let trained = self.simulation.trained.iter().find(|t| t.constant == stored.tensor);
                    let values = trained.map(|trained| self.state(trained.state)).unwrap_or_default();
                    let dims = self.network.dims(stored.tensor);
                    quant.scales = weight_scales(&values, &dims, quant.axis.unwrap_or(0), self.weight_max);
                }
                Scale::Learned(factors) => {
                    let factors = self.state(factors);
                    quant.scales.iter_mut().zip(factors).for_each(|(scale, f)| *scale *= f.max(FACTOR_MIN));
                }
            }
        }
        Ok(quants)
    }

    /// `real` with the parameters of the moment, as it is exported.
    fn exported(&mut self, real: &Graph) -> Result<Exported> {
        let quants = self.quants()?;
        self.exported_as(real, &quants)
    }

    fn exported_as(&mut self, real: &Graph, quants: &Quants) -> Result<Exported> {
        let trained = &self.simulation.trained;
        let values: Vec<Vec<f32>> = trained.iter().map(|trained| self.state(trained.state)).collect();
        let constants = trained.iter().zip(&values).map(|(trained, values)| (trained.constant, &values[..]));
        Exported::new(&with_constants(real, constants), quants, self.weight_max)
    }

    /// What a state of the step holds.
    fn state(&mut self, id: TensorId) -> Vec<f32> {
        let range = self.program.arena_range(id).unwrap_or_default();
        let bytes = self.session.arena_mut()[range].to_vec();
        cast::<f32>(&bytes).unwrap_or_default().to_vec()
    }

    fn set(&mut self, input: TensorId, values: Vec<f32>) -> Result<()> {
        let index = self.simulation.graph.inputs().iter().position(|&id| id == input).unwrap_or_default();
        set_input(&mut self.session, index, &Data::F32(values)).map_err(failed)
    }
}

fn failed(source: dunlin::Error) -> Error {
    Error::Model { what: "a step with rounding".to_string(), source }
}

#[cfg(test)]
mod tests;
