//! Every gradient rule against central differences, both computed by the runtime.

use dunlin::DType;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::ops::*;
use dunlin_converter::autograd::gradients;
use dunlin_converter::nn::Loss;
use dunlin_converter::{Data, Graph, Program, Result, TensorId};
use proptest::prelude::*;

/// Greatest difference of a gradient, relative to the root mean square of its tensor's.
const TOLERANCE: f64 = 1e-3;
/// Distance of the central differences. A power of two, so that only the function rounds.
const STEP: f32 = 1.0 / 64.0;

/// `n` distinct numbers in (-1, 1), in an order that depends on `seed`. They are at least `2 / n` apart, and
/// for `n` a multiple of 4 at least `1 / n` from 0 and ±0.5: away from kinks and ties for n below 64.
fn values(n: usize, seed: usize) -> Vec<f32> {
    let stride = [37, 41, 43, 47, 53][seed % 5];
    let stride = if n.is_multiple_of(stride) { 1 } else { stride };
    (0..n).map(|i| (2.0 * ((i * stride + seed) % n) as f32 + 1.0) / n as f32 - 1.0).collect()
}

/// A function of some tensors, as a graph.
struct Case {
    graph: Graph,
    inputs: Vec<TensorId>,
    output: TensorId,
    values: Vec<Vec<f32>>,
}

impl Case {
    fn new(dims: &[&[usize]], build: impl FnOnce(&mut Graph, &[TensorId]) -> Result<TensorId>) -> Case {
        let mut graph = Graph::new("case");
        let inputs: Vec<TensorId> =
            dims.iter().enumerate().map(|(i, dims)| graph.input(&format!("x{i}"), dims).unwrap()).collect();
        let output = build(&mut graph, &inputs).unwrap();
        let values = dims.iter().enumerate().map(|(i, dims)| values(dims.iter().product(), i)).collect();
        Case { graph, inputs, output, values }
    }

    /// An operator on inputs of these dimensions.
    fn of<O: Into<dunlin_converter::ops::Op>>(op: O, dims: &[&[usize]]) -> Case {
        Case::new(dims, |graph, inputs| graph.apply("y", op, inputs))
    }

    /// Input `i` shifted, where an operator takes only some numbers.
    fn shifted(mut self, i: usize, by: f32) -> Case {
        self.values[i].iter_mut().for_each(|v| *v += by);
        self
    }

    /// Weights of the outputs in the sum that is differentiated: none is 0, no two are equal.
    fn weights(&self) -> Vec<f32> {
        values(self.graph[self.output].ty.shape.count(), 3).iter().map(|v| 1.5 + v).collect()
    }

    /// Gradients of the weighted sum of the outputs, from the appended nodes.
    fn analytic(&self) -> Vec<Vec<f32>> {
        let mut graph = self.graph.clone();
        let weights = graph.constant("weights", &graph.dims(self.output), Data::F32(self.weights())).unwrap();
        let product = graph.mul("product", self.output, weights).unwrap();
        let sum = graph.sum_to("sum", product, &[1]).unwrap();
        for id in gradients(&mut graph, sum, &self.inputs).unwrap() {
            graph.mark_output(id);
        }
        run(&graph, &self.values)
    }

    /// The same from differences of the function, summed in f64.
    fn numeric(&self, step: f32) -> Vec<Vec<f64>> {
        let mut graph = self.graph.clone();
        graph.mark_output(self.output);
        let program = Program::compile(&graph).unwrap();
        let weights = self.weights();
        let sum_at = |i: usize, k: usize, value: f32| -> f64 {
            let mut inputs = self.values.clone();
            inputs[i][k] = value;
            let inputs: Vec<Data> = inputs.into_iter().map(Data::F32).collect();
            let outputs = program.run(&inputs).unwrap();
            let outputs = outputs[0].as_f32().unwrap();
            outputs.iter().zip(&weights).map(|(&y, &w)| y as f64 * w as f64).sum()
        };
        let differences = |(i, values): (usize, &Vec<f32>)| {
            let difference = |(k, &value): (usize, &f32)| {
                let (above, below) = (value + step, value - step);
                (sum_at(i, k, above) - sum_at(i, k, below)) / (above as f64 - below as f64)
            };
            values.iter().enumerate().map(difference).collect()
        };
        self.values.iter().enumerate().map(differences).collect()
    }

    /// The greatest relative difference between analytic and numeric gradients. That differences over half the
    /// step agree shows that they are gradients at all, and not made of kinks and rounding.
    fn error(&self, analytic: &[Vec<f32>]) -> f64 {
        let (coarse, fine) = (self.numeric(STEP), self.numeric(STEP / 2.0));
        let mut greatest: f64 = 0.0;
        for (i, fine) in fine.iter().enumerate() {
            let size = (fine.iter().map(|g| g * g).sum::<f64>() / fine.len() as f64).sqrt();
            assert!(size > 1e-2, "input {i} has no gradient to speak of: {fine:?}");
            for (k, &g) in fine.iter().enumerate() {
                let doubt = (coarse[i][k] - g).abs() / size;
                assert!(doubt < TOLERANCE, "differences at {k} of input {i}: {} and {g}", coarse[i][k]);
                greatest = greatest.max((analytic[i][k] as f64 - g).abs() / size);
            }
        }
        greatest
    }

