//! Interval arithmetic over a graph in int8: between which numbers each channel of each tensor stays, whatever the input.

use std::collections::HashMap;

use dunlin::DType;
use dunlin::ops::Factor;

use crate::ops::{Channels, Layer};
use crate::program::run_alone;
use crate::{Data, Graph, Kind, Node, Result, Tensor, TensorId};

/// Least and greatest stored number, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Least.
    pub lo: i8,
    /// Greatest.
    pub hi: i8,
}

impl Interval {
    /// What a stored number can be at all.
    pub const FULL: Interval = Interval { lo: i8::MIN, hi: i8::MAX };

    /// The number, if there is but one.
    pub fn constant(self) -> Option<i8> {
        (self.lo == self.hi).then_some(self.lo)
    }

    /// The least interval around both.
    pub fn hull(self, other: Interval) -> Interval {
        Interval { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }
}

/// The intervals of a graph.
#[derive(Clone, Debug, Default)]
pub struct Intervals {
    tensors: HashMap<TensorId, Vec<Interval>>,
    sums: HashMap<TensorId, Vec<[i64; 2]>>,
}

impl Intervals {
    /// Those of a graph in device form.
    ///
    /// # Errors
    /// If an operator refuses the ends of its intervals: a bug.
    pub fn of(graph: &Graph) -> Result<Intervals> {
        let mut intervals = Intervals::default();
        for node in graph.nodes() {
            for &id in node.inputs.iter().filter(|&&id| graph[id].ty.dtype == DType::I8) {
                intervals.tensors.entry(id).or_insert_with(|| given(&graph[id]));
            }
            for &id in &node.outputs {
                // State held something else before.
                let channels = match computes_in_i8(graph, node) && graph[id].kind == Kind::Value {
                    true => intervals.node(graph, node)?,
                    false => vec![Interval::FULL; graph[id].ty.shape.channels()],
                };
                intervals.tensors.insert(id, channels);
            }
        }
        Ok(intervals)
    }

    /// Of the channels (indices along the last dimension) of an int8 tensor.
    ///
    /// # Panics
    /// If no node of the graph reads or makes the tensor.
    pub fn tensor(&self, id: TensorId) -> &[Interval] {
        &self.tensors[&id]
    }

    /// The same; `None` for tensors of other types that no node makes.
    pub(super) fn get(&self, id: TensorId) -> Option<&[Interval]> {
        self.tensors.get(&id).map(Vec::as_slice)
    }

    /// Least and greatest accumulator of each channel of a layer, bias included, by the tensor that it makes.
    pub fn sums(&self, output: TensorId) -> Option<&[[i64; 2]]> {
        self.sums.get(&output).map(Vec::as_slice)
    }

    /// The intervals of the output of an int8 node.
    fn node(&mut self, graph: &Graph, node: &Node) -> Result<Vec<Interval>> {
        let channels = graph[node.outputs[0]].ty.shape.channels();
        let (layer, sums) = match node.op.channels(graph[node.inputs[0]].ty.shape.rank()) {
            Channels::Opaque => return Ok(vec![Interval::FULL; channels]),
            Channels::Elementwise { operands } => return self.elementwise(graph, node, operands),
            Channels::Same | Channels::Joined | Channels::Reshaped | Channels::Mixed => {
                return self.both_ends(graph, node);
            }
            Channels::Sums(layer) => (layer, self.layer_sums(graph, node, layer, false)),
            Channels::SumsOfOne(layer) => (layer, self.layer_sums(graph, node, layer, true)),
        };
        let Some(sums) = sums else { return Ok(vec![Interval::FULL; channels]) };
        let table = table(graph, node).unwrap_or_default();
        let zero_point = zero_point(graph, node.outputs[0]);
        let channels = sums.iter().zip(table.chunks(3)).map(|(&sum, channel)| {
            let factor = Factor { multiplier: channel[1], shift: channel[2] as i8 };
            requantize(sum, factor, zero_point, layer.bounds)
        });
        let channels = channels.collect();
        self.sums.insert(node.outputs[0], sums);
        Ok(channels)
    }

