//! Rewrites of a graph in real form that keep what it computes.

use std::collections::HashSet;

use dunlin::Shape;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::window::Window;
use dunlin::ops::{DepthwiseConv2d, Pad};

use crate::ops::reshape::reshape_to;
use crate::ops::{InputRole, Op};
use crate::{Data, Error, Graph, Kind, Node, NodeId, Program, Result, Tensor, TensorId};

/// What [`simplify`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simplified {
    /// Batch normalizations folded into the weights before them.
    pub batch_norms: usize,
    /// Other ones, which became layers.
    pub norm_layers: usize,
    /// Activations fused into the operator before them.
    pub activations: usize,
    /// Paddings fused into the convolution behind them.
    pub pads: usize,
    /// Nodes computed ahead of time, because all their inputs are constants.
    pub constants: usize,
    /// Nodes whose results nobody reads.
    pub dead: usize,
}

/// All passes, in the order in which they serve each other. In f32 the results stay equal but for rounding.
///
/// # Errors
/// If the graph contradicts itself.
pub fn simplify(graph: &mut Graph) -> Result<Simplified> {
    let constants = fold_constants(graph)?;
    sink_reshapes(graph);
    let simplified = Simplified {
        constants,
        batch_norms: fold_batch_norms(graph)?,
        norm_layers: norms_as_layers(graph)?,
        activations: fuse_activations(graph),
        pads: {
            sink_pads(graph);
            fuse_pads(graph)
        },
        dead: remove_dead_nodes(graph),
    };
    graph.verify()?;
    Ok(simplified)
}

/// Computes nodes whose inputs are all constants, and makes their outputs constants. Returns how many.
///
/// # Errors
/// If such a node cannot run.
pub fn fold_constants(graph: &mut Graph) -> Result<usize> {
    let mut kept = Vec::new();
    let mut folded = 0;
    for node in std::mem::take(graph.nodes_mut()) {
        let plain = |id: &TensorId| graph.constant_data(*id).is_some() && graph[*id].quant.is_none();
        let real = |id: &TensorId| {
            let inner = !graph.outputs().contains(id);
            inner && graph[*id].kind == Kind::Value && graph[*id].quant.is_none()
        };
        if !node.outputs.iter().all(real) || node.inputs.is_empty() || !node.inputs.iter().all(plain) {
            kept.push(node);
            continue;
        }
        for (&output, data) in node.outputs.iter().zip(compute(graph, &node)?) {
            graph[output].kind = Kind::Constant(data);
        }
        folded += 1;
    }
    *graph.nodes_mut() = kept;
    Ok(folded)
}

/// Runs one node on its constants.
fn compute(graph: &Graph, node: &Node) -> Result<Vec<Data>> {
    let mut alone = Graph::new(&node.name);
    let mut inputs = Vec::new();
    let mut values = Vec::new();
    for &id in &node.inputs {
        inputs.push(alone.input_of(&graph[id].name, graph[id].ty.dtype, &graph.dims(id))?);
        values.extend(graph.constant_data(id).cloned());
    }
    for output in alone.apply_all(&node.name, node.op, &inputs)? {
        alone.mark_output(output);
    }
    Program::compile(&alone)?.run(&values)
}

/// Moves reshapes that keep the channels behind batch normalizations and clamps, which so meet the layer that they fold into:
/// a 1-D convolution is one in 2-D between reshapes. What is quantized stays as it is.
fn sink_reshapes(graph: &mut Graph) {
    for i in 0..graph.nodes().len() {
        sink_reshape(graph, i);
    }
}

/// Moves the reshape in front of node `i` behind it, if there is one that may.
fn sink_reshape(graph: &mut Graph, i: usize) -> Option<()> {
    let node = graph.nodes()[i].clone();
    if !matches!(node.op, Op::BatchNorm(_) | Op::Clamp(_)) {
        return None;
    }
    let before = sole_producer(graph, node.inputs[0])?;
    let reshape = graph.nodes()[before].clone();
    let (x, reshaped, y) = (reshape.inputs[0], node.inputs[0], node.outputs[0]);
    let channels = |id: TensorId| graph[id].ty.shape.channels();
    let is_quantized = [x, reshaped, y].iter().any(|&id| graph[id].quant.is_some());
    if !matches!(reshape.op, Op::Reshape(_)) || channels(x) != channels(reshaped) || is_quantized {
        return None;
    }
    let made =
        graph.add_tensor(Tensor { kind: Kind::Value, name: graph[y].name.clone(), ..graph[x].clone() });
    let inputs = [&[x], &node.inputs[1..]].concat();
    graph.nodes_mut()[before] = Node { inputs, outputs: vec![made], ..node };
    graph.nodes_mut()[i] = Node { inputs: vec![made], outputs: vec![y], ..reshape };
    Some(())
}

