//! Tracing layers into a graph.

use std::collections::HashMap;

use super::{Initializer, Layer, Penalty};
use crate::ops::Op;
use crate::{Data, Error, Graph, Result, TensorId};

/// What a layer computes with and keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its layer's path and its own name: `conv2d_1/weights`.
    pub name: String,
    /// Dimensions.
    pub dims: Vec<usize>,
    /// Elements in row-major order.
    pub values: Vec<f32>,
    /// Whether gradients change it; running statistics are kept without.
    pub trainable: bool,
    /// What its size adds to the loss.
    pub penalty: Penalty,
}

/// What a graph is traced for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Parameters are state, batch normalization takes the batch's statistics.
    Training,
    /// Parameters are constants.
    Inference,
}

/// A graph in the making: what layers add their nodes to.
pub struct Trace<'t> {
    /// The graph.
    pub graph: Graph,
    mode: Mode,
    known: &'t [Parameter],
    seed: u64,
    /// The parameters met so far, each with its tensor.
    parameters: Vec<(Parameter, TensorId)>,
    /// Inputs that are masks for dropout, with the part that is dropped.
    masks: Vec<(TensorId, f32)>,
    /// Of the weights that come next.
    penalty: Penalty,
    path: Vec<String>,
    counts: HashMap<String, usize>,
    /// Where layers that are used again were used first.
    shared: HashMap<*const (), Vec<String>>,
}

impl<'t> Trace<'t> {
    /// A trace into `graph`. Parameters have their values in `known`; those that are not there yet start as
    /// their initializer says, from `seed`.
    pub fn new(graph: Graph, mode: Mode, known: &'t [Parameter], seed: u64) -> Trace<'t> {
        Trace {
            graph,
            mode,
            known,
            seed,
            parameters: Vec::new(),
            masks: Vec::new(),
            penalty: Penalty::NONE,
            path: Vec::new(),
            counts: HashMap::new(),
            shared: HashMap::new(),
        }
    }

    /// What the graph is for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Applies a layer under a name of its own: its kind, with a number from the second of a kind on.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn layer(&mut self, layer: &dyn Layer, x: TensorId) -> Result<TensorId> {
        self.within(layer.kind(), |cx| layer.forward(cx, x))
    }

    /// [`Trace::layer`] of anything that adds nodes.
    pub(super) fn within<T>(&mut self, kind: &str, forward: impl FnOnce(&mut Self) -> T) -> T {
        let stem = self.name(kind);
        let count = self.counts.entry(stem).or_default();
        let own = if *count == 0 { kind.to_string() } else { format!("{kind}_{count}") };
        *count += 1;
        self.path.push(own);
        let y = forward(self);
        self.path.pop();
        y
    }

    /// What `forward` adds has the names, and thereby the parameters, that it had when `layer` was used first.
    pub(super) fn again<T>(&mut self, layer: *const (), forward: impl FnOnce(&mut Self) -> T) -> T {
        let first = self.shared.entry(layer).or_insert_with(|| self.path.clone()).clone();
        let here = std::mem::replace(&mut self.path, first);
        let inside = self.name("") + "/";
        self.counts.retain(|stem, _| !stem.starts_with(&inside));
        let y = forward(self);
        self.path = here;
        y
    }

    /// `what` under the path of the layer that is being traced; the path itself if `what` is empty.
    pub fn name(&self, what: &str) -> String {
        let parts = self.path.iter().map(String::as_str).chain((!what.is_empty()).then_some(what));
        parts.collect::<Vec<_>>().join("/")
    }

    /// Applies an operator under the layer's name.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn apply(&mut self, op: impl Into<Op>, inputs: &[TensorId]) -> Result<TensorId> {
        let name = self.name("");
        self.graph.apply(&name, op, inputs)
    }

    /// Dimensions of a tensor.
    pub fn dims(&self, id: TensorId) -> Vec<usize> {
        self.graph.dims(id)
    }

    /// Dimensions of an image.
    ///
    /// # Errors
    /// If `x` is none.
    pub fn image_dims(&self, x: TensorId) -> Result<[usize; 4]> {
        let dims = self.dims(x);
        dims[..].try_into().map_err(|_| self.error(format!("takes images [n, h, w, c], not {dims:?}")))
    }

    /// A parameter that training changes.
    ///
    /// # Errors
    /// If the layer had it with other dimensions before.
    pub fn parameter(
        &mut self,
        what: &str,
        dims: &[usize],
        initializer: Initializer,
        fans: [usize; 2],
    ) -> Result<TensorId> {
        self.add_parameter(what, dims, initializer, fans, true)
    }

    /// The weights (parameters of two or more dimensions) that come next add this to the loss; what was asked for before.
    pub fn penalize(&mut self, penalty: Penalty) -> Penalty {
        std::mem::replace(&mut self.penalty, penalty)
    }

    /// A running statistic, kept and updated without gradients.
    ///
    /// # Errors
    /// As [`Trace::parameter`].
    pub fn statistic(&mut self, what: &str, dims: &[usize], initializer: Initializer) -> Result<TensorId> {
        self.add_parameter(what, dims, initializer, [1, 1], false)
    }

    fn add_parameter(
        &mut self,
        what: &str,
        dims: &[usize],
        initializer: Initializer,
        fans: [usize; 2],
        trainable: bool,
    ) -> Result<TensorId> {
        let name = self.name(what);
        let met = self.parameters.iter().find(|(met, _)| met.name == name);
        let known = met.map(|(met, _)| met).or_else(|| self.known.iter().find(|known| known.name == name));
        if let Some(known) = known.filter(|known| known.dims != dims) {
            return Err(self.error(format!("its {what} have shape {:?}, {dims:?} is asked", known.dims)));
        }
        if let Some(&(_, id)) = met {
            return Ok(id);
        }
        let parameter = match known {
            Some(known) => known.clone(),
            None => {
                let values = initializer.values(dims, fans, self.seed, self.parameters.len() as u64);
                let penalty = if trainable && dims.len() > 1 { self.penalty } else { Penalty::NONE };
                Parameter { name: name.clone(), dims: dims.to_vec(), values, trainable, penalty }
            }
        };
        let data = Data::F32(parameter.values.clone());
        let id = match self.mode {
            Mode::Training => self.graph.state(&name, dims, data)?,
            Mode::Inference => self.graph.constant(&name, dims, data)?,
        };
        self.parameters.push((parameter, id));
        Ok(id)
    }

    /// A mask of the shape of `x`, drawn anew for each training step: 0 for the part `rate` of the elements, and
    /// `1 / (1 - rate)` for the others.
    ///
    /// # Errors
    /// As [`Graph::input`].
    pub fn mask(&mut self, x: TensorId, rate: f32) -> Result<TensorId> {
        let (name, dims) = (self.name("mask"), self.dims(x));
        let mask = self.graph.input(&name, &dims)?;
        self.masks.push((mask, rate));
        Ok(mask)
    }

    /// Every mask, with the part that it drops.
    pub fn masks(&self) -> &[(TensorId, f32)] {
        &self.masks
    }

    /// An error of the layer that is being traced.
    pub fn error(&self, what: impl Into<String>) -> Error {
        Error::graph(&self.name(""), what)
    }

    /// The graph, and every parameter with its tensor.
    pub fn finish(self) -> (Graph, Vec<(Parameter, TensorId)>) {
        (self.graph, self.parameters)
    }
}
