//! A small int8 network with the layers of a typical one, for suites that need a whole model.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::ops::{AveragePool2d, Conv2d, DepthwiseConv2d, FullyConnected};
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::{plan, rows};
use dunlin_converter::program::Rewrite;
use dunlin_converter::quantize::{calibrate, quantize};
use dunlin_converter::{Data, Graph, Program, Result, TensorId};

/// `[h, w]` and `[c]` of its input.
const IMAGE: [usize; 4] = [1, 8, 8, 1];
/// Channels between the layers.
const C: usize = 8;
/// Classes that it tells apart.
const N_CLASSES: usize = 10;

/// The network, quantized to int8 and compiled: convolution, depthwise and pointwise convolution, pooling, fully
/// connected, with made-up weights.
pub fn convnet() -> Result<Program> {
    Program::compile(&network()?)
}

/// [`convnet`], planned by rows; its input in memory or `fed`.
///
/// # Errors
/// As [`convnet`].
pub fn convnet_by_rows(fed: bool) -> Result<Program> {
    let options = rows::Options { style: rows::Style::Rows, fed, effort: 1 };
    Program::compile_with(&network()?, Packing::Portable, |graph| rows::plan(graph, &options))
}

/// The network quantized to int8, not yet planned.
///
/// # Errors
/// As [`convnet`].
pub fn network() -> Result<Graph> {
    let graph = real()?;
    let samples: Vec<Vec<Data>> =
        (0..4).map(|seed| vec![Data::F32(noise(seed, IMAGE.iter().product()))]).collect();
    quantize(&graph, &calibrate(&graph, &samples)?)
}

/// `n` inputs of the network, one after the other.
pub fn inputs(n: usize) -> Vec<u8> {
    noise(99, n * IMAGE.iter().product::<usize>()).iter().map(|&x| (x * 127.0) as i8 as u8).collect()
}

/// A 3x3 convolution by Winograd's algorithm: an int8 layer large enough for that to save instructions.
///
/// # Errors
/// As [`convnet`].
pub fn winograd() -> Result<Program> {
    Program::compile_with(&of_16_channels("winograd", false)?, Rewrite::EXPANDED, |graph| Ok(plan(graph)))
}

/// A 3x3 convolution and a depthwise one with weights for Helium.
///
/// # Errors
/// As [`convnet`].
pub fn vectors() -> Result<Program> {
    Program::compile_with(&of_16_channels("vectors", true)?, Packing::Helium, |graph| Ok(plan(graph)))
}

/// A 3x3 convolution in int8, and a depthwise one if wished.
fn of_16_channels(name: &str, is_depthwise_too: bool) -> Result<Graph> {
    const DIMS: [usize; 4] = [1, 6, 6, 16];
    let window = Window { stride: [1; 2], dilation: [1; 2], pads: [1; 4] };
    let bounds = Bounds::RELU;
    let mut graph = Graph::new(name);
    let x = graph.input("image", &DIMS)?;
    let [w, b] = layer(&mut graph, "conv", &[DIMS[3], 3, 3, DIMS[3]], DIMS[3])?;
    let mut y = graph.apply("conv", Conv2d { window, bounds }, &[x, w, b])?;
    if is_depthwise_too {
        let [w, b] = layer(&mut graph, "depthwise", &[1, 3, 3, DIMS[3]], DIMS[3])?;
        y = graph.apply("depthwise", DepthwiseConv2d { window, bounds }, &[y, w, b])?;
    }
    graph.mark_output(y);
    let samples: Vec<Vec<Data>> =
        (0..4).map(|seed| vec![Data::F32(noise(seed, DIMS.iter().product()))]).collect();
    quantize(&graph, &calibrate(&graph, &samples)?)
}

fn real() -> Result<Graph> {
    let mut graph = Graph::new("convnet");
    let window = |stride, pad| Window { stride: [stride; 2], dilation: [1; 2], pads: [pad; 4] };
    let bounds = Bounds::RELU;
    let x = graph.input("image", &IMAGE)?;
    let weights = layer(&mut graph, "conv", &[C, 3, 3, 1], C)?;
    let x = graph.apply("conv", Conv2d { window: window(1, 1), bounds }, &[x, weights[0], weights[1]])?;
    let weights = layer(&mut graph, "depthwise", &[1, 3, 3, C], C)?;
    let op = DepthwiseConv2d { window: window(2, 1), bounds };
    let x = graph.apply("depthwise", op, &[x, weights[0], weights[1]])?;
    let weights = layer(&mut graph, "pointwise", &[C, 1, 1, C], C)?;
    let x =
        graph.apply("pointwise", Conv2d { window: window(1, 0), bounds }, &[x, weights[0], weights[1]])?;
    let pooling = Pooling { kernel: [4; 2], window: window(4, 0), bounds: Bounds::None };
    let x = graph.apply("pool", AveragePool2d(pooling), &[x])?;
    let weights = layer(&mut graph, "dense", &[N_CLASSES, C], N_CLASSES)?;
    let x = graph.apply("dense", FullyConnected::new(Bounds::None), &[x, weights[0], weights[1]])?;
    graph.mark_output(x);
    Ok(graph)
}

/// Weights of these dimensions and a bias.
fn layer(graph: &mut Graph, name: &str, dims: &[usize], c_out: usize) -> Result<[TensorId; 2]> {
    let seed = name.len() as u32;
    let weights = Data::F32(noise(seed, dims.iter().product()));
    let bias = Data::F32(noise(seed + 1, c_out));
    Ok([
        graph.constant(&format!("{name}.weights"), dims, weights)?,
        graph.constant(&format!("{name}.bias"), &[c_out], bias)?,
    ])
}

/// `n` numbers in -1..1 that look random (xorshift).
fn noise(seed: u32, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as i32 as f32 / i32::MAX as f32
    };
    (0..n).map(|_| next()).collect()
}

/// The outputs of the host for `inputs`, one after the other.
pub fn run(net: &Program, inputs: &[u8]) -> Result<Vec<u8>> {
    let mut outputs = Vec::new();
    for sample in inputs.chunks(IMAGE.iter().product()) {
        let sample = Data::I8(sample.iter().map(|&byte| byte as i8).collect());
        for output in net.run(&[sample])? {
            outputs.extend(output.bytes());
        }
    }
    Ok(outputs)
}