/// Folds batch normalizations into the weights and biases of the layers before them. Returns how many.
///
/// # Errors
/// If weights or statistics do not have the shapes that their operators say.
pub fn fold_batch_norms(graph: &mut Graph) -> Result<usize> {
    let mut folded = 0;
    let mut i = 0;
    while i < graph.nodes().len() {
        if fold_norm(graph, i)? {
            graph.nodes_mut().remove(i);
            folded += 1;
        } else {
            i += 1;
        }
    }
    Ok(folded)
}

/// Folds node `i`, if it is a batch normalization behind a layer. The node is then without use.
fn fold_norm(graph: &mut Graph, i: usize) -> Result<bool> {
    let norm = graph.nodes()[i].clone();
    let Op::BatchNorm(params) = norm.op else { return Ok(false) };
    let Some(layer) = sole_producer(graph, norm.inputs[0]) else { return Ok(false) };
    let Some((scale, shift)) = norm_factors(graph, &norm, params.epsilon) else { return Ok(false) };
    fold_into(graph, layer, &norm, &scale, &shift)
}

/// Makes batch normalizations that no layer before them takes up depthwise convolutions of one tap, which there are in int8, too.
/// Returns how many.
///
/// # Errors
/// As [`Graph::constant`].
pub fn norms_as_layers(graph: &mut Graph) -> Result<usize> {
    let (mut nodes, mut made) = (Vec::new(), 0);
    for node in std::mem::take(graph.nodes_mut()) {
        match norm_as_layer(graph, &node)? {
            Some(layer) => {
                nodes.extend(layer);
                made += 1;
            }
            None => nodes.push(node),
        }
    }
    *graph.nodes_mut() = nodes;
    Ok(made)
}

/// What computes the same as a batch normalization whose statistics are constants, on an image.
fn norm_as_layer(graph: &mut Graph, norm: &Node) -> Result<Option<Vec<Node>>> {
    let Op::BatchNorm(params) = norm.op else { return Ok(None) };
    let Some((scale, shift)) = norm_factors(graph, norm, params.epsilon) else { return Ok(None) };
    let x = norm.inputs[0];
    let dims = graph.dims(x);
    let image = match dims[..] {
        [n, h, w, c] => [n, h, w, c],
        [n, t, c] => [n, 1, t, c],
        [n, c] => [n, 1, 1, c],
        _ => return Ok(None),
    };
    let data = |numbers: Vec<f64>| Data::F32(numbers.into_iter().map(|number| number as f32).collect());
    let c = scale.len();
    let weights = graph.constant(&format!("{}/weights", norm.name), &[1, 1, 1, c], data(scale))?;
    let bias = graph.constant(&format!("{}/bias", norm.name), &[c], data(shift))?;
    let op: Op = DepthwiseConv2d { window: Window::UNIT, bounds: Bounds::None }.into();
    if dims == image {
        return Ok(Some(vec![Node { op, inputs: vec![x, weights, bias], ..norm.clone() }]));
    }
    let mut tensor = |what: &str| -> Result<TensorId> {
        let name = format!("{}/{what}", norm.name);
        let shape = Shape::new(&image).map_err(|error| Error::graph(&name, error.to_string()))?;
        let mut tensor = Tensor { name, kind: Kind::Value, quant: None, ..graph[x].clone() };
        tensor.ty.shape = shape;
        Ok(graph.add_tensor(tensor))
    };
    let (before, behind) = (tensor("image")?, tensor("normalized")?);
    let node = |op: Op, inputs: Vec<TensorId>, outputs: Vec<TensorId>, what: &str| {
        let name = format!("{}/{what}", norm.name);
        Node { name, op, inputs, outputs }
    };
    Ok(Some(vec![
        node(reshape_to(&image)?.into(), vec![x], vec![before], "image"),
        node(op, vec![before, weights, bias], vec![behind], "normalized"),
        node(reshape_to(&dims)?.into(), vec![behind], norm.outputs.clone(), "shaped"),
    ]))
}

