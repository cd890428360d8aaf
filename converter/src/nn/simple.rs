//! Layers without parameters.

use dunlin::ops;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;

use super::weighted::Sliding;
use super::{Layer, Mode, Trace, Windowed};
use crate::{Result, TensorId};

/// `max(x, 0)`.
#[derive(Clone, Copy, Debug)]
pub struct Relu;

impl Layer for Relu {
    fn kind(&self) -> &'static str {
        "relu"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        cx.apply(ops::Clamp { bounds: Bounds::RELU }, &[x])
    }
}

/// `min(max(x, 0), 6)`.
#[derive(Clone, Copy, Debug)]
pub struct Relu6;

impl Layer for Relu6 {
    fn kind(&self) -> &'static str {
        "relu6"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        cx.apply(ops::Clamp { bounds: Bounds::RELU6 }, &[x])
    }
}

/// Softmax over the innermost dimension.
#[derive(Clone, Copy, Debug)]
pub struct Softmax;

impl Layer for Softmax {
    fn kind(&self) -> &'static str {
        "softmax"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        cx.apply(ops::Softmax::F32 { beta: 1.0 }, &[x])
    }
}

/// `1 / (1 + exp(-x))`.
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid;

impl Layer for Sigmoid {
    fn kind(&self) -> &'static str {
        "sigmoid"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        cx.apply(ops::Logistic {}, &[x])
    }
}

/// Hyperbolic tangent.
#[derive(Clone, Copy, Debug)]
pub struct Tanh;

impl Layer for Tanh {
    fn kind(&self) -> &'static str {
        "tanh"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        cx.apply(ops::Tanh {}, &[x])
    }
}

/// While training, sets a part of the elements to 0, others each time, and scales the rest up so that the mean stays
/// (Srivastava et al. 2014). In inference it does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    rate: f32,
}

impl Dropout {
    /// Drops the part `rate` of the elements, in [0, 1).
    pub fn new(rate: f32) -> Dropout {
        Dropout { rate }
    }
}

impl Layer for Dropout {
    fn kind(&self) -> &'static str {
        "dropout"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(cx.error(format!("drops {} of the elements; the part must be in [0, 1)", self.rate)));
        }
        match cx.mode() {
            Mode::Inference => Ok(x),
            Mode::Training => {
                let mask = cx.mask(x, self.rate)?;
                let name = cx.name("");
                cx.graph.mul(&name, x, mask)
            }
        }
    }
}

/// Greatest value of windows of an image; windows do not overlap unless a stride is given.
#[derive(Clone, Debug)]
pub struct MaxPool2d(Sliding);

impl MaxPool2d {
    /// Windows of `[h, w]`.
    pub fn new(kernel: [u8; 2]) -> MaxPool2d {
        MaxPool2d(Sliding::new(kernel.map(usize::from), kernel))
    }
}

impl Windowed for MaxPool2d {
    fn sliding_mut(&mut self) -> &mut Sliding {
        &mut self.0
    }
}

impl Layer for MaxPool2d {
    fn kind(&self) -> &'static str {
        "max_pool2d"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        cx.apply(ops::MaxPool2d(pooling(self.0, cx, x)?), &[x])
    }
}

/// Mean of windows of an image, padding not counted; windows do not overlap unless a stride is given.
#[derive(Clone, Debug)]
pub struct AveragePool2d(Sliding);

impl AveragePool2d {
    /// Windows of `[h, w]`.
    pub fn new(kernel: [u8; 2]) -> AveragePool2d {
        AveragePool2d(Sliding::new(kernel.map(usize::from), kernel))
    }
}

impl Windowed for AveragePool2d {
    fn sliding_mut(&mut self) -> &mut Sliding {
        &mut self.0
    }
}

impl Layer for AveragePool2d {
    fn kind(&self) -> &'static str {
        "average_pool2d"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        cx.apply(ops::AveragePool2d(pooling(self.0, cx, x)?), &[x])
    }
}

fn pooling(sliding: Sliding, cx: &Trace, x: TensorId) -> Result<Pooling> {
    let (kernel, window) = (sliding.small_kernel(cx)?, sliding.window(cx, x)?);
    Ok(Pooling { kernel, window, bounds: Bounds::None })
}

/// Mean over the whole image: `[n, h, w, c]` to `[n, c]`.
#[derive(Clone, Copy, Debug)]
pub struct GlobalAveragePool;

impl Layer for GlobalAveragePool {
    fn kind(&self) -> &'static str {
        "global_average_pool"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        cx.image_dims(x)?;
        cx.apply(ops::Mean { axes: 0b0110, keep_dims: false, factor: None }, &[x])
    }
}

/// `[n, ...]` to `[n, k]`.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

impl Layer for Flatten {
    fn kind(&self) -> &'static str {
        "flatten"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let dims = cx.dims(x);
        let name = cx.name("");
        cx.graph.reshape(&name, x, &[dims[0], dims.iter().skip(1).product()])
    }
}

/// `[n, ...]` to `[n, dims]`.
#[derive(Clone, Debug)]
pub struct Reshape(Vec<usize>);

impl Reshape {
    /// To these dimensions, without the batch.
    pub fn new(dims: &[usize]) -> Reshape {
        Reshape(dims.to_vec())
    }
}

impl Layer for Reshape {
    fn kind(&self) -> &'static str {
        "reshape"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let have = cx.dims(x);
        if have.iter().skip(1).product::<usize>() != self.0.iter().product::<usize>() {
            return Err(cx.error(format!("{have:?} cannot become [{}, ...] of {:?}", have[0], self.0)));
        }
        let name = cx.name("");
        cx.graph.reshape(&name, x, &[&have[..1], &self.0].concat())
    }
}