    fn check(&self) {
        let error = self.error(&self.analytic());
        assert!(error < TOLERANCE, "relative error {error}");
    }
}

fn run(graph: &Graph, values: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let inputs: Vec<Data> = values.iter().cloned().map(Data::F32).collect();
    let outputs = Program::compile(graph).unwrap().run(&inputs).unwrap();
    outputs.iter().map(|data| data.as_f32().unwrap().to_vec()).collect()
}

const ADD: Add = Add { bounds: Bounds::None, factors: None };
const SUB: Sub = Sub { bounds: Bounds::None, factors: None };
const MUL: Mul = Mul { bounds: Bounds::None, factor: None };

#[test]
fn the_check_notices_a_fifth_of_a_percent() {
    let case = Case::of(MUL, &[&[4], &[4]]);
    let mut analytic = case.analytic();
    assert!(case.error(&analytic) < TOLERANCE);
    analytic[1].iter_mut().for_each(|g| *g *= 1.002);
    assert!(case.error(&analytic) > TOLERANCE);
}

fn windows() -> impl Strategy<Value = Window> {
    let pair = || [1u8..4, 1u8..4];
    (pair(), [1u8..3, 1u8..3], [0u8..3, 0u8..3, 0u8..3, 0u8..3]).prop_map(|(stride, dilation, pads)| Window {
        stride,
        dilation,
        pads,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn conv2d(window in windows(), [kh, kw] in [1usize..4, 1usize..4], bias: bool) {
        let dims: [&[usize]; 3] = [&[2, 5, 4, 2], &[3, kh, kw, 2], &[3]];
        let op = Conv2d { window, bounds: Bounds::None };
        let image = dunlin::Shape::new(dims[0]).unwrap();
        prop_assume!(window.output([kh, kw], &image).is_ok() && reaches_image(&window, kh, kw));
        Case::of(op, &dims[..2 + bias as usize]).check();
    }

    #[test]
    fn depthwise_conv2d(window in windows(), [kh, kw] in [1usize..4, 1usize..4], multiplier in 1usize..4) {
        let c_out = 2 * multiplier;
        let dims: [&[usize]; 3] = [&[2, 5, 4, 2], &[1, kh, kw, c_out], &[c_out]];
        let op = DepthwiseConv2d { window, bounds: Bounds::None };
        let image = dunlin::Shape::new(dims[0]).unwrap();
        prop_assume!(window.output([kh, kw], &image).is_ok() && reaches_image(&window, kh, kw));
        Case::of(op, &dims).check();
    }

    #[test]
    fn pools(stride in [1u8..4, 1u8..4], kernel in [1u8..4, 1u8..4], pads in [0u8..3, 0u8..3, 0u8..3, 0u8..3]) {
        let pooling = Pooling { kernel, window: Window { stride, pads, ..Window::UNIT }, bounds: Bounds::None };
        let x: &[usize] = &[2, 5, 3, 2];
        let ty = dunlin::TensorType::new(DType::F32, dunlin::Shape::new(x).unwrap());
        prop_assume!(AveragePool2d(pooling).infer(&[ty]).is_ok());
        Case::of(AveragePool2d(pooling), &[x]).check();
        Case::of(MaxPool2d(pooling), &[x]).check();
    }

    #[test]
    fn broadcasting(ones_a in 0u8..16, ones_b in 0u8..16, missing in 0usize..4) {
        let stretch = |ones: u8| [2usize, 3, 2, 3].into_iter().enumerate().map(move |(i, len)| {
            if ones & (1 << i) != 0 { 1 } else { len }
        });
        let a: Vec<usize> = stretch(ones_a).collect();
        let b: Vec<usize> = stretch(ones_b).skip(missing).collect();
        Case::of(ADD, &[&a, &b]).check();
        Case::of(SUB, &[&a, &b]).check();
        Case::of(MUL, &[&a, &b]).shifted(0, 1.5).shifted(1, 1.5).check();
    }
}

/// Whether some output reads the image (and not only padding) with each tap of a small kernel, so that every
/// input has a gradient.
fn reaches_image(window: &Window, kh: usize, kw: usize) -> bool {
    let reach = |kernel: usize, axis: usize| (kernel - 1) * window.dilation[axis] as usize;
    window.pads[0] as usize <= reach(kh, 0) && window.pads[1] as usize <= reach(kw, 1)
}

#[test]
fn fully_connected_on_vectors_and_images() {
    let op = FullyConnected { bounds: Bounds::None };
    Case::of(op, &[&[3, 4], &[2, 4], &[2]]).check();
    Case::of(op, &[&[2, 3, 2, 2], &[4, 12]]).check();
}

#[test]
fn matmul_both_ways() {
    Case::of(MatMul { transpose_a: false }, &[&[3, 4], &[4, 2]]).check();
    Case::of(MatMul { transpose_a: true }, &[&[4, 3], &[4, 2]]).check();
}

#[test]
fn means_along_any_axes() {
    for axes in 1u8..16 {
        Case::of(Mean { axes, keep_dims: axes % 2 == 0, factor: None }, &[&[2, 3, 2, 3]]).check();
    }
}

#[test]
fn activations() {
    let clamp = |lo, hi| Clamp { bounds: Bounds::F32 { lo, hi }, factor: None };
    Case::of(clamp(0.0, f32::INFINITY), &[&[2, 12]]).check();
    Case::of(clamp(-0.5, 0.5), &[&[2, 12]]).check();
    Case::of(Logistic {}, &[&[3, 4]]).check();
    Case::of(Tanh {}, &[&[3, 4]]).check();
    Case::of(Softmax::F32 { beta: 1.0 }, &[&[3, 4]]).check();
    Case::of(Softmax::F32 { beta: 2.5 }, &[&[2, 1, 3, 4]]).check();
}

#[test]
fn what_moves_elements() {
    Case::of(Pad { pads: [[1, 0], [0, 2], [1, 1], [2, 0]] }, &[&[2, 2, 3, 2]]).check();
    Case::of(Slice { begin: [0, 1, 0, 2], len: [2, 1, 2, 1], stride: [1; 4] }, &[&[2, 2, 3, 3]]).check();
    Case::of(Transpose { perm: [2, 0, 3, 1] }, &[&[2, 3, 2, 2]]).check();
    Case::of(Reshape::new(&dunlin::Shape::new(&[6, 4]).unwrap()), &[&[2, 3, 4]]).check();
    Case::of(Concat { axis: 1 }, &[&[2, 1, 3], &[2, 2, 3], &[2, 3, 3]]).check();
    Case::of(Concat { axis: 3 }, &[&[2, 2, 1, 2], &[2, 2, 1, 3]]).check();
}

#[test]
fn normalization() {
    // Variances are shifted to where they are positive.
    let fixed = Case::of(BatchNorm { epsilon: 0.1 }, &[&[2, 2, 3, 2], &[2], &[2], &[2], &[2]]);
    fixed.shifted(1, 2.0).shifted(4, 2.0).check();
    for output in 0..2 {
        Case::new(&[&[3, 2, 2, 2]], |graph, x| Ok(graph.apply_all("moments", Moments, x)?[output])).check();
    }
    let batch = Case::new(&[&[3, 2, 2, 2], &[2], &[2]], |graph, x| {
        let moments = graph.apply_all("moments", Moments, &x[..1])?;
        graph.apply("y", BatchNorm { epsilon: 0.1 }, &[x[0], x[1], x[2], moments[0], moments[1]])
    });
    batch.shifted(1, 2.0).check();
}

#[test]
fn losses() {
    // Labels that are no distribution, too: the rule holds for any.
    let labels = [0.1, 0.7, 0.2, 1.0, 0.0, 0.0, 0.5, 0.5, 1.0, 0.0, 0.0, 0.0].to_vec();
    let cross_entropy = Case::new(&[&[4, 3]], |graph, x| {
        let labels = graph.constant("labels", &[4, 3], Data::F32(labels))?;
        graph.apply("y", SoftmaxCrossEntropy, &[x[0], labels])
    });
    cross_entropy.check();
    let square = |graph: &mut Graph, x: &[TensorId]| Loss::MeanSquaredError.trace(graph, x[0], x[1]);
    Case::new(&[&[4, 3], &[4, 3]], square).check();
}

#[test]
fn uses_of_a_tensor_add_up() {
    // y = tanh(x) * x + x
    let case = Case::new(&[&[2, 4]], |graph, x| {
        let tanh = graph.apply("tanh", Tanh {}, x)?;
        let product = graph.mul("product", tanh, x[0])?;
        graph.add("y", product, x[0])
    });
    case.check();
}

#[test]
fn what_has_no_gradient_is_named() {
    let mut graph = Graph::new("case");
    let x = graph.input("x", &[1, 2]).unwrap();
    let w = graph.constant("w", &[1, 2], Data::F32(vec![1.0, 2.0])).unwrap();
    let y = graph.apply("dense", FullyConnected { bounds: Bounds::RELU }, &[x, w]).unwrap();
    let error = gradients(&mut graph, y, &[x]).unwrap_err().to_string();
    assert!(error.starts_with("dense: fully_connected has no gradient: its activation is fused"), "{error}");
    let z = graph.input("z", &[1]).unwrap();
    let error = gradients(&mut graph, z, &[x]).unwrap_err().to_string();
    assert_eq!(error, "x: the loss does not depend on it");
    let error = gradients(&mut graph, x, &[x]).unwrap_err().to_string();
    assert_eq!(error, "x: has shape 1×2; a loss is a single number");
}
