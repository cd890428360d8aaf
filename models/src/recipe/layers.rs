//! Layers as a recipe lists them.

use dunlin_converter::nn::{
    Attention, AveragePool2d, BatchNorm, Conv2d, Dense, DepthwiseConv2d, Flatten, GlobalAveragePool, Gru,
    LayerNorm, Lstm, MaxPool2d, PointwiseDense, Relu, Relu6, Residual, Sequential, Softmax, Windowed,
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
            before.then(if spec.bias { conv } else { conv.without_bias() })
        }
        LayerSpec::DepthwiseConv2d(spec) => {
            let conv = windowed(DepthwiseConv2d::new(spec.kernel), spec.same, Some(spec.stride));
            before.then(if spec.bias { conv } else { conv.without_bias() })
        }
        LayerSpec::Dense(spec) => {
            let dense = Dense::new(spec.units);
            before.then(if spec.bias { dense } else { dense.without_bias() })
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
        LayerSpec::Residual(inner) => before.then(Residual::new(sequential(inner))),
    })
}

fn windowed<L: Windowed>(layer: L, same: bool, stride: Option<u8>) -> L {
    let layer = if same { layer.same() } else { layer };
    match stride {
        Some(stride) => layer.stride(stride),
        None => layer,
    }
}
