//! What training makes small.

use dunlin::ops::SoftmaxCrossEntropy;

use crate::ops::Op;
use crate::{Error, Graph, Result, TensorId};

/// A loss: the mean over a batch of what a prediction is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Cross-entropy of a network that ends in a softmax `[n, classes]`, against one-hot labels or other
    /// distributions. It is computed from the softmax's input, where no precision is lost.
    CrossEntropy,
    /// Mean of the squared differences of all elements.
    MeanSquaredError,
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
                let logits = softmax_input(graph, prediction)?;
                let losses = graph.apply("loss/samples", SoftmaxCrossEntropy, &[logits, targets])?;
                graph.mean_of_all("loss", losses)
            }
            Loss::MeanSquaredError => {
                let targets = graph.scale("loss/targets", targets, -1.0)?;
                let difference = graph.add("loss/difference", prediction, targets)?;
                let squares = graph.mul("loss/squares", difference, difference)?;
                graph.mean_of_all("loss", squares)
            }
        }
    }

    /// Whether the greatest element of a prediction is a class.
    pub(super) fn classifies(self) -> bool {
        self == Loss::CrossEntropy
    }
}

fn softmax_input(graph: &Graph, prediction: TensorId) -> Result<TensorId> {
    match graph.producer(prediction).map(|node| (node.op, node.inputs[0])) {
        Some((Op::Softmax(dunlin::ops::Softmax::F32 { beta: 1.0 }), logits)) => Ok(logits),
        _ => Err(Error::graph("loss", "cross-entropy needs a network that ends in a Softmax layer: add one")),
    }
}
