//! Small `.onnx` files that `tests/onnx/make.py` lets PyTorch export: the numbers of ONNX Runtime, in the file's layout and
//! with channels last, in int8 on the emulated Cortex-M4F, and an error for what is refused.

use std::path::{Path, PathBuf};

use dunlin_converter::device::baked;
use dunlin_converter::import::{self, Layout};
use dunlin_converter::ops::Op;
use dunlin_converter::plan::Request;
use dunlin_converter::quantize::{calibrate, quantize, to_f32, to_i8};
use dunlin_converter::samples::{self, Samples};
use dunlin_converter::{Data, Graph, Program};
use dunlin_tests::boards::runnable_board;
use serde::Deserialize;

/// Samples of each network on the emulated core.
const N_SAMPLES: usize = 3;

/// Greatest difference of f32 outputs, relative to the larger magnitude (absolute below 1). The sums of normalizations and
/// softmaxes are taken in another order than ONNX Runtime takes them.
const F32_TOLERANCE: f32 = 1e-5;
/// Greatest difference of int8 outputs in steps: ONNX Runtime multiplies and rounds in f32, the device in fixed point.
const INT8_TOLERANCE: f32 = 1.0;

#[derive(Deserialize)]
struct Golden {
    models: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    name: String,
    inputs: Vec<Vec<f32>>,
    outputs: Vec<Vec<f32>>,
    /// Of the output.
    shape: Vec<usize>,
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("onnx/{name}.onnx"))
}

fn records() -> Vec<Record> {
    let golden = std::fs::read(path("golden").with_extension("json")).unwrap();
    serde_json::from_slice::<Golden>(&golden).unwrap().models
}

fn load(name: &str, layout: Layout) -> Graph {
    import::load_simplified_with(&path(name), layout).unwrap_or_else(|error| panic!("{error}"))
}

/// The first dimension behind the batch of an array `[1, c, ...]` last.
fn channels_last(numbers: &[f32], dims: &[usize]) -> Vec<f32> {
    let (c, n) = (dims[1], numbers.len() / dims[1]);
    (0..n).flat_map(|pixel| (0..c).map(move |c| c * n + pixel)).map(|i| numbers[i]).collect()
}

/// The output for an input as the graph takes it, as real numbers.
fn answer(graph: &Graph, input: &[f32]) -> Vec<f32> {
    let (x, y) = (&graph[graph.inputs()[0]], &graph[graph.outputs()[0]]);
    let data = match (&x.quant, x.ty.dtype) {
        (Some(quant), _) => Data::I8(to_i8(input, quant.scale(), quant.zero_point)),
        (None, dunlin::DType::I32) => Data::I32(input.iter().map(|&x| x as i32).collect()),
        (None, _) => Data::F32(input.to_vec()),
    };
    let program = Program::compile(graph).unwrap_or_else(|error| panic!("{}: {error}", graph.name));
    match (program.run(&[data]).unwrap().swap_remove(0), &y.quant) {
        (Data::F32(numbers), _) => numbers,
        (Data::I32(numbers), _) => numbers.into_iter().map(|i| i as f32).collect(),
        (Data::I8(stored), Some(quant)) => to_f32(&stored, quant.scale(), quant.zero_point),
        (other, _) => panic!("{}: {other:?}", graph.name),
    }
}

fn assert_near(name: &str, graph: &Graph, have: &[f32], want: &[f32]) {
    let tolerance = |want: f32| match &graph[graph.outputs()[0]].quant {
        Some(quant) => INT8_TOLERANCE * 1.001 * quant.scale(),
        None => F32_TOLERANCE * want.abs().max(1.0),
    };
    let near = |(h, w): (&f32, &f32)| (h - w).abs() <= tolerance(*w);
    assert!(have.len() == want.len() && have.iter().zip(want).all(near), "{name}: {have:?}, {want:?}");
}

#[test]
fn networks_of_pytorch_give_the_numbers_of_onnx_runtime() {
    let records = records();
    for Record { name, inputs, outputs, .. } in &records {
        let graph = load(name, Layout::AsInFile);
        assert_near(name, &graph, &answer(&graph, &inputs[0]), &outputs[0]);
    }
    assert!(records.len() >= 100, "{} records", records.len());
}

