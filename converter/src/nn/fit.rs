//! Training and evaluation.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::network::Traced;
use super::step::{Built, Loaded, Pass, Runner, Step, compile_steps};
use super::{Dataset, Loss, Mode, Network, Optimizer, Schedule, checkpoint};
use crate::autograd::gradients;
use crate::passes::fuse_activations;
use crate::{Error, Graph, Result, TensorId};

/// How to train.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// Passes over the data.
    pub epochs: usize,
    /// Samples a step. The samples that are left over at the end of an epoch make a smaller batch, for which
    /// a step of its own is compiled: the mean of its loss and the statistics of batch normalization are
    /// those of just these samples.
    pub batch_size: usize,
    /// What training makes small.
    pub loss: Loss,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Decides the order of the samples.
    pub seed: u64,
    /// What is shown meanwhile.
    pub progress: Progress,
    /// A safetensors file that every epoch replaces, and from which a training that was interrupted goes on: the
    /// result has the same bytes as without the interruption.
    pub checkpoint: Option<PathBuf>,
    /// Threads that compute; without a number one a core (or as many as `RAYON_NUM_THREADS` says). The result has the
    /// same bytes for any number.
    pub threads: Option<usize>,
    /// Greatest Euclidean norm of all gradients of a step together; what is longer is scaled down to it.
    pub clip_norm: Option<f32>,
    /// When training ends before the last epoch.
    pub early_stopping: Option<EarlyStopping>,
}

/// Training ends when the loss has not become smaller for some epochs: that of the validation samples where there are
/// some, that of the training samples otherwise. The parameters are then those of the last epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyStopping {
    /// So many epochs, at least 1.
    pub patience: usize,
    /// By how much a loss must be below the least one so far to count as smaller.
    pub min_improvement: f64,
}

impl EarlyStopping {
    fn stops(&self, history: &History) -> bool {
        let losses = if history.validation.is_empty() { &history.epochs } else { &history.validation };
        let (mut least, mut at) = (f64::INFINITY, 0);
        for (epoch, metrics) in losses.iter().enumerate() {
            if metrics.loss < least - self.min_improvement {
                (least, at) = (metrics.loss, epoch);
            }
        }
        losses.len() > at + self.patience.max(1)
    }
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            epochs: 10,
            batch_size: 32,
            loss: Loss::CrossEntropy,
            optimizer: Optimizer::adam(1e-3),
            schedule: Schedule::Constant,
            seed: 0,
            progress: Progress::Quiet,
            checkpoint: None,
            threads: None,
            clip_norm: None,
            early_stopping: None,
        }
    }
}

/// What is shown while training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing.
    Quiet,
    /// A bar, if standard error is a terminal.
    Bar,
}

/// Means over a set of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// Mean loss of a sample.
    pub loss: f64,
    /// Part of the samples whose prediction is right, if the loss classifies: whose greatest element is the label's, or
    /// (binary) all of whose elements are on their target's side of 0.5.
    pub accuracy: Option<f64>,
}

/// An epoch's metrics; each batch as it was before its own update.
pub type Epoch = Metrics;

/// What happened while training, an entry an epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// In order.
    pub epochs: Vec<Epoch>,
    /// After each epoch, on the validation samples; empty if there are none.
    pub validation: Vec<Metrics>,
}

impl Network {
    /// Trains the network. The same data, options and first parameters give the same bytes each time.
    ///
    /// # Errors
    /// If the data do not fit the network, if an operator has no gradient, or if the loss or a parameter
    /// stops being finite (names epoch and batch), or if a checkpoint is damaged, another training's, or cannot be
    /// written; the parameters then stay as they were.
    pub fn fit(&mut self, data: &Dataset, options: &FitOptions) -> Result<History> {
        self.train(data, None, options)
    }

    /// [`Network::fit`], which looks after each epoch how the network does on samples that it is not trained on.
    ///
    /// # Errors
    /// As [`Network::fit`].
    pub fn fit_validated(
        &mut self,
        data: &Dataset,
        validation: &Dataset,
        options: &FitOptions,
    ) -> Result<History> {
        self.train(data, Some(validation), options)
    }

