//! Gradient rules against central differences, both computed by the runtime. The rule of an operator is checked
//! in its own file with [`Case`]; here is what several operators have to do with.

use dunlin::ops::pointwise::Function;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::ops::{
    ArgMax, AveragePool2d, BatchNorm, Conv2d, LayerNorm, Logistic, MatMul, Moments, Operator, Softmax, Tanh,
    bounds::Bounds,
};
use dunlin::{DType, Shape, TensorType};
use proptest::prelude::*;

use crate::autograd::{Backward, gradients, gradients_with};
use crate::nn::Loss;
use crate::{Data, Graph, Program, Result, TensorId};

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
pub(crate) struct Case {
    graph: Graph,
    inputs: Vec<TensorId>,
    output: TensorId,
    values: Vec<Vec<f32>>,
}

impl Case {
    /// The function that `build` appends to a graph with inputs of these dimensions.
    pub(crate) fn new(
        dims: &[&[usize]],
        build: impl FnOnce(&mut Graph, &[TensorId]) -> Result<TensorId>,
    ) -> Case {
        let mut graph = Graph::new("case");
        let inputs: Vec<TensorId> =
            dims.iter().enumerate().map(|(i, dims)| graph.input(&format!("x{i}"), dims).unwrap()).collect();
        let output = build(&mut graph, &inputs).unwrap();
        let values = dims.iter().enumerate().map(|(i, dims)| values(dims.iter().product(), i)).collect();
        Case { graph, inputs, output, values }
    }

    /// An operator on inputs of these dimensions.
    pub(crate) fn of<O: Into<crate::ops::Op>>(op: O, dims: &[&[usize]]) -> Case {
        Case::new(dims, |graph, inputs| graph.apply("y", op, inputs))
    }

