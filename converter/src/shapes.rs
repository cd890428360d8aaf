//! Images in the shapes in which layers take the fewest instructions. Their bytes are the same.
//!
//! Kernels compute a row of the output at a time, and neighbouring columns together. A series of measurements may be an image
//! of one column: as one of a single row, it does not begin anew with every output. A window on one row whose taps are
//! apart reads neighbours of an image with as many columns as they are apart: column `x * d + i` of the row is column `i` of
//! row `x`. Transposed convolutions are convolutions ([`transposed`]), and of few channels these compute neighbours of the
//! output as channels of one ([`columns`]). Vectors of a fully connected layer are positions of a convolution with one tap.

mod columns;
mod transposed;

use dunlin::ops::Conv2d;
use dunlin::ops::window::Window;
use dunlin::{DType, Shape};

use crate::ops::Op;
use crate::ops::reshape::reshape_to;
use crate::pack::Packing;
use crate::{Graph, Kind, Node, Result, TensorId};

/// From so many vectors on, kernels of convolutions, which take some positions at a time, are faster.
const POSITIONS: usize = 8;

/// A layer with a window, and the shapes of its tensors.
#[derive(Clone, Copy, PartialEq)]
struct Layer {
    window: Window,
    kernel: [usize; 2],
    /// Images `[n, h, w, c]`.
    x: [usize; 4],
    y: [usize; 4],
}

impl Layer {
    /// The layer of a node that computes in int8.
    fn of(graph: &Graph, node: &Node) -> Option<Layer> {
        let dims = |id: TensorId| <[usize; 4]>::try_from(graph.dims(id)).ok();
        let weights = || dims(*node.inputs.get(1)?).map(|[_, kh, kw, _]| [kh, kw]);
        let (window, kernel) = match node.op {
            Op::Conv2d(op) => (op.window, weights()?),
            Op::DepthwiseConv2d(op) => (op.window, weights()?),
            Op::AveragePool2d(op) => (op.0.window, op.0.kernel.map(usize::from)),
            Op::MaxPool2d(op) => (op.0.window, op.0.kernel.map(usize::from)),
            _ => return None,
        };
        let x = node.inputs[0];
        let layer = Layer { window, kernel, x: dims(x)?, y: dims(node.outputs[0])? };
        (graph[x].ty.dtype == DType::I8).then_some(layer)
    }

    /// Images of one column as images of one row.
    fn in_one_row(self) -> Layer {
        let Layer { window: Window { stride, dilation, pads }, kernel, x, y } = self;
        if [x[2], y[2], kernel[1]] != [1; 3] || x[1] == 1 {
            return self;
        }
        let turned = |[n, h, w, c]: [usize; 4]| [n, w, h, c];
        let [stride, dilation] = [stride, dilation].map(|[y, x]| [x, y]);
        let [top, left, bottom, right] = pads;
        let window = Window { stride, dilation, pads: [left, top, right, bottom] };
        Layer { window, kernel: [1, kernel[0]], x: turned(x), y: turned(y) }
    }

    /// Taps that are apart in one row as neighbours in columns.
    fn in_columns(self) -> Layer {
        let Layer { window: Window { stride, dilation, pads: [top, left, bottom, right] }, kernel, x, y } =
            self;
        let d = dilation[1] as usize;
        let is_row = [x[1], y[1], kernel[0]] == [1; 3] && [top, bottom] == [0; 2];
        let lengths = [x[2], y[2], left.into(), right.into()];
        if !is_row || d < 2 || stride[1] != 1 || lengths.iter().any(|len| !len.is_multiple_of(d)) {
            return self;
        }
        let cut = |[n, _, w, c]: [usize; 4]| [n, w / d, d, c];
        let pads = [left / dilation[1], 0, right / dilation[1], 0];
        let window = Window { pads, ..Window::UNIT };
        Layer { window, kernel: [kernel[1], 1], x: cut(x), y: cut(y) }
    }

    /// The operator of a node with this window.
    fn op(&self, op: Op) -> Op {
        let mut op = op;
        let kernel = self.kernel.map(|len| len as u8); // a pooling's were 8 bits before
        match &mut op {
            Op::Conv2d(op) => op.window = self.window,
            Op::DepthwiseConv2d(op) => op.window = self.window,
            Op::AveragePool2d(op) => (op.0.window, op.0.kernel) = (self.window, kernel),
            Op::MaxPool2d(op) => (op.0.window, op.0.kernel) = (self.window, kernel),
            _ => {}
        }
        op
    }
}

