//! Recurrent layers on sequences `[n, t, c]`.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{self, FullyConnected};

use super::attention::sequence;
use super::{Initializer, Layer, Mode, Trace};
use crate::{Result, TensorId};

/// Gated recurrent unit: the last hidden state `[n, units]`, or every one `[n, t, units]`.
///
/// Parameters are those of PyTorch's `GRU`, in its order of the gates (reset, update, new): `weights` `[3 * units, c]`
/// (`weight_ih`), `recurrent` `[3 * units, units]` (`weight_hh`), `bias` (`bias_ih`) and `recurrent_bias` (`bias_hh`).
/// Keras (`reset_after`) has the transposed matrices with update before reset; ONNX (`linear_before_reset`) update,
/// reset, new. `weights` start as Glorot's uniform of each gate, `recurrent` as orthogonal, biases as zeros.
#[derive(Clone, Copy, Debug)]
pub struct Gru {
    units: usize,
    sequences: bool,
    unrolled: bool,
}

impl Gru {
    /// `units` numbers of hidden state.
    pub fn new(units: usize) -> Gru {
        Gru { units, sequences: false, unrolled: false }
    }

    /// Gives every hidden state, for a recurrent layer behind it.
    pub fn sequences(self) -> Gru {
        Gru { sequences: true, ..self }
    }

    /// As operators of their own for every step, not one for all: many more, but such as other formats have, too.
    pub fn unrolled(self) -> Gru {
        Gru { unrolled: true, ..self }
    }
}

impl Layer for Gru {
    fn kind(&self) -> &'static str {
        "gru"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let mut inputs = parameters(cx, x, self.units, 3)?;
        inputs.push(cx.parameter("recurrent_bias", &[3 * self.units], Initializer::Zeros, [1, 1])?);
        if self.unrolled {
            return unrolled(cx, self.units, self.sequences, &inputs, gru_step);
        }
        every_or_last(cx, self.sequences, |sequences| ops::Gru { sequences }.into(), &inputs)
    }
}

/// Long short-term memory: the last hidden state `[n, units]`, or every one `[n, t, units]`.
///
/// Parameters are those of PyTorch's `LSTM`, in its order of the gates, which is also that of Keras: input, forget, new,
/// output. `weights` `[4 * units, c]` (`weight_ih`; Keras' transposed kernel), `recurrent` `[4 * units, units]`
/// (`weight_hh`), and one `bias` `[4 * units]`, which is the sum of PyTorch's two. ONNX has the order input, output,
/// forget, new. `weights` start as Glorot's uniform of each gate, `recurrent` as orthogonal, biases as zeros.
#[derive(Clone, Copy, Debug)]
pub struct Lstm {
    units: usize,
    sequences: bool,
    unrolled: bool,
}

impl Lstm {
    /// `units` numbers of hidden state.
    pub fn new(units: usize) -> Lstm {
        Lstm { units, sequences: false, unrolled: false }
    }

    /// Gives every hidden state, for a recurrent layer behind it.
    pub fn sequences(self) -> Lstm {
        Lstm { sequences: true, ..self }
    }

    /// As operators of their own for every step, not one for all: many more, but such as other formats have, too.
    pub fn unrolled(self) -> Lstm {
        Lstm { unrolled: true, ..self }
    }
}

impl Layer for Lstm {
    fn kind(&self) -> &'static str {
        "lstm"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let inputs = parameters(cx, x, self.units, 4)?;
        if self.unrolled {
            return unrolled(cx, self.units, self.sequences, &inputs, lstm_step);
        }
        every_or_last(cx, self.sequences, |sequences| ops::Lstm::new(sequences).into(), &inputs)
    }
}

