//! Batch normalization with given statistics: `(x - mean) / sqrt(variance + epsilon) * gamma + beta`, each
//! channel on its own (Ioffe and Szegedy 2015, inference form).
//!
//! Inputs, all f32: `x` of any shape whose innermost dimension is the `c` channels, then gamma, beta, mean
//! and variance `[c]`. Output as `x`. The converter folds it into the layer before it where it can.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::window::all_rows;
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::normalize::{Normalize, inverse_deviation};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a batch normalization.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchNorm {
    /// Added to the variance; not negative.
    pub epsilon: f32,
}

impl Operator for BatchNorm {
    const CODE: OpCode = OpCode::BatchNorm;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, gamma, beta, mean, variance] = inputs else { return Err(Error::Arity) };
        check_epsilon(self.epsilon)?;
        check_per_channel(x, &[gamma, beta, mean, variance])?;
        one(x)
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        if input == 0 { y..y + 1 } else { all_rows(inputs, input) }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        1
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        inputs.get(1).map_or(0, TensorType::bytes)
    }
}

impl Run<f32> for BatchNorm {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let channels = |i: usize| node.input(i).view::<f32>(mem);
        let (gamma, beta, mean, variance) = (channels(1), channels(2), channels(3), channels(4));
        let scale = node.scratch::<f32>(mem);
        for c in 0..gamma.len() {
            scale.set(c, gamma.at(c) * inverse_deviation(variance.at(c), self.epsilon));
        }
        let normalize = Normalize { mean, scale: scale.view(), beta };
        let (x, out) = (node.input(0).rows(mem), node.output(0).rows_mut(mem));
        for y in rows {
            normalize.row(x.row(y), out.row(y));
        }
    }
}

/// That an epsilon is a number that keeps a square root real.
pub(super) fn check_epsilon(epsilon: f32) -> Result<(), Error> {
    if (0.0..f32::INFINITY).contains(&epsilon) { Ok(()) } else { Err(Error::Parameters) }
}

/// That `x` is f32 of at least one dimension, and that the others are `[c]` for its innermost one.
pub(super) fn check_per_channel(x: TensorType, others: &[TensorType]) -> Result<(), Error> {
    if x.dtype != DType::F32 || others.iter().any(|ty| ty.dtype != DType::F32) {
        return Err(Error::DType);
    }
    let channels = Shape::new(&[x.shape.channels()])?;
    let fits = x.shape.rank() > 0 && others.iter().all(|ty| ty.shape == channels);
    if fits { Ok(()) } else { Err(Error::Shape) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    fn case(epsilon: f32, channels: usize) -> Case<BatchNorm> {
        let x: [f32; 24] = core::array::from_fn(|i| i as f32 - 4.0);
        let per_channel = |values: &[f32; 2]| Tensor::new(&[channels], &values[..channels]);
        let inputs = [
            Tensor::new(&[2, 2, 3, 2], &x),
            per_channel(&[2.0, -1.0]),
            per_channel(&[0.5, 0.0]),
            per_channel(&[-2.0, 3.0]),
            per_channel(&[3.0, 15.0]),
        ];
        Case::new(BatchNorm { epsilon }, inputs)
    }

    #[test]
    fn normalizes_each_channel() {
        let y = case(1.0, 2).run::<f32>().unwrap();
        assert_eq!(y[..4], [-2.0 + 0.5, 6.0 / 4.0, 0.5, 4.0 / 4.0]);
        case(1.0, 2).assert_contract();
    }

    #[test]
    fn impossible_parameters_are_refused() {
        assert_eq!(case(f32::NAN, 2).check(), Err(Error::Parameters));
        assert_eq!(case(-1.0, 2).check(), Err(Error::Parameters));
        assert_eq!(case(1.0, 1).check(), Err(Error::Shape));
    }
}
