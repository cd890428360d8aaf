//! Batch normalization: see the runtime's operator of this name.

use dunlin::ops::{BatchNorm, BatchNormGrad};

use super::{Backward, HostOperator, InputRole};
use crate::export::tflite::Writer;
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for BatchNorm {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let [x, gamma, _, mean, variance] = [0, 1, 2, 3, 4].map(|i| cx.input(i));
        let dy = cx.grad()?;
        let dx = cx.when_wanted(0, |cx| {
            let zero = cx.filled("zero", &cx.graph.dims(gamma), 0.0)?;
            cx.apply("dx", *self, &[dy, gamma, zero, zero, variance])
        })?;
        let mut grads = vec![dx];
        if cx.wanted[1..].contains(&true) {
            let (name, op) = (cx.name("dchannels"), BatchNormGrad { epsilon: self.epsilon });
            let channels = cx.graph.apply_all(&name, op, &[dy, x, gamma, mean, variance])?;
            grads.extend(channels.into_iter().map(Some));
        }
        grads.resize(5, None);
        Ok(grads)
    }

    fn input_role(&self, i: usize) -> InputRole {
        if i == 0 { InputRole::Activation } else { InputRole::Real }
    }

    fn lower_i8(&self, _cx: &mut Lowering, node: &Node) -> Result<()> {
        Err(Error::graph(&node.name, "batch normalization computes in f32 only: fold it before quantizing"))
    }

    fn export_tflite(&self, _cx: &mut Writer, node: &Node) -> Result<()> {
        let what = "TensorFlow Lite has no batch normalization: fold it before exporting (passes::simplify)";
        Err(Error::graph(&node.name, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        // Variances are shifted to where they are positive.
        let fixed = Case::of(BatchNorm { epsilon: 0.1 }, &[&[2, 2, 3, 2], &[2], &[2], &[2], &[2]]);
        fixed.shifted(1, 2.0).shifted(4, 2.0).check();
    }
}
