//! A training step of the network as int8 stores it.
//!
//! The step's graph is the real network in which every tensor that int8 stores gives way to its stored numbers
//! ([`StraightThrough`]). Those are not imitated: before each step the network is quantized with the weights of the
//! moment, and the runtime computes it on the batch as the device would. So the loss is that of the very bytes that the
//! exported network gives.

use std::collections::HashMap;

use dunlin::DType;
use dunlin::mem::cast;
use dunlin::ops::StraightThrough;

use super::evaluate::trace_loss;
use super::fit::trace_updates;
use super::{FitOptions, Parameter, Penalty, Rounding, Source};
use crate::ops::{InputRole, OutputQuant};
use crate::plan::whole;
use crate::program::{Rewrite, set_input};
use crate::quantize::{Quants, constant_reals, quantize_as, quants, to_f32, to_i8};
use crate::{Data, Error, Graph, Kind, Node, Program, Quant, Result, TensorId};

/// What is trained: a constant of the network, and the state of the step that holds it.
pub(super) struct Trained {
    pub constant: TensorId,
    pub state: TensorId,
}

/// A tensor of the network that int8 stores.
pub(super) struct Stored {
    /// In the network.
    pub tensor: TensorId,
    /// The input of the step that takes the stored numbers, as real ones.
    pub rounded: TensorId,
    pub scale: Scale,
}

/// The scale of a stored tensor, in the step.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    /// As calibrated.
    Constant,
    /// An input: the greatest weight of each channel decides.
    Filled(TensorId),
    /// As at the start, times this state.
    Learned(TensorId),
}

/// The graph of a step: inputs are the samples, what [`Stored`] names, targets and rates; outputs are the loss and the
/// prediction.
pub(super) struct Simulation<'a> {
    /// The simplified network, for a batch.
    real: &'a Graph,
    rounding: &'a Rounding<'a>,
    /// Of the network, before it was simplified.
    parameters: &'a [Parameter],
    /// How each tensor is stored at the start.
    pub quants: Quants,
    pub graph: Graph,
    pub trained: Vec<Trained>,
    pub stored: Vec<Stored>,
    /// Where the step's graph has each tensor of the network's, as others read it.
    of: HashMap<TensorId, TensorId>,
    /// Where it has the outputs that the loss takes before they are rounded: of a softmax or sigmoid.
    unrounded: HashMap<TensorId, TensorId>,
}

