//! The graph without the channels that need not stay.

use dunlin::ops::Reshape;
use dunlin::{Shape, TensorType};

use super::Intervals;
use super::intervals::{Taps, table, zero_point};
use super::needed::Needed;
use crate::ops::{Channels, Op};
use crate::{Data, Error, Graph, Kind, Node, Result, Tensor};

/// Removes all other channels from tensors, and what belongs to them from constants.
pub(super) fn keep_needed(graph: &mut Graph, intervals: &Intervals, needed: &Needed) -> Result<()> {
    let before = graph.clone();
    for (i, node) in before.nodes().iter().enumerate() {
        let (x, y) = (node.inputs[0], node.outputs[0]);
        if !node.inputs.iter().chain(&node.outputs).any(|&id| needed.some_of(id).is_some()) {
            continue;
        }
        let (kept_in, kept_out) = (needed.some_of(x), needed.some_of(y));
        match node.op.channels(before[x].ty.shape.rank()) {
            Channels::Sums(_) => {
                let table = folded_table(&before, intervals, node, kept_in, kept_out)?;
                replace(graph, i, 2, table, |tensor| keep(tensor, 0, kept_out))?;
                let weights = without_constants(&before, intervals, node)?;
                let last = weights.ty.shape.rank() - 1;
                replace(graph, i, 1, weights, |tensor| keep(keep(tensor, 0, kept_out)?, last, kept_in))?;
            }
            Channels::SumsOfOne(_) => {
                let [weights, table] = [1, 2].map(|k| before[node.inputs[k]].clone());
                replace(graph, i, 1, weights, |tensor| keep(tensor, 3, kept_out))?;
                replace(graph, i, 2, table, |tensor| keep(tensor, 0, kept_out))?;
            }
            _ => {
                for (k, &id) in node.inputs.iter().enumerate() {
                    let constant = before.constant_data(id).is_some();
                    if let Some(kept) = needed.some_of(id).filter(|_| constant) {
                        let last = before[id].ty.shape.rank() - 1;
                        replace(graph, i, k, before[id].clone(), |tensor| keep(tensor, last, Some(kept)))?;
                    }
                }
            }
        }
    }
    for (id, tensor) in before.tensors().filter(|(_, tensor)| tensor.kind == Kind::Value) {
        if let Some(kept) = needed.some_of(id) {
            graph[id].ty = kept_type(tensor, tensor.ty.shape.rank() - 1, kept)?;
        }
    }
    for i in 0..graph.nodes().len() {
        let made = graph[graph.nodes()[i].outputs[0]].ty.shape;
        if let Op::Reshape(reshape) = &mut graph.nodes_mut()[i].op {
            *reshape = Reshape::new(&made);
        }
    }
    Ok(())
}

/// Gives input `k` of node `i` a constant of its own: another node may read the old one.
fn replace(
    graph: &mut Graph,
    i: usize,
    k: usize,
    old: Tensor,
    kept: impl FnOnce(Tensor) -> Result<Tensor>,
) -> Result<()> {
    let new = graph.add_tensor(kept(old)?);
    graph.nodes_mut()[i].inputs[k] = new;
    Ok(())
}

/// The weights of a layer, 0 where a channel is constant: what it reads is no reason for that to stay.
fn without_constants(graph: &Graph, intervals: &Intervals, node: &Node) -> Result<Tensor> {
    let mut weights = graph[node.inputs[1]].clone();
    let channels = intervals.tensor(node.outputs[0]);
    if let Kind::Constant(Data::I8(values)) = &mut weights.kind {
        let per_channel = values.len() / channels.len();
        let constant = values.chunks_mut(per_channel).zip(channels).filter(|(_, of)| of.constant().is_some());
        constant.for_each(|(row, _)| row.fill(0));
    }
    Ok(weights)
}

