//! Batch normalization.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{self, Add, BatchNormTrain};

use super::{Initializer, Layer, Mode, Trace};
use crate::{Result, TensorId};

/// Batch normalization over the innermost dimension. Training takes mean and biased variance of the batch
/// and keeps running averages of both; inference takes those averages.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    momentum: f32,
    epsilon: f32,
}

impl BatchNorm {
    /// Momentum 0.9, epsilon 0.001.
    pub fn new() -> BatchNorm {
        BatchNorm { momentum: 0.9, epsilon: 1e-3 }
    }

    /// The part of the running averages that a batch leaves as it is.
    pub fn momentum(self, momentum: f32) -> BatchNorm {
        BatchNorm { momentum, ..self }
    }

    /// What is added to the variance.
    pub fn epsilon(self, epsilon: f32) -> BatchNorm {
        BatchNorm { epsilon, ..self }
    }

    /// `running = momentum * running + (1 - momentum) * batch`.
    fn average(&self, cx: &mut Trace, running: TensorId, batch: TensorId) -> Result<()> {
        let name = cx.name("average");
        let kept = cx.graph.scale(&name, running, self.momentum)?;
        let new = cx.graph.scale(&name, batch, 1.0 - self.momentum)?;
        cx.graph.update(&name, Add { bounds: Bounds::None, factors: None }, &[kept, new], &[running])
    }
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl Layer for BatchNorm {
    fn kind(&self) -> &'static str {
        "batch_norm"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let channels = [cx.graph[x].ty.shape.channels()];
        let gamma = cx.parameter("gamma", &channels, Initializer::Ones, [1, 1])?;
        let beta = cx.parameter("beta", &channels, Initializer::Zeros, [1, 1])?;
        let mean = cx.statistic("mean", &channels, Initializer::Zeros)?;
        let variance = cx.statistic("variance", &channels, Initializer::Ones)?;
        if cx.mode() == Mode::Training {
            let (name, op) = (cx.name(""), BatchNormTrain { epsilon: self.epsilon, bounds: Bounds::None });
            let made = cx.graph.apply_all(&name, op, &[x, gamma, beta])?;
            self.average(cx, mean, made[1])?;
            self.average(cx, variance, made[2])?;
            return Ok(made[0]);
        }
        cx.apply(ops::BatchNorm { epsilon: self.epsilon }, &[x, gamma, beta, mean, variance])
    }
}
