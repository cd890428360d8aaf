//! Files that are no networks, or not such as the device computes: errors that say where and what to try.

use prost::Message;

use super::schema::{
    Attribute, Dimension, Entry, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type, ValueInfo,
};
use super::schema::{attribute, element};
use crate::Data;
use crate::graph::Kind;
use crate::import::{Layout, read, read_with, recognizes};
use crate::ops::Op;

fn value(name: &str, dims: &[i64]) -> ValueInfo {
    let dim = |&dim: &i64| Dimension { dim_value: (dim > 0).then_some(dim), dim_param: None };
    let shape = Some(Shape { dim: dims.iter().map(dim).collect() });
    let tensor_type = Some(TensorType { elem_type: element::F32, shape });
    ValueInfo { name: name.to_string(), r#type: Some(Type { tensor_type }) }
}

pub fn node(kind: &str, inputs: &[&str], output: &str) -> Node {
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    Node { op_type: kind.to_string(), input: names(inputs), output: names(&[output]), ..Node::default() }
}

pub fn weights(name: &str, dims: &[i64]) -> Tensor {
    let count = dims.iter().product::<i64>() as usize;
    let float_data = (0..count).map(|i| i as f32 / count as f32).collect();
    Tensor {
        dims: dims.to_vec(),
        data_type: element::F32,
        float_data,
        name: name.into(),
        ..Tensor::default()
    }
}

/// `y` of an input `x`.
pub fn model(dims: &[i64], nodes: Vec<Node>, constants: Vec<Tensor>) -> Model {
    Model {
        ir_version: 8,
        graph: Some(Graph {
            node: nodes,
            initializer: constants,
            input: vec![value("x", dims)],
            output: vec![value("y", &[])],
        }),
        opset_import: vec![OperatorSet { domain: String::new(), version: 17 }],
    }
}

/// Indices, or other whole numbers.
pub fn wholes(name: &str, numbers: &[i64]) -> Tensor {
    Tensor {
        dims: vec![numbers.len() as i64],
        data_type: element::I64,
        int64_data: numbers.to_vec(),
        name: name.into(),
        ..Tensor::default()
    }
}

pub fn with_ints(name: &str, ints: &[i64], node: Node) -> Node {
    let made =
        Attribute { name: name.into(), r#type: attribute::INTS, ints: ints.to_vec(), ..Attribute::default() };
    Node { attribute: [node.attribute, vec![made]].concat(), ..node }
}

pub fn with_int(name: &str, i: i64, node: Node) -> Node {
    let made = Attribute { name: name.into(), r#type: attribute::INT, i, ..Attribute::default() };
    Node { attribute: [node.attribute, vec![made]].concat(), ..node }
}

fn error_of(model: &Model) -> String {
    let bytes = model.encode_to_vec();
    assert!(recognizes(&bytes));
    read(&bytes, "test").map(|_| ()).unwrap_err().to_string()
}

pub fn assert_refused(model: &Model, parts: &[&str]) {
    let error = error_of(model);
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn operators_that_are_missing_are_listed_at_once() {
    let nodes = vec![node("Det", &["x"], "a"), node("Det", &["a"], "b"), node("NonZero", &["b"], "y")];
    assert_refused(&model(&[1, 4], nodes, vec![]), &["2 × Det (`a`, `b`); 1 × NonZero (`y`)", "replace"]);
    let integers = vec![node("QLinearConv", &["x"], "y")];
    assert_refused(&model(&[1, 4], integers, vec![]), &["QLinearConv", "QuantFormat.QDQ"]);
    let foreign = Node { domain: "com.microsoft".into(), ..node("Gelu", &["x"], "y") };
    assert_refused(&model(&[1, 4], vec![foreign], vec![]), &["Gelu of com.microsoft"]);
}

#[test]
fn operators_that_do_not_fit_are_named() {
    let conv =
        |dims: &[i64], w: &[i64]| model(dims, vec![node("Conv", &["x", "w"], "y")], vec![weights("w", w)]);
    assert_refused(&conv(&[1, 3, 8, 8], &[4, 2, 3, 3]), &["`y`, Conv: has 1 groups", "3 channels"]);
    assert_refused(&conv(&[1, 1, 4, 4, 4], &[1, 1, 1, 1, 1]), &["series [n, c, t] and images"]);
    let reshape =
        |shape: i64| model(&[1, 6], vec![node("Reshape", &["x", "s"], "y")], vec![wholes("s", &[shape])]);
    assert_refused(&reshape(7), &["Reshape: reshapes [1, 6] to [7]"]);
    let wrong = with_int("alpha", 1, node("LeakyRelu", &["x"], "y"));
    assert_refused(&model(&[1, 4], vec![wrong], vec![]), &["attribute alpha of another type"]);
    let missing = node("Gemm", &["x"], "y");
    assert_refused(&model(&[1, 4], vec![missing], vec![]), &["Gemm: input 1 is missing"]);
    let open = model(&[1, 3, 0, 8], vec![node("Relu", &["x"], "y")], vec![]);
    assert_refused(&open, &["leaves dimension 2 open", "dynamic axes"]);
    let floor = model(&[1, 4], vec![node("Floor", &["x"], "y")], vec![]);
    assert_refused(&floor, &["Floor: is computed from what the network"]);
}

#[test]
fn graphs_that_contradict_themselves_are_refused() {
    let refused = |nodes: Vec<Node>, part: &str| assert_refused(&model(&[1, 4], nodes, vec![]), &[part]);
    refused(
        vec![node("Relu", &["a"], "b"), node("Relu", &["b"], "a"), node("Relu", &["b"], "y")],
        "own result",
    );
    refused(vec![node("Relu", &["z"], "y")], "reads `z`, which nothing computes");
    refused(
        vec![node("Relu", &["x"], "y"), node("Tanh", &["x"], "y")],
        "computes `y`, which is there already",
    );
    refused(vec![node("Relu", &["x"], "x"), node("Tanh", &["x"], "y")], "computes `x`");
    refused(vec![], "reads `y`, which nothing computes");
    // In any order they are sorted.
    let sorted = model(&[1, 4], vec![node("Relu", &["a"], "y"), node("Tanh", &["x"], "a")], vec![]);
    assert_eq!(read(&sorted.encode_to_vec(), "test").unwrap().nodes().len(), 2);
}

#[test]
fn constants_that_are_not_there_are_refused() {
    let with = |tensor: Tensor| model(&[1, 4], vec![node("Add", &["x", "w"], "y")], vec![tensor]);
    let short = Tensor { dims: vec![5], ..weights("w", &[4]) };
    assert_refused(&with(short), &["w: has 4 elements for dimensions [5]"]);
    let huge = Tensor { dims: vec![1 << 40, 1 << 40], ..weights("w", &[4]) };
    assert_refused(&with(huge), &["too large"]);
    let negative = Tensor { dims: vec![-4], ..weights("w", &[4]) };
    assert_refused(&with(negative), &["dimensions [-4]"]);
    let text = Tensor { data_type: 8, ..weights("w", &[4]) };
    assert_refused(&with(text), &["holds string"]);
    let external = |location: &str| Tensor {
        data_location: 1,
        external_data: vec![Entry { key: "location".into(), value: location.into() }],
        ..weights("w", &[4])
    };
    assert_refused(&with(external("w.data")), &["is in the file `w.data`"]);
    let folder = tempfile::tempdir().unwrap();
    let read_beside = |location: &str| {
        let bytes = with(external(location)).encode_to_vec();
        read_with(&bytes, "test", Some(folder.path()), Layout::default())
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    for location in ["../w.data", "/etc/passwd", "a/../../w.data", ""] {
        assert!(read_beside(location).unwrap_err().contains("which is not beside the model"), "{location}");
    }
    assert!(read_beside("w.data").unwrap_err().contains("keep it beside the .onnx file"));
    std::fs::write(folder.path().join("w.data"), [0u8; 16]).unwrap();
    read_beside("w.data").unwrap();
}

/// Dimensions, axes and numbers that index or count: none may reach out of its array.
#[test]
fn numbers_that_reach_too_far_are_refused() {
    let bias = Tensor { dims: vec![], ..weights("b", &[1]) };
    let conv = |kind| {
        let constants = vec![weights("w", &[1, 1, 1, 1]), bias.clone()];
        model(&[1, 1, 2, 2], vec![node(kind, &["x", "w", "b"], "y")], constants)
    };
    assert_refused(&conv("Conv"), &["Conv: has biases [] for 1 channels"]);
    assert_refused(&conv("ConvTranspose"), &["ConvTranspose: has biases [] for 1 channels"]);

    let turned = with_ints("perm", &[0, 0], node("Transpose", &["w"], "y"));
    assert_refused(
        &model(&[1], vec![turned], vec![weights("w", &[2, 3])]),
        &["orders 2 dimensions as [0, 0]"],
    );

    let cut = |starts: &[i64], ends: &[i64], axes: &[i64], source: &str| {
        let constants = vec![wholes("s", starts), wholes("e", ends), wholes("a", axes), weights("w", &[4])];
        model(&[4], vec![node("Slice", &[source, "s", "e", "a"], "y")], constants)
    };
    for source in ["w", "x"] {
        assert_refused(&cut(&[3, 2], &[4, 3], &[0, 0], source), &["names an axis twice"]);
        assert_refused(&cut(&[0], &[1], &[1], source), &["axis 1 of 1 dimensions"]);
    }
    assert_refused(&cut(&[3], &[3], &[0], "x"), &["takes none of 4 indices"]);

    let padding = with_ints("output_padding", &[i64::MAX, 0], node("ConvTranspose", &["x", "w"], "y"));
    let padding = model(&[1, 1, 2, 2], vec![padding], vec![weights("w", &[1, 1, 1, 1])]);
    assert_refused(&padding, &["makes no image"]);
}

#[test]
fn constants_that_are_too_large_are_refused() {
    let pads: Vec<i64> = [[0, 65535, 65535], [0, 65535, 65535]].concat();
    let pad = node("Pad", &["x", "p", "v"], "y");
    let one = Tensor { dims: vec![], float_data: vec![1.0], ..weights("v", &[0]) };
    assert_refused(&model(&[1, 1, 1], vec![pad], vec![wholes("p", &pads), one]), &["too large"]);

    // None, but the product of some of the dimensions is beyond any number.
    let empty = Tensor { dims: vec![0, 1 << 26, 1 << 26, 1 << 26], ..weights("w", &[0]) };
    let turned = node("Transpose", &["w"], "y");
    assert_refused(&model(&[1], vec![turned], vec![empty]), &["too large"]);
    let grown = vec![node("Reshape", &["w", "s"], "a"), node("Identity", &["a"], "y")];
    let constants = vec![weights("w", &[0]), wholes("s", &[1 << 40, -1])];
    assert_refused(&model(&[1], grown, constants), &["`a`, Reshape", "too large"]);
}

/// Many constants in the same bytes of another file.
#[test]
fn constants_that_are_read_are_counted() {
    const N_ELEMENTS: i64 = 1 << 24;
    let folder = tempfile::tempdir().unwrap();
    std::fs::File::create(folder.path().join("w.data")).unwrap().set_len(4 * N_ELEMENTS as u64).unwrap();
    let location = vec![Entry { key: "location".into(), value: "w.data".into() }];
    let names = ["w0", "w1", "w2"];
    let constants = names.map(|name| Tensor {
        dims: vec![N_ELEMENTS],
        data_location: 1,
        external_data: location.clone(),
        ..weights(name, &[0])
    });
    let mut nodes: Vec<Node> = names.iter().map(|name| node("Shape", &[name], &format!("{name}s"))).collect();
    nodes.push(node("Concat", &["w0s", "w1s", "w2s"], "y"));
    let bytes = model(&[1], nodes, constants.to_vec()).encode_to_vec();
    let error = read_with(&bytes, "test", Some(folder.path()), Layout::default()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("bytes of constants"), "{error}");
}

/// Empty parts of shapes vanish where they are joined with others.
#[test]
fn parts_of_shapes_may_be_empty() {
    let cut = node("Slice", &["s", "three", "three"], "none");
    let joined = with_int("axis", 0, node("Concat", &["none", "s"], "joined"));
    let nodes = vec![cut, joined, node("Reshape", &["x", "joined"], "y")];
    let constants = vec![wholes("s", &[2, 3]), wholes("three", &[3])];
    let graph = read(&model(&[1, 6], nodes, constants).encode_to_vec(), "test").unwrap();
    assert_eq!(graph.dims(graph.outputs()[0]), [2, 3]);
}

/// Stored numbers of 8 or 32 bits.
fn stored(name: &str, dims: &[i64], data_type: i32, numbers: &[i32]) -> Tensor {
    Tensor {
        dims: dims.to_vec(),
        data_type,
        int32_data: numbers.to_vec(),
        name: name.into(),
        ..Tensor::default()
    }
}

pub fn reals(name: &str, numbers: &[f32]) -> Tensor {
    let dims = if numbers.len() == 1 { vec![] } else { vec![numbers.len() as i64] };
    Tensor { dims, float_data: numbers.to_vec(), ..weights(name, &[0]) }
}

/// A layer in QDQ form on `x` of 3 numbers, with weights `stored` as `w` reads them; the int8 weights of the graph and their
/// scales.
fn layer_of(w: Vec<Node>, layer: Node, constants: Vec<Tensor>) -> (Vec<i8>, Vec<f32>) {
    let mut nodes = vec![
        node("QuantizeLinear", &["x", "scale", "zero"], "xq"),
        node("DequantizeLinear", &["xq", "scale", "zero"], "xd"),
    ];
    nodes.extend(w);
    nodes.extend([
        layer,
        node("QuantizeLinear", &["h", "scale", "zero"], "hq"),
        node("DequantizeLinear", &["hq", "scale", "zero"], "y"),
    ]);
    let scale = [reals("scale", &[0.5]), stored("zero", &[], element::I8, &[3])];
    let model = model(&[1, 3], nodes, [constants, scale.to_vec()].concat());
    let graph = read(&model.encode_to_vec(), "test").unwrap();
    let weights =
        graph.nodes().iter().find(|node| matches!(node.op, Op::FullyConnected(_))).unwrap().inputs[1];
    assert_eq!(graph.dims(weights), [2, 3]);
    let Some(Data::I8(numbers)) = graph.constant_data(weights) else { panic!("{:?}", graph[weights]) };
    (numbers.clone(), graph[weights].quant.clone().unwrap().scales)
}

/// Scales for columns and rows, as stored or turned, with a layer that reads them as they are or turns them.
#[test]
fn scales_stay_with_their_channels() {
    let numbers = [64, -100, 32, 50, -127, 127];
    let rows = stored("wq", &[2, 3], element::I8, &numbers);
    let columns = stored("wq", &[3, 2], element::I8, &[64, 50, -100, -127, 32, 127]);
    let read = |axis: i64| with_int("axis", axis, node("DequantizeLinear", &["wq", "s"], "w"));
    let gemm = |w: &str| node("Gemm", &["xd", w], "h");
    let of_channels = reals("s", &[0.5, 0.25]);
    let as_stored = (numbers.map(|q| q as i8).to_vec(), vec![0.5, 0.25]);

    let turning = with_int("transB", 1, gemm("w"));
    let made = layer_of(vec![read(0)], turning.clone(), vec![rows.clone(), of_channels.clone()]);
    assert_eq!(made, as_stored);
    let made = layer_of(vec![read(-1)], gemm("w"), vec![columns.clone(), of_channels.clone()]);
    assert_eq!(made, as_stored);
    let turned = with_ints("perm", &[1, 0], node("Transpose", &["w"], "t"));
    for kind in ["Gemm", "MatMul"] {
        let layer = node(kind, &["xd", "t"], "h");
        let constants = vec![rows.clone(), of_channels.clone()];
        assert_eq!(layer_of(vec![read(0), turned.clone()], layer, constants), as_stored);
    }
    let made_new = node("Reshape", &["w", "dims"], "t");
    let constants =
        vec![stored("wq", &[2, 3, 1], element::I8, &numbers), of_channels.clone(), wholes("dims", &[2, 3])];
    let made = layer_of(
        vec![read(0), made_new],
        Node { input: vec!["xd".into(), "t".into()], ..turning.clone() },
        constants,
    );
    assert_eq!(made, as_stored);

    // Scales of what is summed: the channels get their own, from the greatest of each.
    let of_inputs = reals("s", &[0.5, 0.25, 1.0]);
    for (dims, axis, layer, array) in [("rows", 1, turning, &rows), ("columns", 0, gemm("w"), &columns)] {
        let (_, scales) = layer_of(vec![read(axis)], layer, vec![array.clone(), of_inputs.clone()]);
        assert_eq!(scales, [32.0 / 127.0, 1.0], "{dims}");
    }
}

/// Groups of a transposed convolution: rows of each, with the scale of their channel.
#[test]
fn groups_of_transposed_convolutions_keep_their_scales() {
    let pair = |from: &str, to: &str| {
        let stored = format!("{from}q");
        [
            node("QuantizeLinear", &[from, "scale", "zero"], &stored),
            node("DequantizeLinear", &[&stored, "scale", "zero"], to),
        ]
    };
    let layer = with_int("group", 2, node("ConvTranspose", &["xd", "w"], "h"));
    let weights = node("DequantizeLinear", &["wq", "s"], "w");
    let nodes = [pair("x", "xd").to_vec(), vec![weights, layer], pair("h", "y").to_vec()].concat();
    let constants = vec![
        reals("scale", &[0.5]),
        stored("zero", &[], element::I8, &[3]),
        stored("wq", &[4, 2, 1, 1], element::I8, &[1, 2, 3, 4, 5, 6, 7, 8]),
        reals("s", &[0.5, 0.25]),
    ];
    let graph = read(&model(&[1, 4, 2, 2], nodes, constants).encode_to_vec(), "test").unwrap();
    let layers = graph.nodes().iter().filter(|node| matches!(node.op, Op::TransposeConv2d(_)));
    let weights: Vec<_> = layers
        .map(|node| {
            let Some(Data::I8(numbers)) = graph.constant_data(node.inputs[1]) else { panic!("no weights") };
            (numbers.clone(), graph[node.inputs[1]].quant.clone().unwrap().scales)
        })
        .collect();
    // Rows [c_out, c_in] of each group; the file has [c_in, c_out].
    assert_eq!(weights, [(vec![1, 3, 2, 4], vec![0.5, 0.25]), (vec![5, 7, 6, 8], vec![0.5, 0.25])]);
}

/// Numbers that were multiplied are not those that the file has scales for.
#[test]
fn weights_that_are_multiplied_have_scales_of_their_own() {
    let rows = stored("wq", &[2, 3], element::I8, &[64, -100, 32, 50, -127, 127]);
    let read = node("DequantizeLinear", &["wq", "s"], "w");
    let half = Attribute { name: "alpha".into(), r#type: attribute::FLOAT, f: 0.5, ..Attribute::default() };
    let layer = with_int("transB", 1, node("Gemm", &["xd", "w"], "h"));
    let layer = Node { attribute: [layer.attribute, vec![half]].concat(), ..layer };
    let (numbers, scales) = layer_of(vec![read], layer, vec![rows, reals("s", &[1.0])]);
    assert_eq!(scales, [50.0 / 127.0, 0.5]);
    assert_eq!(numbers, [81, -127, 41, 50, -127, 127]);
}

/// Without a zero point QuantizeLinear makes uint8, and DequantizeLinear reads what is there.
#[test]
fn zero_points_may_be_missing() {
    let pair = |first: &[&str], second: &[&str]| {
        let nodes = vec![node("QuantizeLinear", first, "q"), node("DequantizeLinear", second, "y")];
        let zeros = [("u0", element::U8, 0), ("u128", element::U8, 128), ("i0", element::I8, 0)];
        let zeros = zeros.map(|(name, ty, zero)| stored(name, &[], ty, &[zero]));
        model(&[1, 4], nodes, [vec![reals("s", &[0.5])], zeros.to_vec()].concat())
    };
    let zero_point = |model: &Model| {
        let graph = read(&model.encode_to_vec(), "test").unwrap();
        graph[graph.inputs()[0]].quant.clone().unwrap().zero_point
    };
    assert_eq!(zero_point(&pair(&["x", "s"], &["q", "s"])), -128);
    assert_eq!(zero_point(&pair(&["x", "s", "u0"], &["q", "s"])), -128);
    assert_eq!(zero_point(&pair(&["x", "s"], &["q", "s", "u0"])), -128);
    assert_eq!(zero_point(&pair(&["x", "s", "i0"], &["q", "s"])), 0);
    assert_eq!(zero_point(&pair(&["x", "s", "u128"], &["q", "s", "u128"])), 0);
    for second in [&["q", "s"][..], &["q", "s", "i0"]] {
        assert_refused(&pair(&["x", "s", "u128"], second), &["in another way than it is quantized"]);
    }

    // Of constants: 3 of uint8 is 1.5, and -1.0 of uint8 is 0.
    let sum = |nodes: Vec<Node>, constant: Tensor| {
        let nodes = [nodes, vec![node("Add", &["x", "w"], "y")]].concat();
        let graph =
            read(&model(&[1, 1], nodes, vec![constant, reals("s", &[0.5])]).encode_to_vec(), "test").unwrap();
        graph.tensors().find_map(|(_, tensor)| match &tensor.kind {
            Kind::Constant(Data::F32(numbers)) => Some(numbers[0]),
            _ => None,
        })
    };
    let read_of = |from: &str| node("DequantizeLinear", &[from, "s"], "d");
    let plain = node("Abs", &["d"], "w");
    assert_eq!(sum(vec![read_of("q"), plain.clone()], stored("q", &[1], element::U8, &[3])), Some(1.5));
    assert_eq!(sum(vec![read_of("q"), plain.clone()], stored("q", &[1], element::I8, &[-3])), Some(1.5));
    let made = |number: f32| {
        let nodes = vec![node("QuantizeLinear", &["c", "s"], "q"), read_of("q"), plain.clone()];
        sum(nodes, Tensor { dims: vec![1], ..reals("c", &[number]) })
    };
    assert_eq!([made(-1.0), made(100.0), made(1000.0)], [Some(0.0), Some(100.0), Some(127.5)]);
    let wrong = vec![node("DequantizeLinear", &["q", "s", "z"], "w"), node("Add", &["x", "w"], "y")];
    let constants =
        vec![stored("q", &[1], element::U8, &[3]), reals("s", &[0.5]), stored("z", &[], element::I8, &[0])];
    assert_refused(&model(&[1, 1], wrong, constants), &["a zero point of int8 for uint8"]);
}

/// Outputs with lengths of 1 lie in the file's order and with channels last at once: only what was an image or a series on
/// the device is turned.
#[test]
fn outputs_that_are_no_images_keep_their_order() {
    let dims_of = |dims: &[i64], nodes: Vec<Node>, constants: Vec<Tensor>| {
        let graph = read(&model(dims, nodes, constants).encode_to_vec(), "test").unwrap();
        graph.dims(graph.outputs()[0])
    };
    let layer = vec![node("Gemm", &["x", "w"], "g"), node("Unsqueeze", &["g", "two"], "y")];
    let of_layer =
        |axis: i64| dims_of(&[1, 3], layer.clone(), vec![weights("w", &[3, 10]), wholes("two", &[axis])]);
    assert_eq!(of_layer(2), [1, 10, 1]);
    assert_eq!(of_layer(1), [1, 1, 10]);
    assert_eq!(dims_of(&[1, 1, 10], vec![node("Relu", &["x"], "y")], vec![]), [1, 1, 10]);
    let conv =
        |dims: &[i64], w: &[i64]| dims_of(dims, vec![node("Conv", &["x", "w"], "y")], vec![weights("w", w)]);
    assert_eq!(conv(&[1, 3, 4], &[10, 3, 4]), [1, 1, 10]);
    assert_eq!(conv(&[1, 3, 12], &[1, 3, 3]), [1, 10, 1]);
    assert_eq!(conv(&[1, 3, 4, 5], &[1, 3, 1, 1]), [1, 4, 5, 1]);
    assert_eq!(conv(&[1, 3, 4, 5], &[6, 3, 4, 5]), [1, 1, 1, 6]);
    // Channels that are shuffled are still the innermost.
    let shuffled = vec![
        node("Conv", &["x", "w"], "c"),
        node("Reshape", &["c", "groups"], "g"),
        with_ints("perm", &[0, 2, 1, 3, 4], node("Transpose", &["g"], "t")),
        node("Reshape", &["t", "image"], "y"),
    ];
    let constants =
        vec![weights("w", &[6, 3, 1, 1]), wholes("groups", &[1, 2, 3, 4, 5]), wholes("image", &[1, 6, 4, 5])];
    assert_eq!(dims_of(&[1, 3, 4, 5], shuffled, constants), [1, 4, 5, 6]);
}

/// With the sign of the divisor, or that of the dividend.
#[test]
fn remainders_have_the_sign_that_is_asked() {
    let remainders = |node: Node, [a, b]: [Tensor; 2]| {
        let nodes =
            vec![node, super::tests::node("Cast", &["r"], "m"), super::tests::node("Add", &["x", "m"], "y")];
        let to = |node: Node| {
            if node.op_type == "Cast" { with_int("to", element::F32.into(), node) } else { node }
        };
        let model = model(&[4], nodes.into_iter().map(to).collect(), vec![a, b]);
        let graph = read(&model.encode_to_vec(), "test").unwrap();
        graph.tensors().find_map(|(_, tensor)| match &tensor.kind {
            Kind::Constant(Data::F32(numbers)) => Some(numbers.clone()),
            _ => None,
        })
    };
    let plain = node("Mod", &["a", "b"], "r");
    let c = with_int("fmod", 1, plain.clone());
    let whole = [wholes("a", &[7, -7, 7, -7]), wholes("b", &[3, 3, -3, -3])];
    assert_eq!(remainders(plain.clone(), whole.clone()), Some(vec![1.0, 2.0, -2.0, -1.0]));
    assert_eq!(remainders(c.clone(), whole), Some(vec![1.0, -1.0, 1.0, -1.0]));
    let real = [reals("a", &[5.5, -5.5, 5.5, -5.5]), reals("b", &[2.0, 2.0, -2.0, -2.0])];
    assert_eq!(remainders(plain, real.clone()), Some(vec![1.5, 0.5, -0.5, -1.5]));
    assert_eq!(remainders(c, real), Some(vec![1.5, -1.5, 1.5, -1.5]));
}

#[test]
fn normalizations_without_their_factors_are_refused() {
    let norm = |inputs: &[&str]| {
        model(&[1, 4], vec![node("LayerNormalization", inputs, "y")], vec![weights("w", &[4])])
    };
    assert_refused(&norm(&["x"]), &["LayerNormalization: input 1 is missing"]);
    assert_refused(&norm(&["x", "", "w"]), &["LayerNormalization: input 1 is missing"]);
    read(&norm(&["x", "w"]).encode_to_vec(), "test").unwrap();
}

#[test]
fn files_of_other_kinds_are_not_taken() {
    assert!(!recognizes(b"PK\x03\x04") && !recognizes(&[]) && !recognizes(b"\x08\x08"));
    let bytes = model(&[1, 4], vec![node("Relu", &["x"], "y")], vec![]).encode_to_vec();
    let error = read(&bytes[..bytes.len() - 3], "test").unwrap_err().to_string();
    assert!(error.contains("truncated or damaged"), "{error}");
    let old = Model {
        opset_import: vec![OperatorSet { domain: String::new(), version: 3 }],
        ..model(&[1, 4], vec![node("Relu", &["x"], "y")], vec![])
    };
    assert_refused(&old, &["version 3", "opset_version=17"]);
}
