//! Quantization-aware training: the network goes on learning with weights and activations rounded as int8 rounds them.
//!
//! What is trained is the network as it will be quantized: simplified, with batch normalization folded into weights and
//! biases. Rounding is added to it (Jacob et al. 2018, "Quantization and training of neural networks"):
//!
//! - activations per tensor, as `clamp(x)`, a division by the scale, and the sum with 1.5 · 2^23 and its negative, which
//!   leaves no bits behind the point. Its gradient is that of the clamp (the straight-through estimator): sums with
//!   constants pass gradients on.
//! - weights per channel, as the sum with an input that the host fills before each step with what rounding adds to them.

use std::collections::HashMap;

use dunlin::mem::cast;
use dunlin::ops::Clamp;
use dunlin::ops::bounds::Bounds;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Dataset, FitOptions, Network};
use crate::autograd::gradients;
use crate::host::{Executor, Threads};
use crate::ops::{InputRole, OutputQuant};
use crate::pack::Packing;
use crate::passes::simplify;
use crate::plan::whole;
use crate::program::set_input;
use crate::quantize::{Ranges, rounded_weights};
use crate::{Data, Error, Graph, Kind, Node, Program, Quant, Result, TensorId};

/// A sum with it, and with its negative, rounds to the nearest integer (half to even) what is below 2^22.
const WHOLE: f32 = 12_582_912.0;

/// What is trained.
struct Trained {
    /// In the network's graph.
    constant: TensorId,
    /// In the step's graph.
    state: TensorId,
    /// Weights: the axis of their channels, and the input that rounds them.
    rounding: Option<(usize, TensorId)>,
}

/// The network with rounding, in the making.
struct Simulation<'g> {
    real: &'g Graph,
    ranges: &'g Ranges,
    graph: Graph,
    /// Where the step's graph has each tensor of the network's.
    of: HashMap<TensorId, TensorId>,
    trained: Vec<Trained>,
}

impl Network {
    /// Trains with rounding, for int8 with stored weights of at most `weight_max` (127; 7 for four bits), and returns
    /// the simplified graph for one sample with the new weights. `ranges` are those of the simplified graph, and stay:
    /// quantize the result with them and the same `weight_max`. The network itself does not change. Samples that do
    /// not fill a batch are left out at the end of an epoch.
    ///
    /// # Errors
    /// If the data do not fit the network or fill no batch, or an operator has no int8 form or no gradient; if the loss
    /// stops being finite.
    pub fn fit_quantized(
        &self,
        ranges: &Ranges,
        weight_max: i32,
        data: &Dataset,
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
        let (graph, trained) = Simulation::step(&real, ranges, data, options)?;
        for (trained, values) in trained.iter().zip(train(&graph, &trained, weight_max, data, options)?) {
            one[trained.constant].kind = Kind::Constant(Data::F32(values));
        }
        Ok(one)
    }
}

impl<'g> Simulation<'g> {
    /// Forward with rounding, loss, backward and update. The inputs are samples, roundings, targets and rates.
    fn step(
        real: &'g Graph,
        ranges: &'g Ranges,
        data: &Dataset,
        options: &FitOptions,
    ) -> Result<(Graph, Vec<Trained>)> {
        let graph = Graph::new(&real.name);
        let mut cx = Simulation { real, ranges, graph, of: HashMap::new(), trained: Vec::new() };
        let samples = real.inputs()[0];
        let x = cx.graph.input("x", &real.dims(samples))?;
        let rounded = cx.rounded("x", x, &cx.quant(samples)?)?;
        cx.of.insert(samples, rounded);
        for node in real.nodes() {
            cx.node(node)?;
        }
        let Simulation { mut graph, of, trained, .. } = cx;
        let prediction = of[&real.outputs()[0]];
        let dims = [&[options.batch_size][..], data.target_dims()].concat();
        let targets = graph.input("targets", &dims)?;
        let loss = options.loss.trace(&mut graph, prediction, targets)?;
        graph.mark_output(loss);
        let rates = options.optimizer.trace_rates(&mut graph)?;
        let states: Vec<TensorId> = trained.iter().map(|trained| trained.state).collect();
        let grads = gradients(&mut graph, loss, &states)?;
        for (&state, &gradient) in states.iter().zip(&grads) {
            options.optimizer.trace_update(&mut graph, state, gradient, rates)?;
        }
        Ok((graph, trained))
    }

    fn node(&mut self, node: &Node) -> Result<()> {
        let inputs = (0..node.inputs.len()).map(|i| self.input(node, i)).collect::<Result<Vec<_>>>()?;
        let outputs = self.graph.apply_all(&node.name, node.op, &inputs)?;
        for (&id, &output) in node.outputs.iter().zip(&outputs) {
            // The loss looks for the softmax in front of it.
            let is_last = self.real.outputs().contains(&id);
            let simulated = match node.op.output_quant() {
                _ if is_last => output,
                OutputQuant::Calibrated => self.rounded(&node.name, output, &self.quant(id)?)?,
                OutputQuant::Fixed { scale, zero_point } => {
                    self.rounded(&node.name, output, &Quant::i8(scale, zero_point))?
                }
                OutputQuant::SameAs(_) => output,
                OutputQuant::Real => {
                    return Err(Error::graph(&node.name, format!("{} has no int8 form", node.op.name())));
                }
            };
            self.of.insert(id, simulated);
        }
        Ok(())
    }

