//! How a recipe trains.

use dunlin_converter::nn::{EarlyStopping, FitOptions, Loss, Metric, Optimizer, Schedule};
use serde::Deserialize;

/// What a recipe says about training.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples a step.
    pub batch_size: usize,
    /// What is made small.
    #[serde(default)]
    pub loss: LossSpec,
    /// How parameters follow their gradients.
    pub optimizer: OptimizerSpec,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: ScheduleSpec,
    /// Of the first parameters, the order of the samples and the augmentation.
    #[serde(default)]
    pub seed: u64,
    /// When training ends before the last epoch.
    pub early_stopping: Option<EarlyStoppingSpec>,
    /// Greatest norm of all gradients of a step together.
    pub clip_norm: Option<f32>,
    /// What else is computed and reported: `["f1", "auc", { top_k = 3 }]`; see [`Metric`].
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// Training samples that the ranges of int8 are taken from.
    #[serde(default = "calibration_samples")]
    pub calibration_samples: usize,
}

/// See [`EarlyStopping`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStoppingSpec {
    /// Epochs without improvement.
    pub patience: usize,
    /// What counts as one.
    #[serde(default)]
    pub min_improvement: f64,
}

/// What a recipe says about quantization.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantization {
    /// Bits of a weight, 2 to 8. Fewer than 8 are stored as int8 all the same.
    #[serde(default = "eight")]
    pub weight_bits: u32,
    /// Training that goes on with rounded weights and activations; none without it.
    pub aware: Option<Aware>,
}

/// Training with rounding; batch size and the rest are those of `training`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aware {
    /// Passes over the training samples.
    pub epochs: usize,
    /// Learning rate of Adam, which falls to 0 along half a cosine.
    pub rate: f64,
    /// Whether the scales of weights and activations are trained, too.
    #[serde(default)]
    pub learn_scales: bool,
}

impl Default for Quantization {
    fn default() -> Quantization {
        Quantization { weight_bits: eight(), aware: None }
    }
}

impl Quantization {
    /// The greatest stored weight.
    pub fn weight_max(&self) -> i32 {
        (1 << (self.weight_bits - 1)) - 1
    }
}

fn eight() -> u32 {
    8
}

fn calibration_samples() -> usize {
    1000
}

/// A loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossSpec {
    /// Names the class; see [`Loss::CrossEntropy`].
    #[default]
    CrossEntropy,
    /// Makes the input again; see [`Loss::MeanSquaredError`].
    Reconstruction,
    /// Finds numbers out, those that the data name as targets.
    MeanSquaredError,
}

impl LossSpec {
    /// Whether the network names a class.
    pub fn classifies(self) -> bool {
        self == LossSpec::CrossEntropy
    }

    /// For training.
    pub fn loss(self) -> Loss {
        match self {
            LossSpec::CrossEntropy => Loss::CrossEntropy,
            LossSpec::Reconstruction | LossSpec::MeanSquaredError => Loss::MeanSquaredError,
        }
    }
}

/// An optimizer: `{ adam = { rate = 0.005, weight_decay = 0.1 } }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerSpec {
    /// See [`Optimizer::Adam`].
    Adam(Adam),
    /// See [`Optimizer::Sgd`].
    Sgd(Sgd),
    /// See [`Optimizer::RmsProp`].
    RmsProp(Adam),
}

/// Numbers of [`Optimizer::Adam`] and [`Optimizer::RmsProp`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    /// Learning rate.
    pub rate: f64,
    /// Part of the weights that a step takes away, times the rate.
    #[serde(default)]
    pub weight_decay: f32,
}

/// Numbers of [`Optimizer::Sgd`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    /// Learning rate.
    pub rate: f64,
    /// Part of the velocity that stays.
    #[serde(default)]
    pub momentum: f32,
    /// Whether the step looks one momentum ahead.
    #[serde(default)]
    pub nesterov: bool,
    /// L2 penalty.
    #[serde(default)]
    pub weight_decay: f32,
}

impl OptimizerSpec {
    fn optimizer(self) -> Optimizer {
        match self {
            OptimizerSpec::Adam(Adam { rate, weight_decay }) => {
                Optimizer::adam(rate).weight_decay(weight_decay)
            }
            OptimizerSpec::RmsProp(Adam { rate, weight_decay }) => {
                Optimizer::rms_prop(rate).weight_decay(weight_decay)
            }
            OptimizerSpec::Sgd(Sgd { rate, momentum, nesterov, weight_decay }) => {
                Optimizer::Sgd { rate, momentum, nesterov, weight_decay }
            }
        }
    }
}

/// A schedule: `"constant"`, `{ step = { epochs = 5, factor = 0.1 } }` or `{ cosine = { warmup = 1.0 } }`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleSpec {
    /// See [`Schedule::Constant`].
    #[default]
    Constant,
    /// See [`Schedule::Step`].
    Step {
        /// Epochs between changes.
        epochs: usize,
        /// What the rate is multiplied with.
        factor: f64,
    },
    /// See [`Schedule::Exponential`].
    Exponential {
        /// What is left of the rate after an epoch.
        factor: f64,
    },
    /// See [`Schedule::Cosine`].
    Cosine {
        /// Epochs until the full rate.
        warmup: f64,
    },
    /// See [`Schedule::Plateau`].
    Plateau {
        /// What the rate is multiplied with.
        factor: f64,
        /// Epochs without improvement.
        patience: usize,
        /// What counts as one.
        #[serde(default)]
        min_improvement: f64,
    },
}

impl ScheduleSpec {
    fn schedule(self) -> Schedule {
        match self {
            ScheduleSpec::Constant => Schedule::Constant,
            ScheduleSpec::Step { epochs, factor } => Schedule::Step { epochs, factor },
            ScheduleSpec::Exponential { factor } => Schedule::Exponential { factor },
            ScheduleSpec::Cosine { warmup } => Schedule::Cosine { warmup },
            ScheduleSpec::Plateau { factor, patience, min_improvement } => {
                Schedule::Plateau { factor, patience, min_improvement }
            }
        }
    }
}

impl Training {
    /// For [`Network::fit_quantized`](dunlin_converter::nn::Network::fit_quantized).
    pub fn aware_options(&self, aware: &Aware, seed: u64) -> FitOptions {
        FitOptions {
            epochs: aware.epochs,
            optimizer: Optimizer::adam(aware.rate),
            schedule: Schedule::Cosine { warmup: 0.0 },
            ..self.fit_options(seed)
        }
    }

    /// For [`Network::fit`](dunlin_converter::nn::Network::fit), without progress and checkpoint.
    pub fn fit_options(&self, seed: u64) -> FitOptions {
        FitOptions {
            epochs: self.epochs,
            batch_size: self.batch_size,
            loss: self.loss.loss(),
            optimizer: self.optimizer.optimizer(),
            schedule: self.schedule.schedule(),
            early_stopping: self.early_stopping.map(|EarlyStoppingSpec { patience, min_improvement }| {
                EarlyStopping { patience, min_improvement }
            }),
            clip_norm: self.clip_norm,
            metrics: self.metrics.clone(),
            seed,
            ..FitOptions::default()
        }
    }
}
