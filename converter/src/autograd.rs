//! Reverse-mode differentiation as a graph transform: backward operators are nodes like any other, and the
//! runtime runs them.

use std::collections::HashMap;

use dunlin::ops::ClampGrad;
use dunlin::ops::bounds::Bounds;
use dunlin::shape::MAX_RANK;

use crate::ops::Op;
use crate::{Data, Error, Graph, Kind, Node, Result, TensorId};

/// Appends nodes that compute the gradient of `loss`, a single number, with respect to each tensor of `wrt`,
/// and returns those gradients. Only what lies between `wrt` and `loss` is differentiated.
///
/// # Errors
/// If `loss` has more than one element or does not depend on a tensor of `wrt`, or if an operator between
/// them has no gradient; names the node.
pub fn gradients(graph: &mut Graph, loss: TensorId, wrt: &[TensorId]) -> Result<Vec<TensorId>> {
    gradients_with(graph, loss, wrt, &mut |_| None)
}

/// A gradient of one's own for some nodes: of each input, or `None` to leave a node to its operator.
pub type CustomGradient<'c> = dyn FnMut(&mut Backward) -> Option<Result<Vec<Option<TensorId>>>> + 'c;

/// [`gradients`] with `custom` asked first at every node.
///
/// # Errors
/// As [`gradients`], and those of `custom`.
pub fn gradients_with(
    graph: &mut Graph,
    loss: TensorId,
    wrt: &[TensorId],
    custom: &mut CustomGradient,
) -> Result<Vec<TensorId>> {
    if graph[loss].ty.shape.count() != 1 {
        let what = format!("has shape {}; a loss is a single number", graph[loss].ty.shape);
        return Err(Error::graph(&graph[loss].name, what));
    }
    let active = dependants(graph, wrt);
    let name = format!("{}/seed", graph[loss].name);
    let seed = graph.constant(&name, &graph.dims(loss), Data::F32(vec![1.0]))?;
    let mut sums = Contributions(HashMap::from([(loss, vec![seed])]));
    for i in (0..graph.nodes().len()).rev() {
        let node = &graph.nodes()[i];
        let wanted: Vec<bool> = node.inputs.iter().map(|id| active[id.0 as usize]).collect();
        let reached = node.outputs.iter().any(|id| sums.0.contains_key(id) && active[id.0 as usize]);
        if !reached || !wanted.contains(&true) || updates_state(graph, node) {
            continue;
        }
        let node = node.clone();
        let grads = node.outputs.iter().map(|&id| sums.total(graph, id)).collect::<Result<_>>()?;
        let inputs = node.inputs.clone();
        let mut cx = Backward { graph, grads, wanted, node };
        let op = cx.node.op;
        let input_grads = custom(&mut cx).unwrap_or_else(|| op.gradient(&mut cx))?;
        for ((&input, grad), &wanted) in inputs.iter().zip(&input_grads).zip(&cx.wanted) {
            if let (Some(grad), true) = (grad, wanted) {
                if cx.graph[*grad].ty != cx.graph[input].ty {
                    let (have, want) = (cx.graph[*grad].ty, cx.graph[input].ty);
                    let what = format!("gradient of `{}` is {have:?}, not {want:?}", cx.graph[input].name);
                    return Err(Error::graph(&cx.node.name, what));
                }
                sums.0.entry(input).or_default().push(*grad);
            }
        }
    }
    let total = |&id: &TensorId| match sums.total(graph, id)? {
        Some(gradient) => Ok(gradient),
        None => Err(Error::graph(&graph[id].name, "the loss does not depend on it")),
    };
    wrt.iter().map(total).collect()
}

/// For every tensor, whether it is in `wrt` or computed from one that is.
fn dependants(graph: &Graph, wrt: &[TensorId]) -> Vec<bool> {
    let mut active = vec![false; graph.n_tensors()];
    for id in wrt {
        active[id.0 as usize] = true;
    }
    for node in graph.nodes().iter().filter(|node| !updates_state(graph, node)) {
        if node.inputs.iter().any(|id| active[id.0 as usize]) {
            for id in node.outputs.iter().filter(|&&id| !graph.stops_gradient(id)) {
                active[id.0 as usize] = true;
            }
        }
    }
    active
}

/// Updates (of statistics, of parameters) are no part of the function that is differentiated.
fn updates_state(graph: &Graph, node: &Node) -> bool {
    node.outputs.iter().any(|&id| matches!(graph[id].kind, Kind::State(_)))
}

/// What each use of a tensor adds to its gradient.
struct Contributions(HashMap<TensorId, Vec<TensorId>>);