/// `y = scale * x + shift` of a batch normalization whose statistics are constants.
fn norm_factors(graph: &Graph, norm: &Node, epsilon: f32) -> Option<(Vec<f64>, Vec<f64>)> {
    let constant = |i: usize| graph.constant_data(norm.inputs[i]).and_then(Data::as_f32);
    let (gamma, beta, mean, variance) = (constant(1)?, constant(2)?, constant(3)?, constant(4)?);
    let scale: Vec<f64> =
        gamma.iter().zip(variance).map(|(&g, &v)| g as f64 / (v as f64 + epsilon as f64).sqrt()).collect();
    let shift = (0..scale.len()).map(|c| beta[c] as f64 - mean[c] as f64 * scale[c]).collect();
    Some((scale, shift))
}

/// Scales weights and bias of node `layer` and gives it the output of `norm`. `false` if it is no layer with
/// constant weights, or its activation is already fused.
fn fold_into(graph: &mut Graph, layer: usize, norm: &Node, scale: &[f64], shift: &[f64]) -> Result<bool> {
    let node = graph.nodes()[layer].clone();
    let InputRole::Weights { axis } = node.op.input_role(1) else { return Ok(false) };
    let Some(weights) = graph.constant_data(node.inputs[1]).and_then(Data::as_f32) else { return Ok(false) };
    let unbounded = node.op.with_bounds(Bounds::RELU).is_some();
    let dims = graph.dims(node.inputs[1]);
    let bias = match node.inputs.get(2) {
        None => vec![0.0; scale.len()],
        Some(&id) => match graph.constant_data(id).and_then(Data::as_f32) {
            Some(bias) => bias.to_vec(),
            None => return Ok(false),
        },
    };
    if !unbounded || dims[axis] != scale.len() || bias.len() != scale.len() {
        return Ok(false);
    }
    let inner: usize = dims[axis + 1..].iter().product();
    let weights =
        weights.iter().enumerate().map(|(i, &w)| (w as f64 * scale[(i / inner) % dims[axis]]) as f32);
    let weights = Data::F32(weights.collect());
    let bias = (0..scale.len()).map(|c| (bias[c] as f64 * scale[c] + shift[c]) as f32).collect();
    let w = constant_once(graph, &graph[node.inputs[1]].name.clone(), &dims, weights)?;
    let b = constant_once(graph, &format!("{}/bias", node.name), &[scale.len()], Data::F32(bias))?;
    // Other users of the old weights keep them.
    let layer = &mut graph.nodes_mut()[layer];
    layer.inputs = vec![node.inputs[0], w, b];
    layer.outputs = norm.outputs.clone();
    Ok(true)
}

/// A constant; the one that is there if its name and elements are the same, as where a layer is used twice.
pub(crate) fn constant_once(graph: &mut Graph, name: &str, dims: &[usize], data: Data) -> Result<TensorId> {
    let same = |(id, tensor): &(TensorId, &Tensor)| {
        tensor.name == name && graph.constant_data(*id) == Some(&data) && graph.dims(*id) == dims
    };
    let found = graph.tensors().find(same).map(|(id, _)| id);
    found.map_or_else(|| graph.constant(name, dims, data), Ok)
}

/// The node whose first output is `id`, if `id` has one use and is no output of the graph.
fn sole_producer(graph: &Graph, id: TensorId) -> Option<usize> {
    if graph.outputs().contains(&id) || graph.consumers(id).len() != 1 {
        return None;
    }
    graph.nodes().iter().position(|n| n.outputs.first() == Some(&id))
}

/// Fuses clamps (ReLU, ReLU6) into the operators before them. Returns how many. A clamp that changes the
/// quantization rounds, and stays.
pub fn fuse_activations(graph: &mut Graph) -> usize {
    let mut fused = 0;
    let mut i = 0;
    while i < graph.nodes().len() {
        let clamp = graph.nodes()[i].clone();
        let fusable = match clamp.op {
            Op::Clamp(params) if graph[clamp.inputs[0]].quant == graph[clamp.outputs[0]].quant => {
                sole_producer(graph, clamp.inputs[0])
                    .and_then(|p| graph.nodes()[p].op.with_bounds(params.bounds).map(|op| (p, op)))
            }
            _ => None,
        };
        let Some((producer, op)) = fusable else {
            i += 1;
            continue;
        };
        let node = &mut graph.nodes_mut()[producer];
        node.op = op;
        node.outputs[0] = clamp.outputs[0];
        graph.nodes_mut().remove(i);
        fused += 1;
    }
    fused
}

