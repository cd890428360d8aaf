//! Post-training quantization to int8: ranges from calibration data, weights per output channel.
//!
//! The scheme is TensorFlow Lite's: activations asymmetric per tensor, weights symmetric in [-127, 127],
//! biases in i32 at scale(activation) × scale(weights).

use std::collections::HashMap;

use dunlin::DType;
use dunlin::mem::cast;

use crate::ops::{InputRole, OutputQuant};
use crate::program::set_input;
use crate::{Data, Error, Graph, Kind, Node, Program, Quant, Result, TensorId};

/// Least and greatest value that a tensor took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Least.
    pub min: f32,
    /// Greatest.
    pub max: f32,
}

impl Range {
    /// No value yet.
    const EMPTY: Range = Range { min: f32::INFINITY, max: f32::NEG_INFINITY };

    fn of(values: &[f32]) -> Range {
        let mut range = Range::EMPTY;
        range.add(values);
        range
    }

    fn add(&mut self, values: &[f32]) {
        for &v in values {
            self.min = self.min.min(v);
            self.max = self.max.max(v);
        }
    }

    /// The int8 quantization that covers the range and 0.0, which it represents exactly.
    pub fn quant(self) -> Quant {
        let (min, max) = (self.min.min(0.0) as f64, self.max.max(0.0) as f64);
        // A tensor that is always 0 can have any scale.
        let scale = if max > min { ((max - min) / 255.0) as f32 } else { 1.0 };
        let zero_point = (-128.0 - min / scale as f64).round().clamp(-128.0, 127.0);
        Quant::i8(scale, zero_point as i32)
    }
}

/// The greatest stored weight.
pub const WEIGHT_MAX: i32 = 127;

/// Ranges of the activations of a graph.
pub type Ranges = HashMap<TensorId, Range>;

/// Runs `graph` (in real form, f32) on `samples` and returns the range of every activation. A sample has one
/// vector an input, in the order of the graph's inputs.
///
/// # Errors
/// If there are no samples, if one does not fit the inputs, or if an activation is not finite: then the
/// network itself is broken, and the error names the tensor.
pub fn calibrate(graph: &Graph, samples: &[Vec<Data>]) -> Result<Ranges> {
    if samples.is_empty() {
        return Err(Error::Invalid("calibration needs at least one sample".to_string()));
    }
    let program = Program::compile(graph)?;
    let model = program.model()?;
    let mut arena = program.arena();
    let mut session = program.session(&model, &mut arena)?;
    let mut ranges = Ranges::new();
    for (n, sample) in samples.iter().enumerate() {
        if sample.len() != graph.inputs().len() {
            let (have, want) = (sample.len(), graph.inputs().len());
            return Err(Error::Invalid(format!(
                "calibration sample {n} has {have} inputs, `{}` takes {want}",
                graph.name
            )));
        }
        for (i, (data, &id)) in sample.iter().zip(graph.inputs()).enumerate() {
            let what = || format!("calibration sample {n}, input `{}`", graph[id].name);
            set_input(&mut session, i, data).map_err(|source| Error::Model { what: what(), source })?;
            observe(graph, &mut ranges, id, data.as_f32().unwrap_or_default())?;
        }
        let mut outputs = graph.nodes().iter().map(|node| &node.outputs);
        let mut outcome = Ok(());
        session.run_each(|step| {
            step.run();
            for (i, &id) in outputs.next().into_iter().flatten().enumerate() {
                let reals =
                    (graph[id].ty.dtype == DType::F32).then(|| cast::<f32>(step.output_bytes(i))).flatten();
                if let (Ok(()), Some(values)) = (&outcome, reals) {
                    outcome = observe(graph, &mut ranges, id, values);
                }
            }
        });
        outcome?;
    }
    Ok(ranges)
}

fn observe(graph: &Graph, ranges: &mut Ranges, id: TensorId, values: &[f32]) -> Result<()> {
    if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
        return Err(Error::graph(
            &graph[id].name,
            format!("is {bad} on calibration data: train or scale it anew"),
        ));
    }
    ranges.entry(id).or_insert(Range::EMPTY).add(values);
    Ok(())
}

/// Quantizes every node of `graph` (in real form, f32) to int8: the result takes and gives int8.
///
/// # Errors
/// If an operator has no int8 form, or a weight that must be constant is not; names the node.
pub fn quantize(graph: &Graph, ranges: &Ranges) -> Result<Graph> {
    quantize_with(graph, ranges, WEIGHT_MAX)
}

