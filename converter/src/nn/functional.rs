//! Networks of any shape: layers applied to symbols, as in Keras's functional models.

use std::collections::HashMap;
use std::ops::{Add, Mul, Sub};
use std::rc::Rc;

use dunlin::ops::{Concat, MatMul};

use super::{Layer, Trace};
use crate::{Error, Graph, Result, TensorId};

/// A value that a network computes of each sample: what layers are applied to. [`Network::functional`] makes a network of
/// what has come of its inputs; until then nothing is computed or checked.
///
/// ```
/// use dunlin_converter::nn::*;
/// # fn main() -> dunlin_converter::Result<()> {
/// let image = Symbol::input("image", &[8, 8, 1]);
/// let stem = image.then(Conv2d::new(8, [3, 3]).same()).then(Relu);
/// let skipped = &stem + &stem.then(Conv2d::new(8, [3, 3]).same());
/// let both = Symbol::concat(&[&skipped.then(MaxPool2d::new([2, 2])), &stem.then(AveragePool2d::new([2, 2]))]);
/// let digit = both.then(Dense::new(10)).then(Softmax);
/// let network = Network::functional("digits", &[&image], &[&digit], 1)?;
/// println!("{}", network.summary()?);
/// # Ok(()) }
/// ```
///
/// The operators `+`, `-` and `*` and the joins below take values of one rank, whose shapes broadcast. Layers of one's own
/// with several inputs are made with [`Symbol::join`].
///
/// [`Network::functional`]: super::Network::functional
#[derive(Clone)]
pub struct Symbol(Rc<Origin>);

enum Origin {
    Input { name: String, dims: Vec<usize> },
    Made { kind: &'static str, of: Vec<Symbol>, forward: Box<Forward> },
}

type Forward = dyn Fn(&mut Trace, &[TensorId]) -> Result<TensorId>;

impl Symbol {
    /// An input of the network: samples of `dims`, without the batch.
    pub fn input(name: &str, dims: &[usize]) -> Symbol {
        Symbol(Rc::new(Origin::Input { name: name.to_string(), dims: dims.to_vec() }))
    }

    /// What `layer` makes of it.
    pub fn then(&self, layer: impl Layer + 'static) -> Symbol {
        Symbol::join(layer.kind(), &[self], move |cx, x| layer.forward(cx, x[0]))
    }

    /// What `forward` makes of several values: it adds nodes to the trace, as [`Layer::forward`] does, and may have
    /// parameters. `kind` is the stem of its name.
    pub fn join(
        kind: &'static str,
        of: &[&Symbol],
        forward: impl Fn(&mut Trace, &[TensorId]) -> Result<TensorId> + 'static,
    ) -> Symbol {
        let of = of.iter().map(|&symbol| symbol.clone()).collect();
        Symbol(Rc::new(Origin::Made { kind, of, forward: Box::new(forward) }))
    }

    /// The values side by side along the last dimension (channels), in which alone they may differ.
    pub fn concat(of: &[&Symbol]) -> Symbol {
        Symbol::join("concat", of, |cx, x| {
            let last = cx.dims(x[0]).len() - 1;
            concat(cx, x, last)
        })
    }

    /// [`Symbol::concat`] along another dimension; dimension 0 is that of the samples.
    pub fn concat_along(axis: usize, of: &[&Symbol]) -> Symbol {
        Symbol::join("concat", of, move |cx, x| concat(cx, x, axis))
    }

    /// The greater of both, element by element.
    pub fn maximum(&self, other: &Symbol) -> Symbol {
        elementwise("maximum", [self, other], Graph::maximum)
    }

    /// The lesser of both, element by element.
    pub fn minimum(&self, other: &Symbol) -> Symbol {
        elementwise("minimum", [self, other], Graph::minimum)
    }

    /// The products of matrices `[n, .., m, k]` and `[n, .., k, p]`.
    pub fn matmul(&self, other: &Symbol) -> Symbol {
        Symbol::join("matmul", &[self, other], |cx, x| matmul(cx, x, MatMul::PLAIN))
    }

    /// The products of matrices `[n, .., m, k]` and the transposes of others, `[n, .., p, k]`.
    pub fn matmul_t(&self, other: &Symbol) -> Symbol {
        Symbol::join("matmul_t", &[self, other], |cx, x| matmul(cx, x, MatMul::TRANSPOSED_B))
    }