/// Moves paddings behind reshapes that add or remove dimensions of 1 in front of convolutions: so they meet those that are in 1-D
/// between reshapes.
fn sink_pads(graph: &mut Graph) {
    for i in 0..graph.nodes().len() {
        sink_pad(graph, i);
    }
}

/// Moves the padding in front of node `i` behind it, if there is one that may.
fn sink_pad(graph: &mut Graph, i: usize) -> Option<()> {
    let reshape = graph.nodes()[i].clone();
    let before = sole_producer(graph, reshape.inputs[0])?;
    let node = graph.nodes()[before].clone();
    let (Op::Pad(pad), Op::Reshape(_)) = (node.op, reshape.op) else { return None };
    let (x, padded, y) = (node.inputs[0], reshape.inputs[0], reshape.outputs[0]);
    let &[NodeId(reader)] = &graph.consumers(y)[..] else { return None };
    let is_convolution = matches!(graph.nodes()[reader as usize].op, Op::Conv2d(_) | Op::DepthwiseConv2d(_));
    let is_same = |id: TensorId| graph[id].quant == graph[x].quant;
    if !is_convolution || !is_same(padded) || !is_same(y) {
        return None;
    }
    let mut dims = graph.dims(y);
    let mut pads = [[0; 2]; 4];
    let long = |dims: &[usize]| -> Vec<usize> { (0..dims.len()).filter(|&axis| dims[axis] != 1).collect() };
    let (from, to) = (graph.dims(padded), long(&dims));
    let from_axes = long(&from);
    if from_axes.iter().map(|&axis| from[axis]).ne(to.iter().map(|&axis| dims[axis])) {
        return None;
    }
    for (axis, to) in from_axes.into_iter().zip(to) {
        pads[to] = pad.pads[axis];
        dims[to] = graph.dims(x)[axis];
    }
    let mut tensor = Tensor { kind: Kind::Value, name: graph[y].name.clone(), ..graph[x].clone() };
    tensor.ty.shape = Shape::new(&dims).ok()?;
    let made = graph.add_tensor(tensor);
    let op = reshape_to(&dims).ok()?.into();
    graph.nodes_mut()[before] = Node { op, outputs: vec![made], inputs: vec![x], ..reshape.clone() };
    graph.nodes_mut()[i] = Node { op: Pad { pads }.into(), inputs: vec![made], outputs: vec![y], ..node };
    Some(())
}

/// Fuses paddings of images into the convolutions (depthwise ones, too) behind them, whose windows pad more
/// then. Returns how many. In int8 nothing changes: what is padded is the zero point, which adds nothing.
pub fn fuse_pads(graph: &mut Graph) -> usize {
    let mut fused = 0;
    let mut i = 0;
    while i < graph.nodes().len() {
        if fuse_pad(graph, i).is_some() {
            graph.nodes_mut().remove(i);
            fused += 1;
        } else {
            i += 1;
        }
    }
    fused
}

/// Fuses node `i`, if it pads the image of one convolution. The node is then without use.
fn fuse_pad(graph: &mut Graph, i: usize) -> Option<()> {
    let pad = &graph.nodes()[i];
    let Op::Pad(Pad { pads: [[0, 0], [top, bottom], [left, right], [0, 0]] }) = pad.op else { return None };
    let (x, padded) = (pad.inputs[0], pad.outputs[0]);
    let &[NodeId(reader)] = &graph.consumers(padded)[..] else { return None };
    if graph[x].quant != graph[padded].quant || graph.outputs().contains(&padded) {
        return None;
    }
    let node = &mut graph.nodes_mut()[reader as usize];
    let window = match &mut node.op {
        Op::Conv2d(op) if node.inputs[0] == padded => &mut op.window,
        Op::DepthwiseConv2d(op) if node.inputs[0] == padded => &mut op.window,
        _ => return None,
    };
    let mut pads = window.pads;
    for (sum, pad) in pads.iter_mut().zip([top, left, bottom, right]) {
        *sum = u8::try_from(pad.checked_add((*sum).into())?).ok()?;
    }
    window.pads = pads;
    node.inputs[0] = x;
    Some(())
}