impl Contributions {
    /// The gradient of `id` so far, as one tensor.
    fn total(&mut self, graph: &mut Graph, id: TensorId) -> Result<Option<TensorId>> {
        let Some(parts) = self.0.get_mut(&id) else { return Ok(None) };
        let name = format!("{}/gradient", graph[id].name);
        while let [first, second, ..] = parts[..] {
            let sum = graph.add(&name, first, second)?;
            parts.splice(..2, [sum]);
        }
        Ok(parts.first().copied())
    }
}

/// A node whose gradient is being taken.
pub struct Backward<'g> {
    /// The graph that backward nodes are appended to.
    pub graph: &'g mut Graph,
    /// The node (a copy).
    pub node: Node,
    /// Gradient of each output; `None` is zero.
    pub grads: Vec<Option<TensorId>>,
    /// Whether anyone asks for the gradient of each input.
    pub wanted: Vec<bool>,
}

impl Backward<'_> {
    /// Input `i` of the node.
    pub fn input(&self, i: usize) -> TensorId {
        self.node.inputs[i]
    }

    /// Output `i` of the node.
    pub fn output(&self, i: usize) -> TensorId {
        self.node.outputs[i]
    }

    /// Gradient of the first output.
    ///
    /// # Errors
    /// If nothing flows back into it.
    pub fn grad(&self) -> Result<TensorId> {
        self.grads[0].ok_or_else(|| Error::graph(&self.node.name, "no gradient flows into its first output"))
    }

    /// Gradient of output `i`, zeros if nothing flows back into it.
    ///
    /// # Errors
    /// As [`Graph::constant`].
    pub fn grad_or_zeros(&mut self, i: usize) -> Result<TensorId> {
        match self.grads[i] {
            Some(grad) => Ok(grad),
            None => self.filled("zeros", &self.graph.dims(self.output(i)), 0.0),
        }
    }

    /// `make`'s gradient for input `i`, if anyone asks for it.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn when_wanted(
        &mut self,
        i: usize,
        make: impl FnOnce(&mut Self) -> Result<TensorId>,
    ) -> Result<Option<TensorId>> {
        if self.wanted.get(i) == Some(&true) { make(self).map(Some) } else { Ok(None) }
    }

    /// Appends a backward node; `what` is added to the node's name.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn apply(&mut self, what: &str, op: impl Into<Op>, inputs: &[TensorId]) -> Result<TensorId> {
        let name = self.name(what);
        self.graph.apply(&name, op, inputs)
    }

    /// [`Graph::filled`], named after the node.
    ///
    /// # Errors
    /// As [`Graph::constant`].
    pub fn filled(&mut self, what: &str, dims: &[usize], value: f32) -> Result<TensorId> {
        let name = self.name(what);
        self.graph.filled(&name, dims, value)
    }

    /// [`Graph::add`], named after the node.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn add(&mut self, what: &str, a: TensorId, b: TensorId) -> Result<TensorId> {
        let name = self.name(what);
        self.graph.add(&name, a, b)
    }

    /// [`Graph::mul`], named after the node.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn mul(&mut self, what: &str, a: TensorId, b: TensorId) -> Result<TensorId> {
        let name = self.name(what);
        self.graph.mul(&name, a, b)
    }

    /// [`Graph::scale`], named after the node.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn scale(&mut self, what: &str, x: TensorId, factor: f32) -> Result<TensorId> {
        let name = self.name(what);
        self.graph.scale(&name, x, factor)
    }

    /// [`Graph::reshape`], named after the node.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn reshape(&mut self, what: &str, x: TensorId, dims: &[usize]) -> Result<TensorId> {
        let name = self.name(what);
        self.graph.reshape(&name, x, dims)
    }

    /// [`Graph::sum_to`], named after the node.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn sum_to(&mut self, what: &str, x: TensorId, dims: &[usize]) -> Result<TensorId> {
        let name = self.name(what);
        self.graph.sum_to(&name, x, dims)
    }

    /// The name of a backward node.
    pub fn name(&self, what: &str) -> String {
        format!("{}/{what}", self.node.name)
    }

    /// Gradient of the first output before its fused activation, of which the output itself tells where it passes.
    ///
    /// # Errors
    /// As [`Backward::grad`].
    pub fn grad_before(&mut self, bounds: Bounds) -> Result<TensorId> {
        let dy = self.grad()?;
        match bounds {
            Bounds::None => Ok(dy),
            _ => self.apply("dclamp", ClampGrad { bounds }, &[dy, self.output(0)]),
        }
    }

    /// The error of an operator without a gradient.
    pub fn none(&self, why: &str) -> Error {
        Error::graph(&self.node.name, format!("{} has no gradient: {why}", self.node.op.name()))
    }
}

/// Dimensions as operators' parameters hold them: `fill` behind the rank.
pub(crate) fn padded_dims(dims: &[usize], fill: u32) -> [u32; MAX_RANK] {
    let mut padded = [fill; MAX_RANK];
    for (slot, &dim) in padded.iter_mut().zip(dims) {
        *slot = dim as u32;
    }
    padded
}
