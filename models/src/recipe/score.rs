//! How a network does on samples that it never saw.

use std::collections::BTreeMap;
use std::fmt;

use dunlin::Model;
use dunlin_converter::nn::{Dataset, Loss, Metric, Network, Predictions, auc};
use dunlin_converter::npy::Array;
use dunlin_converter::samples::{self, Samples};
use dunlin_converter::{Data, Error, Result};
use serde::Serialize;

/// How a network does on samples that it never saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Mean loss of a sample; where anomalies are to be found, of those that are none.
    pub loss: f64,
    /// Part of the samples whose class it names, if it does.
    pub accuracy: Option<f64>,
    /// What the recipe asks for beside, and `auc` where anomalies are to be found.
    pub metrics: BTreeMap<String, f64>,
}

/// Where an autoencoder's error says that a sample is an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Threshold {
    /// Mean squared difference between input and output, in the input's unit.
    pub error: f32,
    /// Part of the test's normal samples above it.
    pub false_alarms: f64,
    /// Part of the test's anomalies above it.
    pub found: f64,
}

/// What predictions are measured by.
pub(super) struct Measure<'m> {
    pub loss: Loss,
    pub metrics: &'m [Metric],
    pub anomalies: Option<&'m [bool]>,
}

impl Measure<'_> {
    /// Of the network in f32.
    pub(super) fn real(&self, network: &Network, test: &Dataset) -> Result<Score> {
        let predictions = network.predict(test, self.loss)?;
        let mut score = self.score(&predictions)?;
        if self.loss == Loss::CrossEntropy {
            score.loss = network.evaluate(test, self.loss)?.loss; // with the logits' precision
        }
        Ok(score)
    }

    /// Of any predictions.
    pub(super) fn score(&self, predictions: &Predictions) -> Result<Score> {
        let n = predictions.len() as f64;
        let mut metrics = BTreeMap::new();
        for metric in self.metrics {
            metrics.insert(metric.to_string(), metric.of(predictions)?);
        }
        let accuracy = match self.loss.classifies() {
            true => Some(Metric::Accuracy.of(predictions)?),
            false => None,
        };
        let errors = predictions.squared_errors();
        let loss = match (self.loss, self.anomalies) {
            (Loss::MeanSquaredError, Some(anomalies)) => {
                metrics.insert("auc".to_string(), auc(&errors, anomalies).unwrap_or(f64::NAN));
                let normal = || errors.iter().zip(anomalies).filter(|(_, is)| !**is).map(|(error, _)| error);
                normal().sum::<f64>() / normal().count() as f64
            }
            (Loss::MeanSquaredError, None) => errors.iter().sum::<f64>() / n,
            (Loss::CrossEntropy | Loss::BinaryCrossEntropy, _) => {
                let row = |(output, target): (&[f32], &[f32])| cross_entropy(output, target);
                predictions.rows().map(row).sum::<f64>() / n
            }
        };
        Ok(Score { loss, accuracy, metrics })
    }
}

/// Of probabilities; one that int8 rounds to 0 is taken as half its step of 1/256.
fn cross_entropy(output: &[f32], target: &[f32]) -> f64 {
    let term = |(&p, &t): (&f32, &f32)| f64::from(t) * -f64::from(p.max(0.5 / 256.0)).ln();
    output.iter().zip(target).map(term).sum()
}

/// What the model makes of samples.
pub(super) fn predict(model: &Model, data: &Dataset, loss: Loss) -> Result<Predictions> {
    let dims = [&[data.len()][..], data.dims()].concat();
    let x = (0..data.len()).flat_map(|i| data.sample(i)).copied().collect();
    let samples = Samples::of(model, &[Array { dims, data: Data::F32(x) }])?;
    let stored = samples::run(model, &samples)?;
    let port = model.output(0).map_err(|source| Error::Model { what: "the output".to_string(), source })?;
    let real = |&byte: &u8| port.scale * (i32::from(byte as i8) - port.zero_point) as f32;
    let outputs: Vec<f32> = stored.iter().map(real).collect();
    let targets: Vec<f32> = (0..data.len()).flat_map(|i| data.target(i)).copied().collect();
    Predictions::new(loss, targets.len() / data.len(), outputs, targets)
}

/// The error that 99 of 100 of these normal samples stay below.
pub(super) fn threshold(predictions: &Predictions) -> f32 {
    let mut errors = predictions.squared_errors();
    errors.sort_by(f64::total_cmp);
    errors.get((errors.len() * 99 / 100).min(errors.len().saturating_sub(1))).map_or(0.0, |&e| e as f32)
}

impl Threshold {
    pub(super) fn of(error: f32, predictions: &Predictions, anomalies: &[bool]) -> Threshold {
        let errors = predictions.squared_errors();
        let above = |which: bool| {
            let of_kind = || errors.iter().zip(anomalies).filter(move |(_, is)| **is == which);
            of_kind().filter(|(own, _)| **own > f64::from(error)).count() as f64 / of_kind().count() as f64
        };
        Threshold { error, false_alarms: above(false), found: above(true) }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.accuracy {
            Some(accuracy) => write!(f, "{:.2} % right, loss {:.4}", 100.0 * accuracy, self.loss)?,
            None => write!(f, "loss {:.6}", self.loss)?,
        }
        self.metrics.iter().try_for_each(|(name, value)| write!(f, ", {name} {value:.4}"))
    }
}
