//! Cross-entropy of one sample.

use crate::math;
use crate::mem::View;

/// `-sum(labels * ln(softmax(logits)))`, from the logits so that no logarithm meets a rounded zero.
pub fn softmax_cross_entropy(logits: View<f32>, labels: View<f32>) -> f32 {
    let max = logits.iter().fold(f32::NEG_INFINITY, |max, x| if x > max { x } else { max });
    let sum = logits.iter().fold(0.0, |sum, x| sum + math::exp(x - max));
    let log_sum = math::ln(sum) + max;
    labels.iter().zip(logits.iter()).fold(0.0, |loss, (label, logit)| loss + label * (log_sum - logit))
}