/// [`quantize`] with stored weights of at most `weight_max`: 127, or 7 as four bits hold it.
///
/// # Errors
/// As [`quantize`].
pub fn quantize_with(graph: &Graph, ranges: &Ranges, weight_max: i32) -> Result<Graph> {
    quantize_as(graph, &quants(graph, ranges, weight_max)?, weight_max)
}

/// How activations and weights are stored.
pub type Quants = HashMap<TensorId, Quant>;

/// Quantizations of `graph` (in real form, f32): activations cover their range, and of each channel's weights the greatest
/// is stored as `weight_max`.
///
/// # Errors
/// As [`quantize`].
pub fn quants(graph: &Graph, ranges: &Ranges, weight_max: i32) -> Result<Quants> {
    let range = |id: TensorId| {
        ranges.get(&id).copied().ok_or_else(|| Error::graph(&graph[id].name, "was not calibrated"))
    };
    let mut quants = Quants::new();
    for &id in graph.inputs().iter().filter(|&&id| graph[id].ty.dtype == DType::F32) {
        quants.insert(id, range(id)?.quant());
    }
    for node in graph.nodes() {
        for id in indices(graph, node) {
            quants.insert(id, Quant { dtype: DType::I32, ..Quant::i8(1.0, 0) });
        }
        for (i, &id) in node.inputs.iter().enumerate().filter(|(_, id)| graph.constant_data(**id).is_some()) {
            let values = || f32_constant(graph, node, id);
            let quant = match node.op.input_role(i) {
                InputRole::Activation => Range::of(&values()?).quant(),
                InputRole::Weights { axis } => weight_quant(&values()?, &graph.dims(id), axis, weight_max),
                InputRole::Bias | InputRole::Index | InputRole::Parameter | InputRole::Real => continue,
            };
            // A constant that several nodes share is stored as the first one takes it.
            quants.entry(id).or_insert(quant);
        }
        for &id in node.outputs.iter().filter(|&&id| graph[id].ty.dtype == DType::F32) {
            match node.op.output_quant() {
                OutputQuant::Calibrated => quants.insert(id, range(id)?.quant()),
                OutputQuant::Fixed { scale, zero_point } => quants.insert(id, Quant::i8(scale, zero_point)),
                OutputQuant::SameAs(_) | OutputQuant::Real => None,
            };
        }
    }
    Ok(quants)
}

/// Quantizes every node of `graph` (in real form, f32) as `quants` says, with stored weights of at most `weight_max`.
///
/// # Errors
/// As [`quantize`].
pub fn quantize_as(graph: &Graph, quants: &Quants, weight_max: i32) -> Result<Graph> {
    let quant = |id: TensorId| {
        quants.get(&id).cloned().ok_or_else(|| Error::graph(&graph[id].name, "was not calibrated"))
    };
    let mut quantized = graph.clone();
    for &id in graph.inputs().iter().filter(|&&id| graph[id].ty.dtype == DType::F32) {
        quantized[id].quant = Some(quant(id)?);
    }
    for node in graph.nodes() {
        for id in indices(graph, node) {
            quantize_index(&mut quantized, node, id)?;
            quantized[id].quant = Some(quant(id)?);
        }
        for (i, &id) in node.inputs.iter().enumerate() {
            match node.op.input_role(i) {
                InputRole::Activation if graph.constant_data(id).is_some() => {
                    quantize_constant(&mut quantized, node, id, quant(id)?, [-128, 127])?;
                }
                InputRole::Weights { .. } => {
                    f32_constant(graph, node, id)?;
                    quantize_constant(&mut quantized, node, id, quant(id)?, [-weight_max, weight_max])?;
                }
                InputRole::Bias => quantize_bias(&mut quantized, node, id)?,
                InputRole::Activation | InputRole::Index | InputRole::Parameter | InputRole::Real => {}
            }
        }
        // Indices are integers already.
        for &id in node.outputs.iter().filter(|&&id| graph[id].ty.dtype == DType::F32) {
            quantized[id].quant = Some(match node.op.output_quant() {
                OutputQuant::Calibrated | OutputQuant::Fixed { .. } => quant(id)?,
                OutputQuant::SameAs(i) => activation_quant(&quantized, node, node.inputs[i])?.clone(),
                OutputQuant::Real => {
                    let what = format!("{} has no int8 form; fold or remove it first", node.op.name());
                    return Err(Error::graph(&node.name, what));
                }
            });
        }
    }
    Ok(quantized)
}

