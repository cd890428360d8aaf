//! What training makes small.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Concat, SoftmaxCrossEntropy, Sub};

use crate::ops::Op;
use crate::samples::argmax;
use crate::{Error, Graph, Result, TensorId};

/// A loss: the mean over a batch of what a prediction is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Cross-entropy of a network that ends in a softmax `[n, classes]`, against one-hot labels or other
    /// distributions. It is computed from the softmax's input, where no precision is lost.
    CrossEntropy,
    /// Mean of the squared differences of all elements.
    MeanSquaredError,
    /// Mean over all elements of the cross-entropy of a network that ends in a [`Sigmoid`](super::Sigmoid), against
    /// targets in [0, 1]: each element is a question of its own. It is computed from the sigmoid's input.
    BinaryCrossEntropy,
}

impl Loss {
    /// Appends the loss of `prediction` against `targets`, a single number.
    ///
    /// # Errors
    /// If the shapes differ, or if cross-entropy is asked of a network that does not end in a softmax.
    pub fn trace(self, graph: &mut Graph, prediction: TensorId, targets: TensorId) -> Result<TensorId> {
        let (have, want) = (graph.dims(prediction), graph.dims(targets));
        if have != want {
            let what = format!("the network makes {have:?}, the targets are {want:?}");
            return Err(Error::graph("loss", what));
        }
        match self {
            Loss::CrossEntropy => {
                let logits = input_of(graph, prediction, "cross-entropy", "Softmax", |op| {
                    matches!(op, Op::Softmax(dunlin::ops::Softmax::F32 { beta: 1.0 }))
                })?;
                let losses = graph.apply("loss/samples", SoftmaxCrossEntropy, &[logits, targets])?;
                graph.mean_of_all("loss", losses)
            }
            Loss::MeanSquaredError => {
                let targets = graph.scale("loss/targets", targets, -1.0)?;
                let difference = graph.add("loss/difference", prediction, targets)?;
                let squares = graph.mul("loss/squares", difference, difference)?;
                graph.mean_of_all("loss", squares)
            }
            Loss::BinaryCrossEntropy => {
                let logits = input_of(graph, prediction, "binary cross-entropy", "Sigmoid", |op| {
                    matches!(op, Op::Logistic(_))
                })?;
                // The sigmoid of a number is the softmax of it and 0.
                let n = graph[logits].ty.shape.count();
                let logits = graph.reshape("loss/yes", logits, &[n, 1])?;
                let zeros = graph.filled("loss/no", &[n, 1], 0.0)?;
                let logits = graph.apply("loss/logits", Concat { axis: 1 }, &[logits, zeros])?;
                let yes = graph.reshape("loss/yes", targets, &[n, 1])?;
                let one = graph.filled("loss/one", &[1], 1.0)?;
                let no = graph.apply("loss/no", Sub { bounds: Bounds::None, factors: None }, &[one, yes])?;
                let targets = graph.apply("loss/targets", Concat { axis: 1 }, &[yes, no])?;
                let losses = graph.apply("loss/elements", SoftmaxCrossEntropy, &[logits, targets])?;
                graph.mean_of_all("loss", losses)
            }
        }
    }

    /// Whether predictions are right or wrong.
    pub fn classifies(self) -> bool {
        self != Loss::MeanSquaredError
    }

    /// Whether a prediction is right: its greatest element is the target's, or every one is on its target's side of 0.5.
    pub(super) fn is_right(self, prediction: &[f32], target: &[f32]) -> bool {
        match self {
            Loss::CrossEntropy | Loss::MeanSquaredError => argmax(prediction) == argmax(target),
            Loss::BinaryCrossEntropy => prediction.iter().zip(target).all(|(p, t)| (*p > 0.5) == (*t > 0.5)),
        }
    }
}

/// The input of the activation `layer` that makes `prediction`.
fn input_of(
    graph: &Graph,
    prediction: TensorId,
    loss: &str,
    layer: &str,
    is_it: impl Fn(&Op) -> bool,
) -> Result<TensorId> {
    match graph.producer(prediction) {
        Some(node) if is_it(&node.op) => Ok(node.inputs[0]),
        _ => {
            Err(Error::graph("loss", format!("{loss} needs a network that ends in a {layer} layer: add one")))
        }
    }
}