    fn train(
        &mut self,
        data: &Dataset,
        validation: Option<&Dataset>,
        options: &FitOptions,
    ) -> Result<History> {
        self.check(data, options)?;
        let steps = self.training_steps(data, options)?;
        let mut loaded = Loaded::new(&steps)?;
        let mut runner = loaded.runner(options.threads)?;
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let mut order: Vec<usize> = (0..data.len()).collect();
        let n_batches = data.len().div_ceil(options.batch_size);
        let bar = progress_bar(options, n_batches);
        let task = checkpoint::task(options, data, validation);
        let mut history = match &options.checkpoint {
            Some(path) => checkpoint::resume(path, &task, &mut runner)?,
            None => History::default(),
        };
        let n_done = history.epochs.len();
        bar.inc((n_done * n_batches) as u64);
        for epoch in 0..options.epochs {
            order.shuffle(&mut rng);
            if epoch < n_done {
                continue; // the order goes on from those before
            }
            if options.early_stopping.is_some_and(|early| early.stops(&history)) {
                break;
            }
            history.epochs.push(train_epoch(&mut runner, data, options, epoch, &order, &bar)?);
            if let Some(validation) = validation {
                history
                    .validation
                    .push(self.with_values(&runner.parameters()).evaluate(validation, options.loss)?);
            }
            if let Some(path) = &options.checkpoint {
                checkpoint::save(path, &task, &history, &mut runner)?;
            }
        }
        bar.finish();
        self.set_values(runner.parameters())?;
        Ok(history)
    }

    /// Mean loss and accuracy on `data`, with the network in its inference form.
    ///
    /// # Errors
    /// If the data do not fit the network.
    pub fn evaluate(&self, data: &Dataset, loss: Loss) -> Result<Metrics> {
        const BATCH_SIZE: usize = 64;
        self.check_dims(data)?;
        let steps = compile_steps(data.len(), BATCH_SIZE, |batch| {
            let Traced { mut graph, prediction, .. } = self.trace(Mode::Inference, batch)?;
            trace_loss(&mut graph, prediction, data, loss)?;
            Ok(Built { graph, parameters: Vec::new(), masks: Vec::new() })
        })?;
        let mut loaded = Loaded::new(&steps)?;
        let mut runner: Runner = loaded.runner(None)?;
        let order: Vec<usize> = (0..data.len()).collect();
        let mut totals = Totals::default();
        for batch in order.chunks(BATCH_SIZE) {
            let outcome = runner.run(data, batch, &Pass { loss, rates: &[], seed: 0, step: 0 })?;
            totals.add(outcome.loss, outcome.n_correct, batch.len());
        }
        Ok(totals.metrics(loss))
    }

    /// Forward, loss, backward and update as one graph, for each batch size that occurs.
    fn training_steps(&self, data: &Dataset, options: &FitOptions) -> Result<Vec<Step>> {
        compile_steps(data.len(), options.batch_size, |batch| {
            let Traced { mut graph, prediction, parameters, masks } = self.trace(Mode::Training, batch)?;
            fuse_activations(&mut graph);
            let loss = trace_loss(&mut graph, prediction, data, options.loss)?;
            let rates = options.optimizer.trace_rates(&mut graph)?;
            let trainable: Vec<TensorId> = parameters
                .iter()
                .zip(self.parameters())
                .filter_map(|(&id, parameter)| parameter.trainable.then_some(id))
                .collect();
            let mut grads = gradients(&mut graph, loss, &trainable)?;
            if let Some(greatest) = options.clip_norm {
                let factor = graph.norm_factor("clip", &grads, greatest)?;
                for gradient in &mut grads {
                    *gradient = graph.mul("clip", *gradient, factor)?;
                }
            }
            for (&parameter, &gradient) in trainable.iter().zip(&grads) {
                options.optimizer.trace_update(&mut graph, parameter, gradient, rates)?;
            }
            Ok(Built { graph, parameters, masks })
        })
    }

