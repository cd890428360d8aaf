//! Networks that nobody designed: random operators one behind another, quantized for random data. What holds
//! for them is not special to the networks at hand.

use dunlin::Shape;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::resize::Resize;
use dunlin::ops::window::Window;
use dunlin::ops::{
    Add, AveragePool2d, Clamp, Concat, Conv2d, DepthwiseConv2d, FullyConnected, HardSwish, LeakyRelu,
    Logistic, MaxPool2d, Maximum, Mean, Minimum, Mul, Pad, Prelu, Reshape, ResizeBilinear, ResizeNearest,
    Slice, Softmax, Sub, Tanh, Transpose,
};
use dunlin_converter::ops::Op;
use dunlin_converter::padding::same;
use dunlin_converter::quantize::{calibrate, quantize};
use dunlin_converter::{Data, Graph, Result, TensorId, passes};
use fastrand::Rng;

/// The most elements of a tensor.
const MAX_ELEMENTS: usize = 1024;

/// A network in f32 and in int8.
pub struct Networks {
    /// Simplified.
    pub real: Graph,
    /// The same, quantized.
    pub quantized: Graph,
}

/// The network of a seed.
///
/// # Errors
/// If an operator refuses its quantization: of a rare random range.
pub fn network(seed: u64) -> Result<Networks> {
    let mut rng = Rng::with_seed(seed);
    let mut real = Graph::new(&format!("random{seed}"));
    let dims = [1, rng.usize(3..12), rng.usize(3..12), rng.usize(1..6)];
    let mut x = real.input("x", &dims)?;
    let mut last = Vec::new();
    for i in 0..rng.usize(3..12) {
        x = extend(&mut real, &mut rng, &format!("node{i}"), x, &last)?;
        last.push(x);
    }
    x = classify(&mut real, &mut rng, x)?;
    real.mark_output(x);
    passes::simplify(&mut real)?;
    let sample = |_| vec![Data::F32(reals(&mut rng, dims.iter().product(), 1.0))];
    let samples: Vec<Vec<Data>> = (0..8).map(sample).collect();
    let quantized = quantize(&real, &calibrate(&real, &samples)?)?;
    Ok(Networks { real, quantized })
}

/// Appends an operator to `x` that its shape allows.
fn extend(graph: &mut Graph, rng: &mut Rng, name: &str, x: TensorId, last: &[TensorId]) -> Result<TensorId> {
    for _ in 0..100 {
        // A refused operator leaves its constants behind, which nothing reads.
        let before = graph.clone();
        let made = match rng.u8(0..8) {
            0 | 1 => layer(graph, rng, name, x),
            2 => pool(graph, rng, name, x),
            3 => arithmetic(graph, rng, name, x, last),
            4 | 5 => activation(graph, rng, name, x),
            _ => movement(graph, rng, name, x, last),
        };
        match made {
            Ok(made) if (1..=MAX_ELEMENTS).contains(&graph[made].ty.shape.count()) => return Ok(made),
            _ => *graph = before,
        }
    }
    graph.apply(name, Tanh {}, &[x])
}

/// Flattened, one dense layer and its softmax.
fn classify(graph: &mut Graph, rng: &mut Rng, x: TensorId) -> Result<TensorId> {
    let n = graph[x].ty.shape.count();
    let x = graph.reshape("flat", x, &[1, n])?;
    let (c_out, bounds) = (rng.usize(2..9), bounds(rng));
    let inputs = weights(graph, rng, x, &[c_out, n], c_out)?;
    let y = graph.apply("dense", FullyConnected::new(bounds), &inputs)?;
    if rng.bool() { graph.apply("softmax", Softmax::F32 { beta: 1.0 }, &[y]) } else { Ok(y) }
}

fn reals(rng: &mut Rng, n: usize, spread: f32) -> Vec<f32> {
    (0..n).map(|_| spread * (rng.f32() + rng.f32() + rng.f32() - 1.5)).collect()
}

fn constant(graph: &mut Graph, rng: &mut Rng, dims: &[usize], spread: f32) -> Result<TensorId> {
    let data = Data::F32(reals(rng, dims.iter().product(), spread));
    graph.constant(&format!("constant{}", graph.n_tensors()), dims, data)
}

/// `x`, weights and mostly a bias.
fn weights(
    graph: &mut Graph,
    rng: &mut Rng,
    x: TensorId,
    dims: &[usize],
    c_out: usize,
) -> Result<Vec<TensorId>> {
    let fan_in = dims.iter().product::<usize>() as f32 / c_out as f32;
    let mut inputs = vec![x, constant(graph, rng, dims, 2.0 / fan_in.sqrt())?];
    if rng.u8(0..4) > 0 {
        inputs.push(constant(graph, rng, &[c_out], 0.5)?);
    }
    Ok(inputs)
}

fn bounds(rng: &mut Rng) -> Bounds {
    match rng.u8(0..8) {
        0 | 1 => Bounds::RELU,
        2 => Bounds::RELU6,
        3 => Bounds::F32 { lo: -1.0, hi: 1.0 },
        4 => Bounds::F32 { lo: -0.3, hi: 0.8 },
        _ => Bounds::None,
    }
}

/// A window; padded by no rule only if `anyhow`.
fn window(rng: &mut Rng, dims: &[usize], kernel: [usize; 2], dilated: bool, anyhow: bool) -> Result<Window> {
    let stride = [rng.u8(1..4), rng.u8(1..4)];
    let dilation = if dilated && rng.bool() { [rng.u8(1..3), rng.u8(1..3)] } else { [1, 1] };
    let axis = |i: usize| same(kernel[i], stride[i], dilation[i], dims[i + 1]);
    let pads = match rng.u8(0..3) {
        0 => [0; 4],
        1 if anyhow => [(); 4].map(|()| rng.u8(0..3)),
        _ => {
            let ([top, bottom], [left, right]) = (axis(0)?, axis(1)?);
            [top, left, bottom, right]
        }
    };
    Ok(Window { stride, dilation, pads })
}