    /// Input `i` of a node: computed before, or a constant that is trained.
    fn input(&mut self, node: &Node, i: usize) -> Result<TensorId> {
        let id = node.inputs[i];
        if let Some(&known) = self.of.get(&id) {
            return Ok(known);
        }
        let (name, dims) = (&self.real[id].name, self.real.dims(id));
        let data = self.real.constant_data(id).cloned();
        let data =
            data.ok_or_else(|| Error::graph(&node.name, format!("`{name}` is not computed before")))?;
        let simulated = match node.op.input_role(i) {
            InputRole::Weights { axis } => {
                let state = self.graph.state(name, &dims, data)?;
                let rounding = self.graph.input(&format!("{name}/rounding"), &dims)?;
                self.trained.push(Trained { constant: id, state, rounding: Some((axis, rounding)) });
                self.graph.add(&format!("{name}/rounded"), state, rounding)?
            }
            InputRole::Bias => {
                let state = self.graph.state(name, &dims, data)?;
                self.trained.push(Trained { constant: id, state, rounding: None });
                state
            }
            InputRole::Activation | InputRole::Real => self.graph.constant(name, &dims, data)?,
        };
        self.of.insert(id, simulated);
        Ok(simulated)
    }

    fn quant(&self, id: TensorId) -> Result<Quant> {
        let range =
            self.ranges.get(&id).ok_or_else(|| Error::graph(&self.real[id].name, "was not calibrated"))?;
        Ok(range.quant())
    }

    fn rounded(&mut self, name: &str, x: TensorId, quant: &Quant) -> Result<TensorId> {
        let (graph, name, scale) = (&mut self.graph, format!("{name}/rounded"), quant.scale());
        let end = |stored: i32| scale * (stored - quant.zero_point) as f32;
        let bounds = Bounds::F32 { lo: end(-128), hi: end(127) };
        let clamped = graph.apply(&name, Clamp { bounds, factor: None }, &[x])?;
        let units = graph.scale(&name, clamped, 1.0 / scale)?;
        let dims = graph.dims(x);
        let [up, down] = [WHOLE, -WHOLE].map(|whole| graph.filled(&name, &dims, whole));
        let units = graph.add(&name, units, up?)?;
        let units = graph.add(&name, units, down?)?;
        graph.scale(&name, units, scale)
    }
}

