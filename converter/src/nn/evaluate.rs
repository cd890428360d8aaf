//! A network on samples that it is not trained on.

use std::ops::ControlFlow;

use dunlin::ops::{Concat, Slice};
use dunlin::shape::MAX_RANK;

use super::network::Traced;
use super::source::{Batch, for_each_batch};
use super::step::{Built, Loaded, Outcome, Pass, Runner, compile_steps};
use super::{Loss, Metric, Metrics, Mode, Network, Predictions, Source};
use crate::autograd::padded_dims;
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
        self.check_metrics(loss, metrics)?;
        let steps = compile_steps(data.len(), BATCH_SIZE, |batch| {
            let mut traced = self.trace(Mode::Inference, batch)?;
            let (parts, n_inputs) = (traced.parts(), self.n_inputs());
            let Traced { graph, outputs, .. } = &mut traced;
            trace_loss(graph, outputs, data, loss)?;
            Ok(Built { graph: traced.graph, parameters: Vec::new(), masks: Vec::new(), parts, n_inputs })
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

    pub(super) fn check_metrics(&self, loss: Loss, metrics: &[Metric]) -> Result<()> {
        let of_classes = metrics.iter().find(|metric| !metric.is_error());
        match of_classes {
            Some(metric) if self.n_outputs() > 1 => Err(Error::Invalid(format!(
                "{metric} is a metric of one output, the network has {}: take predict and the columns that it is of",
                self.n_outputs()
            ))),
            _ => metrics.iter().try_for_each(|metric| metric.check(loss.classifies())),
        }
    }
}

/// Appends targets and loss; the graph's outputs are then the loss and the prediction: the network's output, or for each
/// sample a row of all its outputs.
pub(super) fn trace_loss(
    graph: &mut Graph,
    outputs: &[TensorId],
    data: &dyn Source,
    loss: Loss,
) -> Result<TensorId> {
    let batch = graph.dims(graph.inputs()[0])[0];
    let dims: Vec<usize> = [batch].iter().chain(data.target_dims()).copied().collect();
    let targets = graph.input("targets", &dims)?;
    let (loss, prediction) = match *outputs {
        [prediction] => (loss.trace(graph, prediction, targets)?, prediction),
        _ => trace_losses(graph, outputs, targets, loss)?,
    };
    graph.mark_output(loss);
    graph.mark_output(prediction);
    Ok(loss)
}

/// The sum of the losses of several outputs, whose targets lie in one row, and their predictions in such a row.
fn trace_losses(
    graph: &mut Graph,
    outputs: &[TensorId],
    targets: TensorId,
    loss: Loss,
) -> Result<(TensorId, TensorId)> {
    let shapes: Vec<Vec<usize>> = outputs.iter().map(|&id| graph.dims(id)).collect();
    let lens: Vec<usize> = shapes.iter().map(|dims| dims[1..].iter().product()).collect();
    let (batch, have) = (shapes[0][0], graph.dims(targets));
    if have != [batch, lens.iter().sum()] {
        let what = format!("the network makes {shapes:?}, of which the targets must be rows, not {have:?}");
        return Err(Error::graph("loss", what));
    }
    let (mut at, mut losses, mut rows) = (0, Vec::new(), Vec::new());
    for ((&output, dims), &len) in outputs.iter().zip(&shapes).zip(&lens) {
        let part = Slice {
            begin: padded_dims(&[0, at], 0),
            len: padded_dims(&[batch, len], 1),
            stride: [1; MAX_RANK],
        };
        let own = graph.apply("loss/targets", part, &[targets])?;
        let own = graph.reshape("loss/targets", own, dims)?;
        let own = loss.trace(graph, output, own)?;
        losses.push(graph.reshape("loss", own, &[1])?);
        rows.push(graph.reshape("outputs", output, &[batch, len])?);
        at += len;
    }
    let first = losses[0];
    let sum = losses[1..].iter().try_fold(first, |sum, &own| graph.add("loss", sum, own))?;
    Ok((sum, graph.apply("outputs", Concat { axis: 1 }, &rows)?))
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
