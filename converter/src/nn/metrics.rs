//! How good predictions are.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::predictions::{Counts, Predictions};
use crate::{Error, Result};

/// A number that says how good predictions are, as scikit-learn defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Part of the samples whose prediction is right.
    Accuracy,
    /// Part of the samples whose class is among so many of the greatest elements.
    TopK(usize),
    /// Part of what is said that is so: the mean over the classes, 0 for one that is never said.
    Precision,
    /// Part of what is so that is said: the mean over the classes, 0 for one that never is.
    Recall,
    /// Harmonic mean of precision and recall of each class: the mean over the classes.
    F1,
    /// Area under the curve of true over false positives: the mean over the classes, each against all others, of those
    /// that occur and are not the only ones.
    Auc,
    /// Mean magnitude of the differences of all elements.
    MeanAbsoluteError,
    /// Mean square of the differences of all elements.
    MeanSquaredError,
}

impl Metric {
    /// The metric of predictions; NaN where it is not defined: of no samples, or of one class only for [`Metric::Auc`].
    ///
    /// # Errors
    /// If the metric is about classes and the predictions are not.
    pub fn of(self, predictions: &Predictions) -> Result<f64> {
        self.check(predictions.loss().classifies())?;
        let per_class = |part: fn(&Counts) -> f64| mean(predictions.counts().iter().map(part));
        let differences = || {
            predictions.rows().flat_map(|(output, target)| {
                output.iter().zip(target).map(|(o, t)| f64::from(*o) - f64::from(*t))
            })
        };
        Ok(match self {
            Metric::Accuracy => {
                let loss = predictions.loss();
                mean(predictions.rows().map(|(output, target)| truth(loss.is_right(output, target))))
            }
            Metric::TopK(k) => {
                mean(predictions.rows().map(|(output, target)| truth(is_among(k, output, target))))
            }
            Metric::Precision => per_class(|c| share(c.true_positives, c.true_positives + c.false_positives)),
            Metric::Recall => per_class(|c| share(c.true_positives, c.true_positives + c.false_negatives)),
            Metric::F1 => per_class(|c| {
                share(2 * c.true_positives, 2 * c.true_positives + c.false_positives + c.false_negatives)
            }),
            Metric::Auc => {
                let of_class = |class: usize| {
                    let (scores, is): (Vec<f64>, Vec<bool>) = predictions
                        .rows()
                        .map(|(output, target)| (f64::from(output[class]), target[class] > 0.5))
                        .unzip();
                    auc(&scores, &is)
                };
                mean((0..predictions.row_len()).filter_map(of_class))
            }
            Metric::MeanAbsoluteError => mean(differences().map(f64::abs)),
            Metric::MeanSquaredError => mean(differences().map(|d| d * d)),
        })
    }

    /// Whether less is better.
    pub(super) fn is_error(self) -> bool {
        matches!(self, Metric::MeanAbsoluteError | Metric::MeanSquaredError)
    }

    /// Whether it can be asked of a network that names classes, or of one that does not.
    pub(super) fn check(self, classifies: bool) -> Result<()> {
        match self {
            Metric::TopK(0) => Err(Error::Invalid("top_0 is never right: k is at least 1".to_string())),
            Metric::MeanAbsoluteError | Metric::MeanSquaredError => Ok(()),
            _ if classifies => Ok(()),
            _ => Err(Error::Invalid(format!(
                "{self} is a metric of networks that name classes, trained with a cross-entropy: \
                 take mean_absolute_error or mean_squared_error"
            ))),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Metric::Accuracy => "accuracy",
            Metric::TopK(k) => return write!(f, "top_{k}"),
            Metric::Precision => "precision",
            Metric::Recall => "recall",
            Metric::F1 => "f1",
            Metric::Auc => "auc",
            Metric::MeanAbsoluteError => "mean_absolute_error",
            Metric::MeanSquaredError => "mean_squared_error",
        })
    }
}

/// Area under the curve of true over false positives as the threshold of `scores` moves: the chance that one that is has a
/// greater score than one that is not, equal scores counted half (Mann and Whitney). `None` if there are not both.
pub fn auc(scores: &[f64], is: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len().min(is.len())).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut n_below, mut n_is, mut area) = (0usize, 0usize, 0.0);
    for equal in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let n_yes = equal.iter().filter(|&&i| is[i]).count();
        let n_no = equal.len() - n_yes;
        area += n_yes as f64 * (n_below as f64 + 0.5 * n_no as f64);
        n_below += n_no;
        n_is += n_yes;
    }
    (n_is > 0 && n_below > 0).then(|| area / (n_is as f64 * n_below as f64))
}