/// Symmetric int8 up to `weight_max`, with one scale for each index along `axis`.
fn weight_quant(values: &[f32], dims: &[usize], axis: usize, weight_max: i32) -> Quant {
    let scales = weight_scales(values, dims, axis, weight_max);
    Quant { dtype: DType::I8, scales, zero_point: 0, axis: Some(axis) }
}

/// Of the greatest weight of a tensor, the part that no channel's greatest is taken to be below. Weights that are smaller
/// still come to less than the step of an output; with a scale of their own, a bias beside them would need more than 32
/// bits.
const LEAST_PART: f32 = 1.0 / 4096.0;

/// Scales with which the greatest weight of each index along `axis` is stored as `weight_max`, but for channels that are
/// next to nothing beside others.
pub fn weight_scales(values: &[f32], dims: &[usize], axis: usize, weight_max: i32) -> Vec<f32> {
    let inner: usize = dims[axis + 1..].iter().product();
    let mut greatest = vec![0f32; dims[axis]];
    for (i, w) in values.iter().enumerate() {
        let channel = (i / inner) % dims[axis];
        greatest[channel] = greatest[channel].max(w.abs());
    }
    let least = LEAST_PART * greatest.iter().fold(0f32, |a, &b| a.max(b));
    greatest.iter().map(|&g| if g > 0.0 { g.max(least) / weight_max as f32 } else { 1.0 }).collect()
}

/// The whole numbers among a node's inputs that real numbers stand for.
fn indices(graph: &Graph, node: &Node) -> Vec<TensorId> {
    let inputs = node.inputs.iter().enumerate();
    let is_index = |(i, id): &(usize, &TensorId)| {
        node.op.input_role(*i) == InputRole::Index && graph[**id].ty.dtype == DType::F32
    };
    inputs.filter(is_index).map(|(_, &id)| id).collect()
}

/// Stores whole numbers, of an input or a constant, as i32.
fn quantize_index(graph: &mut Graph, node: &Node, id: TensorId) -> Result<()> {
    match &graph[id].kind {
        Kind::Constant(Data::F32(reals)) => {
            let stored = reals.iter().map(|real| real.round() as i32).collect();
            graph[id].kind = Kind::Constant(Data::I32(stored));
        }
        Kind::Input | Kind::Constant(_) => {}
        Kind::State(_) | Kind::Value => {
            let what =
                format!("looks rows up by `{}`, which is computed: give it as an input", graph[id].name);
            return Err(Error::graph(&node.name, what));
        }
    }
    Ok(())
}

/// Replaces an f32 constant by stored numbers from `lo` to `hi`.
fn quantize_constant(
    graph: &mut Graph,
    node: &Node,
    id: TensorId,
    quant: Quant,
    [lo, hi]: [i32; 2],
) -> Result<()> {
    if graph[id].quant.is_some() {
        return Ok(()); // shared with an earlier node
    }
    let values = f32_constant(graph, node, id)?;
    let scales = scales_of_elements(&quant, &graph.dims(id));
    let stored = values.iter().zip(scales).map(|(&v, scale)| {
        ((v / scale).round_ties_even() + quant.zero_point as f32).clamp(lo as f32, hi as f32) as i8
    });
    graph[id].kind = Kind::Constant(Data::I8(stored.collect()));
    graph[id].quant = Some(quant);
    Ok(())
}

/// The scale of each element of a tensor, in row-major order.
fn scales_of_elements<'q>(quant: &'q Quant, dims: &[usize]) -> impl Iterator<Item = f32> + use<'q> {
    let (inner, n): (usize, usize) = match quant.axis {
        Some(axis) if quant.scales.len() > 1 => (dims[axis + 1..].iter().product(), dims[axis]),
        _ => (usize::MAX, 1),
    };
    (0..dims.iter().product()).map(move |i: usize| quant.scales[(i / inner) % n])
}

/// The real numbers that a quantized int8 constant of `graph` stands for.
pub fn constant_reals(graph: &Graph, id: TensorId) -> Option<Vec<f32>> {
    let (stored, quant) = (graph.constant_data(id)?.as_i8()?, graph[id].quant.as_ref()?);
    let scales = scales_of_elements(quant, &graph.dims(id));
    Some(stored.iter().zip(scales).map(|(&q, scale)| scale * (q as i32 - quant.zero_point) as f32).collect())
}

