//! Which channels of each tensor must stay.

use std::collections::HashMap;

use super::Intervals;
use super::intervals::{Taps, computes_in_i8, table, zero_point};
use crate::ops::{Channels, Layer};
use crate::{Data, Graph, Kind, Node, TensorId};

/// For the tensors of a graph that have channels: whether each must stay.
#[derive(Clone, Debug, Default)]
pub(super) struct Needed(HashMap<TensorId, Vec<bool>>);

impl Needed {
    /// Whether the channels of a tensor must stay, if any of them need not.
    pub(super) fn some_of(&self, id: TensorId) -> Option<&[bool]> {
        self.0.get(&id).map(Vec::as_slice).filter(|needed| needed.contains(&false))
    }
}

/// What must stay: the channels that the caller or an operator of which nothing is known sees, whatever they depend on,
/// and what fills groups of so many channels.
pub(super) fn needed(graph: &Graph, intervals: &Intervals, group: usize) -> Needed {
    let mut dependencies = Dependencies::default();
    for node in graph.nodes() {
        depend(graph, intervals, node, &mut dependencies);
    }
    for (id, tensor) in graph.tensors() {
        let removable = matches!(tensor.kind, Kind::Value | Kind::Constant(Data::I8(_)));
        if !removable || graph.outputs().contains(&id) {
            dependencies.need_all(graph, id);
        }
    }
    dependencies.needed = vec![false; dependencies.needs.len()];
    std::mem::take(&mut dependencies.roots).into_iter().for_each(|root| dependencies.reach(root));
    while dependencies.fill_groups(intervals, group) {}
    dependencies.into_needed()
}

/// Channels of tensors, and which others each needs.
#[derive(Debug, Default)]
struct Dependencies {
    /// The first number of each tensor's channels.
    first: HashMap<TensorId, usize>,
    /// The channels that each channel needs.
    needs: Vec<Vec<usize>>,
    /// Needed by themselves.
    roots: Vec<usize>,
    /// What is needed, as far as it is known.
    needed: Vec<bool>,
}

impl Dependencies {
    /// The number of a channel.
    fn number(&mut self, graph: &Graph, id: TensorId, c: usize) -> usize {
        let first = *self.first.entry(id).or_insert_with(|| {
            let first = self.needs.len();
            self.needs.resize(first + graph[id].ty.shape.channels(), Vec::new());
            first
        });
        first + c
    }

    fn need_all(&mut self, graph: &Graph, id: TensorId) {
        let first = self.number(graph, id, 0);
        self.roots.extend(first..first + graph[id].ty.shape.channels());
    }

    /// `(y, c)` needs `(x, c_in)`.
    fn need(&mut self, graph: &Graph, (y, c): (TensorId, usize), (x, c_in): (TensorId, usize)) {
        let (y, x) = (self.number(graph, y, c), self.number(graph, x, c_in));
        self.needs[y].push(x);
    }

    /// Both must stay, or both go.
    fn tie(&mut self, graph: &Graph, y: (TensorId, usize), x: (TensorId, usize)) {
        self.need(graph, y, x);
        self.need(graph, x, y);
    }

    /// A channel is needed, with all that it needs.
    fn reach(&mut self, channel: usize) {
        let mut open = vec![channel];
        while let Some(channel) = open.pop() {
            if !std::mem::replace(&mut self.needed[channel], true) {
                open.append(&mut self.needs[channel]);
            }
        }
    }

    /// Adds channels where groups are not full, or where no channel is left: no shape has a dimension of 0. Whether any
    /// was added.
    fn fill_groups(&mut self, intervals: &Intervals, group: usize) -> bool {
        let before = self.needed.clone();
        let mut tensors: Vec<(TensorId, usize)> =
            self.first.iter().map(|(&id, &first)| (id, first)).collect();
        tensors.sort_unstable();
        for (id, first) in tensors {
            let Some(channels) = intervals.get(id) else { continue };
            // Constants need nothing themselves.
            let (constant, other): (Vec<usize>, Vec<usize>) =
                (0..channels.len()).partition(|&c| channels[c].constant().is_some());
            for c in constant.into_iter().chain(other) {
                let count =
                    self.needed[first..first + channels.len()].iter().filter(|&&needed| needed).count();
                let full = !channels.len().is_multiple_of(group) || count.is_multiple_of(group);
                if count > 0 && full {
                    break;
                }
                self.reach(first + c);
            }
        }
        self.needed != before
    }