    /// Least and greatest accumulator of each channel. `None` if weights or table are not as layers have them.
    fn layer_sums(&self, graph: &Graph, node: &Node, layer: Layer, of_one: bool) -> Option<Vec<[i64; 2]>> {
        let x = self.tensor(node.inputs[0]);
        let zero_point = zero_point(graph, node.inputs[0]) as i64;
        let taps = Taps::of(graph, node, of_one)?;
        let difference = |interval: &Interval| {
            let (lo, hi) = (i64::from(interval.lo) - zero_point, i64::from(interval.hi) - zero_point);
            // In the padding nothing is added.
            if layer.padded { (lo.min(0), hi.max(0)) } else { (lo, hi) }
        };
        let differences: Vec<(i64, i64)> = x.iter().map(difference).collect();
        let biases = table(graph, node)?.chunks(3).map(|channel| i64::from(channel[0]));
        let sum = |(c, bias): (usize, i64)| {
            let add = |[lo, hi]: [i64; 2], (c_in, w): (usize, i8)| {
                let (a, b) = (differences[c_in].0 * i64::from(w), differences[c_in].1 * i64::from(w));
                [lo + a.min(b), hi + a.max(b)]
            };
            taps.of_channel(c).fold([bias; 2], add)
        };
        Some(biases.enumerate().map(sum).collect())
    }

    /// Runs an operator that is monotone in every number on the least and on the greatest numbers.
    fn both_ends(&self, graph: &Graph, node: &Node) -> Result<Vec<Interval>> {
        let end = |pick: &dyn Fn(&Interval) -> i8| {
            let all = |&id: &TensorId| {
                let channels = self.tensor(id).iter().map(pick);
                let n = graph[id].ty.shape.count();
                (graph.dims(id), channels.cycle().take(n).collect())
            };
            run_alone(graph, node, node.inputs.iter().map(all).collect())
        };
        let ends = [end(&|interval| interval.lo)?, end(&|interval| interval.hi)?];
        Ok(per_channel(graph[node.outputs[0]].ty.shape.channels(), &ends))
    }

    /// Runs an operator on every number of its first operand, with both ends of the other one.
    fn elementwise(&self, graph: &Graph, node: &Node, operands: usize) -> Result<Vec<Interval>> {
        let row_of = |k: usize, row: usize, interval: &Interval| match k {
            0 => (row as u8 as i8).clamp(interval.lo, interval.hi),
            _ if row < 256 => interval.lo,
            _ => interval.hi,
        };
        // Most channels have the intervals of others.
        let mut columns: Vec<Vec<Interval>> = Vec::new();
        let mut column_of: HashMap<Vec<Interval>, usize> = HashMap::new();
        let of_channel = |c: usize| {
            let operand = |&id: &TensorId| {
                let channels = self.tensor(id);
                channels[if channels.len() == 1 { 0 } else { c }]
            };
            let column: Vec<Interval> = node.inputs[..operands].iter().map(operand).collect();
            *column_of.entry(column).or_insert_with_key(|column| {
                columns.push(column.clone());
                columns.len() - 1
            })
        };
        let channels = graph[node.outputs[0]].ty.shape.channels();
        let column_of_channel: Vec<usize> = (0..channels).map(of_channel).collect();
        let rows = 256 * operands;
        let operand = |k: usize| {
            let row = |row| columns.iter().map(move |column| row_of(k, row, &column[k]));
            (vec![rows, columns.len()], (0..rows).flat_map(row).collect())
        };
        let results = run_alone(graph, node, (0..operands).map(operand).collect())?;
        let intervals = per_channel(columns.len(), &[results]);
        Ok(column_of_channel.into_iter().map(|column| intervals[column]).collect())
    }
}

/// Whether a node reads and makes int8, so that what [`Channels`] says of it holds.
pub(super) fn computes_in_i8(graph: &Graph, node: &Node) -> bool {
    let i8 = |id: Option<&TensorId>| id.is_some_and(|&id| graph[id].ty.dtype == DType::I8);
    i8(node.inputs.first()) && node.outputs.len() == 1 && i8(node.outputs.first())
}

/// The intervals of what no node makes: constants as they are, everything of what the caller hands over.
fn given(tensor: &Tensor) -> Vec<Interval> {
    let channels = tensor.ty.shape.channels();
    match &tensor.kind {
        Kind::Constant(Data::I8(values)) => per_channel(channels, std::slice::from_ref(values)),
        _ => vec![Interval::FULL; channels],
    }
}

/// The least interval around the numbers of each channel.
fn per_channel(channels: usize, tensors: &[Vec<i8>]) -> Vec<Interval> {
    let mut intervals: Vec<Option<Interval>> = vec![None; channels];
    for (i, &q) in tensors.iter().flat_map(|values| values.iter().enumerate()) {
        let (here, slot) = (Interval { lo: q, hi: q }, &mut intervals[i % channels]);
        *slot = Some(slot.map_or(here, |interval| interval.hull(here)));
    }
    intervals.into_iter().map(|interval| interval.unwrap_or(Interval::FULL)).collect()
}

/// The stored number for 0.0, as the model file has it.
pub(super) fn zero_point(graph: &Graph, id: TensorId) -> i32 {
    graph[id].quant.as_ref().filter(|quant| quant.axis.is_none()).map_or(0, |quant| quant.zero_point)
}

/// Bias, multiplier and shift of each channel of a layer.
pub(super) fn table<'g>(graph: &'g Graph, node: &Node) -> Option<&'g [i32]> {
    graph.constant_data(*node.inputs.get(2)?)?.as_i32()
}

