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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        // Labels that are no distribution, too: the rule holds for any.
        let labels = [0.1, 0.7, 0.2, 1.0, 0.0, 0.0, 0.5, 0.5, 1.0, 0.0, 0.0, 0.0].to_vec();
        let case = Case::new(&[&[4, 3]], |graph, x| {
            let labels = graph.constant("labels", &[4, 3], crate::Data::F32(labels))?;
            graph.apply("y", SoftmaxCrossEntropy, &[x[0], labels])
        });
        case.check();
    }
}
