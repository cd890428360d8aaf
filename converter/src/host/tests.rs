//! Every kernel against the runtime's operator, and against itself on other numbers of threads.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::ops::*;
use proptest::prelude::*;

use super::{Executor, Threads};
use crate::differences::{reaches_image, windows};
use crate::ops::Op;
use crate::pack::Packing;
use crate::plan::whole;
use crate::program::{output, set_input};
use crate::{Data, Graph, Program};

/// Greatest difference, relative to the greatest output.
const TOLERANCE: f32 = 1e-5;

/// Numbers that look random, in (-1, 1).
fn noise(n: usize, seed: usize) -> Vec<f32> {
    let mut state = seed as u32 + 1;
    let mut next = || {
        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// A node on inputs of these dimensions; those of `positive` are above 0.
fn graph(op: impl Into<Op>, dims: &[&[usize]], positive: &[usize]) -> (Graph, Vec<Data>) {
    let mut graph = Graph::new("node");
    let name = |i: usize| format!("x{i}");
    let inputs: Vec<_> =
        dims.iter().enumerate().map(|(i, dims)| graph.input(&name(i), dims).unwrap()).collect();
    for id in graph.apply_all("y", op, &inputs).unwrap() {
        graph.mark_output(id);
    }
    let values = |(i, dims): (usize, &&[usize])| {
        let shift = if positive.contains(&i) { 1.5 } else { 0.0 };
        Data::F32(noise(dims.iter().product(), i).iter().map(|v| v + shift).collect())
    };
    (graph, dims.iter().enumerate().map(values).collect())
}

/// Outputs of the program, run by the runtime or by kernels on so many threads.
fn run(program: &Program, inputs: &[Data], n_threads: Option<usize>) -> Vec<Vec<f32>> {
    let (model, mut arena) = (program.model().unwrap(), program.arena());
    let mut session = program.session(&model, &mut arena).unwrap();
    for (i, data) in inputs.iter().enumerate() {
        set_input(&mut session, i, data).unwrap();
    }
    match n_threads {
        None => {
            session.run();
        }
        Some(_) => {
            let mut executor = Executor::new(program);
            assert!(executor.kernels[0].is_some(), "no kernel for {:?}", program.graph.nodes()[0]);
            Threads::new(n_threads).unwrap().run(|| executor.run(&mut session));
        }
    }
    (0..model.n_outputs()).map(|i| output(&session, i).unwrap().as_f32().unwrap().to_vec()).collect()
}

/// As training steps are planned.
fn compile(graph: &Graph) -> Program {
    Program::compile_with(graph, Packing::Portable, |graph| Ok(whole(graph))).unwrap()
}

fn check(op: impl Into<Op>, dims: &[&[usize]], positive: &[usize]) {
    let (graph, inputs) = graph(op, dims, positive);
    let program = compile(&graph);
    let [expected, one, two, five] = [None, Some(1), Some(2), Some(5)].map(|n| run(&program, &inputs, n));
    assert!(one == two && two == five, "depends on the number of threads: {:?}", graph.nodes()[0]);
    for (expected, one) in expected.iter().zip(&one) {
        // Sums of numbers up to 1 that cancel each other are as exact as these.
        let size = expected.iter().fold(0.1f32, |size, v| size.max(v.abs()));
        for (i, (e, v)) in expected.iter().zip(one).enumerate() {
            assert!((e - v).abs() <= TOLERANCE * size, "{i}: {v} is not {e}: {:?}", graph.nodes()[0]);
        }
    }
}

const RELU6: Bounds = Bounds::F32 { lo: 0.0, hi: 0.5 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn convolutions(
        window in windows(),
        [kh, kw] in [1usize..4, 1usize..4],
        [n, c_in, c_out] in [1usize..11, 1usize..20, 1usize..40],
        bias: bool,
    ) {
        let x = [n, 7, 6, c_in];
        let image = dunlin::Shape::new(&x).unwrap();
        let out = window.output([kh, kw], &image);
        prop_assume!(out.is_ok() && reaches_image(&window, kh, kw));
        let [oh, ow] = out.unwrap();
        let (w, y) = ([c_out, kh, kw, c_in], [n, oh, ow, c_out]);
        let bounds = if bias { RELU6 } else { Bounds::None };
        let inputs: [&[usize]; 3] = [&x, &w, &[c_out]];
        check(Conv2d { window, bounds }, &inputs[..2 + bias as usize], &[]);
        check(Conv2dWeightsGrad { window, kernel: [kh as u16, kw as u16] }, &[&y, &x], &[]);
        if usize::from(window.pads[0]) <= (kh - 1) * usize::from(window.dilation[0])
            && usize::from(window.pads[1]) <= (kw - 1) * usize::from(window.dilation[1])
        {
            check(Conv2dInputGrad { window, image: [7, 6] }, &[&y, &w], &[]);
            let op = TransposeConv2d { window, output: [7, 6], bounds };
            let inputs: [&[usize]; 3] = [&y, &[c_in, kh, kw, c_out], &[c_in]];
            check(op, &inputs[..2 + bias as usize], &[]);
        }
    }

    #[test]
    fn depthwise_convolutions(
        window in windows(),
        [kh, kw] in [1usize..5, 1usize..5],
        [n, c] in [1usize..11, 1usize..40],
        bias: bool,
    ) {
        let x = [n, 7, 6, c];
        let image = dunlin::Shape::new(&x).unwrap();
        let out = window.output([kh, kw], &image);
        prop_assume!(out.is_ok() && reaches_image(&window, kh, kw));
        let [oh, ow] = out.unwrap();
        let (w, y) = ([1, kh, kw, c], [n, oh, ow, c]);
        let bounds = if bias { RELU6 } else { Bounds::None };
        let inputs: [&[usize]; 3] = [&x, &w, &[c]];
        check(DepthwiseConv2d { window, bounds }, &inputs[..2 + bias as usize], &[]);
        check(DepthwiseConv2dWeightsGrad { window, kernel: [kh as u16, kw as u16] }, &[&y, &x], &[]);
        if usize::from(window.pads[0]) <= (kh - 1) * usize::from(window.dilation[0])
            && usize::from(window.pads[1]) <= (kw - 1) * usize::from(window.dilation[1])
        {
            check(DepthwiseConv2dInputGrad { window, image: [7, 6, c as u32] }, &[&y, &w], &[]);
        }
    }

    #[test]
    fn matrix_products([m, k, n] in [1usize..40, 1usize..40, 1usize..70], bias: bool) {
        let inputs: [&[usize]; 3] = [&[m, k], &[n, k], &[n]];
        check(FullyConnected::new(if bias { RELU6 } else { Bounds::None }), &inputs[..2 + bias as usize], &[]);
        check(MatMul::PLAIN, &[&[m, k], &[k, n]], &[]);
        check(MatMul::TRANSPOSED_A, &[&[k, m], &[k, n]], &[]);
        check(MatMul::TRANSPOSED_B, &[&[m, k], &[n, k]], &[]);
        check(MatMul::PLAIN, &[&[3, m, k], &[3, k, n]], &[]);
        check(MatMul::TRANSPOSED_A, &[&[2, 5, k, m], &[2, 5, k, n]], &[]);
        check(MatMul::TRANSPOSED_B, &[&[9, m, k], &[9, n, k]], &[]);
        check(MatMul::TRANSPOSED, &[&[2, k, m], &[2, n, k]], &[]);
    }

    #[test]
    fn recurrent_units([n, t] in [1usize..12, 1usize..6], [c, h] in [1usize..20, 1usize..40]) {
        let (x, w, u, states) = ([n, t, c], [3 * h, c], [3 * h, h], [n, t, h]);
        let inputs: [&[usize]; 7] = [&x, &w, &u, &[3 * h], &[3 * h], &states, &states];
        check(Gru { sequences: true }, &inputs[..5], &[]);
        check(Gru { sequences: false }, &inputs[..5], &[]);
        check(GruGrad {}, &inputs, &[]);
        let (w, u) = ([4 * h, c], [4 * h, h]);
        let inputs: [&[usize]; 6] = [&x, &w, &u, &[4 * h], &states, &states];
        check(Lstm::new(true), &inputs[..4], &[]);
        check(Lstm::new(false), &inputs[..4], &[]);
        check(LstmGrad {}, &inputs, &[]);
    }

    #[test]
    fn per_channel([n, h, c] in [1usize..11, 1usize..9, 1usize..40], relu: bool) {
        let (x, bounds) = ([n, h, 3, c], if relu { RELU6 } else { Bounds::None });
        check(BatchNormTrain { epsilon: 0.1, bounds }, &[&x, &[c], &[c]], &[]);
        check(BatchNormTrainGrad { epsilon: 0.1, bounds }, &[&x, &x, &[c], &[c], &[c], &[c]], &[5]);
        check(BatchNorm { epsilon: 0.1 }, &[&x, &[c], &[c], &[c], &[c]], &[4]);
        for axes in [0b0111, 0b0110] {
            check(Mean { axes, keep_dims: true, factor: None }, &[&x], &[]);
        }
        check(Clamp { bounds: RELU6 }, &[&x], &[]);
        check(ClampGrad { bounds: RELU6 }, &[&x, &x], &[]);
        check(Add { bounds: Bounds::None, factors: None }, &[&x, &x], &[]);
        check(Mul { bounds: Bounds::None, factor: None }, &[&x, &x], &[]);
        check(Mul { bounds: Bounds::None, factor: None }, &[&x, &[1]], &[]);
    }

    #[test]
    fn pooling([n, c] in [1usize..11, 1usize..40], kernel in [1u8..4, 1u8..4], stride in [1u8..4, 1u8..4], pad in 0u8..2) {
        let pads = [pad.min(kernel[0] - 1), 0, 0, pad.min(kernel[1] - 1)];
        let pooling = Pooling { kernel, window: Window { stride, dilation: [1, 1], pads }, bounds: Bounds::None };
        let x = [n, 6, 6, c];
        let [oh, ow] = pooling.window.output(kernel.map(usize::from), &dunlin::Shape::new(&x).unwrap()).unwrap();
        check(MaxPool2d(Pooling { bounds: RELU6, ..pooling }), &[&x], &[]);
        if pads == [0; 4] {
            check(MaxPool2dGrad(pooling), &[&[n, oh, ow, c], &x], &[]);
        }
    }
}

#[test]
fn updates() {
    let states = |n: usize| -> Vec<Vec<f32>> {
        (0..n).map(|i| noise(50_000, i).iter().map(|v| v.abs()).collect()).collect()
    };
    let update = |op: Op, n_states: usize, n_rates: usize| {
        let mut graph = Graph::new("update");
        let states: Vec<_> = states(n_states)
            .into_iter()
            .enumerate()
            .map(|(i, values)| graph.state(&format!("s{i}"), &[500, 100], Data::F32(values)).unwrap())
            .collect();
        let (gradient, rates) =
            (graph.input("g", &[500, 100]).unwrap(), graph.input("r", &[n_rates]).unwrap());
        let inputs: Vec<_> = [&[states[0], gradient][..], &states[1..], &[rates]].concat();
        graph.update("step", op, &inputs, &states).unwrap();
        states.iter().for_each(|&state| graph.mark_output(state));
        let program = compile(&graph);
        let inputs = [Data::F32(noise(50_000, 9)), Data::F32(vec![0.1, 1.5, 1.2][..n_rates].to_vec())];
        let [expected, one, three] = [None, Some(1), Some(3)].map(|n| run(&program, &inputs, n));
        assert_eq!(expected, one);
        assert_eq!(expected, three);
    };
    update(Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.1 }.into(), 2, 1);
    update(Adam { betas: [0.9, 0.999], epsilon: 1e-7, weight_decay: 0.1 }.into(), 3, 3);
}