impl<'a> Simulation<'a> {
    /// The step on batches of the size of `real`, the simplified network with these parameters.
    ///
    /// # Errors
    /// If an operator has no int8 form or no gradient, or a tensor was not calibrated.
    pub(super) fn new(
        real: &'a Graph,
        parameters: &'a [Parameter],
        rounding: &'a Rounding<'a>,
        data: &dyn Source,
        options: &FitOptions,
    ) -> Result<Simulation<'a>> {
        let mut cx = Simulation {
            real,
            rounding,
            parameters,
            quants: quants(real, rounding.ranges, rounding.weight_max)?,
            graph: Graph::new(&real.name),
            trained: Vec::new(),
            stored: Vec::new(),
            of: HashMap::new(),
            unrounded: HashMap::new(),
        };
        for &input in real.inputs() {
            let x = cx.graph.input(&real[input].name, &real.dims(input))?;
            cx.of.insert(input, x);
        }
        for node in real.nodes() {
            cx.node(node)?;
        }
        let output = |id: &TensorId| cx.unrounded.get(id).unwrap_or(&cx.of[id]);
        let outputs: Vec<TensorId> = real.outputs().iter().map(output).copied().collect();
        let loss = trace_loss(&mut cx.graph, &outputs, data, options.loss)?;
        let trainable = cx.trainable();
        trace_updates(&mut cx.graph, loss, &trainable, options)?;
        Ok(cx)
    }

    /// Every state that training changes, with what its size adds to the loss: the penalty of a parameter goes on to the
    /// weights that batch normalization is folded into, which have its name.
    fn trainable(&self) -> Vec<(TensorId, Penalty)> {
        let penalty = |trained: &Trained| {
            let name = &self.real[trained.constant].name;
            self.parameters.iter().find(|p| p.name == *name).map_or(Penalty::NONE, |p| p.penalty)
        };
        let learned = self.stored.iter().filter_map(|stored| match stored.scale {
            Scale::Learned(factors) => Some((factors, Penalty::NONE)),
            Scale::Constant | Scale::Filled(_) => None,
        });
        self.trained.iter().map(|trained| (trained.state, penalty(trained))).chain(learned).collect()
    }

    fn node(&mut self, node: &Node) -> Result<()> {
        let inputs = (0..node.inputs.len()).map(|i| self.input(node, i)).collect::<Result<Vec<_>>>()?;
        let outputs = self.graph.apply_all(&node.name, node.op, &inputs)?;
        for (&id, &output) in node.outputs.iter().zip(&outputs) {
            let rounded = match node.op.output_quant() {
                // The loss is computed from what stands in front of a last softmax.
                OutputQuant::Fixed { .. } if self.real.outputs().contains(&id) => {
                    self.unrounded.insert(id, output);
                    match self.real.consumers(id)[..] {
                        [] => output,
                        _ => self.activation(id, output, false)?,
                    }
                }
                OutputQuant::Calibrated => self.activation(id, output, self.rounding.learn_scales)?,
                OutputQuant::Fixed { .. } => self.activation(id, output, false)?,
                OutputQuant::SameAs(_) => output,
                OutputQuant::Real => {
                    return Err(Error::graph(&node.name, format!("{} has no int8 form", node.op.name())));
                }
            };
            self.of.insert(id, rounded);
        }
        Ok(())
    }

    /// Input `i` of a node: computed before, or a constant.
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
                self.trained.push(Trained { constant: id, state });
                self.weights(id, state, axis)?
            }
            InputRole::Bias | InputRole::Parameter => {
                let state = self.graph.state(name, &dims, data)?;
                self.trained.push(Trained { constant: id, state });
                state
            }
            InputRole::Activation => {
                let constant = self.graph.constant(name, &dims, data)?;
                self.activation(id, constant, false)?
            }
            InputRole::Index | InputRole::Real => self.graph.constant(name, &dims, data)?,
        };
        self.of.insert(id, simulated);
        Ok(simulated)
    }

    fn activation(&mut self, id: TensorId, x: TensorId, learned: bool) -> Result<TensorId> {
        let quant = &self.quants[&id];
        let [lo, hi] = [-128, 127].map(|stored| (stored - quant.zero_point) as f32);
        let (op, scales) = (StraightThrough { axis: 0, lo, hi }, quant.scales.clone());
        let name = &format!("{}/scale", self.real[id].name);
        let scale = if learned {
            self.learned(name, scales)?
        } else {
            (self.graph.constant(name, &[1], Data::F32(scales))?, Scale::Constant)
        };
        self.rounded(id, x, op, scale)
    }

    fn weights(&mut self, id: TensorId, state: TensorId, axis: usize) -> Result<TensorId> {
        let (scales, hi) = (self.quants[&id].scales.clone(), self.rounding.weight_max as f32);
        let name = &format!("{}/scales", self.real[id].name);
        let scale = if self.rounding.learn_scales {
            self.learned(name, scales)?
        } else {
            let input = self.graph.input(name, &[scales.len()])?;
            (input, Scale::Filled(input))
        };
        self.rounded(id, state, StraightThrough { axis: axis as u8, lo: -hi, hi }, scale)
    }

    /// Scales that start as `first`. What is trained is a factor, so that one learning rate suits all of them.
    fn learned(&mut self, name: &str, first: Vec<f32>) -> Result<(TensorId, Scale)> {
        let dims = [first.len()];
        let ones = Data::F32(vec![1.0; first.len()]);
        let factors = self.graph.state(&format!("{name}/factors"), &dims, ones)?;
        let first = self.graph.constant(&format!("{name}/first"), &dims, Data::F32(first))?;
        Ok((self.graph.mul(name, first, factors)?, Scale::Learned(factors)))
    }

    fn rounded(
        &mut self,
        tensor: TensorId,
        x: TensorId,
        op: StraightThrough,
        (scales, scale): (TensorId, Scale),
    ) -> Result<TensorId> {
        let name = format!("{}/rounded", self.real[tensor].name);
        let rounded = self.graph.input(&name, &self.graph.dims(x))?;
        self.stored.push(Stored { tensor, rounded, scale });
        self.graph.apply(&name, op, &[x, rounded, scales])
    }
}