/// Gives images of a graph in device form the shapes in which the layers that read them take the fewest instructions on cores
/// with this packing. No input or output of a layer is there twice that was not before, but for the outputs of some
/// transposed convolutions.
///
/// # Errors
/// If the graph contradicts itself.
pub fn rearrange(graph: &mut Graph, packing: Packing) -> Result<()> {
    replace_each(graph, transposed::as_convolutions)?;
    replace_each(graph, rearranged)?;
    replace_each(graph, |graph, node| columns::as_channels(graph, node, packing))
}

/// Puts what `other` finds in the place of nodes.
fn replace_each(
    graph: &mut Graph,
    mut other: impl FnMut(&mut Graph, &Node) -> Result<Option<Vec<Node>>>,
) -> Result<()> {
    let mut nodes = Vec::new();
    for node in graph.nodes().to_vec() {
        match other(graph, &node)? {
            Some(more) => nodes.extend(more),
            None => nodes.push(node),
        }
    }
    *graph.nodes_mut() = nodes;
    Ok(())
}

/// Whether an image can have another shape: whoever else reads it would need it in its old one.
fn is_alone(graph: &Graph, image: TensorId) -> bool {
    matches!(graph[image].kind, Kind::Value | Kind::Input)
        && graph.consumers(image).len() == 1
        && !graph.outputs().contains(&image)
}

/// A tensor with the numbers of another one, of another shape.
fn shaped(graph: &mut Graph, of: TensorId, dims: &[usize]) -> Result<TensorId> {
    let mut tensor = graph[of].clone();
    if matches!(tensor.kind, Kind::Input) {
        tensor.kind = Kind::Value;
    }
    tensor.ty.shape = Shape::new(dims).map_err(|e| crate::Error::graph(&graph.name, format!("{e:?}")))?;
    Ok(graph.add_tensor(tensor))
}

/// What gives a tensor the shape of another one.
fn reshape(graph: &Graph, of: &Node, input: TensorId, output: TensorId, what: &str) -> Result<Node> {
    let (name, op) = (format!("{}/{what}", of.name), reshape_to(&graph.dims(output))?.into());
    Ok(Node { name, op, inputs: vec![input], outputs: vec![output] })
}

/// A node on an image of another shape: its operator, and the dimensions of its tensors.
struct Form {
    op: Op,
    x: [usize; 4],
    y: [usize; 4],
    /// Of the weights, if there are some.
    w: Option<[usize; 4]>,
}

impl Form {
    /// A window's layer.
    fn of_window(graph: &Graph, node: &Node) -> Option<Form> {
        let layer = Layer::of(graph, node)?;
        let better = layer.in_one_row().in_columns();
        let w = node.inputs.get(1).map(|&w| {
            let (dims, [kh, kw]) = (graph.dims(w), better.kernel);
            [dims[0], kh, kw, dims[3]]
        });
        (better != layer).then(|| Form { op: better.op(node.op), x: better.x, y: better.y, w })
    }

    /// A fully connected layer of several vectors, which are positions to a convolution.
    fn of_vectors(graph: &Graph, node: &Node) -> Option<Form> {
        let (Op::FullyConnected(op), &[x, w, _]) = (node.op, &node.inputs[..]) else { return None };
        let [c_out, k] = graph.dims(w)[..] else { return None };
        let n = graph[x].ty.shape.count() / k;
        let op = Conv2d { window: Window::UNIT, bounds: op.bounds }.into();
        let is_one = n >= POSITIONS && graph[x].ty.dtype == DType::I8 && graph.constant_data(w).is_some();
        is_one.then_some(Form { op, x: [1, 1, n, k], y: [1, 1, n, c_out], w: Some([c_out, 1, 1, k]) })
    }
}