/// Removes nodes whose outputs nobody reads. Returns how many.
pub fn remove_dead_nodes(graph: &mut Graph) -> usize {
    let mut needed: HashSet<TensorId> = graph.outputs().iter().copied().collect();
    let nodes = std::mem::take(graph.nodes_mut());
    let before = nodes.len();
    let mut kept: Vec<Node> = Vec::new();
    for node in nodes.into_iter().rev() {
        let updates_state = node.outputs.iter().any(|&id| matches!(graph[id].kind, Kind::State(_)));
        if updates_state || node.outputs.iter().any(|id| needed.contains(id)) {
            needed.extend(&node.inputs);
            kept.push(node);
        }
    }
    kept.reverse();
    let removed = before - kept.len();
    *graph.nodes_mut() = kept;
    removed
}

#[cfg(test)]
mod tests {
    use dunlin::ops::window::Window;
    use dunlin::ops::{Add, BatchNorm, Clamp, Conv2d, DepthwiseConv2d};

    use super::*;
    use crate::quantize::{calibrate, quantize};

    const RELU: Clamp = Clamp { bounds: Bounds::RELU };

    fn constant(g: &mut Graph, name: &str, dims: &[usize], from: f32) -> TensorId {
        let n: usize = dims.iter().product();
        let values = (0..n).map(|i| from + (i * 37 % 11) as f32 / 7.0).collect();
        g.constant(name, dims, Data::F32(values)).unwrap()
    }

    fn norm(g: &mut Graph, x: TensorId, c: usize) -> TensorId {
        let inputs = [
            x,
            constant(g, "gamma", &[c], 0.5),
            constant(g, "beta", &[c], -1.0),
            constant(g, "mean", &[c], -0.3),
            constant(g, "variance", &[c], 0.1),
        ];
        g.apply("norm", BatchNorm { epsilon: 1e-3 }, &inputs).unwrap()
    }

    /// conv (no bias) → norm → relu → depthwise (bias) → norm → relu, beside a branch that nobody reads.
    fn network() -> Graph {
        let mut g = Graph::new("network");
        let x = g.input("x", &[1, 4, 4, 2]).unwrap();
        let w = constant(&mut g, "w", &[3, 2, 2, 2], -0.7);
        let conv = Conv2d { window: Window::UNIT, bounds: Bounds::None };
        let y = g.apply("conv", conv, &[x, w]).unwrap();
        g.apply("unread", RELU, &[x]).unwrap();
        let y = norm(&mut g, y, 3);
        let y = g.apply("relu", RELU, &[y]).unwrap();
        let (w, b) = (constant(&mut g, "w", &[1, 3, 3, 3], -0.6), constant(&mut g, "b", &[3], 0.2));
        let depthwise = DepthwiseConv2d { window: Window::UNIT, bounds: Bounds::None };
        let y = g.apply("depthwise", depthwise, &[y, w, b]).unwrap();
        let y = norm(&mut g, y, 3);
        let y = g.apply("relu", RELU, &[y]).unwrap();
        let (one, two) = (constant(&mut g, "one", &[3], 1.0), constant(&mut g, "two", &[3], 2.0));
        let three = g.apply("three", Add { bounds: Bounds::None, factors: None }, &[one, two]).unwrap();
        let y = g.apply("sum", Add { bounds: Bounds::None, factors: None }, &[y, three]).unwrap();
        g.mark_output(y);
        g
    }

