//! Files that are no networks, or not such as the device computes: errors that say where and what to try.

use prost::Message;

use super::schema::{
    Attribute, Dimension, Entry, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type, ValueInfo,
};
use super::schema::{attribute, element};
use crate::import::{Layout, read, read_with, recognizes};

fn value(name: &str, dims: &[i64]) -> ValueInfo {
    let dim = |&dim: &i64| Dimension { dim_value: (dim > 0).then_some(dim), dim_param: None };
    let shape = Some(Shape { dim: dims.iter().map(dim).collect() });
    let tensor_type = Some(TensorType { elem_type: element::F32, shape });
    ValueInfo { name: name.to_string(), r#type: Some(Type { tensor_type }) }
}

fn node(kind: &str, inputs: &[&str], output: &str) -> Node {
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    Node { op_type: kind.to_string(), input: names(inputs), output: names(&[output]), ..Node::default() }
}

fn weights(name: &str, dims: &[i64]) -> Tensor {
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
fn model(dims: &[i64], nodes: Vec<Node>, constants: Vec<Tensor>) -> Model {
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

fn error_of(model: &Model) -> String {
    let bytes = model.encode_to_vec();
    assert!(recognizes(&bytes));
    read(&bytes, "test").map(|_| ()).unwrap_err().to_string()
}

fn assert_refused(model: &Model, parts: &[&str]) {
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
    let reshape = |shape: i64| {
        let shape = Tensor {
            dims: vec![1],
            data_type: element::I64,
            int64_data: vec![shape],
            name: "s".into(),
            ..Tensor::default()
        };
        model(&[1, 6], vec![node("Reshape", &["x", "s"], "y")], vec![shape])
    };
    assert_refused(&reshape(7), &["Reshape: reshapes [1, 6] to [7]"]);
    let wrong = Attribute { name: "alpha".into(), r#type: attribute::INT, i: 1, ..Attribute::default() };
    let wrong = Node { attribute: vec![wrong], ..node("LeakyRelu", &["x"], "y") };
    assert_refused(&model(&[1, 4], vec![wrong], vec![]), &["attribute alpha of another type"]);
    let missing = node("Gemm", &["x"], "y");
    assert_refused(&model(&[1, 4], vec![missing], vec![]), &["Gemm: input 1 is missing"]);
    let open = model(&[1, 3, 0, 8], vec![node("Relu", &["x"], "y")], vec![]);
    assert_refused(&open, &["leaves dimension 2 open", "dynamic axes"]);
    let lens = Node { attribute: vec![], ..node("Greater", &["x", "w"], "y") };
    assert_refused(
        &model(&[1, 4], vec![lens], vec![weights("w", &[1])]),
        &["Greater: is computed from what the network"],
    );
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
