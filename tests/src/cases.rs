//! Golden cases: `tests/cases/NAME.json` holds what independent implementations answered (see the README
//! there); here each case becomes a graph of one operator, with its inputs and the expected output.

use std::path::{Path, PathBuf};

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::shape::MAX_RANK;
use dunlin::{DType, Shape};
use dunlin_converter::ops::Op;
use dunlin_converter::{Data, Graph, Kind, Quant};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One operator applied to given inputs, and what an oracle answered.
pub struct Case {
    /// `operator/case`, with the dtype.
    pub name: String,
    /// The operator between inputs and output, in real form.
    pub graph: Graph,
    /// Values of the graph's inputs.
    pub inputs: Vec<Data>,
    /// What the oracle answered.
    pub expected: Data,
}

#[derive(Deserialize)]
struct File {
    op: String,
    cases: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    name: String,
    dtype: String,
    attrs: Value,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<usize>,
    #[serde(default)]
    scale: Vec<f32>,
    #[serde(default)]
    zero_point: Vec<i32>,
    axis: Option<usize>,
    #[serde(default)]
    constant: bool,
    data: Vec<f64>,
}

impl Tensor {
    fn dtype(&self) -> DType {
        match self.dtype.as_str() {
            "int8" => DType::I8,
            "int32" => DType::I32,
            "f32" => DType::F32,
            other => panic!("a golden has dtype {other}"),
        }
    }

    fn data(&self) -> Data {
        match self.dtype() {
            DType::I8 => Data::I8(self.data.iter().map(|&v| v as i8).collect()),
            DType::I32 => Data::I32(self.data.iter().map(|&v| v as i32).collect()),
            _ => Data::F32(self.data.iter().map(|&v| v as f32).collect()),
        }
    }

    fn quant(&self) -> Option<Quant> {
        let &zero_point = self.zero_point.first()?;
        Some(Quant { dtype: self.dtype(), scales: self.scale.clone(), zero_point, axis: self.axis })
    }
}

/// The folder of the goldens.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Operators that have goldens, by name.
pub fn operators() -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("tests/cases exists");
    let json = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> =
        json.filter_map(|name| name.strip_suffix(".json").map(String::from)).collect();
    names.sort();
    names
}