/// What computes the same as a layer on images of other shapes.
fn rearranged(graph: &mut Graph, node: &Node) -> Result<Option<Vec<Node>>> {
    let form = Form::of_window(graph, node).or_else(|| Form::of_vectors(graph, node));
    let Some(form) = form else { return Ok(None) };
    let (x, y) = (node.inputs[0], node.outputs[0]);
    if !is_alone(graph, x) {
        return Ok(None);
    }
    let (image, made) = (shaped(graph, x, &form.x)?, shaped(graph, y, &form.y)?);
    let mut inputs = node.inputs.clone();
    inputs[0] = image;
    if let (Some(w), Some(dims)) = (inputs.get_mut(1), form.w) {
        *w = shaped(graph, *w, &dims)?;
    }
    Ok(Some(vec![
        reshape(graph, node, x, image, "image")?,
        Node { name: node.name.clone(), op: form.op, inputs, outputs: vec![made] },
        reshape(graph, node, made, y, "shaped")?,
    ]))
}

/// Joins reshapes that follow each other, and removes those that change nothing.
pub fn join_reshapes(graph: &mut Graph) {
    let mut i = 0;
    while i < graph.nodes().len() {
        let node = graph.nodes()[i].clone();
        let Op::Reshape(_) = node.op else {
            i += 1;
            continue;
        };
        let (mut x, y) = (node.inputs[0], node.outputs[0]);
        let before = graph.nodes().iter().position(|before| before.outputs.contains(&x));
        if let Some(before) = before.map(|before| graph.nodes()[before].clone())
            && matches!(before.op, Op::Reshape(_))
            && graph.consumers(x).len() == 1
            && !graph.outputs().contains(&x)
        {
            // Nobody reads what is between them any more.
            graph.nodes_mut().retain(|other| other.outputs != before.outputs);
            i -= 1;
            x = before.inputs[0];
            graph.nodes_mut()[i].inputs = vec![x];
        }
        if graph[x].ty == graph[y].ty && !graph.outputs().contains(&y) {
            graph.nodes_mut().remove(i);
            graph.replace_uses(y, x);
        } else {
            i += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use dunlin::ops::bounds::Bounds;
    use dunlin::ops::pooling::Pooling;
    use dunlin::ops::{DepthwiseConv2d, FullyConnected, MaxPool2d, Reshape};
    use proptest::prelude::*;

    use super::*;
    use crate::ops::testing::{layer, run};
    use crate::{Data, Quant};

    pub(super) const TABLE: [i32; 9] = [70, 3 << 29, -9, -90, 5 << 28, -8, 0, 1 << 30, -7];

    pub(super) fn names(graph: &Graph) -> Vec<&'static str> {
        graph.nodes().iter().map(|node| node.op.name()).collect()
    }

    pub(super) fn shaped(graph: &Graph) -> Graph {
        // Whose channels stay as they are.
        shaped_for(graph, Packing::Portable)
    }

    pub(super) fn shaped_for(graph: &Graph, packing: Packing) -> Graph {
        let mut shaped = graph.clone();
        rearrange(&mut shaped, packing).unwrap();
        join_reshapes(&mut shaped);
        shaped.verify().unwrap();
        shaped
    }

    proptest! {
        #[test]
        fn images_of_other_shapes_give_the_same_bytes(
            is_column: bool,
            is_depthwise: bool,
            batch in 1usize..3,
            len in 9usize..17,
            kernel in 1usize..4,
            stride in 1u8..3,
            dilation in 1u8..5,
            pads in [0u8..9, 0u8..9],
            weights in prop::collection::vec(any::<i8>(), 27),
            x in prop::collection::vec(any::<i8>(), 2 * 16 * 3),
            zero_point in -128i32..=127,
        ) {
            let along = |len: usize| if is_column { [len, 1] } else { [1, len] };
            let ([h, w], [kh, kw]) = (along(len), along(kernel));
            let window = match is_column {
                true => Window { stride: [stride, 1], dilation: [dilation, 1], pads: [pads[0], 0, pads[1], 0] },
                false => Window { stride: [1, stride], dilation: [1, dilation], pads: [0, pads[0], 0, pads[1]] },
            };
            let (image, bounds) = ([batch, h, w, 3], Bounds::None);
            let graph = match is_depthwise {
                true => {
                    let (op, dims) = (DepthwiseConv2d { window, bounds }, [1, kh, kw, 3]);
                    layer(op, [image, dims], &weights[..3 * kernel], &TABLE, [zero_point, 5])
                }
                false => {
                    let (op, dims) = (Conv2d { window, bounds }, [3, kh, kw, 3]);
                    layer(op, [image, dims], &weights[..9 * kernel], &TABLE, [zero_point, 5])
                }
            };
            let shaped = shaped(&graph);
            prop_assert!(!is_column || names(&shaped).len() == 3);
            let x = &x[..batch * len * 3];
            prop_assert_eq!(run(&shaped, x), run(&graph, x));
        }
    }

    #[test]
    fn many_vectors_are_positions() {
        let of_vectors = |n: usize| {
            let mut graph = Graph::new("dense");
            graph.form = crate::graph::Form::Device;
            let x = graph.input_of("x", DType::I8, &[1, n, 3]).unwrap();
            let w = graph.constant("w", &[3, 3], Data::I8((0..9).map(|i| i * 13 - 60).collect())).unwrap();
            let table = graph.constant("table", &[3, 3], Data::I32(TABLE.to_vec())).unwrap();
            let op = FullyConnected::new(Bounds::I8 { lo: -90, hi: 100 });
            let y = graph.apply("y", op, &[x, w, table]).unwrap();
            graph[x].quant = Some(Quant::i8(1.0, 7));
            graph[y].quant = Some(Quant::i8(1.0, -9));
            graph.mark_output(y);
            graph
        };
        assert_eq!(names(&shaped(&of_vectors(2))), ["fully_connected"]);
        let graph = of_vectors(20);
        assert_eq!(names(&shaped(&graph)), ["reshape", "conv2d", "reshape"]);
        let x: Vec<i8> = (0..60).map(|i| (i * 37 % 251) as u8 as i8).collect();
        assert_eq!(run(&shaped(&graph), &x), run(&graph, &x));
    }

    #[test]
    fn taps_that_are_apart_are_neighbours_in_columns() {
        let window = Window { dilation: [1, 4], pads: [0, 8, 0, 0], ..Window::UNIT };
        let op = Conv2d { window, bounds: Bounds::None };
        let kernel = |graph: &Graph| graph.dims(graph.nodes()[graph.nodes().len() / 2].inputs[1]);
        let causal = layer(op, [[1, 1, 16, 3], [3, 1, 3, 3]], &[1; 27], &TABLE, [0, 0]);
        assert_eq!(names(&shaped(&causal)), ["reshape", "conv2d", "reshape"]);
        assert_eq!(kernel(&shaped(&causal)), [3, 3, 1, 3]);
        let uneven = layer(op, [[1, 1, 18, 3], [3, 1, 3, 3]], &[1; 27], &TABLE, [0, 0]);
        assert_eq!(shaped(&uneven), uneven);
    }

    #[test]
    fn layers_that_follow_each_other_meet_without_a_reshape() {
        let op = Conv2d { window: Window::UNIT, bounds: Bounds::None };
        let mut graph = layer(op, [[1, 16, 1, 3], [3, 2, 1, 3]], &[1; 18], &TABLE, [0, 0]);
        let y = graph.outputs()[0];
        let window = Window { stride: [3, 1], ..Window::UNIT };
        let pool = MaxPool2d(Pooling { kernel: [3, 1], window, bounds: Bounds::None });
        let pooled = graph.apply("pool", pool, &[y]).unwrap();
        let flat = graph.apply("flat", Reshape::new(&Shape::new(&[1, 15]).unwrap()), &[pooled]).unwrap();
        for id in [pooled, flat] {
            graph[id].quant = graph[y].quant.clone();
        }
        graph.set_ports(graph.inputs().to_vec(), vec![flat]);
        let after = shaped(&graph);
        assert_eq!(names(&after), ["reshape", "conv2d", "max_pool2d", "reshape"]);
        let x: Vec<i8> = (0..48).map(|i| (i * 37 % 251) as i8).collect();
        assert_eq!(run(&after, &x), run(&graph, &x));
        // Whoever else reads an image gets it in its old shape.
        graph.set_ports(graph.inputs().to_vec(), vec![flat, y]);
        assert_eq!(names(&shaped(&graph))[3..], ["max_pool2d", "reshape"]);
        assert!(matches!(run(&shaped(&graph), &x)[1], Data::I8(_)));
    }
}
