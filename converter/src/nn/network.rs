//! A network: layers with their parameters.

use std::rc::Rc;

use super::functional::Topology;
use super::{Mode, Parameter, Sequential, Symbol, Trace};
use crate::{Data, Error, Graph, Result, TensorId};

/// Layers with the values of their parameters.
pub struct Network {
    name: String,
    layers: Rc<Topology>,
    /// Of a sample: of the input, or the number of elements of all inputs.
    dims: Vec<usize>,
    parameters: Vec<Parameter>,
    labels: Vec<String>,
}

/// A network traced into a graph.
pub(super) struct Traced {
    pub graph: Graph,
    pub outputs: Vec<TensorId>,
    /// The tensor of each parameter, in the network's order.
    pub parameters: Vec<TensorId>,
    /// The parts that masks for dropout drop; they are the inputs behind the samples.
    pub masks: Vec<f32>,
}

impl Traced {
    /// Elements of each output, for a sample.
    pub fn parts(&self) -> Vec<usize> {
        self.outputs.iter().map(|&id| self.graph.dims(id).iter().skip(1).product()).collect()
    }
}

impl Network {
    /// A network of `layers` on samples of `dims` (without the batch), with the first values of its
    /// parameters drawn from `seed`: the same on every machine.
    ///
    /// # Errors
    /// If a layer does not take what the one before it makes; names it.
    pub fn new(name: &str, dims: &[usize], layers: Sequential, seed: u64) -> Result<Network> {
        let x = Symbol::input("x", dims);
        let y = layers.applied_to(&x);
        Network::functional(name, &[&x], &[&y], seed)
    }

    /// A network that computes `outputs` of `inputs`; see [`Symbol`]. A sample of several inputs is one row of all their
    /// elements, in the order of `inputs`, and so are the target and prediction of several outputs. The loss of several
    /// outputs is the sum of theirs.
    ///
    /// # Errors
    /// If a layer does not take what it is applied to; names it and the shapes. If an output comes of an input that is not
    /// listed, or none comes of one that is.
    pub fn functional(name: &str, inputs: &[&Symbol], outputs: &[&Symbol], seed: u64) -> Result<Network> {
        if inputs.is_empty() || outputs.is_empty() {
            return Err(Error::graph(name, "has no inputs or no outputs"));
        }
        let layers = Topology::new(inputs, outputs);
        let dims = match &layers.inputs()?[..] {
            [(_, dims)] => dims.to_vec(),
            all => vec![all.iter().map(|(_, dims)| dims.iter().product::<usize>()).sum()],
        };
        let (layers, parameters, labels) = (Rc::new(layers), Vec::new(), Vec::new());
        let mut network = Network { name: name.to_string(), layers, dims, parameters, labels };
        let (cx, _) = network.traced(Mode::Inference, 1, seed)?;
        let (_, parameters) = cx.finish();
        network.parameters = parameters.into_iter().map(|(parameter, _)| parameter).collect();
        Ok(network)
    }

    /// With names of the classes, for the model file.
    pub fn labels(self, labels: &[&str]) -> Network {
        Network { labels: labels.iter().map(|label| label.to_string()).collect(), ..self }
    }

    /// Every parameter, in the order of the layers.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The network in real form for inference on `batch` samples: input `x` (or those of a functional network)
    /// `[batch, ...]`, parameters as constants, batch normalization with its running statistics.
    ///
    /// # Errors
    /// If `batch` is 0 or the tensors are too large.
    pub fn inference_graph(&self, batch: usize) -> Result<Graph> {
        let Traced { mut graph, outputs, .. } = self.trace(Mode::Inference, batch)?;
        outputs.into_iter().for_each(|output| graph.mark_output(output));
        Ok(graph)
    }

    /// A sample as [`Network::inference_graph`] of one takes it: the numbers of every input.
    pub fn inputs_of(&self, sample: &[f32]) -> Vec<Data> {
        let inputs = self.layers.inputs().unwrap_or_default();
        let mut left = sample;
        let input = |(_, dims): (&str, &[usize])| {
            let (own, others) = left.split_at(dims.iter().product::<usize>().min(left.len()));
            left = others;
            Data::F32(own.to_vec())
        };
        inputs.into_iter().map(input).collect()
    }

    /// Traces the layers; the outputs are not marked yet.
    pub(super) fn trace(&self, mode: Mode, batch: usize) -> Result<Traced> {
        let (cx, outputs) = self.traced(mode, batch, 0)?;
        let masks = cx.masks().iter().map(|&(_, rate)| rate).collect();
        let (graph, parameters) = cx.finish();
        let parameters = parameters.into_iter().map(|(_, id)| id).collect();
        Ok(Traced { graph, outputs, parameters, masks })
    }

    fn traced(&self, mode: Mode, batch: usize, seed: u64) -> Result<(Trace<'_>, Vec<TensorId>)> {
        let mut graph = Graph::new(&self.name);
        graph.labels = self.labels.clone();
        let input = |(name, dims): (&str, &[usize])| graph.input(name, &[&[batch][..], dims].concat());
        let inputs: Vec<TensorId> = self.layers.inputs()?.into_iter().map(input).collect::<Result<_>>()?;
        let mut cx = Trace::new(graph, mode, &self.parameters, seed);
        let outputs = self.layers.trace(&mut cx, &inputs)?;
        Ok((cx, outputs))
    }

    /// Takes values in the order of [`Network::parameters`].
    ///
    /// # Errors
    /// If one is not finite: then training has failed, and the parameters stay as they were.
    pub(super) fn set_values(&mut self, values: Vec<Vec<f32>>) -> Result<()> {
        for (parameter, new) in self.parameters.iter().zip(&values) {
            if let Some(bad) = new.iter().find(|v| !v.is_finite()) {
                let what = format!("became {bad} while training: lower the learning rate");
                return Err(Error::graph(&parameter.name, what));
            }
        }
        for (parameter, new) in self.parameters.iter_mut().zip(values) {
            parameter.values = new;
        }
        Ok(())
    }

    /// The same layers with other parameters, in the order of [`Network::parameters`].
    pub(super) fn with_values(&self, values: &[Vec<f32>]) -> Network {
        let own = self.parameters.iter().zip(values);
        let parameters =
            own.map(|(own, values)| Parameter { values: values.clone(), ..own.clone() }).collect();
        let Network { name, dims, layers, labels, .. } = self;
        let (name, dims, layers, labels) = (name.clone(), dims.clone(), layers.clone(), labels.clone());
        Network { name, dims, layers, parameters, labels }
    }

    pub(super) fn n_inputs(&self) -> usize {
        self.layers.n_inputs()
    }

    pub(super) fn n_outputs(&self) -> usize {
        self.layers.n_outputs()
    }

    /// Dimensions of a sample: those of the input, or of a row of all inputs.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }
}
