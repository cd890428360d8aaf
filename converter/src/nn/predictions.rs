//! What a network makes of samples, beside what it should.

use super::Loss;
use crate::samples::argmax;
use crate::{Error, Result};

/// Outputs of a network with their targets, row by row, and the loss that says what they mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    loss: Loss,
    row_len: usize,
    outputs: Vec<f32>,
    targets: Vec<f32>,
}

/// How often something was said, and how often it was so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub true_positives: usize,
    pub false_positives: usize,
    pub false_negatives: usize,
}

impl Predictions {
    /// Rows of `row_len` numbers one behind the other, and as many targets.
    ///
    /// # Errors
    /// If they make no rows, or not as many as the targets.
    pub fn new(loss: Loss, row_len: usize, outputs: Vec<f32>, targets: Vec<f32>) -> Result<Predictions> {
        if row_len == 0 || outputs.len() != targets.len() || !outputs.len().is_multiple_of(row_len) {
            let (n, n_targets) = (outputs.len(), targets.len());
            return Err(Error::Invalid(format!(
                "{n} outputs and {n_targets} targets do not make rows of {row_len}"
            )));
        }
        Ok(Predictions { loss, row_len, outputs, targets })
    }

    /// Without rows yet.
    pub(super) fn none(loss: Loss) -> Predictions {
        Predictions { loss, row_len: 1, outputs: Vec::new(), targets: Vec::new() }
    }

    pub(super) fn push(&mut self, row_len: usize, outputs: &[f32], targets: &[f32]) {
        self.row_len = row_len;
        self.outputs.extend(outputs);
        self.targets.extend(targets);
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.outputs.len() / self.row_len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// What the outputs mean.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// Numbers of an output.
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// Each output with its target.
    pub fn rows(&self) -> impl Iterator<Item = (&[f32], &[f32])> {
        self.outputs.chunks_exact(self.row_len).zip(self.targets.chunks_exact(self.row_len))
    }

    /// Mean squared difference of each output and its target: how badly an autoencoder makes its input again.
    pub fn squared_errors(&self) -> Vec<f64> {
        let squared = |(output, target): (&[f32], &[f32])| {
            let squares = output.iter().zip(target).map(|(o, t)| f64::from(o - t).powi(2));
            squares.sum::<f64>() / self.row_len as f64
        };
        self.rows().map(squared).collect()
    }

    /// For each class (or question): whether the outputs say it, and whether it is so. A network with a softmax says its
    /// greatest element, one with sigmoids all that are above 0.5.
    pub(super) fn counts(&self) -> Vec<Counts> {
        let mut counts = vec![Counts::default(); self.row_len];
        for (output, target) in self.rows() {
            let (said, label) = (argmax(output), argmax(target));
            for (class, count) in counts.iter_mut().enumerate() {
                let (says, is) = match self.loss {
                    Loss::BinaryCrossEntropy => (output[class] > 0.5, target[class] > 0.5),
                    Loss::CrossEntropy | Loss::MeanSquaredError => (said == class, label == class),
                };
                count.true_positives += usize::from(says && is);
                count.false_positives += usize::from(says && !is);
                count.false_negatives += usize::from(!says && is);
            }
        }
        counts
    }
}