/// What the sums of an interval become. Nothing is known of sums that wrap.
fn requantize([lo, hi]: [i64; 2], factor: Factor, zero_point: i32, bounds: (i8, i8)) -> Interval {
    let fits = |end: i64| {
        let magnitude = i32::try_from(end.abs()).ok()?;
        factor.check_for(magnitude).ok().map(|()| end as i32)
    };
    match (fits(lo), fits(hi)) {
        (Some(lo), Some(hi)) => {
            let [lo, hi] = [lo, hi].map(|acc| factor.requantize(acc, zero_point, bounds));
            Interval { lo, hi }
        }
        _ => Interval::FULL,
    }
}

/// The weights of a layer by output channel and by input channel.
pub(super) struct Taps<'g> {
    weights: &'g [i8],
    c_in: usize,
    c_out: usize,
    /// Whether an output channel reads but one input channel.
    of_one: bool,
}

impl<'g> Taps<'g> {
    /// Those of a layer; `None` if its weights are not constant, or do not begin with a new pixel in every channel.
    pub(super) fn of(graph: &'g Graph, node: &Node, of_one: bool) -> Option<Taps<'g>> {
        let weights = graph.constant_data(*node.inputs.get(1)?)?.as_i8()?;
        let channels = |id: TensorId| graph[id].ty.shape.channels();
        let (c_in, c_out) = (channels(node.inputs[0]), channels(node.outputs[0]));
        let whole =
            if of_one { c_out.is_multiple_of(c_in) } else { weights.len().is_multiple_of(c_out * c_in) };
        whole.then_some(Taps { weights, c_in, c_out, of_one })
    }

    /// The weights of an output channel, each with the input channel that it reads.
    pub(super) fn of_channel(&self, c: usize) -> impl Iterator<Item = (usize, i8)> {
        let per_channel = self.weights.len() / self.c_out;
        let (first, step) = if self.of_one { (c, self.c_out) } else { (c * per_channel, 1) };
        let multiplier = self.c_out / self.c_in.min(self.c_out);
        (0..per_channel).map(move |i| {
            let c_in = if self.of_one { c / multiplier } else { i % self.c_in };
            (c_in, self.weights[first + i * step])
        })
    }
}