/// A bias in i32, at the scales of the activations and weights of its node.
fn quantize_bias(graph: &mut Graph, node: &Node, id: TensorId) -> Result<()> {
    let x_scale = activation_quant(graph, node, node.inputs[0])?.scale();
    let w_scales = activation_quant(graph, node, node.inputs[1])?.scales.clone();
    let values = f32_constant(graph, node, id)?;
    let scales: Vec<f32> = (0..values.len()).map(|c| x_scale * w_scales[c.min(w_scales.len() - 1)]).collect();
    let stored = values.iter().zip(&scales).map(|(&b, &scale)| (b as f64 / scale as f64).round() as i32);
    let stored = Data::I32(stored.collect());
    let quant = Quant { dtype: DType::I32, scales, zero_point: 0, axis: Some(0) };
    // A bias shared by two layers has two scales: each gets its own copy.
    let copy = graph.add_tensor(crate::Tensor {
        kind: Kind::Constant(stored),
        quant: Some(quant),
        ..graph[id].clone()
    });
    if let Some(node) = graph.nodes_mut().iter_mut().find(|n| n.outputs == node.outputs) {
        node.inputs.iter_mut().filter(|input| **input == id).for_each(|input| *input = copy);
    }
    Ok(())
}

fn activation_quant<'g>(graph: &'g Graph, node: &Node, id: TensorId) -> Result<&'g Quant> {
    let name = &graph[id].name;
    let missing = || Error::graph(&node.name, format!("reads `{name}`, which is not quantized"));
    graph[id].quant.as_ref().ok_or_else(missing)
}

fn f32_constant(graph: &Graph, node: &Node, id: TensorId) -> Result<Vec<f32>> {
    let name = &graph[id].name;
    let values = graph.constant_data(id).and_then(Data::as_f32).ok_or_else(|| {
        Error::graph(
            &node.name,
            format!("`{name}` is not an f32 constant: int8 weights must be known when converting"),
        )
    })?;
    match values.iter().find(|v| !v.is_finite()) {
        Some(bad) => {
            Err(Error::graph(&node.name, format!("`{name}` holds {bad}: the training has diverged")))
        }
        None => Ok(values.to_vec()),
    }
}

/// Real numbers as the stored int8 of a model's input: scaled, rounded half to even, clamped.
pub fn to_i8(values: &[f32], scale: f32, zero_point: i32) -> Vec<i8> {
    let stored = |&v: &f32| ((v / scale).round_ties_even() + zero_point as f32).clamp(-128.0, 127.0) as i8;
    values.iter().map(stored).collect()
}