    /// Input `i` shifted, where an operator takes only some numbers.
    pub(crate) fn shifted(mut self, i: usize, by: f32) -> Case {
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

    /// Fails if a gradient is wrong.
    pub(crate) fn check(&self) {
        let error = self.error(&self.analytic());
        assert!(error < TOLERANCE, "relative error {error}");
    }
}

fn run(graph: &Graph, values: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let inputs: Vec<Data> = values.iter().cloned().map(Data::F32).collect();
    let outputs = Program::compile(graph).unwrap().run(&inputs).unwrap();
    outputs.iter().map(|data| data.as_f32().unwrap().to_vec()).collect()
}

#[test]
fn the_check_notices_a_fifth_of_a_percent() {
    let case = Case::new(&[&[4], &[4]], |graph, x| graph.mul("y", x[0], x[1]));
    let mut analytic = case.analytic();
    assert!(case.error(&analytic) < TOLERANCE);
    analytic[1].iter_mut().for_each(|g| *g *= 1.002);
    assert!(case.error(&analytic) > TOLERANCE);
}

/// Windows of small kernels.
pub(crate) fn windows() -> impl Strategy<Value = Window> {
    let pair = || [1u8..4, 1u8..4];
    (pair(), [1u8..3, 1u8..3], [0u8..3, 0u8..3, 0u8..3, 0u8..3]).prop_map(|(stride, dilation, pads)| Window {
        stride,
        dilation,
        pads,
    })
}

/// Poolings that an image of these dimensions can take.
pub(crate) fn poolings(image: &[usize]) -> impl Strategy<Value = Pooling> {
    let ty = TensorType::new(DType::F32, Shape::new(image).expect("an image"));
    let any = (windows(), [1u8..4, 1u8..4]).prop_map(|(window, kernel)| Pooling {
        kernel,
        window: Window { dilation: [1, 1], ..window },
        bounds: Bounds::None,
    });
    any.prop_filter("the image takes it", move |&pooling| AveragePool2d(pooling).infer(&[ty]).is_ok())
}

/// Dimensions of two tensors whose shapes broadcast.
pub(crate) fn broadcast() -> impl Strategy<Value = [Vec<usize>; 2]> {
    let stretched = |ones: u8| {
        let axes = [2usize, 3, 2, 3].into_iter().enumerate();
        axes.map(move |(i, len)| if ones & (1 << i) != 0 { 1 } else { len })
    };
    (0u8..16, 0u8..16, 0usize..4).prop_map(move |(ones_a, ones_b, missing)| {
        [stretched(ones_a).collect(), stretched(ones_b).skip(missing).collect()]
    })
}

/// Whether some output reads the image (and not only padding) with each tap of a small kernel, so that every
/// input has a gradient.
pub(crate) fn reaches_image(window: &Window, kh: usize, kw: usize) -> bool {
    let reach = |kernel: usize, axis: usize| (kernel - 1) * window.dilation[axis] as usize;
    window.pads[0] as usize <= reach(kh, 0) && window.pads[1] as usize <= reach(kw, 1)
}

#[test]
fn normalization_by_the_batch() {
    // Moments are inputs of the normalization, and depend on its input.
    let batch = Case::new(&[&[3, 2, 2, 2], &[2], &[2]], |graph, x| {
        let moments = graph.apply_all("moments", Moments, &x[..1])?;
        graph.apply("y", BatchNorm { epsilon: 0.1 }, &[x[0], x[1], x[2], moments[0], moments[1]])
    });
    batch.shifted(1, 2.0).check();
}

#[test]
fn mean_squared_error() {
    let square = |graph: &mut Graph, x: &[TensorId]| Loss::MeanSquaredError.trace(graph, x[0], x[1]);
    Case::new(&[&[4, 3], &[4, 3]], square).check();
}

#[test]
fn binary_cross_entropy() {
    let loss = |graph: &mut Graph, x: &[TensorId]| {
        let targets = Data::F32((0..12).map(|i| [0.0, 1.0, 0.25][i % 3]).collect());
        let targets = graph.constant("targets", &[4, 3], targets)?;
        let prediction = graph.apply("sigmoid", Logistic {}, x)?;
        Loss::BinaryCrossEntropy.trace(graph, prediction, targets)
    };
    let case = Case::new(&[&[4, 3]], loss);
    case.check();
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
fn fused_activations_pass_gradients_strictly_inside() {
    // Sums of two of the eight numbers are multiples of a quarter.
    let bounds = Bounds::F32 { lo: -0.625, hi: 0.625 };
    Case::of(dunlin::ops::Add { bounds, factors: None }, &[&[2, 4], &[2, 4]]).check();
}

/// Gradients are graphs like any other, so theirs are second derivatives.
#[test]
fn gradients_of_gradients() {
    let twice = |dims: &[&[usize]], build: fn(&mut Graph, &[TensorId]) -> Result<TensorId>| {
        let of = |graph: &mut Graph, x: &[TensorId]| {
            let y = build(graph, x)?;
            let sum = graph.sum_to("sum", y, &[1])?;
            Ok(gradients(graph, sum, &x[..1])?[0])
        };
        Case::new(dims, of)
    };
    twice(&[&[2, 4]], |graph, x| graph.apply("y", Tanh {}, x)).check();
    twice(&[&[2, 4]], |graph, x| graph.apply("y", Logistic {}, x)).check();
    twice(&[&[2, 4]], |graph, x| graph.exp("y", x[0])).check();
    twice(&[&[2, 4]], |graph, x| graph.pow("y", x[0], 3.0)).check();
    twice(&[&[2, 4]], |graph, x| graph.ln("y", x[0])).shifted(0, 3.0).check();
    twice(&[&[2, 4]], |graph, x| graph.sqrt("y", x[0])).shifted(0, 3.0).check();
    twice(&[&[2, 4]], |graph, x| graph.pow("y", x[0], -2.0)).shifted(0, 3.0).check();
    let softmax = |graph: &mut Graph, x: &[TensorId]| {
        let y = graph.apply("y", Softmax::F32 { beta: 1.0 }, x)?;
        graph.mul("square", y, y)
    };
    twice(&[&[2, 4]], softmax).check();
    let product = |graph: &mut Graph, x: &[TensorId]| {
        let y = graph.apply("y", MatMul::PLAIN, x)?;
        graph.apply("tanh", Tanh {}, &[y])
    };
    twice(&[&[3, 4], &[4, 2]], product).check();
    let convolution = |graph: &mut Graph, x: &[TensorId]| {
        let y = graph.apply("y", Conv2d { window: Window::UNIT, bounds: Bounds::None }, x)?;
        graph.apply("tanh", Tanh {}, &[y])
    };
    twice(&[&[1, 3, 4, 2], &[2, 2, 2, 2]], convolution).check();
    let normalized = |graph: &mut Graph, x: &[TensorId]| {
        let y = graph.apply("y", LayerNorm::F32 { epsilon: 0.5 }, x)?;
        graph.apply("tanh", Tanh {}, &[y])
    };
    twice(&[&[2, 4], &[4], &[4]], normalized).shifted(1, 1.5).check();
}

#[test]
fn powers_and_quotients() {
    for exponent in [-3.0, 0.5, 2.0, 2.5, 5.0] {
        let power = |graph: &mut Graph, x: &[TensorId]| graph.pow("y", x[0], exponent);
        let case = Case::new(&[&[2, 4]], power).shifted(0, 2.5);
        case.check();
        let values = run(
            &{
                let mut graph = case.graph.clone();
                graph.mark_output(case.output);
                graph
            },
            &case.values,
        );
        for (x, y) in case.values[0].iter().zip(&values[0]) {
            assert!((x.powf(exponent) - y).abs() < 1e-5 * y.abs(), "{x} to the power of {exponent}: {y}");
        }
    }
    let quotient = |graph: &mut Graph, x: &[TensorId]| graph.div("y", x[0], x[1]);
    Case::new(&[&[2, 4], &[4]], quotient).shifted(1, 3.0).check();
}

#[test]
fn no_gradient_flows_through_constants() {
    // The derivative of x * stop(x) is stop(x).
    let mut graph = Graph::new("case");
    let x = graph.input("x", &[3]).unwrap();
    let fixed = graph.stop_gradient("fixed", x).unwrap();
    let y = graph.mul("y", x, fixed).unwrap();
    let sum = graph.sum_to("sum", y, &[1]).unwrap();
    let dx = gradients(&mut graph, sum, &[x]).unwrap()[0];
    graph.mark_output(dx);
    assert_eq!(run(&graph, &[vec![1.0, -2.0, 3.0]])[0], [1.0, -2.0, 3.0]);
    // Nor through anything that is built so.
    let mut graph = Graph::new("case");
    let x = graph.input("x", &[3]).unwrap();
    let built = |graph: &mut Graph| {
        let y = graph.exp("exp", x)?;
        graph.sum_to("sum", y, &[1])
    };
    let sum = graph.no_grad(built).unwrap();
    let error = gradients(&mut graph, sum, &[x]).unwrap_err().to_string();
    assert_eq!(error, "x: the loss does not depend on it");
}

#[test]
fn gradients_may_be_ones_own() {
    // The sign, with the gradient of tanh.
    let mut graph = Graph::new("case");
    let x = graph.input("x", &[3]).unwrap();
    let sign = graph.pointwise("sign", Function::Sign, x).unwrap();
    let tanh = graph.apply("tanh", Tanh {}, &[x]).unwrap();
    let y = graph.with_gradient_of("y", sign, tanh).unwrap();
    let sum = graph.sum_to("sum", y, &[1]).unwrap();
    let dx = gradients(&mut graph, sum, &[x]).unwrap()[0];
    graph.mark_output(y);
    graph.mark_output(dx);
    let outputs = run(&graph, &[vec![0.5, -0.25, 2.0]]);
    assert_eq!(outputs[0], [1.0, -1.0, 1.0]);
    for (x, dx) in [0.5f32, -0.25, 2.0].iter().zip(&outputs[1]) {
        assert!((1.0 - x.tanh().powi(2) - dx).abs() < 1e-6, "{x} {dx}");
    }
    // A rule for one node: the gradient turned around.
    let mut graph = Graph::new("case");
    let x = graph.input("x", &[3]).unwrap();
    let y = graph.scale("reversed", x, 2.0).unwrap();
    let sum = graph.sum_to("sum", y, &[1]).unwrap();
    let mut reverse = |cx: &mut Backward| {
        let is_it = cx.node.name == "reversed";
        is_it.then(|| cx.grad().and_then(|dy| cx.scale("dx", dy, -1.0)).map(|dx| vec![Some(dx), None]))
    };
    let dx = gradients_with(&mut graph, sum, &[x], &mut reverse).unwrap()[0];
    graph.mark_output(dx);
    assert_eq!(run(&graph, &[vec![0.0; 3]])[0], [-1.0; 3]);
}

#[test]
fn what_has_no_gradient_is_named() {
    let mut graph = Graph::new("case");
    let x = graph.input("x", &[1, 2]).unwrap();
    let y = graph.apply("best", ArgMax { axis: 1 }, &[x]).unwrap();
    let error = gradients(&mut graph, y, &[x]).unwrap_err().to_string();
    assert!(error.starts_with("best: arg_max has no gradient"), "{error}");
    let z = graph.input("z", &[1]).unwrap();
    let error = gradients(&mut graph, z, &[x]).unwrap_err().to_string();
    assert_eq!(error, "x: the loss does not depend on it");
    let error = gradients(&mut graph, x, &[x]).unwrap_err().to_string();
    assert_eq!(error, "x: has shape 1×2; a loss is a single number");
}
