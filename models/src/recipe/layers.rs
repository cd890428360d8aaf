//! Layers as a recipe lists them.

use dunlin_converter::nn::{
    Attention, AveragePool2d, BatchNorm, Conv1d, Conv2d, Dense, DepthwiseConv2d, Dropout, Flatten,
    GlobalAveragePool, Gru, Initializer, Layer, LayerNorm, Lstm, MaxPool2d, Penalty, PointwiseDense, Relu,
    Relu6, Reshape, Residual, Sequential, Sigmoid, Softmax, Tanh, Windowed,
};
use serde::Deserialize;

/// A layer: `"relu"`, or `{ conv2d = { filters = 16, kernel = [3, 3], same = true } }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerSpec {
    /// See [`Conv2d`].
    Conv2d(Convolution),
    /// See [`DepthwiseConv2d`].
    DepthwiseConv2d(Depthwise),
    /// See [`Dense`].
    Dense(Units),
    /// See [`Gru`].
    Gru(Recurrent),
    /// See [`Lstm`].
    Lstm(Recurrent),
    /// See [`Attention`].
    Attention(Heads),
    /// See [`PointwiseDense`].
    PointwiseDense(PointwiseUnits),
    /// See [`LayerNorm`].
    LayerNorm,
    /// See [`BatchNorm`].
    BatchNorm,
    /// See [`Relu`].
    Relu,
    /// See [`Relu6`].
    Relu6,
    /// See [`MaxPool2d`].
    MaxPool2d(Pool),
    /// See [`AveragePool2d`].
    AveragePool2d(Pool),
    /// See [`GlobalAveragePool`].
    GlobalAveragePool,
    /// See [`Flatten`].
    Flatten,
    /// See [`Softmax`].
    Softmax,
    /// See [`Sigmoid`].
    Sigmoid,
    /// See [`Tanh`].
    Tanh,
    /// The part that is dropped; see [`Dropout`].
    Dropout(f32),
    /// Dimensions without the batch; see [`Reshape`].
    Reshape(Vec<usize>),
    /// See [`Conv1d`].
    Conv1d(Sequence),
    /// See [`Residual`].
    Residual(Vec<LayerSpec>),
}

/// What [`Conv2d`] takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    /// Channels that it makes.
    pub filters: usize,
    /// Height and width.
    pub kernel: [usize; 2],
    /// Padded, so that a stride of 1 keeps the size.
    #[serde(default)]
    pub same: bool,
    /// In both directions.
    #[serde(default = "one")]
    pub stride: u8,
    /// Whether it has a bias; none is needed before `batch_norm`.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Of its weights: `{ initializer = "orthogonal", l2 = 1e-4 }`.
    #[serde(default)]
    pub weights: WeightsSpec,
}

/// What [`DepthwiseConv2d`] takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Depthwise {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Padded, so that a stride of 1 keeps the size.
    #[serde(default)]
    pub same: bool,
    /// In both directions.
    #[serde(default = "one")]
    pub stride: u8,
    /// Whether it has a bias; none is needed before `batch_norm`.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Of its weights: `{ initializer = "orthogonal", l2 = 1e-4 }`.
    #[serde(default)]
    pub weights: WeightsSpec,
}

/// What [`Conv1d`] takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// Channels that it makes.
    pub filters: usize,
    /// Steps at a time.
    pub taps: usize,
    /// Padded, so that a stride of 1 keeps the length.
    #[serde(default)]
    pub same: bool,
    /// Along time.
    #[serde(default = "one")]
    pub stride: u8,
}

/// How weights start, and what their size adds to the loss.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightsSpec {
    /// See [`Initializer`]; the layer's own without it.
    pub initializer: Option<InitializerSpec>,
    /// See [`Penalty`].
    pub l1: f32,
    /// See [`Penalty`].
    pub l2: f32,
}

/// See [`Initializer`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum InitializerSpec {
    HeNormal,
    HeUniform,
    GlorotNormal,
    GlorotUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
}

/// What [`Dense`] takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Units {
    /// Numbers that it makes.
    pub units: usize,
    /// Whether it has a bias; none is needed before `batch_norm`.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Of its weights: `{ initializer = "orthogonal", l2 = 1e-4 }`.
    #[serde(default)]
    pub weights: WeightsSpec,
}

/// What recurrent layers take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurrent {
    /// Numbers of hidden state.
    pub units: usize,
    /// Whether every hidden state is given, and not only the last.
    #[serde(default)]
    pub sequences: bool,
}

/// What [`Attention`] takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heads {
    /// Number of heads.
    pub heads: usize,
}

/// What [`PointwiseDense`] takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointwiseUnits {
    /// Numbers that it makes of each vector.
    pub units: usize,
}