/// Stored int8 as the real numbers they stand for.
pub fn to_f32(stored: &[i8], scale: f32, zero_point: i32) -> Vec<f32> {
    stored.iter().map(|&q| scale * (q as i32 - zero_point) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_exact_and_the_ends_are_covered() {
        for (min, max) in [(0.0, 6.0), (-1.0, 1.0), (0.3, 2.0), (-5.0, -1.0), (0.0, 0.0), (-1e-30, 1e-30)] {
            let quant = Range { min, max }.quant();
            let back = |q: i32| quant.scale() * (q - quant.zero_point) as f32;
            assert!((-128..=127).contains(&quant.zero_point), "{min} {max}");
            assert!(
                back(-128) <= min + 0.51 * quant.scale() && back(127) >= max - 0.51 * quant.scale(),
                "{min} {max}"
            );
        }
    }

    #[test]
    fn weights_are_scaled_per_channel() {
        let quant = weight_quant(&[1.0, -2.0, 0.0, 0.0, 12.7, 0.1], &[3, 2], 0, WEIGHT_MAX);
        assert_eq!(quant.scales, [2.0 / 127.0, 1.0, 12.7 / 127.0]);
        let depthwise = weight_quant(&[1.0, -2.0, 4.0, 1.0], &[1, 2, 2], 2, WEIGHT_MAX);
        assert_eq!(depthwise.scales, [4.0 / 127.0, 2.0 / 127.0]);
    }

    /// A penalty draws weights to almost 0, while their bias stays.
    #[test]
    fn a_channel_of_tiny_weights_keeps_its_bias() {
        use dunlin::ops::FullyConnected;
        use dunlin::ops::bounds::Bounds;
        let mut g = Graph::new("tiny");
        let x = g.input("x", &[1, 2]).unwrap();
        let w = g.constant("w", &[2, 2], Data::F32(vec![0.5, -1.0, 1e-20, -1e-21])).unwrap();
        let b = g.constant("b", &[2], Data::F32(vec![0.0, 0.75])).unwrap();
        let y = g.apply("dense", FullyConnected::new(Bounds::None), &[x, w, b]).unwrap();
        g.mark_output(y);
        let samples = [[1.0, 1.0], [-1.0, 0.5]].map(|x| vec![Data::F32(x.to_vec())]);
        let int8 = quantize(&g, &calibrate(&g, &samples).unwrap()).unwrap();
        let quant = int8[int8.outputs()[0]].quant.clone().unwrap();
        let outputs = crate::Program::compile(&int8).unwrap().run(&[Data::I8(vec![127, 127])]).unwrap();
        let Data::I8(outputs) = &outputs[0] else { panic!("int8 gives int8") };
        let real = to_f32(outputs, quant.scale(), quant.zero_point);
        assert!((real[1] - 0.75).abs() < quant.scale(), "{real:?}");
    }

    /// conv → relu → depthwise → relu6 → add → mean → dense → softmax, with weights by a rule.
    fn network() -> Graph {
        use dunlin::ops::bounds::Bounds;
        use dunlin::ops::window::Window;
        use dunlin::ops::{Add, Conv2d, DepthwiseConv2d, FullyConnected, Mean, Softmax};
        let mut g = Graph::new("network");
        let x = g.input("x", &[1, 6, 6, 2]).unwrap();
        let weights = |g: &mut Graph, dims: &[usize], step: f32| {
            let n: usize = dims.iter().product();
            let values = (0..n).map(|i| ((i * 29 % 23) as f32 - 11.0) * step).collect();
            g.constant("w", dims, Data::F32(values)).unwrap()
        };
        let window = Window { pads: [1; 4], ..Window::UNIT };
        let (w, b) = (weights(&mut g, &[4, 3, 3, 2], 0.02), weights(&mut g, &[4], 0.05));
        let a = g.apply("conv", Conv2d { window, bounds: Bounds::RELU }, &[x, w, b]).unwrap();
        let (w, b) = (weights(&mut g, &[1, 3, 3, 4], 0.03), weights(&mut g, &[4], 0.1));
        let y = g.apply("depthwise", DepthwiseConv2d { window, bounds: Bounds::RELU6 }, &[a, w, b]).unwrap();
        let y = g.apply("add", Add { bounds: Bounds::None, factors: None }, &[a, y]).unwrap();
        let y = g.apply("mean", Mean { axes: 0b0110, keep_dims: false, factor: None }, &[y]).unwrap();
        let (w, b) = (weights(&mut g, &[3, 4], 0.2), weights(&mut g, &[3], 0.01));
        let y = g.apply("dense", FullyConnected::new(Bounds::None), &[y, w, b]).unwrap();
        let y = g.apply("softmax", Softmax::F32 { beta: 1.0 }, &[y]).unwrap();
        g.mark_output(y);
        g
    }

    #[test]
    fn a_quantized_network_stays_near_the_real_one() {
        let graph = network();
        let sample =
            |n: usize| (0..72).map(|i| ((i * 31 + n * 17) % 41) as f32 / 20.0 - 1.0).collect::<Vec<_>>();
        let samples: Vec<Vec<Data>> = (0..20).map(|n| vec![Data::F32(sample(n))]).collect();
        let quantized = quantize(&graph, &calibrate(&graph, &samples).unwrap()).unwrap();
        let (real, int8) = (Program::compile(&graph).unwrap(), Program::compile(&quantized).unwrap());
        let x = quantized[quantized.inputs()[0]].quant.clone().unwrap();
        for n in 20..30 {
            let Data::F32(want) = &real.run(&[Data::F32(sample(n))]).unwrap()[0] else { panic!() };
            let stored = to_i8(&sample(n), x.scale(), x.zero_point);
            let Data::I8(have) = &int8.run(&[Data::I8(stored)]).unwrap()[0] else { panic!() };
            for (have, want) in to_f32(have, 1.0 / 256.0, -128).iter().zip(want) {
                assert!((have - want).abs() < 0.02, "{have} {want}");
            }
        }
    }

    #[test]
    fn broken_numbers_are_named() {
        let graph = network();
        let error = calibrate(&graph, &[vec![Data::F32(vec![f32::NAN; 72])]]).unwrap_err().to_string();
        assert!(error.contains("x: is NaN on calibration data"), "{error}");
        assert!(calibrate(&graph, &[]).unwrap_err().to_string().contains("at least one sample"));
    }
}