/// The cases of one operator.
pub fn cases(operator: &str) -> Vec<Case> {
    let path = folder().join(format!("{operator}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file: File = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    file.cases.iter().map(|record| case(&file.op, record)).collect()
}

fn case(op: &str, record: &Record) -> Case {
    let name = format!("{op}/{} ({})", record.name, record.dtype);
    let mut graph = Graph::new(&record.name);
    let mut inputs = Vec::new();
    let mut ids = Vec::new();
    for (i, tensor) in record.inputs.iter().enumerate() {
        let id = if tensor.constant {
            let id = graph.constant(&format!("constant{i}"), &tensor.shape, tensor.data());
            id.unwrap_or_else(|e| panic!("{name}: {e}"))
        } else {
            inputs.push(tensor.data());
            let input = graph.input_of(&format!("input{i}"), tensor.dtype(), &tensor.shape);
            input.unwrap_or_else(|e| panic!("{name}: {e}"))
        };
        // In real form a quantized tensor stands for f32.
        if !tensor.scale.is_empty() {
            graph[id].ty = graph[id].ty.with_dtype(DType::F32);
        }
        graph[id].quant = tensor.quant();
        ids.push(id);
    }
    let output = &record.outputs[0];
    let made =
        graph.apply("node", operator(op, &record.attrs), &ids).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(graph.dims(made), output.shape, "{name}: shape of the output");
    debug_assert!(graph[made].kind == Kind::Value);
    graph[made].quant = output.quant();
    graph.mark_output(made);
    Case { name, graph, inputs, expected: output.data() }
}

/// The operator with the attributes of a golden. Those whose parameters have the attributes' own names need
/// no line here.
fn operator(name: &str, attrs: &Value) -> Op {
    use dunlin::ops;
    let bounds = || bounds(attrs);
    match name {
        "conv2d" => ops::Conv2d { window: window(attrs), bounds: bounds() }.into(),
        "depthwise_conv2d" => ops::DepthwiseConv2d { window: window(attrs), bounds: bounds() }.into(),
        "transpose_conv2d" => {
            let output = from_attributes(&attrs["output"]);
            ops::TransposeConv2d { window: window(attrs), output, bounds: bounds() }.into()
        }
        "lstm" => {
            let clip = attrs.get("clip").map_or(f32::INFINITY, from_attributes);
            let cell_bits = attrs.get("cell_bits").map_or(11, from_attributes);
            ops::Lstm::F32 { sequences: from_attributes(&attrs["sequences"]), clip, cell_bits }.into()
        }
        "layer_norm" => ops::LayerNorm::F32 { epsilon: from_attributes(&attrs["epsilon"]) }.into(),
        "fully_connected" => ops::FullyConnected::new(bounds()).into(),
        "average_pool2d" => ops::AveragePool2d(pooling(attrs)).into(),
        "max_pool2d" => ops::MaxPool2d(pooling(attrs)).into(),
        "mean" => reduction(attrs).mean().into(),
        "sum" => reduction(attrs).into(),
        "pad" => ops::Pad { pads: padded(&attrs["pads"], [[0; 2]; MAX_RANK]) }.into(),
        "reshape" => {
            let dims: Vec<usize> = from_attributes(&attrs["shape"]);
            ops::Reshape::new(&Shape::new(&dims).expect("a golden's shape")).into()
        }
        "add" => ops::Add { bounds: bounds(), factors: None }.into(),
        "sub" => ops::Sub { bounds: bounds(), factors: None }.into(),
        "mul" => ops::Mul { bounds: bounds(), factor: None }.into(),
        "transpose" => ops::Transpose { perm: padded(&attrs["perm"], [0, 1, 2, 3]) }.into(),
        "slice" => {
            let [begin, len] = ["begin", "len"].map(|key| &attrs[key]);
            let (begin, len) = (padded(begin, [0; MAX_RANK]), padded(len, [1; MAX_RANK]));
            ops::Slice { begin, len, stride: padded(&attrs["stride"], [1; MAX_RANK]) }.into()
        }
        "leaky_relu" => ops::LeakyRelu { alpha: from_attributes(&attrs["alpha"]) }.into(),
        "prelu" => ops::Prelu { factors: None }.into(),
        "softmax" => ops::Softmax::F32 { beta: from_attributes(&attrs["beta"]) }.into(),
        "clamp" => ops::Clamp { bounds: activation(&attrs["kind"]) }.into(),
        // What is stored follows from the quantization of input and output.
        "quantize" => ops::Quantize::F32 { scale: 1.0 }.into(),
        "dequantize" => ops::Dequantize { scale: 1.0 }.into(),
        _ => by_name(name, attrs),
    }
}

fn reduction(attrs: &Value) -> dunlin::ops::Sum {
    let axes: Vec<u8> = from_attributes(&attrs["axes"]);
    let axes = axes.iter().fold(0, |set, axis| set | 1 << axis);
    dunlin::ops::Sum { axes, keep_dims: from_attributes(&attrs["keep_dims"]) }
}

macro_rules! by_name {
    ($($code:literal $module:ident $Op:ident [$($dtype:ty)*];)*) => {
        fn by_name(name: &str, attrs: &Value) -> Op {
            match name {
                $(stringify!($module) => from_attributes::<dunlin::ops::$Op>(attrs).into(),)*
                _ => panic!("there are goldens for `{name}`, but no operator of that name"),
            }
        }
    };
}
dunlin::for_each_operator!(by_name);

fn from_attributes<T: DeserializeOwned>(attrs: &Value) -> T {
    serde_json::from_value(attrs.clone()).unwrap_or_else(|e| panic!("{attrs}: {e}"))
}

/// A number a dimension; behind the rank those of `absent`.
fn padded<T: DeserializeOwned + Clone>(given: &Value, mut absent: [T; MAX_RANK]) -> [T; MAX_RANK] {
    let given: Vec<T> = from_attributes(given);
    absent[..given.len()].clone_from_slice(&given);
    absent
}

fn window(attrs: &Value) -> Window {
    let stride = from_attributes(&attrs["stride"]);
    let dilation = attrs.get("dilation").map_or([1, 1], from_attributes);
    Window { stride, dilation, pads: from_attributes(&attrs["pads"]) }
}

fn pooling(attrs: &Value) -> Pooling {
    Pooling { kernel: from_attributes(&attrs["kernel"]), window: window(attrs), bounds: bounds(attrs) }
}

fn bounds(attrs: &Value) -> Bounds {
    activation(&attrs["activation"])
}

fn activation(name: &Value) -> Bounds {
    match name.as_str() {
        Some("none") => Bounds::None,
        Some("relu") => Bounds::RELU,
        Some("relu6") => Bounds::RELU6,
        other => panic!("a golden has activation {other:?}"),
    }
}
