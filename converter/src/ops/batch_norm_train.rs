//! Batch normalization while training: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{BatchNormTrain, BatchNormTrainGrad};

use super::{Backward, HostOperator, Op};
use crate::{Error, Result, TensorId};

impl HostOperator for BatchNormTrain {
    /// Only of the normalized values: the statistics are there to be averaged.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        if cx.grads[1..].iter().any(Option::is_some) {
            let what = "the gradient of its statistics is not supported: take Moments and BatchNorm";
            return Err(Error::graph(&cx.node.name, what));
        }
        let [x, gamma, beta] = [0, 1, 2].map(|i| cx.input(i));
        let inputs = [cx.grad()?, x, gamma, beta, cx.output(1), cx.output(2)];
        let op = BatchNormTrainGrad { epsilon: self.epsilon, bounds: self.bounds };
        let name = cx.name("dx");
        Ok(cx.graph.apply_all(&name, op, &inputs)?.into_iter().map(Some).collect())
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.bounds == Bounds::None).then_some(Op::BatchNormTrain(BatchNormTrain { bounds, ..*self }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for bounds in [Bounds::None, Bounds::F32 { lo: -0.64, hi: 2.02 }] {
            let dims: [&[usize]; 3] = [&[2, 2, 3, 2], &[2], &[2]];
            let normalized = |graph: &mut crate::Graph, inputs: &[TensorId]| {
                let op = BatchNormTrain { epsilon: 0.1, bounds };
                Ok(graph.apply_all("y", op, inputs)?[0])
            };
            Case::new(&dims, normalized).shifted(1, 2.0).check();
        }
    }
}
