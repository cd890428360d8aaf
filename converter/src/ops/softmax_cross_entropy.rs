//! Softmax cross-entropy: see the runtime's operator of this name.

use dunlin::ops::{Softmax, SoftmaxCrossEntropy};

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for SoftmaxCrossEntropy {
    /// `dlogits = dloss * (softmax(logits) * sum(labels) - labels)`; labels are given, not learned.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (logits, labels, dloss) = (cx.input(0), cx.input(1), cx.grad()?);
        if cx.wanted[1] {
            return Err(cx.none("labels are given, not learned"));
        }
        let n = cx.graph.dims(logits)[0];
        let probabilities = cx.apply("probabilities", Softmax::F32 { beta: 1.0 }, &[logits])?;
        let mass = cx.sum_to("mass", labels, &[n, 1])?;
        let expected = cx.mul("expected", probabilities, mass)?;
        let labels = cx.scale("labels", labels, -1.0)?;
        let difference = cx.add("difference", expected, labels)?;
        Ok(vec![Some(cx.mul("dlogits", difference, dloss)?), None])
    }
}