/// The channel table of a layer with what the input channels that go add to its sums, and where a channel is constant with
/// the least of its sums, all of which give the constant.
fn folded_table(
    graph: &Graph,
    intervals: &Intervals,
    node: &Node,
    kept_in: Option<&[bool]>,
    kept_out: Option<&[bool]>,
) -> Result<Tensor> {
    let (x, y) = (node.inputs[0], node.outputs[0]);
    let (Some(taps), Some(table), Some(sums)) =
        (Taps::of(graph, node, false), table(graph, node), intervals.sums(y))
    else {
        return Err(Error::graph(&node.name, "has other weights than when its channels were proved"));
    };
    let (zero_point, x_channels) = (zero_point(graph, x), intervals.tensor(x));
    let mut table = table.to_vec();
    let stays = |&(c, _): &(usize, &mut [i32])| kept_out.is_none_or(|kept| kept[c]);
    for (c, channel) in table.chunks_mut(3).enumerate().filter(stays) {
        let gone = taps.of_channel(c).filter(|&(c_in, _)| kept_in.is_some_and(|kept| !kept[c_in]));
        // Of channels that are no constants and go, all weights are 0.
        let added =
            |(c_in, w): (usize, i8)| (i64::from(x_channels[c_in].lo) - i64::from(zero_point)) * i64::from(w);
        let bias = match intervals.tensor(y)[c].constant() {
            Some(_) => sums[c][0],
            None => i64::from(channel[0]) + gone.map(added).sum::<i64>(),
        };
        channel[0] =
            i32::try_from(bias).map_err(|_| Error::graph(&node.name, "has biases beyond 32 bits"))?;
    }
    Ok(Tensor { kind: Kind::Constant(Data::I32(table)), ..graph[node.inputs[2]].clone() })
}

/// A constant without the indices along `axis` that go: an axis of as many indices as `kept`, or of a multiple of them
/// for pixels one behind another.
fn keep(tensor: Tensor, axis: usize, kept: Option<&[bool]>) -> Result<Tensor> {
    let Some(kept) = kept else { return Ok(tensor) };
    let inner: usize = tensor.ty.shape.dims()[axis + 1..].iter().map(|&dim| dim as usize).product();
    let stays = |i: usize| kept[i / inner % kept.len()];
    let Kind::Constant(data) = &tensor.kind else {
        return Err(Error::graph(&tensor.name, "is not constant"));
    };
    let data = match data {
        Data::F32(v) => Data::F32(keep_at(v, stays)),
        Data::I8(v) => Data::I8(keep_at(v, stays)),
        Data::I16(v) => Data::I16(keep_at(v, stays)),
        Data::I32(v) => Data::I32(keep_at(v, stays)),
    };
    let mut quant = tensor.quant.clone();
    if let Some(quant) = quant.as_mut().filter(|quant| quant.axis == Some(axis) && quant.scales.len() > 1) {
        quant.scales = keep_at(&quant.scales, |i| kept[i % kept.len()]);
    }
    Ok(Tensor { ty: kept_type(&tensor, axis, kept)?, kind: Kind::Constant(data), quant, ..tensor })
}

fn keep_at<T: Copy>(values: &[T], stays: impl Fn(usize) -> bool) -> Vec<T> {
    values.iter().enumerate().filter(|&(i, _)| stays(i)).map(|(_, &value)| value).collect()
}

/// The type of a tensor of which, along `axis`, the kept indices stay.
fn kept_type(tensor: &Tensor, axis: usize, kept: &[bool]) -> Result<TensorType> {
    let mut dims: Vec<usize> = tensor.ty.shape.dims().iter().map(|&dim| dim as usize).collect();
    dims[axis] = dims[axis] / kept.len() * kept.iter().filter(|&&kept| kept).count();
    let refused = |source| Error::graph(&tensor.name, format!("cannot lose channels: {source}"));
    Ok(TensorType::new(tensor.ty.dtype, Shape::new(&dims).map_err(refused)?))
}
