//! Cross-entropy of the softmax of logits against labels, one loss a sample.
//!
//! Inputs, f32 `[n, c]`: logits, and labels as distributions over the `c` classes (one-hot, or smoothed).
//! Output `[n, 1]`: `-sum(labels * ln(softmax(logits)))`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::{OpCode, Operator, Outputs, Run, one};
use crate::kernels::cross_entropy::softmax_cross_entropy;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Softmax cross-entropy; no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftmaxCrossEntropy;

impl Operator for SoftmaxCrossEntropy {
    const CODE: OpCode = OpCode::SoftmaxCrossEntropy;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[logits, labels] = inputs else { return Err(Error::Arity) };
        if logits.dtype != DType::F32 || labels.dtype != DType::F32 {
            return Err(Error::DType);
        }
        if logits.shape.rank() != 2 || labels != logits {
            return Err(Error::Shape);
        }
        one(TensorType::new(DType::F32, Shape::new(&[logits.shape.dim(0), 1])?))
    }

    fn rows(&self, _input: usize, _inputs: &[TensorType], y: usize) -> Range<usize> {
        y..y + 1
    }
}

impl Run<f32> for SoftmaxCrossEntropy {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (logits, labels) = (node.input(0).rows(mem), node.input(1).rows(mem));
        let losses = node.output(0).view_mut(mem);
        for y in rows {
            losses.set(y, softmax_cross_entropy(logits.row(y), labels.row(y)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn large_logits_do_not_overflow() {
        let logits = Tensor::new(&[3, 2], &[1e30f32, -1e30, 0.0, 0.0, 1000.0, 0.0]);
        let labels = Tensor::new(&[3, 2], &[1f32, 0.0, 0.5, 0.5, 0.0, 1.0]);
        let case = Case::new(SoftmaxCrossEntropy, [logits, labels]);
        assert_eq!(case.run::<f32>(), Ok([0.0, core::f32::consts::LN_2, 1000.0].into()));
        case.assert_contract();
    }
}
