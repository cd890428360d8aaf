//! A network: layers with their parameters.

use std::rc::Rc;

use super::{Layer, Mode, Parameter, Sequential, Trace};
use crate::{Error, Graph, Result, TensorId};

/// Layers with the values of their parameters.
pub struct Network {
    name: String,
    dims: Vec<usize>,
    layers: Rc<Sequential>,
    parameters: Vec<Parameter>,
    labels: Vec<String>,
}

/// A network traced into a graph.
pub(super) struct Traced {
    pub graph: Graph,
    pub prediction: TensorId,
    /// The tensor of each parameter, in the network's order.
    pub parameters: Vec<TensorId>,
    /// The parts that masks for dropout drop; they are the inputs behind the samples.
    pub masks: Vec<f32>,
}

impl Network {
    /// A network of `layers` on samples of `dims` (without the batch), with the first values of its
    /// parameters drawn from `seed`: the same on every machine.
    ///
    /// # Errors
    /// If a layer does not take what the one before it makes; names it.
    pub fn new(name: &str, dims: &[usize], layers: Sequential, seed: u64) -> Result<Network> {
        let mut network = Network {
            name: name.to_string(),
            dims: dims.to_vec(),
            layers: Rc::new(layers),
            parameters: Vec::new(),
            labels: Vec::new(),
        };
        let (mut cx, x) = network.begin(Mode::Inference, 1, seed)?;
        network.layers.forward(&mut cx, x)?;
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

    /// The network in real form for inference on `batch` samples: input `x` `[batch, ...]`, parameters as
    /// constants, batch normalization with its running statistics.
    ///
    /// # Errors
    /// If `batch` is 0 or the tensors are too large.
    pub fn inference_graph(&self, batch: usize) -> Result<Graph> {
        let Traced { mut graph, prediction, .. } = self.trace(Mode::Inference, batch)?;
        graph.mark_output(prediction);
        Ok(graph)
    }

    /// Traces the layers; the output is not marked yet.
    pub(super) fn trace(&self, mode: Mode, batch: usize) -> Result<Traced> {
        let (mut cx, x) = self.begin(mode, batch, 0)?;
        let prediction = self.layers.forward(&mut cx, x)?;
        let masks = cx.masks().iter().map(|&(_, rate)| rate).collect();
        let (graph, parameters) = cx.finish();
        let parameters = parameters.into_iter().map(|(_, id)| id).collect();
        Ok(Traced { graph, prediction, parameters, masks })
    }

    fn begin(&self, mode: Mode, batch: usize, seed: u64) -> Result<(Trace<'_>, TensorId)> {
        let mut graph = Graph::new(&self.name);
        graph.labels = self.labels.clone();
        let dims: Vec<usize> = [batch].iter().chain(&self.dims).copied().collect();
        let x = graph.input("x", &dims)?;
        Ok((Trace::new(graph, mode, &self.parameters, seed), x))
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

    /// Dimensions of a sample.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }
}