/// The sequences with the parameters of a layer of so many gates.
fn parameters(cx: &mut Trace, x: TensorId, units: usize, gates: usize) -> Result<Vec<TensorId>> {
    let [_, _, c] = sequence(cx, x)?;
    let rows = gates * units;
    let (glorot, zeros) = (Initializer::GlorotUniform, Initializer::Zeros);
    Ok(vec![
        x,
        cx.parameter("weights", &[rows, c], glorot, [c, units])?,
        cx.parameter("recurrent", &[rows, units], Initializer::Orthogonal, [units, units])?,
        cx.parameter("bias", &[rows], zeros, [1, 1])?,
    ])
}

/// In training every state is made, which the gradient asks for, and the last is cut out.
fn every_or_last(
    cx: &mut Trace,
    sequences: bool,
    op: impl Fn(bool) -> crate::ops::Op,
    inputs: &[TensorId],
) -> Result<TensorId> {
    if sequences || cx.mode() == Mode::Inference {
        return cx.apply(op(sequences), inputs);
    }
    let every = cx.apply(op(true), inputs)?;
    let [n, t, units] = cx.dims(every)[..] else { return Err(cx.error("makes no sequences")) };
    let (begin, len) = ([0, t as u32 - 1, 0, 0], [n as u32, 1, units as u32, 1]);
    let last = cx.apply(ops::Slice { begin, len, stride: [1; 4] }, &[every])?;
    let name = cx.name("");
    cx.graph.reshape(&name, last, &[n, units])
}

/// States between steps: the hidden state, and for an LSTM its cells.
type States = [TensorId; 2];

/// A step on `x` `[n, c]` with the parameters of a layer: the states after those before.
type Step = fn(&mut Trace, TensorId, &[TensorId], States) -> Result<States>;

/// The layer step by step.
fn unrolled(
    cx: &mut Trace,
    units: usize,
    sequences: bool,
    inputs: &[TensorId],
    step: Step,
) -> Result<TensorId> {
    let [n, t, c] = sequence(cx, inputs[0])?;
    let name = cx.name("");
    let zeros = cx.graph.filled(&format!("{name}/zeros"), &[n, units], 0.0)?;
    let mut states = [zeros; 2];
    let mut every = Vec::new();
    for i in 0..t {
        let (begin, len) = ([0, i as u32, 0, 0], [n as u32, 1, c as u32, 1]);
        let x = cx.apply(ops::Slice { begin, len, stride: [1; 4] }, &inputs[..1])?;
        let x = cx.graph.reshape(&name, x, &[n, c])?;
        states = step(cx, x, &inputs[1..], states)?;
        if sequences {
            every.push(cx.graph.reshape(&name, states[0], &[n, 1, units])?);
        }
    }
    // As many at a time as an operator takes.
    while every.len() > 1 {
        let concat = |part: &[TensorId]| match part {
            [one] => Ok(*one),
            several => cx.apply(ops::Concat { axis: 1 }, several),
        };
        every = every.chunks(dunlin::ops::MAX_INPUTS).map(concat).collect::<Result<_>>()?;
    }
    Ok(every.first().copied().unwrap_or(states[0]))
}

/// Columns of gate `gate` in `arguments` `[n, gates * units]`.
fn gate(cx: &mut Trace, arguments: TensorId, h: TensorId, gate: usize) -> Result<TensorId> {
    let [n, units] = [0, 1].map(|i| cx.graph[h].ty.shape.dim(i) as u32);
    let (begin, len) = ([0, gate as u32 * units, 0, 0], [n, units, 1, 1]);
    cx.apply(ops::Slice { begin, len, stride: [1; 4] }, &[arguments])
}