    fn into_needed(self) -> Needed {
        let mut ends: Vec<usize> = self.first.values().copied().chain([self.needs.len()]).collect();
        ends.sort_unstable();
        let of = |(&id, &first): (&TensorId, &usize)| {
            let end = ends[ends.partition_point(|&end| end <= first)];
            (id, self.needed[first..end].to_vec())
        };
        Needed(self.first.iter().map(of).collect())
    }
}

/// What the channels of one node need of each other.
fn depend(graph: &Graph, intervals: &Intervals, node: &Node, dependencies: &mut Dependencies) {
    let channels = |id: TensorId| graph[id].ty.shape.channels();
    let rule = match computes_in_i8(graph, node) {
        true => node.op.channels(graph[node.inputs[0]].ty.shape.rank()),
        false => Channels::Opaque,
    };
    let (Some(&x), Some(&y)) = (node.inputs.first(), node.outputs.first()) else { return };
    let (c_in, c_out) = (channels(x), channels(y));
    match rule {
        Channels::Sums(layer) if let Some(folds) = Folds::of(graph, intervals, node, layer) => {
            // A constant needs no sum.
            for c in (0..c_out).filter(|&c| intervals.tensor(y)[c].constant().is_none()) {
                folds.reads(c).for_each(|read| dependencies.need(graph, (y, c), (x, read)));
            }
            // Even if nothing of it is read.
            dependencies.number(graph, x, 0);
        }
        Channels::SumsOfOne(_) if Taps::of(graph, node, true).is_some() && table(graph, node).is_some() => {
            (0..c_out).for_each(|c| dependencies.tie(graph, (y, c), (x, c * c_in / c_out)));
        }
        Channels::Elementwise { operands } => {
            for &x in &node.inputs[..operands] {
                match channels(x) {
                    // Stretched over all others.
                    1 if c_out > 1 => (0..c_out).for_each(|c| dependencies.need(graph, (y, c), (x, 0))),
                    _ => (0..c_out).for_each(|c| dependencies.tie(graph, (y, c), (x, c))),
                }
            }
        }
        Channels::Same => (0..c_out).for_each(|c| dependencies.tie(graph, (y, c), (x, c))),
        Channels::Joined => {
            let mut first = 0;
            for &x in &node.inputs {
                (0..channels(x)).for_each(|c| dependencies.tie(graph, (y, first + c), (x, c)));
                first += channels(x);
            }
        }
        Channels::Reshaped if c_out.is_multiple_of(c_in) => {
            (0..c_out).for_each(|c| dependencies.tie(graph, (y, c), (x, c % c_in)));
        }
        _ => node.inputs.iter().chain(&node.outputs).for_each(|&id| dependencies.need_all(graph, id)),
    }
}

/// What a layer's sums read, where constants go into the biases.
struct Folds<'g> {
    taps: Taps<'g>,
    biases: Vec<i64>,
    /// For each input channel what it adds to a sum times its weight, if that is the same for every input and at every
    /// place.
    constants: Vec<Option<i64>>,
}

impl<'g> Folds<'g> {
    fn of(graph: &'g Graph, intervals: &Intervals, node: &Node, layer: Layer) -> Option<Folds<'g>> {
        let x = node.inputs[0];
        let zero_point = zero_point(graph, x);
        let constant = |q: i8| {
            let difference = i64::from(q) - i64::from(zero_point);
            // Beyond the image nothing is added.
            (difference == 0 || !layer.padded).then_some(difference)
        };
        Some(Folds {
            taps: Taps::of(graph, node, false)?,
            biases: table(graph, node)?.chunks(3).map(|channel| channel[0].into()).collect(),
            constants: intervals.tensor(x).iter().map(|of| of.constant().and_then(constant)).collect(),
        })
    }

    /// The input channels that an output channel cannot do without, some of them more than once.
    fn reads(&self, c: usize) -> impl Iterator<Item = usize> {
        let added = |(c_in, w): (usize, i8)| (self.constants[c_in].unwrap_or(0) * i64::from(w)).abs();
        let greatest = self.biases[c].abs() + self.taps.of_channel(c).map(added).sum::<i64>();
        let folds = greatest <= i32::MAX.into();
        self.taps
            .of_channel(c)
            .filter(move |&(c_in, w)| w != 0 && !(folds && self.constants[c_in].is_some()))
            .map(|(c_in, _)| c_in)
    }
}