    fn check(&self, data: &Dataset, options: &FitOptions) -> Result<()> {
        self.check_dims(data)?;
        if options.epochs == 0 || options.batch_size == 0 {
            return Err(Error::Invalid("training takes at least one epoch, and one sample a batch".into()));
        }
        if let Some(norm) = options.clip_norm.filter(|norm| !(norm.is_finite() && *norm > 0.0)) {
            return Err(Error::Invalid(format!(
                "gradients are clipped to the norm {norm}; it must be above 0"
            )));
        }
        let rate = options.optimizer.rate();
        if rate.is_finite() && rate > 0.0 {
            return Ok(());
        }
        Err(Error::Invalid(format!("the learning rate is {rate}; it must be above 0")))
    }

    fn check_dims(&self, data: &Dataset) -> Result<()> {
        if data.dims() == self.dims() {
            return Ok(());
        }
        let (have, want) = (data.dims(), self.dims());
        Err(Error::Invalid(format!("the samples have shape {have:?}, the network takes {want:?}")))
    }
}

/// Runs a step for every batch of `order`.
fn train_epoch(
    runner: &mut Runner,
    data: &Dataset,
    options: &FitOptions,
    epoch: usize,
    order: &[usize],
    bar: &ProgressBar,
) -> Result<Metrics> {
    let n_batches = data.len().div_ceil(options.batch_size);
    let mut totals = Totals::default();
    for (i, batch) in order.chunks(options.batch_size).enumerate() {
        let done = epoch as f64 + i as f64 / n_batches as f64;
        let factor = options.schedule.factor(done, options.epochs as f64);
        let step = (epoch * n_batches + i + 1) as u64;
        let rates = options.optimizer.rates(factor, step);
        let pass = Pass { loss: options.loss, rates: &rates, seed: options.seed, step };
        let outcome = runner.run(data, batch, &pass)?;
        if !outcome.loss.is_finite() {
            let (loss, rate) = (outcome.loss, options.optimizer.rate() * factor);
            let at = format!("epoch {}, batch {}", epoch + 1, i + 1);
            return Err(Error::Invalid(format!(
                "{at}: the loss is {loss}; lower the learning rate ({rate}) or scale the data"
            )));
        }
        totals.add(outcome.loss, outcome.n_correct, batch.len());
        bar.inc(1);
    }
    let metrics = totals.metrics(options.loss);
    bar.set_message(metrics.to_string());
    Ok(metrics)
}

/// Appends targets and loss; the graph's outputs are then the loss and the prediction.
fn trace_loss(graph: &mut Graph, prediction: TensorId, data: &Dataset, loss: Loss) -> Result<TensorId> {
    let batch = graph.dims(graph.inputs()[0])[0];
    let dims: Vec<usize> = [batch].iter().chain(data.target_dims()).copied().collect();
    let targets = graph.input("targets", &dims)?;
    let loss = loss.trace(graph, prediction, targets)?;
    graph.mark_output(loss);
    graph.mark_output(prediction);
    Ok(loss)
}

/// Sums over the batches of a pass.
#[derive(Default)]
struct Totals {
    loss: f64,
    n_correct: usize,
    n_samples: usize,
}

impl Totals {
    fn add(&mut self, mean_loss: f32, n_correct: usize, n_samples: usize) {
        self.loss += mean_loss as f64 * n_samples as f64;
        self.n_correct += n_correct;
        self.n_samples += n_samples;
    }

    fn metrics(&self, loss: Loss) -> Metrics {
        let n = self.n_samples as f64;
        let accuracy = loss.classifies().then(|| self.n_correct as f64 / n);
        Metrics { loss: self.loss / n, accuracy }
    }
}

impl std::fmt::Display for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "loss {:.4}", self.loss)?;
        match self.accuracy {
            Some(accuracy) => write!(f, ", accuracy {:.2} %", 100.0 * accuracy),
            None => Ok(()),
        }
    }
}

fn progress_bar(options: &FitOptions, n_batches: usize) -> ProgressBar {
    if options.progress == Progress::Quiet {
        return ProgressBar::hidden();
    }
    let template = "training {bar:32} {pos}/{len} batches, {eta} left, {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new((options.epochs * n_batches) as u64).with_style(style)
}