fn is_among(k: usize, output: &[f32], target: &[f32]) -> bool {
    let label = crate::samples::argmax(target);
    // Of equal elements the first counts as greater, as for the accuracy.
    let is_ahead =
        |&(i, value): &(usize, &f32)| *value > output[label] || *value == output[label] && i < label;
    output.iter().enumerate().filter(is_ahead).count() < k
}

fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// NaN of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0usize), |(sum, n), value| (sum + value, n + 1));
    sum / n as f64
}

/// Means over a set of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// Mean loss of a sample, without penalties.
    pub loss: f64,
    /// Part of the samples whose prediction is right, if the loss classifies: whose greatest element is the label's, or
    /// (binary) all of whose elements are on their target's side of 0.5.
    pub accuracy: Option<f64>,
    /// Those that were asked for, in that order.
    pub more: Vec<(Metric, f64)>,
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.4}", self.loss)?;
        if let Some(accuracy) = self.accuracy {
            write!(f, ", accuracy {:.2} %", 100.0 * accuracy)?;
        }
        self.more.iter().try_for_each(|(metric, value)| write!(f, ", {metric} {value:.4}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{ConfusionMatrix, Loss};

    /// The numbers are those of `metrics.py`.
    #[test]
    fn metrics_are_scikit_learns() {
        const N: usize = 60;
        const CLASSES: usize = 4;
        let label = |i: usize| (i * 7 % 11) % CLASSES;
        let cells = || (0..N).flat_map(|i| (0..CLASSES).map(move |c| (i, c)));
        let score =
            |(i, c): (usize, usize)| ((i * 37 + c * 101 + usize::from(c == label(i)) * 9) % 32) as f32 / 32.0;
        let scores: Vec<f32> = cells().map(score).collect();
        let targets: Vec<f32> = cells().map(|(i, c)| f32::from(u8::from(c == label(i)))).collect();
        let predictions = |loss| Predictions::new(loss, CLASSES, scores.clone(), targets.clone()).unwrap();
        use Metric::*;
        let expected: [(Loss, &[(Metric, f64)]); 3] = [
            (
                Loss::CrossEntropy,
                &[
                    (Accuracy, 0.2),
                    (TopK(2), 0.433333333333),
                    (Precision, 0.181666666667),
                    (Recall, 0.202941176471),
                    (F1, 0.183429054054),
                    (Auc, 0.51748109911),
                ],
            ),
            (
                Loss::BinaryCrossEntropy,
                &[
                    (Accuracy, 0.066666666667),
                    (Precision, 0.26978021978),
                    (Recall, 0.500980392157),
                    (F1, 0.348384173966),
                    (Auc, 0.51748109911),
                ],
            ),
            (
                Loss::MeanSquaredError,
                &[(MeanAbsoluteError, 0.487239583333), (MeanSquaredError, 0.319962565104)],
            ),
        ];
        for (loss, metrics) in expected {
            for &(metric, expected) in metrics {
                let value = metric.of(&predictions(loss)).unwrap();
                assert!((value - expected).abs() < 1e-11, "{loss:?}, {metric}: {value} is not {expected}");
            }
        }
        let names: Vec<String> = (0..CLASSES).map(|class| class.to_string()).collect();
        let confusion = ConfusionMatrix::of(&predictions(Loss::CrossEntropy), &names).unwrap();
        assert_eq!(confusion.counts, [[0, 2, 3, 11], [6, 1, 1, 7], [2, 5, 7, 3], [2, 2, 4, 4]]);
    }

    #[test]
    fn equal_scores_count_half() {
        assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), Some(0.75));
        assert_eq!(auc(&[1.0, 1.0, 1.0], &[true, false, false]), Some(0.5));
        assert_eq!(auc(&[1.0, 2.0], &[true, true]), None);
        assert_eq!(auc(&[], &[]), None);
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let numbers = Predictions::new(Loss::MeanSquaredError, 2, vec![0.0; 4], vec![1.0; 4]).unwrap();
        let error = Metric::F1.of(&numbers).unwrap_err().to_string();
        assert!(error.starts_with("f1 is a metric of networks that name classes"), "{error}");
        assert_eq!(Metric::MeanSquaredError.of(&numbers).unwrap(), 1.0);
        assert!(Predictions::new(Loss::CrossEntropy, 3, vec![0.0; 4], vec![0.0; 4]).is_err());
        let classes = Predictions::new(Loss::CrossEntropy, 2, vec![0.5; 2], vec![1.0, 0.0]).unwrap();
        assert!(Metric::Auc.of(&classes).unwrap().is_nan());
        assert!(Metric::TopK(0).of(&classes).is_err());
    }
}