/// Whether the input and the output of a network are images or series `[n, c, ...]`.
fn have_channels(name: &str) -> [bool; 2] {
    let (network, _) = name.rsplit_once('_').unwrap();
    match network {
        "mlp" | "lstm" | "lstm_both_ways" | "gru" | "gru_both_ways" => [false, false],
        "words" | "transformer" | "activations" | "numbers" | "turned" => [false, false],
        "lenet" | "residual" | "mobile" | "series" | "patches" => [true, false],
        // It begins with reshaping its input into groups, which nothing says to be channels.
        "norms" => [false, true],
        _ => [true, true],
    }
}

#[test]
fn channels_are_last_where_that_is_asked() {
    for Record { name, inputs, outputs, shape } in &records() {
        let (as_in_file, graph) = (load(name, Layout::AsInFile), load(name, Layout::ChannelsLast));
        let of_file = as_in_file.dims(as_in_file.inputs()[0]);
        assert_eq!(as_in_file.dims(as_in_file.outputs()[0]), *shape, "{name}");
        let [input, output] = have_channels(name);
        let last = |dims: &[usize], is: bool| match is {
            true => [&dims[..1], &dims[2..], &dims[1..2]].concat(),
            false => dims.to_vec(),
        };
        assert_eq!(graph.dims(graph.inputs()[0]), last(&of_file, input), "input of {name}");
        assert_eq!(graph.dims(graph.outputs()[0]), last(shape, output), "output of {name}");
        let turned = |numbers: &[f32], dims: &[usize], is: bool| match is {
            true => channels_last(numbers, dims),
            false => numbers.to_vec(),
        };
        let have = answer(&graph, &turned(&inputs[0], &of_file, input));
        assert_near(name, &graph, &have, &turned(&outputs[0], shape, output));
    }
}

/// Convolutions, pools, flattening and what stands between them move no element.
#[test]
fn chains_of_convolutions_carry_no_transposition() {
    let names = [
        "lenet_13",
        "lenet_new",
        "residual_17",
        "mobile_17",
        "series_11",
        "hourglass_linear_17",
        "turned_17",
    ];
    for name in names.into_iter().chain([
        "hourglass_transposed_17",
        "transposed_17",
        "lenet_int8",
        "mobile_uint8",
        "lstm_11",
    ]) {
        let graph = load(name, Layout::ChannelsLast);
        let moves = graph.nodes().iter().filter(|node| matches!(node.op, Op::Transpose(_))).count();
        assert_eq!(moves, 0, "{name}");
    }
    let biases = |name| {
        load(name, Layout::ChannelsLast).nodes().iter().filter(|node| matches!(node.op, Op::Add(_))).count()
    };
    assert_eq!(biases("turned_17"), 0);
}

/// Quantized by samples, and as the file says: the same bytes here and on the emulated core.
#[test]
fn int8_has_equal_bytes_on_the_emulated_core() {
    let Some(board) = runnable_board("qemu-cortex-m4") else { return };
    for name in
        ["mlp_new", "lenet_13", "mobile_17", "gru_17", "transformer_14", "lenet_int8", "residual_int8"]
    {
        let graph = load(name, Layout::ChannelsLast);
        let is_real = graph[graph.inputs()[0]].quant.is_none();
        let graph = if is_real { quantized(&graph) } else { graph };
        let program = Program::compile_for(&graph, board.packing(), &Request::default()).unwrap();
        let model = program.model().unwrap();
        let samples = Samples::random(&model, N_SAMPLES, 3).unwrap();
        let expected = samples::run(&model, &samples).unwrap();
        let run = baked::run(&board.name, program.bytes(), &model, &samples, &expected);
        let run = run.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(run.report.first_difference, None, "{name}");
        println!("{name}: {} instructions", run.report.instructions);
    }
}

fn quantized(graph: &Graph) -> Graph {
    let mut rng = fastrand::Rng::with_seed(5);
    let count = graph[graph.inputs()[0]].ty.shape.count();
    let samples: Vec<Vec<Data>> =
        (0..20).map(|_| vec![Data::F32((0..count).map(|_| rng.f32() * 4.0 - 2.0).collect())]).collect();
    quantize(graph, &calibrate(graph, &samples).unwrap()).unwrap()
}