/// The network as it is exported, with everything that it computes for a batch.
pub(super) struct Exported {
    graph: Graph,
    program: Program,
}

impl Exported {
    /// `real` as `quants` store it.
    ///
    /// # Errors
    /// If it cannot be stored so: an accumulator could overflow, or weights are not finite.
    pub(super) fn new(real: &Graph, quants: &Quants, weight_max: i32) -> Result<Exported> {
        let graph = quantize_as(real, quants, weight_max)?;
        let program = Program::compile_with(&graph, Rewrite::NONE, |graph| Ok(whole(graph)))?;
        Ok(Exported { graph, program })
    }

    /// The numbers that the stored ones of the samples stand for, as they reach input `i`.
    pub(super) fn samples(&self, i: usize, samples: &[f32]) -> Vec<f32> {
        let quant = self.quant(self.graph.inputs()[i]);
        match self.stored_samples(i, samples) {
            Data::I8(stored) => to_f32(&stored, quant.scale(), quant.zero_point),
            _ => samples.to_vec(),
        }
    }

    /// Samples as input `i` of the network takes them: int8, or whole numbers.
    fn stored_samples(&self, i: usize, samples: &[f32]) -> Data {
        let quant = self.quant(self.graph.inputs()[i]);
        match quant.dtype {
            DType::I32 => Data::I32(samples.iter().map(|x| x.round() as i32).collect()),
            _ => Data::I8(to_i8(samples, quant.scale(), quant.zero_point)),
        }
    }

    /// Runs on samples, the numbers of each input; what the tensors of `wanted` hold, as real numbers, in their order.
    ///
    /// # Errors
    /// If the samples do not fill the inputs.
    pub(super) fn run(&self, samples: &[Vec<f32>], wanted: &[Stored]) -> Result<Vec<Vec<f32>>> {
        let failed = |source| Error::Model { what: "the quantized network".to_string(), source };
        let place: HashMap<TensorId, usize> = wanted
            .iter()
            .enumerate()
            .filter_map(|(i, stored)| Some((self.program.stored(stored.tensor)?, i)))
            .collect();
        let constants = wanted.iter().map(|stored| constant_reals(&self.graph, stored.tensor));
        let mut reals: Vec<Vec<f32>> = constants.map(Option::unwrap_or_default).collect();
        let (model, mut arena) = (self.program.model()?, self.program.arena());
        let mut session = self.program.session(&model, &mut arena)?;
        for (i, samples) in samples.iter().enumerate() {
            set_input(&mut session, i, &self.stored_samples(i, samples)).map_err(failed)?;
        }
        session.run_each(|step| {
            step.run();
            for (i, id) in self.program.graph.nodes()[step.index()].outputs.iter().enumerate() {
                if let (Some(&place), Some(stored)) = (place.get(id), cast::<i8>(step.output_bytes(i))) {
                    let quant = self.quant(wanted[place].tensor);
                    reals[place] = to_f32(stored, quant.scale(), quant.zero_point);
                }
            }
        });
        Ok(reals)
    }

    fn quant(&self, id: TensorId) -> &Quant {
        self.graph[id].quant.as_ref().expect("quantize_as has quantized what is computed")
    }

    /// The graph, in real form.
    pub(super) fn into_graph(self) -> Graph {
        self.graph
    }
}

/// `real` with other constants.
pub(super) fn with_constants<'v>(
    real: &Graph,
    constants: impl Iterator<Item = (TensorId, &'v [f32])>,
) -> Graph {
    let mut graph = real.clone();
    for (id, values) in constants {
        graph[id].kind = Kind::Constant(Data::F32(values.to_vec()));
    }
    graph
}
