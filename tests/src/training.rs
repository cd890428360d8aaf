//! Models of one operator that has no goldens: those of training, and batch normalization.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::ops::{
    Adam, AveragePool2dGrad, BatchNorm, BatchNormGrad, BatchNormTrain, BatchNormTrainGrad, ClampGrad,
    Conv2dInputGrad, Conv2dWeightsGrad, DepthwiseConv2dInputGrad, DepthwiseConv2dWeightsGrad, EmbeddingGrad,
    GruGrad, LstmGrad, MatMul, MaxPool2dGrad, Moments, Sgd, Slice, SoftmaxCrossEntropy, StraightThrough,
    StraightThroughGrad,
};
use dunlin_converter::ops::Op;
use dunlin_converter::{Data, Graph, Program, Result};

const IMAGE: &[usize] = &[2, 4, 3, 2];
const WINDOW: Window = Window { stride: [2, 1], dilation: [1, 1], pads: [1, 0, 1, 1] };
const POOLING: Pooling = Pooling { kernel: [2, 2], window: WINDOW, bounds: Bounds::None };
/// What a kernel of 2×2 makes of [`IMAGE`] in [`WINDOW`], for two channels.
const OUTPUT: &[usize] = &[2, 3, 3, 2];
const CHANNELS: &[usize] = &[2];
/// Sequences, and the states of two units.
const X: &[usize] = &[2, 4, 3];
const STATES: &[usize] = &[2, 4, 2];

/// A model of each operator, with its name.
///
/// # Errors
/// If an operator does not take these shapes any more.
pub fn programs() -> Result<Vec<(&'static str, Program)>> {
    let bounds = Bounds::RELU6;
    let (window, kernel) = (WINDOW, [2, 2]);
    let norm: [&[usize]; 5] = [IMAGE, CHANNELS, CHANNELS, CHANNELS, CHANNELS];
    let norm_grad: [&[usize]; 5] = [IMAGE, IMAGE, CHANNELS, CHANNELS, CHANNELS];
    let train_grad: [&[usize]; 6] = [IMAGE, IMAGE, CHANNELS, CHANNELS, CHANNELS, CHANNELS];
    let depthwise = DepthwiseConv2dInputGrad { window, image: [4, 3, 2] };
    let rounding = StraightThrough { axis: 3, lo: -7.0, hi: 7.0 };
    let slice = Slice { begin: [1, 0, 2, 0], len: [1, 4, 1, 2], stride: [1; 4] };
    Ok(vec![
        one("batch_norm", BatchNorm { epsilon: 1e-3 }, &norm)?,
        one("moments", Moments, &[IMAGE])?,
        one("batch_norm_grad", BatchNormGrad { epsilon: 1e-3 }, &norm_grad)?,
        one("batch_norm_train", BatchNormTrain { epsilon: 1e-3, bounds }, &[IMAGE, CHANNELS, CHANNELS])?,
        one("batch_norm_train_grad", BatchNormTrainGrad { epsilon: 1e-3, bounds }, &train_grad)?,
        one("conv2d_input_grad", Conv2dInputGrad { window, image: [4, 3] }, &[OUTPUT, &[2, 2, 2, 2]])?,
        one("conv2d_weights_grad", Conv2dWeightsGrad { window, kernel }, &[OUTPUT, IMAGE])?,
        one("depthwise_conv2d_input_grad", depthwise, &[OUTPUT, &[1, 2, 2, 2]])?,
        one(
            "depthwise_conv2d_weights_grad",
            DepthwiseConv2dWeightsGrad { window, kernel },
            &[OUTPUT, IMAGE],
        )?,
        one("average_pool2d_grad", AveragePool2dGrad { pooling: POOLING, image: [4, 3] }, &[OUTPUT])?,
        one("max_pool2d_grad", MaxPool2dGrad(POOLING), &[OUTPUT, IMAGE])?,
        one("clamp_grad", ClampGrad { bounds }, &[IMAGE, IMAGE])?,
        one("gru_grad", GruGrad {}, &[X, &[6, 3], &[6, 2], &[6], &[6], STATES, STATES])?,
        one("lstm_grad", LstmGrad {}, &[X, &[8, 3], &[8, 2], &[8], STATES, STATES])?,
        one("embedding_grad", EmbeddingGrad { n_rows: 3 }, &[&[2, 4], X])?,
        one("matmul", MatMul::TRANSPOSED_A, &[&[4, 3], &[4, 5]])?,
        one("slice", slice, &[IMAGE])?,
        one("softmax_cross_entropy", SoftmaxCrossEntropy, &[&[3, 4], &[3, 4]])?,
        one("straight_through", rounding, &[IMAGE, IMAGE, CHANNELS])?,
        one("straight_through_grad", StraightThroughGrad { of: rounding }, &[IMAGE, IMAGE, IMAGE, CHANNELS])?,
        update("sgd", Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.1 }, 1, 1)?,
        update("adam", Adam { betas: [0.9, 0.999], epsilon: 1e-7, weight_decay: 0.1 }, 2, 3)?,
    ])
}

/// `op` on f32 inputs of these shapes.
fn one(name: &'static str, op: impl Into<Op>, shapes: &[&[usize]]) -> Result<(&'static str, Program)> {
    let mut graph = Graph::new(name);
    let inputs: Vec<_> = shapes
        .iter()
        .enumerate()
        .map(|(i, dims)| graph.input(&i.to_string(), dims))
        .collect::<Result<_>>()?;
    for output in graph.apply_all(name, op, &inputs)? {
        graph.mark_output(output);
    }
    Ok((name, Program::compile(&graph)?))
}

/// An optimizer on a parameter with `n_moments` tensors beside it, given `n_rates` numbers at each step.
fn update(
    name: &'static str,
    op: impl Into<Op>,
    n_moments: usize,
    n_rates: usize,
) -> Result<(&'static str, Program)> {
    let mut graph = Graph::new(name);
    let states: Vec<_> = (0..=n_moments)
        .map(|i| graph.state(&format!("state{i}"), &[3, 2], Data::F32(vec![0.5; 6])))
        .collect::<Result<_>>()?;
    let gradient = graph.input("gradient", &[3, 2])?;
    let rates = graph.input("rates", &[n_rates])?;
    let inputs: Vec<_> =
        [states[0], gradient].into_iter().chain(states[1..].iter().copied()).chain([rates]).collect();
    graph.update(name, op, &inputs, &states)?;
    graph.mark_output(states[0]);
    Ok((name, Program::compile(&graph)?))
}
