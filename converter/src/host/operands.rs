//! The tensors of a node, as slices of its program's arena.

use std::ops::Range;

use dunlin::ops::{MAX_INPUTS, MAX_OUTPUTS};
use dunlin::{DType, Shape};

use crate::{Data, Graph, Kind, Node, Program, TensorId};

const MAX_OPERANDS: usize = MAX_INPUTS + MAX_OUTPUTS;

/// Shapes of a node's tensors.
pub(super) struct Shapes {
    pub inputs: Vec<Shape>,
    pub outputs: Vec<Shape>,
}

impl Shapes {
    pub(super) fn of(graph: &Graph, node: &Node) -> Shapes {
        let shapes = |ids: &[TensorId]| ids.iter().map(|&id| graph[id].ty.shape).collect();
        Shapes { inputs: shapes(&node.inputs), outputs: shapes(&node.outputs) }
    }
}

/// Where an input is.
enum Input {
    Arena,
    Constant(Vec<f32>),
    /// In the bytes of this output: the node works in place.
    Output(usize),
}

/// The f32 tensors of a node.
pub(super) struct Operands {
    inputs: Vec<Input>,
    /// Elements of the arena: of inputs that are there and apart, then from [`MAX_INPUTS`] on of outputs.
    ranges: [Range<usize>; MAX_OPERANDS],
}

/// A node's tensors in the arena.
pub(super) struct Opened<'a> {
    /// Inputs; one that an output stands on is empty, and the output holds its elements.
    pub inputs: [&'a [f32]; MAX_INPUTS],
    pub outputs: [&'a mut [f32]; MAX_OUTPUTS],
}

impl Operands {
    /// `None` if not all tensors are f32 in one piece, or if they overlap in another way than wholly in place.
    pub(super) fn of(program: &Program, node: &Node) -> Option<Operands> {
        let graph = &program.graph;
        let mut ranges: [Range<usize>; MAX_OPERANDS] = std::array::from_fn(|_| 0..0);
        let range = |id: TensorId| {
            let place = program.plan.tensors.get(&id)?;
            let start = place.offset / DType::F32.bytes();
            let aligned = place.rows.is_none() && place.offset.is_multiple_of(DType::F32.bytes());
            aligned.then_some(start..start + graph[id].ty.shape.count())
        };
        for (i, &id) in node.outputs.iter().enumerate() {
            ranges[MAX_INPUTS + i] = range(id).filter(|_| graph[id].ty.dtype == DType::F32)?;
        }
        let mut inputs = Vec::new();
        for (i, &id) in node.inputs.iter().enumerate() {
            inputs.push(match &graph[id].kind {
                Kind::Constant(Data::F32(values)) => Input::Constant(values.clone()),
                _ if graph[id].ty.dtype != DType::F32 => return None,
                _ => {
                    let range = range(id)?;
                    match ranges[MAX_INPUTS..].iter().position(|output| *output == range) {
                        Some(output) => Input::Output(output),
                        None => {
                            ranges[i] = range;
                            Input::Arena
                        }
                    }
                }
            });
        }
        // An input may be read twice; what is written must be apart from everything else.
        let apart = |a: &Range<usize>, b: &Range<usize>| a.start >= b.end || b.start >= a.end;
        let n = ranges.len();
        let all_apart = (0..n).all(|i| (i + 1..n).all(|k| apart(&ranges[i], &ranges[k])));
        all_apart.then_some(Operands { inputs, ranges })
    }

    /// Whether every input is apart from the outputs.
    pub(super) fn apart(self) -> Option<Operands> {
        let apart = !self.inputs.iter().any(|input| matches!(input, Input::Output(_)));
        apart.then_some(self)
    }

    /// Whether input `i` is apart from the outputs.
    pub(super) fn is_apart(&self, i: usize) -> bool {
        !matches!(self.inputs[i], Input::Output(_))
    }

    /// Whether input `i` stands on output `output`.
    pub(super) fn is_on(&self, i: usize, output: usize) -> bool {
        matches!(self.inputs[i], Input::Output(on) if on == output)
    }

    /// Number of inputs.
    pub(super) fn n_inputs(&self) -> usize {
        self.inputs.len()
    }

    /// The tensors.
    pub(super) fn open<'a>(&'a self, arena: &'a mut [f32]) -> Opened<'a> {
        let parts =
            arena.get_disjoint_mut(self.ranges.clone()).expect("looked through when the node was prepared");
        let mut parts = parts.into_iter();
        let inputs = std::array::from_fn(|i| {
            let part: &[f32] = parts.next().unwrap_or_default();
            match self.inputs.get(i) {
                Some(Input::Constant(values)) => values,
                _ => part,
            }
        });
        Opened { inputs, outputs: std::array::from_fn(|_| parts.next().unwrap_or_default()) }
    }
}