/// Runs the step on all batches of all epochs; what the trained tensors become.
fn train(
    graph: &Graph,
    trained: &[Trained],
    weight_max: i32,
    data: &Dataset,
    options: &FitOptions,
) -> Result<Vec<Vec<f32>>> {
    let program = Program::compile_with(graph, Packing::Portable, |graph| Ok(whole(graph)))?;
    let (model, mut arena) = (program.model()?, program.arena());
    let mut session = program.session(&model, &mut arena)?;
    let (mut executor, threads) = (Executor::new(&program), Threads::new(options.threads)?);
    let failed = |source| Error::Model { what: "a step with rounding".to_string(), source };
    let index = |id| graph.inputs().iter().position(|&input| input == id).unwrap_or_default();
    let n_inputs = graph.inputs().len();
    let place = |trained: &Trained| program.arena_range(trained.state).unwrap_or_default();
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut order: Vec<usize> = (0..data.len()).collect();
    let n_batches = data.len() / options.batch_size;
    let mut losses = Vec::new();
    for epoch in 0..options.epochs {
        order.shuffle(&mut rng);
        let mut total = 0.0;
        for (i, batch) in order.chunks_exact(options.batch_size).enumerate() {
            for trained in trained {
                let Some((axis, input)) = trained.rounding else { continue };
                let bytes = session.arena_mut()[place(trained)].to_vec();
                let mut rounding = cast::<f32>(&bytes).unwrap_or_default().to_vec();
                let rounded = rounded_weights(&rounding, &graph.dims(trained.state), axis, weight_max);
                rounding.iter_mut().zip(rounded).for_each(|(w, rounded)| *w = rounded - *w);
                set_input(&mut session, index(input), &Data::F32(rounding)).map_err(failed)?;
            }
            let samples = batch.iter().flat_map(|&i| data.sample(i)).copied().collect();
            let targets = batch.iter().flat_map(|&i| data.target(i)).copied().collect();
            let done = epoch as f64 + i as f64 / n_batches as f64;
            let factor = options.schedule.factor(done, options.epochs as f64, &losses);
            let rates = options.optimizer.rates(factor, (epoch * n_batches + i + 1) as u64);
            for (input, values) in [(0, samples), (n_inputs - 2, targets), (n_inputs - 1, rates)] {
                set_input(&mut session, input, &Data::F32(values)).map_err(failed)?;
            }
            threads.run(|| executor.run(&mut session));
            let loss = session.output::<f32>(0).map_err(failed)?[0];
            if !loss.is_finite() {
                let at = format!("epoch {}, batch {}, with rounding", epoch + 1, i + 1);
                return Err(Error::Invalid(format!("{at}: the loss is {loss}; lower the learning rate")));
            }
            total += f64::from(loss);
        }
        losses.push(total / n_batches as f64);
    }
    let values = |trained: &Trained| {
        let bytes = session.arena_mut()[place(trained)].to_vec();
        cast::<f32>(&bytes).unwrap_or_default().to_vec()
    };
    Ok(trained.iter().map(values).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Conv2d, Dense, Flatten, Optimizer, Relu, Sequential, Softmax};
    use crate::quantize::{calibrate, quantize_with, to_f32, to_i8};

    /// The simulated forward pass is the int8 network's, but for the rounding of its requantization and its softmax.
    #[test]
    fn what_is_simulated_is_what_int8_computes() {
        let layers = Sequential::new()
            .then(Conv2d::new(4, [3, 3]))
            .then(Relu)
            .then(Flatten)
            .then(Dense::new(3))
            .then(Softmax);
        let network = Network::new("small", &[6, 6, 1], layers, 1).unwrap();
        let n = 64;
        let x: Vec<f32> = (0..n * 36).map(|i| ((i * 37 + i / 36 * 11) % 101) as f32 / 50.0 - 1.0).collect();
        let labels: Vec<usize> = (0..n).map(|i| i % 3).collect();
        let data = Dataset::classification(&[6, 6, 1], x, &labels, 3).unwrap();
        let mut one = network.inference_graph(1).unwrap();
        simplify(&mut one).unwrap();
        let samples: Vec<Vec<Data>> = (0..n).map(|i| vec![Data::F32(data.sample(i).to_vec())]).collect();
        let ranges = calibrate(&one, &samples).unwrap();
        for weight_max in [7, 127] {
            let options = FitOptions {
                epochs: 3,
                batch_size: 1,
                optimizer: Optimizer::adam(0.01),
                ..FitOptions::default()
            };
            let tuned = network.fit_quantized(&ranges, weight_max, &data, &options).unwrap();
            assert_ne!(tuned, one);
            let int8 = Program::compile(&quantize_with(&tuned, &ranges, weight_max).unwrap()).unwrap();
            let simulated = forward(&tuned, &ranges, weight_max);
            let quant = ranges[&tuned.inputs()[0]].quant();
            for sample in samples.iter().take(20) {
                let want = simulated.run(sample).unwrap().swap_remove(0);
                let stored = to_i8(sample[0].as_f32().unwrap(), quant.scale(), quant.zero_point);
                let Data::I8(have) = int8.run(&[Data::I8(stored)]).unwrap().swap_remove(0) else { panic!() };
                for (have, want) in to_f32(&have, 1.0 / 256.0, -128).iter().zip(want.as_f32().unwrap()) {
                    assert!((have - want).abs() < 0.015, "{weight_max}: {have} {want}");
                }
            }
        }
    }

    /// The simulation of one sample, with its weights rounded.
    fn forward(real: &Graph, ranges: &Ranges, weight_max: i32) -> Program {
        let mut rounded = real.clone();
        for node in real.nodes() {
            for (i, &id) in node.inputs.iter().enumerate() {
                if let (InputRole::Weights { axis }, Some(Data::F32(w))) =
                    (node.op.input_role(i), real.constant_data(id))
                {
                    let w = rounded_weights(w, &real.dims(id), axis, weight_max);
                    rounded[id].kind = Kind::Constant(Data::F32(w));
                }
            }
        }
        let mut cx = Simulation {
            real: &rounded,
            ranges,
            graph: Graph::new("simulated"),
            of: HashMap::new(),
            trained: Vec::new(),
        };
        let samples = rounded.inputs()[0];
        let x = cx.graph.input("x", &rounded.dims(samples)).unwrap();
        let x = cx.rounded("x", x, &cx.quant(samples).unwrap()).unwrap();
        cx.of.insert(samples, x);
        for node in rounded.nodes() {
            for &id in node.inputs.iter().filter(|id| rounded.constant_data(**id).is_some()) {
                let data = rounded.constant_data(id).unwrap().clone();
                let constant = cx.graph.constant(&rounded[id].name, &rounded.dims(id), data).unwrap();
                cx.of.insert(id, constant);
            }
            cx.node(node).unwrap();
        }
        let output = cx.of[&rounded.outputs()[0]];
        cx.graph.mark_output(output);
        Program::compile(&cx.graph).unwrap()
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let network =
            Network::new("small", &[2], Sequential::new().then(Dense::new(2)).then(Softmax), 1).unwrap();
        let data = Dataset::classification(&[2], vec![0.0; 4], &[0, 1], 2).unwrap();
        let error = |batch_size| {
            let options = FitOptions { batch_size, ..FitOptions::default() };
            network.fit_quantized(&Ranges::new(), 127, &data, &options).unwrap_err().to_string()
        };
        assert!(error(3).contains("2 samples of shape [2] fill no batch"));
        assert!(error(2).contains("x: was not calibrated"));
    }
}