    /// Its tensor, made together with those that it comes of unless `made` has it.
    fn trace(&self, cx: &mut Trace, made: &mut HashMap<*const Origin, TensorId>) -> Result<TensorId> {
        if let Some(&id) = made.get(&Rc::as_ptr(&self.0)) {
            return Ok(id);
        }
        let id = match &*self.0 {
            Origin::Input { name, dims } => {
                let what = format!("an output comes of this input {dims:?}, which the network does not list");
                return Err(Error::graph(name, what));
            }
            Origin::Made { kind, of, forward } => {
                let x = of.iter().map(|symbol| symbol.trace(cx, made)).collect::<Result<Vec<_>>>()?;
                cx.within(kind, |cx| forward(cx, &x))?
            }
        };
        made.insert(Rc::as_ptr(&self.0), id);
        Ok(id)
    }
}

macro_rules! operator {
    ($($trait:ident $method:ident;)*) => { $(
        impl $trait for &Symbol {
            type Output = Symbol;
            fn $method(self, other: &Symbol) -> Symbol {
                elementwise(stringify!($method), [self, other], Graph::$method)
            }
        }
    )* };
}

operator! { Add add; Sub sub; Mul mul; }

type Binary = fn(&mut Graph, &str, TensorId, TensorId) -> Result<TensorId>;

fn elementwise(kind: &'static str, of: [&Symbol; 2], apply: Binary) -> Symbol {
    Symbol::join(kind, &of, move |cx, x| {
        check_ranks(cx, x)?;
        let name = cx.name("");
        apply(&mut cx.graph, &name, x[0], x[1])
    })
}

fn matmul(cx: &mut Trace, x: &[TensorId], op: MatMul) -> Result<TensorId> {
    check_ranks(cx, x)?;
    if cx.dims(x[0]).len() < 3 {
        let dims = cx.dims(x[0]);
        return Err(cx.error(format!("multiplies a matrix [n, m, k] of each sample; {dims:?} are vectors")));
    }
    cx.apply(op, x)
}

fn concat(cx: &mut Trace, x: &[TensorId], axis: usize) -> Result<TensorId> {
    check_ranks(cx, x)?;
    let dims = cx.dims(x[0]);
    if axis == 0 || axis >= dims.len() {
        return Err(
            cx.error(format!("has no dimension {axis} of {dims:?} to join along: 0 is that of the samples"))
        );
    }
    cx.apply(Concat { axis: axis as u8 }, x)
}

/// With other ranks the dimension of the samples would be broadcast against one of theirs.
fn check_ranks(cx: &Trace, x: &[TensorId]) -> Result<()> {
    let Some((&first, others)) = x.split_first() else { return Err(cx.error("joins no values")) };
    let dims = cx.dims(first);
    match others.iter().map(|&id| cx.dims(id)).find(|other| other.len() != dims.len()) {
        Some(other) => Err(
            cx.error(format!("takes values of as many dimensions, not {dims:?} and {other:?}: reshape one"))
        ),
        None => Ok(()),
    }
}

/// What a network computes: its inputs, and what comes of them.
pub(super) struct Topology {
    inputs: Vec<Symbol>,
    outputs: Vec<Symbol>,
}

impl Topology {
    pub(super) fn new(inputs: &[&Symbol], outputs: &[&Symbol]) -> Topology {
        let [inputs, outputs] =
            [inputs, outputs].map(|all| all.iter().map(|&symbol| symbol.clone()).collect());
        Topology { inputs, outputs }
    }

    pub(super) fn n_inputs(&self) -> usize {
        self.inputs.len()
    }

    pub(super) fn n_outputs(&self) -> usize {
        self.outputs.len()
    }

    /// Name and dimensions of every input.
    ///
    /// # Errors
    /// If one is computed by a layer; names it.
    pub(super) fn inputs(&self) -> Result<Vec<(&str, &[usize])>> {
        let ports = self.inputs.iter().map(|symbol| match &*symbol.0 {
            Origin::Input { name, dims } => Ok((&name[..], &dims[..])),
            Origin::Made { kind, .. } => Err(Error::graph(kind, "is listed as an input and made by a layer")),
        });
        ports.collect()
    }

    /// Applies all layers; the tensors of the outputs. `inputs` are those of the inputs.
    ///
    /// # Errors
    /// Those of the layers, and if an output comes of an input that is not listed, or none comes of one that is.
    pub(super) fn trace(&self, cx: &mut Trace, inputs: &[TensorId]) -> Result<Vec<TensorId>> {
        let pointers = self.inputs.iter().map(|symbol| Rc::as_ptr(&symbol.0));
        let mut made: HashMap<_, _> = pointers.zip(inputs.iter().copied()).collect();
        let outputs: Vec<TensorId> =
            self.outputs.iter().map(|symbol| symbol.trace(cx, &mut made)).collect::<Result<_>>()?;
        let wrong = |id: TensorId, what: &str| Err(Error::graph(&cx.graph[id].name, what));
        for (i, &id) in inputs.iter().enumerate() {
            if outputs.contains(&id) {
                return wrong(id, "is an input and an output: a network has a layer between");
            }
            if cx.graph.consumers(id).is_empty() {
                return wrong(id, "no output comes of this input: leave it out");
            }
            if inputs[..i].iter().any(|&other| cx.graph[other].name == cx.graph[id].name) {
                return wrong(id, "two inputs have this name");
            }
        }
        match (1..outputs.len()).find(|&i| outputs[..i].contains(&outputs[i])) {
            Some(i) => wrong(outputs[i], "is listed as an output twice"),
            None => Ok(outputs),
        }
    }
}

#[cfg(test)]
mod tests;
