//! Training.

use std::ops::ControlFlow;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::checkpoint::Progressed;
use super::evaluate::{Totals, trace_loss};
use super::network::Traced;
use super::source::for_each_batch;
use super::step::{Built, Loaded, Pass, Runner, Step, compile_steps};
use super::{
    BatchEnd, Callback, Dataset, EarlyStopping, EpochEnd, Loss, Metric, Metrics, Mode, Network, Next,
    Optimizer, Penalty, Schedule, Source, checkpoint,
};
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
    /// What else is computed of the training samples (each batch before its own update) and the validation samples.
    pub metrics: Vec<Metric>,
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
            metrics: Vec::new(),
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

impl History {
    /// The losses that early stopping and the learning rate's schedule go by: those of the validation samples, if there
    /// are some.
    pub(super) fn watched(&self) -> Vec<f64> {
        let metrics = if self.validation.is_empty() { &self.epochs } else { &self.validation };
        metrics.iter().map(|metrics| metrics.loss).collect()
    }
}

impl Network {
    /// Trains the network. The same data, options and first parameters give the same bytes each time.
    ///
    /// # Errors
    /// If the data do not fit the network, if an operator has no gradient, or if the loss or a parameter
    /// stops being finite (names epoch and batch), or if a checkpoint is damaged, another training's, or cannot be
    /// written; the parameters then stay as they were.
    pub fn fit(&mut self, data: &Dataset, options: &FitOptions) -> Result<History> {
        self.fit_with(data, None, options, &mut [])
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
        self.fit_with(data, Some(validation), options, &mut [])
    }

    /// [`Network::fit`] on samples from anywhere, with callbacks that are told how it goes, in their order.
    ///
    /// # Errors
    /// As [`Network::fit`], and those of the samples and callbacks.
    pub fn fit_with(
        &mut self,
        data: &dyn Source,
        validation: Option<&dyn Source>,
        options: &FitOptions,
        callbacks: &mut [&mut dyn Callback],
    ) -> Result<History> {
        self.check(data, options)?;
        let steps = self.training_steps(data, options)?;
        let task = match &options.checkpoint {
            Some(_) => checkpoint::task(options, &steps, data, validation)?,
            None => String::new(),
        };
        let mut loaded = Loaded::new(&steps)?;
        let runner = loaded.runner(options.threads)?;
        let mut training = Training { network: self, data, validation, options, runner };
        let history = training.run(&task, callbacks)?;
        let values = training.runner.parameters();
        self.set_values(values)?;
        Ok(history)
    }

    /// Forward, loss, backward and update as one graph, for each batch size that occurs.
    fn training_steps(&self, data: &dyn Source, options: &FitOptions) -> Result<Vec<Step>> {
        compile_steps(data.len(), options.batch_size, |batch| {
            let traced = self.trace(Mode::Training, batch)?;
            let (parts, n_inputs) = (traced.parts(), self.n_inputs());
            let Traced { mut graph, outputs, parameters, masks } = traced;
            let inputs = graph.inputs().to_vec();
            graph.set_ports(inputs.clone(), outputs.clone());
            fuse_activations(&mut graph);
            graph.set_ports(inputs, Vec::new());
            let loss = trace_loss(&mut graph, &outputs, data, options.loss)?;
            let trainable = parameters.iter().zip(self.parameters()).filter(|(_, p)| p.trainable);
            let trainable: Vec<_> = trainable.map(|(&id, parameter)| (id, parameter.penalty)).collect();
            trace_updates(&mut graph, loss, &trainable, options)?;
            Ok(Built { graph, parameters, masks, parts, n_inputs })
        })
    }

    fn check(&self, data: &dyn Source, options: &FitOptions) -> Result<()> {
        self.check_dims(data)?;
        if options.epochs == 0 || options.batch_size == 0 {
            return Err(Error::Invalid("training takes at least one epoch, and one sample a batch".into()));
        }
        self.check_options(options)
    }

    pub(super) fn check_options(&self, options: &FitOptions) -> Result<()> {
        if let Some(norm) = options.clip_norm.filter(|norm| !(norm.is_finite() && *norm > 0.0)) {
            return Err(Error::Invalid(format!(
                "gradients are clipped to the norm {norm}; it must be above 0"
            )));
        }
        options.schedule.check()?;
        self.check_metrics(options.loss, &options.metrics)?;
        let rate = options.optimizer.rate();
        if rate.is_finite() && rate > 0.0 {
            return Ok(());
        }
        Err(Error::Invalid(format!("the learning rate is {rate}; it must be above 0")))
    }
}

/// Appends the gradients of `loss` and the penalties with respect to `trainable`, clipped if asked for, and the updates that
/// follow them.
pub(super) fn trace_updates(
    graph: &mut Graph,
    loss: TensorId,
    trainable: &[(TensorId, Penalty)],
    options: &FitOptions,
) -> Result<()> {
    let rates = options.optimizer.trace_rates(graph)?;
    let penalized = trainable.iter().try_fold(loss, |loss, &(id, penalty)| penalty.trace(graph, loss, id))?;
    let ids: Vec<TensorId> = trainable.iter().map(|&(id, _)| id).collect();
    let mut grads = gradients(graph, penalized, &ids)?;
    if let Some(greatest) = options.clip_norm {
        let factor = graph.norm_factor("clip", &grads, greatest)?;
        for gradient in &mut grads {
            *gradient = graph.mul("clip", *gradient, factor)?;
        }
    }
    let mut updates = ids.iter().zip(&grads);
    updates.try_for_each(|(&id, &gradient)| options.optimizer.trace_update(graph, id, gradient, rates))
}