fn gru_step(cx: &mut Trace, x: TensorId, parameters: &[TensorId], [h, _]: States) -> Result<States> {
    let &[w, u, b, c] = parameters else { return Err(cx.error("has four parameters")) };
    let dense = FullyConnected::new(Bounds::None);
    let from_input = cx.apply(dense, &[x, w, b])?;
    let from_hidden = cx.apply(dense, &[h, u, c])?;
    let name = cx.name("");
    let sigmoid = |cx: &mut Trace, i| {
        let [a, b] = [gate(cx, from_input, h, i)?, gate(cx, from_hidden, h, i)?];
        let sum = cx.graph.add(&name, a, b)?;
        cx.apply(ops::Logistic {}, &[sum])
    };
    let (r, z) = (sigmoid(cx, 0)?, sigmoid(cx, 1)?);
    let [own, hidden] = [gate(cx, from_input, h, 2)?, gate(cx, from_hidden, h, 2)?];
    let part = cx.graph.mul(&name, r, hidden)?;
    let sum = cx.graph.add(&name, own, part)?;
    let new = cx.apply(ops::Tanh {}, &[sum])?;
    let difference = cx.graph.sub(&name, h, new)?;
    let kept = cx.graph.mul(&name, z, difference)?;
    Ok([cx.graph.add(&name, new, kept)?; 2])
}