/// What pooling takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Height and width.
    pub kernel: [u8; 2],
    /// In both directions; the kernel's size without it.
    pub stride: Option<u8>,
    /// Padded; the padding does not count.
    #[serde(default)]
    pub same: bool,
}

fn one() -> u8 {
    1
}

fn yes() -> bool {
    true
}

/// The layers, one behind the other.
pub(super) fn sequential(layers: &[LayerSpec]) -> Sequential {
    layers.iter().fold(Sequential::new(), |before, layer| match layer {
        LayerSpec::Conv2d(spec) => {
            let conv = windowed(Conv2d::new(spec.filters, spec.kernel), spec.same, Some(spec.stride));
            let conv = if spec.bias { conv } else { conv.without_bias() };
            then(before, conv, &spec.weights, Conv2d::initializer)
        }
        LayerSpec::DepthwiseConv2d(spec) => {
            let conv = windowed(DepthwiseConv2d::new(spec.kernel), spec.same, Some(spec.stride));
            let conv = if spec.bias { conv } else { conv.without_bias() };
            then(before, conv, &spec.weights, DepthwiseConv2d::initializer)
        }
        LayerSpec::Dense(spec) => {
            let dense = Dense::new(spec.units);
            let dense = if spec.bias { dense } else { dense.without_bias() };
            then(before, dense, &spec.weights, Dense::initializer)
        }
        LayerSpec::Gru(spec) => {
            let gru = Gru::new(spec.units);
            before.then(if spec.sequences { gru.sequences() } else { gru })
        }
        LayerSpec::Lstm(spec) => {
            let lstm = Lstm::new(spec.units);
            before.then(if spec.sequences { lstm.sequences() } else { lstm })
        }
        LayerSpec::Attention(spec) => before.then(Attention::new(spec.heads)),
        LayerSpec::PointwiseDense(spec) => before.then(PointwiseDense::new(spec.units)),
        LayerSpec::LayerNorm => before.then(LayerNorm::new()),
        LayerSpec::BatchNorm => before.then(BatchNorm::new()),
        LayerSpec::Relu => before.then(Relu),
        LayerSpec::Relu6 => before.then(Relu6),
        LayerSpec::MaxPool2d(spec) => {
            before.then(windowed(MaxPool2d::new(spec.kernel), spec.same, spec.stride))
        }
        LayerSpec::AveragePool2d(spec) => {
            before.then(windowed(AveragePool2d::new(spec.kernel), spec.same, spec.stride))
        }
        LayerSpec::GlobalAveragePool => before.then(GlobalAveragePool),
        LayerSpec::Flatten => before.then(Flatten),
        LayerSpec::Softmax => before.then(Softmax),
        LayerSpec::Sigmoid => before.then(Sigmoid),
        LayerSpec::Tanh => before.then(Tanh),
        LayerSpec::Dropout(rate) => before.then(Dropout::new(*rate)),
        LayerSpec::Reshape(dims) => before.then(Reshape::new(dims)),
        LayerSpec::Conv1d(spec) => {
            before.then(windowed(Conv1d::new(spec.filters, spec.taps), spec.same, Some(spec.stride)))
        }
        LayerSpec::Residual(inner) => before.then(Residual::new(sequential(inner))),
    })
}

/// A layer with its weights as a recipe wants them.
fn then<L: Layer + 'static>(
    before: Sequential,
    layer: L,
    weights: &WeightsSpec,
    with_initializer: impl Fn(L, Initializer) -> L,
) -> Sequential {
    let &WeightsSpec { initializer, l1, l2 } = weights;
    let layer = match initializer {
        Some(initializer) => with_initializer(layer, initializer.initializer()),
        None => layer,
    };
    let penalty = Penalty { l1, l2 };
    match penalty {
        Penalty::NONE => before.then(layer),
        _ => before.then(layer.penalized(penalty)),
    }
}

impl InitializerSpec {
    fn initializer(self) -> Initializer {
        match self {
            InitializerSpec::HeNormal => Initializer::HeNormal,
            InitializerSpec::HeUniform => Initializer::HeUniform,
            InitializerSpec::GlorotNormal => Initializer::GlorotNormal,
            InitializerSpec::GlorotUniform => Initializer::GlorotUniform,
            InitializerSpec::LecunNormal => Initializer::LecunNormal,
            InitializerSpec::LecunUniform => Initializer::LecunUniform,
            InitializerSpec::Orthogonal => Initializer::Orthogonal,
        }
    }
}

fn windowed<L: Windowed>(layer: L, same: bool, stride: Option<u8>) -> L {
    let layer = if same { layer.same() } else { layer };
    match stride {
        Some(stride) => layer.stride(stride),
        None => layer,
    }
}