/// A training that goes on.
struct Training<'t> {
    network: &'t Network,
    data: &'t dyn Source,
    validation: Option<&'t dyn Source>,
    options: &'t FitOptions,
    runner: Runner<'t>,
}

/// What an epoch came to.
struct Trained {
    metrics: Metrics,
    rate: f64,
    next: Next,
}

impl Training<'_> {
    fn run(&mut self, task: &str, callbacks: &mut [&mut dyn Callback]) -> Result<History> {
        let options = self.options;
        let n_batches = self.data.len().div_ceil(options.batch_size);
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let mut order: Vec<usize> = (0..self.data.len()).collect();
        let bar = progress_bar(options, n_batches);
        let Progressed { mut history, mut next } = match &options.checkpoint {
            Some(path) => checkpoint::resume(path, task, &mut self.runner, callbacks)?,
            None => Progressed::default(),
        };
        let n_done = history.epochs.len();
        bar.inc((n_done * n_batches) as u64);
        bar.reset_eta();
        for epoch in 0..options.epochs {
            order.shuffle(&mut rng);
            if epoch < n_done {
                continue; // the order goes on from those before
            }
            if next == Next::Stop
                || options.early_stopping.is_some_and(|early| early.stops(&history.watched()))
            {
                break;
            }
            callbacks.iter_mut().try_for_each(|callback| callback.epoch_begins(epoch))?;
            let trained = self.epoch(epoch, &order, &history, callbacks, &bar)?;
            history.epochs.push(trained.metrics);
            next = self.epoch_ends(epoch, trained.rate, &mut history, callbacks)?.max(trained.next);
            if let Some(path) = &options.checkpoint {
                checkpoint::save(path, task, &history, next, &mut self.runner, callbacks)?;
            }
        }
        bar.finish();
        Ok(history)
    }

    /// Runs a step for every batch of `order`.
    fn epoch(
        &mut self,
        epoch: usize,
        order: &[usize],
        history: &History,
        callbacks: &mut [&mut dyn Callback],
        bar: &ProgressBar,
    ) -> Result<Trained> {
        let Training { data, options, runner, .. } = self;
        let (loss, seed) = (options.loss, options.seed);
        let n_batches = data.len().div_ceil(options.batch_size);
        let watched = history.watched();
        let mut totals = Totals::new(loss, &options.metrics);
        let (mut batch_index, mut rate, mut next) = (0, options.optimizer.rate(), Next::GoOn);
        for_each_batch(*data, order, options.batch_size, epoch, |batch| {
            let done = epoch as f64 + batch_index as f64 / n_batches as f64;
            let factor = options.schedule.factor(done, options.epochs as f64, &watched);
            rate = options.optimizer.rate() * factor;
            let step = (epoch * n_batches + batch_index + 1) as u64;
            let rates = options.optimizer.rates(factor, step);
            let outcome = runner.run(batch, &Pass { loss, rates: &rates, seed, step })?;
            if !outcome.loss.is_finite() {
                let at = format!("epoch {}, batch {}", epoch + 1, batch_index + 1);
                return Err(Error::Invalid(format!(
                    "{at}: the loss is {}; lower the learning rate ({rate}) or scale the data",
                    outcome.loss
                )));
            }
            totals.add(&outcome, runner, batch)?;
            bar.inc(1);
            let end = BatchEnd { epoch, batch: batch_index, n_batches, loss: outcome.loss, rate };
            for callback in callbacks.iter_mut() {
                next = next.max(callback.batch_ends(&end)?);
            }
            batch_index += 1;
            Ok(if next == Next::Stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let metrics = totals.metrics()?;
        bar.set_message(format!("epoch {}: {metrics}", epoch + 1));
        Ok(Trained { metrics, rate, next })
    }

    /// Validates, and tells the callbacks.
    fn epoch_ends(
        &mut self,
        epoch: usize,
        rate: f64,
        history: &mut History,
        callbacks: &mut [&mut dyn Callback],
    ) -> Result<Next> {
        if self.validation.is_none() && callbacks.is_empty() {
            return Ok(Next::GoOn);
        }
        let network = &self.network.with_values(&self.runner.parameters());
        if let Some(validation) = self.validation {
            let metrics = network.evaluate_with(validation, self.options.loss, &self.options.metrics)?;
            history.validation.push(metrics);
        }
        let (training, validation) = (&history.epochs[epoch], history.validation.get(epoch));
        let end = EpochEnd { epoch, training, validation, rate, network };
        callbacks.iter_mut().try_fold(Next::GoOn, |next, callback| Ok(next.max(callback.epoch_ends(&end)?)))
    }
}

pub(super) fn progress_bar(options: &FitOptions, n_batches: usize) -> ProgressBar {
    if options.progress == Progress::Quiet {
        return ProgressBar::hidden();
    }
    let template = "training {bar:32} {pos}/{len} batches, {eta} left, {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new((options.epochs * n_batches) as u64).with_style(style)
}
