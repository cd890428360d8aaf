//! What PyTorch writes as several operators, and is one on the device.

use dunlin::Shape;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Add, Gru, Lstm, Slice};

use crate::graph::{Kind, Tensor};
use crate::ops::Op;
use crate::ops::reshape::reshape_to;
use crate::quantize::Quants;
use crate::{Data, Graph, Node, NodeId, Result, TensorId};

/// Joins what belongs together; tensors in `stored` are stored as they are, and stay.
///
/// # Errors
/// If the graph contradicts itself.
pub fn tidy(graph: &mut Graph, stored: &Quants) -> Result<()> {
    for i in 0..graph.nodes().len() {
        join_bias(graph, i, stored)?;
    }
    let is_used = |node: &Node| !node.outputs.is_empty();
    graph.nodes_mut().retain(is_used);
    for i in 0..graph.nodes().len() {
        give_last(graph, i);
    }
    graph.verify()
}

/// Makes the sum of a layer without a bias and a constant for each channel a layer with a bias. The node of the sum loses its
/// outputs.
fn join_bias(graph: &mut Graph, i: usize, stored: &Quants) -> Result<Option<()>> {
    let sum = graph.nodes()[i].clone();
    let Op::Add(Add { bounds, .. }) = sum.op else { return Ok(None) };
    let Some((x, bias)) = layer_and_bias(graph, &sum) else { return Ok(None) };
    let is_alone = graph.consumers(x).len() == 1 && !graph.outputs().contains(&x) && !stored.contains_key(&x);
    let layer = graph.nodes().iter().position(|node| node.outputs == [x]);
    let Some(layer) = layer.filter(|_| is_alone) else { return Ok(None) };
    let node = graph.nodes()[layer].clone();
    let is_layer = matches!(
        node.op,
        Op::FullyConnected(_) | Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::TransposeConv2d(_)
    );
    if !is_layer || node.inputs.len() != 2 || node.op.with_bounds(Bounds::RELU).is_none() {
        return Ok(None);
    }
    let Some(numbers) = graph.constant_data(bias).cloned() else { return Ok(None) };
    let bias = match graph.dims(bias).len() {
        1 => bias,
        _ => graph.constant(&format!("{}/bias", node.name), &[numbers.len()], numbers)?,
    };
    let op = if bounds == Bounds::None { node.op } else { node.op.with_bounds(bounds).unwrap_or(node.op) };
    let inputs = [&node.inputs[..], &[bias]].concat();
    graph.nodes_mut()[layer] = Node { op, inputs, outputs: sum.outputs, ..node };
    graph.nodes_mut()[i].outputs.clear();
    Ok(Some(()))
}

/// Of a sum what is computed, and the constant that has a number for each of its channels.
fn layer_and_bias(graph: &Graph, sum: &Node) -> Option<(TensorId, TensorId)> {
    let [a, b] = sum.inputs[..] else { return None };
    let is_constant = |id: TensorId| matches!(graph.constant_data(id), Some(Data::F32(_)));
    let (x, bias) = if is_constant(b) { (a, b) } else { (b, a) };
    let channels = graph[x].ty.shape.channels();
    let is_bias = is_constant(bias)
        && graph[bias].ty.shape.count() == channels
        && graph.dims(bias).last() == Some(&channels)
        && graph.dims(x) == graph.dims(sum.outputs[0]);
    is_bias.then_some((x, bias))
}

/// Lets a recurrent layer give its last state alone, if nothing else of its states is read.
fn give_last(graph: &mut Graph, i: usize) -> Option<()> {
    let node = graph.nodes()[i].clone();
    let op = match node.op {
        Op::Gru(Gru { sequences: true }) => Op::Gru(Gru { sequences: false }),
        Op::Lstm(Lstm::F32 { sequences: true, clip, cell_bits }) => {
            Op::Lstm(Lstm::F32 { sequences: false, clip, cell_bits })
        }
        _ => return None,
    };
    let states = node.outputs[0];
    let &[NodeId(reader)] = &graph.consumers(states)[..] else { return None };
    let reader = reader as usize;
    let Op::Slice(slice) = graph.nodes()[reader].op else { return None };
    let dims = graph.dims(states);
    let last = Slice {
        begin: [0, dims[1] as u32 - 1, 0, 0],
        len: [dims[0] as u32, 1, dims[2] as u32, 1],
        stride: [1; 4],
    };
    if slice != last || graph.outputs().contains(&states) {
        return None;
    }
    let shape = Shape::new(&[dims[0], dims[2]]).ok()?;
    let reshape = reshape_to(&[dims[0], 1, dims[2]]).ok()?;
    let mut tensor: Tensor = graph[states].clone();
    (tensor.ty.shape, tensor.kind) = (shape, Kind::Value);
    let state = graph.add_tensor(tensor);
    graph.nodes_mut()[i] = Node { op, outputs: vec![state], ..node };
    let reader = &mut graph.nodes_mut()[reader];
    (reader.op, reader.inputs) = (reshape.into(), vec![state]);
    Some(())
}
