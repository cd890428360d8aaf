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

use super::simulation::{Exported, Scale, Simulation, with_constants};
use super::source::for_each_batch;
use super::{FitOptions, Network, Source};
use crate::host::{Executor, Threads};
use crate::pack::Packing;
use crate::passes::simplify;
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
    /// epoch.
    ///
    /// # Errors
    /// If the data do not fit the network or fill no batch, or an operator has no int8 form or no gradient; if the loss
    /// stops being finite.
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
        let [mut one, mut real] = [self.inference_graph(1)?, self.inference_graph(options.batch_size)?];
        simplify(&mut one)?;
        simplify(&mut real)?;
        let simulation = Simulation::new(&real, rounding, data, options)?;
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
        Ok(steps.exported(&one)?.into_graph())
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
        for epoch in 0..options.epochs {
            order.shuffle(&mut rng);
            let (mut total, mut i) = (0.0, 0);
            let whole = &order[..n_batches * options.batch_size];
            for_each_batch(data, whole, options.batch_size, epoch, |batch| {
                let done = epoch as f64 + i as f64 / n_batches as f64;
                let factor = options.schedule.factor(done, options.epochs as f64, &losses);
                let rates = options.optimizer.rates(factor, (epoch * n_batches + i + 1) as u64);
                let loss = self.step(&batch.x, batch.targets.clone(), rates)?;
                i += 1;
                if !loss.is_finite() {
                    let at = format!("epoch {}, batch {i}, with rounding", epoch + 1);
                    return Err(Error::Invalid(format!("{at}: the loss is {loss}; lower the learning rate")));
                }
                total += f64::from(loss);
                Ok(ControlFlow::Continue(()))
            })?;
            losses.push(total / n_batches as f64);
        }
        Ok(())
    }

    /// Runs one step; the loss before its update.
    fn step(&mut self, samples: &[f32], targets: Vec<f32>, rates: Vec<f32>) -> Result<f32> {
        let quants = self.quants()?;
        let exported = self.exported_as(self.network, &quants)?;
        let stored = &self.simulation.stored;
        for (stored, values) in stored.iter().zip(exported.run(samples, stored)?) {
            self.set(stored.rounded, values)?;
            if let Scale::Filled(input) = stored.scale {
                self.set(input, quants[&stored.tensor].scales.clone())?;
            }
        }
        let inputs = self.simulation.graph.inputs();
        let (x, last) = (inputs[0], inputs.len() - 2);
        for (input, values) in
            [(x, exported.samples(samples)), (inputs[last], targets), (inputs[last + 1], rates)]
        {
            self.set(input, values)?;
        }
        let Steps { session, executor, threads, .. } = self;
        threads.run(|| executor.run(session));
        Ok(self.session.output::<f32>(0).map_err(failed)?[0])
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
mod tests {
    use super::*;
    use crate::nn::{Conv2d, Dataset, Dense, Flatten, Loss, MaxPool2d, Optimizer, Relu, Sequential, Softmax};
    use crate::quantize::{calibrate, to_f32, to_i8};

    fn layers() -> Sequential {
        Sequential::new()
            .then(Conv2d::new(4, [3, 3]))
            .then(Relu)
            .then(MaxPool2d::new([2, 2]))
            .then(Flatten)
            .then(Dense::new(3))
    }

    fn samples(n: usize) -> Vec<f32> {
        (0..n * 36).map(|i| ((i * 37 + i / 36 * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    fn ranges(network: &Network, data: &Dataset) -> Ranges {
        let mut one = network.inference_graph(1).unwrap();
        simplify(&mut one).unwrap();
        let samples: Vec<Vec<Data>> =
            (0..data.len()).map(|i| vec![Data::F32(data.sample(i).to_vec())]).collect();
        calibrate(&one, &samples).unwrap()
    }

    /// What the loss sees in the last step is what the exported network computes: not nearly, but to the bit.
    #[test]
    fn what_is_simulated_is_what_is_exported() {
        let network = Network::new("small", &[6, 6, 1], layers(), 1).unwrap();
        let n = 64;
        let targets = (0..3 * n).map(|i| (i % 7) as f32 / 3.5 - 1.0).collect();
        let data = Dataset::new(&[6, 6, 1], samples(n), &[3], targets).unwrap();
        let ranges = ranges(&network, &data);
        for (weight_max, learn_scales) in [(7, false), (127, false), (7, true), (127, true)] {
            let rounding = Rounding { ranges: &ranges, weight_max, learn_scales };
            let options = FitOptions {
                epochs: 2,
                batch_size: 16,
                loss: Loss::MeanSquaredError,
                optimizer: Optimizer::adam(0.01),
                ..FitOptions::default()
            };
            let mut real = network.inference_graph(options.batch_size).unwrap();
            simplify(&mut real).unwrap();
            let simulation = Simulation::new(&real, &rounding, &data, &options).unwrap();
            let program = Program::compile(&simulation.graph).unwrap();
            let (model, mut arena) = (program.model().unwrap(), program.arena());
            let mut steps = Steps {
                network: &real,
                weight_max,
                simulation: &simulation,
                program: &program,
                session: program.session(&model, &mut arena).unwrap(),
                executor: Executor::new(&program),
                threads: Threads::new(Some(1)).unwrap(),
            };
            let before = steps.quants().unwrap();
            steps.train(&data, &options).unwrap();
            let conv = real.nodes()[0].outputs[0];
            assert_eq!(before[&conv] != steps.quants().unwrap()[&conv], learn_scales);

            let mut one = network.inference_graph(1).unwrap();
            simplify(&mut one).unwrap();
            let exported = steps.exported(&one).unwrap().into_graph();
            let batch: Vec<f32> = (0..16).flat_map(|i| data.sample(i)).copied().collect();
            let targets = (0..16).flat_map(|i| data.target(i)).copied().collect();
            steps.step(&batch, targets, options.optimizer.rates(0.0, 1)).unwrap();
            let simulated = steps.session.output::<f32>(1).unwrap();

            let int8 = Program::compile(&exported).unwrap();
            let quant = |id: TensorId| exported[id].quant.clone().unwrap();
            let (x, y) = (quant(exported.inputs()[0]), quant(exported.outputs()[0]));
            for (i, simulated) in simulated.chunks(3).enumerate() {
                let stored = to_i8(data.sample(i), x.scale(), x.zero_point);
                let Data::I8(have) = int8.run(&[Data::I8(stored)]).unwrap().swap_remove(0) else { panic!() };
                assert_eq!(to_f32(&have, y.scale(), y.zero_point), simulated, "{weight_max} {learn_scales}");
            }
        }
    }

    #[test]
    fn training_with_rounding_makes_the_loss_of_int8_smaller() {
        let network = Network::new("small", &[6, 6, 1], layers().then(Softmax), 1).unwrap();
        let labels: Vec<usize> = (0..64).map(|i| i % 3).collect();
        let data = Dataset::classification(&[6, 6, 1], samples(64), &labels, 3).unwrap();
        let ranges = ranges(&network, &data);
        let loss_after = |epochs, learn_scales| {
            let rounding = Rounding { ranges: &ranges, weight_max: 3, learn_scales };
            let options = FitOptions {
                epochs,
                batch_size: 16,
                optimizer: Optimizer::adam(0.01),
                ..FitOptions::default()
            };
            let exported = network.fit_quantized(&rounding, &data, &options).unwrap();
            let (program, x) = (Program::compile(&exported).unwrap(), exported.inputs()[0]);
            let quant = exported[x].quant.clone().unwrap();
            let loss = |i: usize| {
                let stored = to_i8(data.sample(i), quant.scale(), quant.zero_point);
                let Data::I8(y) = program.run(&[Data::I8(stored)]).unwrap().swap_remove(0) else { panic!() };
                -((y[data.label(i)] as f32 + 128.5) / 256.0).ln()
            };
            (0..data.len()).map(loss).sum::<f32>() / data.len() as f32
        };
        for learn_scales in [false, true] {
            let [before, after] = [0, 30].map(|epochs| loss_after(epochs, learn_scales));
            assert!(after < 0.8 * before, "{learn_scales}: {before} {after}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let network =
            Network::new("small", &[2], Sequential::new().then(Dense::new(2)).then(Softmax), 1).unwrap();
        let data = Dataset::classification(&[2], vec![0.0; 4], &[0, 1], 2).unwrap();
        let error = |batch_size| {
            let options = FitOptions { batch_size, ..FitOptions::default() };
            let rounding = Rounding { ranges: &Ranges::new(), weight_max: 127, learn_scales: false };
            network.fit_quantized(&rounding, &data, &options).unwrap_err().to_string()
        };
        assert!(error(3).contains("2 samples of shape [2] fill no batch"));
        assert!(error(2).contains("x: was not calibrated"));
    }
}