fn layer(graph: &mut Graph, rng: &mut Rng, name: &str, x: TensorId) -> Result<TensorId> {
    let dims = graph.dims(x);
    let &[_, _, _, c] = &dims[..] else { return graph.apply(name, Tanh {}, &[x]) };
    let [kh, kw] = [rng.usize(1..4), rng.usize(1..4)];
    let window = window(rng, &dims, [kh, kw], true, true)?;
    let bounds = bounds(rng);
    if rng.bool() {
        let c_out = rng.usize(1..10);
        let inputs = weights(graph, rng, x, &[c_out, kh, kw, c], c_out)?;
        return graph.apply(name, Conv2d { window, bounds }, &inputs);
    }
    let c_out = c * rng.usize(1..3);
    let inputs = weights(graph, rng, x, &[1, kh, kw, c_out], c_out)?;
    graph.apply(name, DepthwiseConv2d { window, bounds }, &inputs)
}

fn pool(graph: &mut Graph, rng: &mut Rng, name: &str, x: TensorId) -> Result<TensorId> {
    let dims = graph.dims(x);
    if dims.len() != 4 || rng.u8(0..3) == 0 {
        let axes = rng.u8(1..2.max(1 << dims.len()));
        return graph.apply(name, Mean { axes, keep_dims: rng.bool(), factor: None }, &[x]);
    }
    let kernel = [rng.u8(1..4), rng.u8(1..4)];
    let window = window(rng, &dims, kernel.map(usize::from), false, false)?;
    let pooling = Pooling { kernel, window, bounds: bounds(rng) };
    if rng.bool() {
        graph.apply(name, MaxPool2d(pooling), &[x])
    } else {
        graph.apply(name, AveragePool2d(pooling), &[x])
    }
}

fn arithmetic(
    graph: &mut Graph,
    rng: &mut Rng,
    name: &str,
    x: TensorId,
    last: &[TensorId],
) -> Result<TensorId> {
    let dims = graph.dims(x);
    let alike: Vec<TensorId> = last.iter().copied().filter(|&id| graph.dims(id) == dims).collect();
    let y = match rng.choice(&alike) {
        Some(&y) if rng.bool() => y,
        _ => constant(graph, rng, &[dims.last().copied().unwrap_or(1)], 1.5)?,
    };
    let bounds = bounds(rng);
    let op: Op = match rng.u8(0..5) {
        0 => Add { bounds, factors: None }.into(),
        1 => Sub { bounds, factors: None }.into(),
        2 => Mul { bounds, factor: None }.into(),
        3 => Minimum {}.into(),
        _ => Maximum {}.into(),
    };
    let inputs = if rng.u8(0..4) == 0 { [y, x] } else { [x, y] };
    graph.apply(name, op, &inputs)
}

fn activation(graph: &mut Graph, rng: &mut Rng, name: &str, x: TensorId) -> Result<TensorId> {
    let op: Op = match rng.u8(0..7) {
        0 => HardSwish {}.into(),
        1 => Logistic {}.into(),
        2 => Tanh {}.into(),
        3 => LeakyRelu { alpha: rng.f32() - 0.4 }.into(),
        4 => {
            let c = graph.dims(x).last().copied().unwrap_or(1);
            let slopes = constant(graph, rng, &[c], 0.5)?;
            return graph.apply(name, Prelu { factors: None }, &[x, slopes]);
        }
        _ => Clamp { bounds: bounds(rng) }.into(),
    };
    graph.apply(name, op, &[x])
}

/// Operators that move elements.
fn movement(
    graph: &mut Graph,
    rng: &mut Rng,
    name: &str,
    x: TensorId,
    last: &[TensorId],
) -> Result<TensorId> {
    let shape = graph[x].ty.shape;
    let rank = shape.rank();
    let size = [rng.u16(1..12), rng.u16(1..12)];
    let align_corners = rng.bool();
    let resize = Resize { size, align_corners, half_pixel_centers: !align_corners && rng.bool() };
    let op: Op = match rng.u8(0..7) {
        0 => ResizeNearest(resize).into(),
        1 => ResizeBilinear(resize).into(),
        2 => {
            let mut pads = [[0; 2]; 4];
            pads[..rank].fill_with(|| [rng.u16(0..3), rng.u16(0..3)]);
            Pad { pads }.into()
        }
        3 => {
            let mut perm = [0, 1, 2, 3];
            rng.shuffle(&mut perm[..rank]);
            Transpose { perm }.into()
        }
        4 => {
            let mut op = Slice::all(&shape);
            for axis in 0..rank {
                op.stride[axis] = [1, 1, 2, -1][rng.usize(0..4)];
                op.len[axis] = rng.u32(1..=shape.dim(axis) as u32);
                op.begin[axis] = rng.u32(0..shape.dim(axis) as u32);
            }
            op.into()
        }
        5 => {
            let mut dims = graph.dims(x);
            rng.shuffle(&mut dims);
            Reshape::new(&Shape::new(&dims).unwrap_or(shape)).into()
        }
        _ => {
            let axis = rng.usize(0..rank.max(1));
            let other = rng.choice(last).copied().unwrap_or(x);
            return graph.apply(name, Concat { axis: axis as u8 }, &[x, other, x]);
        }
    };
    graph.apply(name, op, &[x])
}