fn lstm_step(cx: &mut Trace, x: TensorId, parameters: &[TensorId], [h, cells]: States) -> Result<States> {
    let &[w, u, b] = parameters else { return Err(cx.error("has three parameters")) };
    let dense = FullyConnected::new(Bounds::None);
    let (from_input, from_hidden) = (cx.apply(dense, &[x, w, b])?, cx.apply(dense, &[h, u])?);
    let name = cx.name("");
    let arguments = cx.graph.add(&name, from_input, from_hidden)?;
    let sigmoid = |cx: &mut Trace, i| {
        let argument = gate(cx, arguments, h, i)?;
        cx.apply(ops::Logistic {}, &[argument])
    };
    let (i, f, o) = (sigmoid(cx, 0)?, sigmoid(cx, 1)?, sigmoid(cx, 3)?);
    let argument = gate(cx, arguments, h, 2)?;
    let g = cx.apply(ops::Tanh {}, &[argument])?;
    let (kept, fresh) = (cx.graph.mul(&name, f, cells)?, cx.graph.mul(&name, i, g)?);
    let cells = cx.graph.add(&name, kept, fresh)?;
    let curve = cx.apply(ops::Tanh {}, &[cells])?;
    Ok([cx.graph.mul(&name, o, curve)?, cells])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Dataset, Dense, FitOptions, Network, Optimizer, Sequential, Softmax};
    use crate::pack::Packing;
    use crate::plan::{Choice, Request};
    use crate::quantize::{calibrate, quantize, to_f32, to_i8};
    use crate::{Data, Program, export, import};

    const STEPS: usize = 40;

    fn windows(n: usize) -> Vec<Vec<f32>> {
        let at = |window: usize, i: usize| ((i * 37 + window * 101 + i / 7) % 83) as f32 / 41.0 - 1.0;
        (0..n).map(|window| (0..STEPS * 3).map(|i| at(window, i)).collect()).collect()
    }

    /// In int8 near f32; and the same bytes where the window arrives step by step, of which there is one at a time then.
    #[test]
    fn recurrent_networks_run_in_int8_and_fed_by_rows() {
        let networks = [
            Sequential::new().then(Gru::new(12)),
            Sequential::new().then(Lstm::new(12)),
            Sequential::new().then(Gru::new(8).sequences()).then(Lstm::new(6)),
        ];
        for (i, layers) in networks.into_iter().enumerate() {
            let layers = layers.then(Dense::new(4)).then(Softmax);
            let network = Network::new("recurrent", &[STEPS, 3], layers, i as u64).unwrap();
            let graph = network.inference_graph(1).unwrap();
            let windows = windows(30);
            let samples: Vec<Vec<Data>> = windows.iter().map(|x| vec![Data::F32(x.clone())]).collect();
            let quantized = quantize(&graph, &calibrate(&graph, &samples).unwrap()).unwrap();
            let (real, whole) = (Program::compile(&graph).unwrap(), Program::compile(&quantized).unwrap());
            let request = Request { choice: Some(Choice::Rows), fed: true, effort: 1, ..Request::default() };
            let fed =
                Program::compile_with(&quantized, Packing::Portable, |graph| request.plan(graph)).unwrap();
            let bytes = [&whole, &fed].map(|program| program.plan.arena_bytes);
            // All of the window, or one step of it.
            assert!(bytes[0] >= STEPS * 3 && bytes[1] < 120 || i == 2, "{i}: {bytes:?}");
            let quant = quantized[quantized.inputs()[0]].quant.clone().unwrap();
            for x in &windows {
                let stored = [Data::I8(to_i8(x, quant.scale(), quant.zero_point))];
                let y = whole.run(&stored).unwrap();
                assert_eq!(fed.run(&stored).unwrap(), y);
                let exact = real.run(&[Data::F32(x.clone())]).unwrap();
                for (q, real) in
                    to_f32(y[0].as_i8().unwrap(), 1.0 / 256.0, -128).iter().zip(exact[0].as_f32().unwrap())
                {
                    assert!((q - real).abs() < 0.03, "{i}: {q} {real}");
                }
            }
        }
    }

    /// TensorFlow Lite has no such operator for either, but those that it is made of.
    #[test]
    fn unrolled_layers_are_exported() {
        let windows = windows(8).into_iter().flat_map(|x| x[..4 * 3].to_vec()).collect();
        let data = Dataset::new(&[4, 3], windows, &[1], vec![0.0; 8]).unwrap();
        let quantized = |layers: Sequential| {
            let network = Network::new("recurrent", &[4, 3], layers.then(Dense::new(2)), 1).unwrap();
            network.quantized(&data).unwrap()
        };
        let layers = Sequential::new;
        for one in [layers().then(Gru::new(5)), layers().then(Lstm::new(5))] {
            let error = export::tflite(&quantized(one)).unwrap_err().to_string();
            assert!(error.contains("make the layer of other operators (`unrolled`)"), "{error}");
        }
        for unrolled in [layers().then(Gru::new(5).unrolled()), layers().then(Lstm::new(5).unrolled())] {
            let quantized = quantized(unrolled);
            let imported = import::read(&export::tflite(&quantized).unwrap(), "unrolled.tflite").unwrap();
            let programs = [&quantized, &imported].map(|graph| Program::compile(graph).unwrap());
            let quant = quantized[quantized.inputs()[0]].quant.clone().unwrap();
            for i in 0..data.len() {
                let stored = [Data::I8(to_i8(data.sample(i), quant.scale(), quant.zero_point))];
                let [own, back] = programs.each_ref().map(|program| program.run(&stored).unwrap());
                assert_eq!(own, back);
            }
        }
    }

    /// Step by step or in one operator: the same numbers, gradients included.
    #[test]
    fn unrolled_layers_learn_the_same() {
        let windows = windows(12);
        let x = windows.iter().flat_map(|x| &x[..6 * 3]).copied().collect();
        let labels: Vec<usize> = (0..12).map(|i| i % 3).collect();
        let data = Dataset::classification(&[6, 3], x, &labels, 3).unwrap();
        let optimizer = Optimizer::momentum(0.1, 0.9);
        let options = FitOptions { epochs: 3, batch_size: 5, optimizer, ..FitOptions::default() };
        let trained = |layers: Sequential| {
            let layers = layers.then(Dense::new(3)).then(Softmax);
            let mut network = Network::new("recurrent", &[6, 3], layers, 3).unwrap();
            network.fit(&data, &options).unwrap();
            network.parameters().to_vec()
        };
        let layers = Sequential::new;
        for (one, unrolled) in [
            (layers().then(Gru::new(5)), layers().then(Gru::new(5).unrolled())),
            (layers().then(Lstm::new(5)), layers().then(Lstm::new(5).unrolled())),
            (layers().then(Gru::new(5).sequences()), layers().then(Gru::new(5).sequences().unrolled())),
        ] {
            for (one, unrolled) in trained(one).iter().zip(&trained(unrolled)) {
                assert_eq!(one.dims, unrolled.dims);
                for (a, b) in one.values.iter().zip(&unrolled.values) {
                    assert!((a - b).abs() < 1e-5, "{}: {a} {b}", one.name);
                }
            }
        }
    }
}
