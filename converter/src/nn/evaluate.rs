//! A network on samples that it is not trained on.

use std::ops::ControlFlow;

use super::network::Traced;
use super::source::{Batch, for_each_batch};
use super::step::{Built, Loaded, Outcome, Pass, Runner, compile_steps};
use super::{Loss, Metric, Metrics, Mode, Network, Predictions, Source};
use crate::{Error, Graph, Result, TensorId};

const BATCH_SIZE: usize = 64;

impl Network {
    /// Mean loss and accuracy on `data`, with the network in its inference form: nothing is kept for gradients.
    ///
    /// # Errors
    /// If the data do not fit the network.
    pub fn evaluate(&self, data: &dyn Source, loss: Loss) -> Result<Metrics> {
        self.evaluate_with(data, loss, &[])
    }

    /// [`Network::evaluate`] with more metrics.
    ///
    /// # Errors
    /// As [`Network::evaluate`], and if a metric is about classes and the loss is not.
    pub fn evaluate_with(&self, data: &dyn Source, loss: Loss, metrics: &[Metric]) -> Result<Metrics> {
        self.pass(data, loss, metrics)?.metrics()
    }

    /// What the network makes of each sample of `data`.
    ///
    /// # Errors
    /// As [`Network::evaluate`].
    pub fn predict(&self, data: &dyn Source, loss: Loss) -> Result<Predictions> {
        let mut totals = self.pass(data, loss, &[])?;
        Ok(totals.take_predictions())
    }

    fn pass(&self, data: &dyn Source, loss: Loss, metrics: &[Metric]) -> Result<Totals> {
        self.check_dims(data)?;
        let steps = compile_steps(data.len(), BATCH_SIZE, |batch| {
            let Traced { mut graph, prediction, .. } = self.trace(Mode::Inference, batch)?;
            trace_loss(&mut graph, prediction, data, loss)?;
            Ok(Built { graph, parameters: Vec::new(), masks: Vec::new() })
        })?;
        let mut loaded = Loaded::new(&steps)?;
        let mut runner: Runner = loaded.runner(None)?;
        let order: Vec<usize> = (0..data.len()).collect();
        let mut totals = Totals::keeping(loss, metrics);
        for_each_batch(data, &order, BATCH_SIZE, 0, |batch| {
            let outcome = runner.run(batch, &Pass { loss, rates: &[], seed: 0, step: 0 })?;
            totals.add(&outcome, &runner, batch)?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(totals)
    }

    pub(super) fn check_dims(&self, data: &dyn Source) -> Result<()> {
        if data.is_empty() {
            return Err(Error::Invalid("there are no samples".to_string()));
        }
        if data.dims() == self.dims() {
            return Ok(());
        }
        let (have, want) = (data.dims(), self.dims());
        Err(Error::Invalid(format!("the samples have shape {have:?}, the network takes {want:?}")))
    }
}

/// Appends targets and loss; the graph's outputs are then the loss and the prediction.
pub(super) fn trace_loss(
    graph: &mut Graph,
    prediction: TensorId,
    data: &dyn Source,
    loss: Loss,
) -> Result<TensorId> {
    let batch = graph.dims(graph.inputs()[0])[0];
    let dims: Vec<usize> = [batch].iter().chain(data.target_dims()).copied().collect();
    let targets = graph.input("targets", &dims)?;
    let loss = loss.trace(graph, prediction, targets)?;
    graph.mark_output(loss);
    graph.mark_output(prediction);
    Ok(loss)
}

/// Sums over the batches of a pass.
pub(super) struct Totals {
    loss: f64,
    n_correct: usize,
    n_samples: usize,
    metrics: Vec<Metric>,
    /// Kept where something is to be computed of them.
    predictions: Predictions,
    keeps: bool,
}

impl Totals {
    /// For these metrics.
    pub(super) fn new(loss: Loss, metrics: &[Metric]) -> Totals {
        let (metrics, keeps) = (metrics.to_vec(), !metrics.is_empty());
        Totals { loss: 0.0, n_correct: 0, n_samples: 0, metrics, predictions: Predictions::none(loss), keeps }
    }

    /// With the predictions, whatever the metrics.
    fn keeping(loss: Loss, metrics: &[Metric]) -> Totals {
        Totals { keeps: true, ..Totals::new(loss, metrics) }
    }

    /// Adds the batch that `runner` ran last.
    pub(super) fn add(&mut self, outcome: &Outcome, runner: &Runner, batch: &Batch) -> Result<()> {
        self.loss += f64::from(outcome.loss) * batch.len as f64;
        self.n_correct += outcome.n_correct;
        self.n_samples += batch.len;
        if self.keeps {
            self.predictions.push(batch.targets.len() / batch.len, runner.outputs()?, &batch.targets);
        }
        Ok(())
    }

    pub(super) fn metrics(&self) -> Result<Metrics> {
        let n = self.n_samples as f64;
        let accuracy = self.predictions.loss().classifies().then(|| self.n_correct as f64 / n);
        let more = self.metrics.iter().map(|&metric| Ok((metric, metric.of(&self.predictions)?)));
        Ok(Metrics { loss: self.loss / n, accuracy, more: more.collect::<Result<_>>()? })
    }

    fn take_predictions(&mut self) -> Predictions {
        let none = Predictions::none(self.predictions.loss());
        std::mem::replace(&mut self.predictions, none)
    }
}