    #[test]
    fn simplifying_keeps_what_is_computed() {
        let before = network();
        let mut after = before.clone();
        let done = simplify(&mut after).unwrap();
        assert_eq!(
            done,
            Simplified { batch_norms: 2, activations: 2, constants: 1, dead: 1, ..Simplified::default() }
        );
        assert_eq!(after.nodes().len(), 3);
        let x = Data::F32((0..32).map(|i| (i * 23 % 17) as f32 / 5.0 - 1.0).collect());
        let run = |g: &Graph| Program::compile(g).unwrap().run(std::slice::from_ref(&x)).unwrap();
        let (before, after) = (run(&before), run(&after));
        for (b, a) in before[0].as_f32().unwrap().iter().zip(after[0].as_f32().unwrap()) {
            assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} {b}");
        }
    }

    /// A 1-D convolution between reshapes takes in what stands behind it.
    #[test]
    fn reshapes_make_way() {
        let mut g = Graph::new("conv1d");
        let x = g.input("x", &[1, 5, 2]).unwrap();
        let image = g.reshape("image", x, &[1, 5, 1, 2]).unwrap();
        let w = constant(&mut g, "w", &[3, 2, 1, 2], -0.7);
        let conv = Conv2d { window: Window::UNIT, bounds: Bounds::None };
        let y = g.apply("conv", conv, &[image, w]).unwrap();
        let y = g.reshape("sequence", y, &[1, 4, 3]).unwrap();
        let y = norm(&mut g, y, 3);
        let y = g.apply("relu", RELU, &[y]).unwrap();
        g.mark_output(y);
        let before = g.clone();
        let done = simplify(&mut g).unwrap();
        assert_eq!(done, Simplified { batch_norms: 1, activations: 1, ..Simplified::default() });
        let x = Data::F32((0..10).map(|i| (i * 23 % 17) as f32 / 5.0 - 1.0).collect());
        let run = |g: &Graph| Program::compile(g).unwrap().run(std::slice::from_ref(&x)).unwrap();
        let (before, after) = (run(&before), run(&g));
        for (b, a) in before[0].as_f32().unwrap().iter().zip(after[0].as_f32().unwrap()) {
            assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} {b}");
        }
    }

    /// Behind an input, an activation or a join no layer takes a normalization up: int8 has one of its own.
    #[test]
    fn norms_without_a_layer_become_one() {
        let dims: [&[usize]; 3] = [&[1, 4, 5, 3], &[1, 6, 3], &[2, 3]];
        for dims in dims {
            let mut g = Graph::new("norm");
            let x = g.input("x", dims).unwrap();
            let y = norm(&mut g, x, 3);
            g.mark_output(y);
            let before = g.clone();
            let done = simplify(&mut g).unwrap();
            assert_eq!(done, Simplified { norm_layers: 1, ..Simplified::default() });
            let n = dims.iter().product::<usize>();
            let x = Data::F32((0..n).map(|i| (i * 23 % 17) as f32 / 5.0 - 1.0).collect());
            let run = |g: &Graph| Program::compile(g).unwrap().run(std::slice::from_ref(&x)).unwrap();
            let (before, after) = (run(&before), run(&g));
            for (b, a) in before[0].as_f32().unwrap().iter().zip(after[0].as_f32().unwrap()) {
                assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} {b}");
            }
            let ranges = calibrate(&g, &[vec![x.clone()]]).unwrap();
            Program::compile(&quantize(&g, &ranges).unwrap()).unwrap();
        }
    }

    #[test]
    fn causal_paddings_of_series_become_those_of_their_convolutions() {
        let mut g = Graph::new("series");
        let x = g.input("x", &[2, 7, 3]).unwrap();
        let w = constant(&mut g, "w", &[4, 1, 3, 3], -0.7);
        let pads = [[0, 0], [4, 0], [0, 0], [0, 0]];
        let padded = g.apply("pad", Pad { pads }, &[x]).unwrap();
        let image = g.apply("image", reshape_to(&[2, 1, 11, 3]).unwrap(), &[padded]).unwrap();
        let window = Window { dilation: [1, 2], ..Window::UNIT };
        let y = g.apply("conv", Conv2d { window, bounds: Bounds::None }, &[image, w]).unwrap();
        g.mark_output(y);
        let before = g.clone();
        assert_eq!(simplify(&mut g).unwrap(), Simplified { pads: 1, ..Simplified::default() });
        let names: Vec<_> = g.nodes().iter().map(|node| node.op.name()).collect();
        assert_eq!(names, ["reshape", "conv2d"]);
        let Op::Conv2d(conv) = g.nodes()[1].op else { unreachable!("a convolution as before") };
        assert_eq!(conv.window.pads, [0, 4, 0, 0]);
        let x = Data::F32((0..42).map(|i| (i * 23 % 17) as f32 / 5.0 - 1.0).collect());
        let run = |g: &Graph| Program::compile(g).unwrap().run(std::slice::from_ref(&x)).unwrap();
        assert_eq!(run(&before), run(&g));
    }

    #[test]
    fn a_value_with_two_readers_is_not_fused() {
        let mut g = Graph::new("shared");
        let x = g.input("x", &[1, 4, 4, 2]).unwrap();
        let w = constant(&mut g, "w", &[3, 2, 2, 2], -0.7);
        let y = g.apply("conv", Conv2d { window: Window::UNIT, bounds: Bounds::None }, &[x, w]).unwrap();
        let relu = g.apply("relu", RELU, &[y]).unwrap();
        g.mark_output(relu);
        g.mark_output(y);
        assert_eq!(simplify(&mut g).unwrap(), Simplified::default());
    }
}
