//! Batch normalization while training: each channel with the mean and the variance of the batch (Ioffe and Szegedy
//! 2015), with a fused activation.
//!
//! Inputs, all f32: `x` of any shape whose innermost dimension is the `c` channels, gamma and beta `[c]`. Outputs:
//! `clamp((x - mean) / sqrt(variance + epsilon) * gamma + beta)` as `x`, then mean and biased variance `[c]`, as
//! [`Moments`](super::Moments) has them.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::batch_norm::{check_epsilon, check_per_channel};
use super::bounds::Bounds;
use super::window::all_rows;
use super::{OpCode, Operator, Outputs, Run};
use crate::kernels::moments::Moments;
use crate::kernels::normalize::{Normalize, clamp_row, inverse_deviation};
use crate::mem::{Memory, Rows, ViewMut};
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of the normalization.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchNormTrain {
    /// Added to the variance; not negative.
    pub epsilon: f32,
    /// Fused activation.
    pub bounds: Bounds,
}

impl Operator for BatchNormTrain {
    const CODE: OpCode = OpCode::BatchNormTrain;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, gamma, beta] = inputs else { return Err(Error::Arity) };
        check_epsilon(self.epsilon)?;
        check_per_channel(x, &[gamma, beta])?;
        self.bounds.check(x.dtype)?;
        Ok([x, gamma, gamma].into_iter().collect())
    }

    fn rows(&self, input: usize, inputs: &[TensorType], _y: usize) -> Range<usize> {
        all_rows(inputs, input)
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        inputs.get(1).map_or(0, TensorType::bytes)
    }
}

impl Run<f32> for BatchNormTrain {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, gamma, beta) = (node.input(0), node.input(1).view::<f32>(mem), node.input(2).view(mem));
        let shape = x.ty.shape;
        let x = x.rows::<f32>(mem);
        let [mean, variance] = [1, 2].map(|i| node.output(i).view_mut::<f32>(mem));
        let scale = node.scratch::<f32>(mem);
        let n = shape.count().checked_div(gamma.len()).unwrap_or(1);
        take_moments(&x, shape.rows(), n, [scale, mean, variance]);
        for c in 0..gamma.len() {
            scale.set(c, gamma.at(c) * inverse_deviation(variance.at(c), self.epsilon));
        }
        let normalize = Normalize { mean: mean.view(), scale: scale.view(), beta };
        let out = node.output(0).rows_mut(mem);
        for y in rows {
            normalize.row(x.row(y), out.row(y));
            clamp_row(out.row(y), self.bounds.f32());
        }
    }
}

/// Mean and variance of all rows; `shift` is scratch.
fn take_moments(x: &Rows<f32>, n_rows: usize, n: usize, [shift, mean, variance]: [ViewMut<f32>; 3]) {
    shift.copy_from(x.row(0).slice(0, shift.len()));
    mean.fill(0.0);
    variance.fill(0.0);
    let moments = Moments { shift: shift.view(), sum: mean, sum_of_squares: variance };
    for y in 0..n_rows {
        moments.add_row(x.row(y));
    }
    moments.finish(n);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn normalizes_with_the_batch() {
        // Channel 0: mean 2, variance 1. Channel 1: mean 10, variance 9.
        let x = [1f32, 13.0, 3.0, 7.0, 1.0, 13.0, 3.0, 7.0];
        let inputs = [
            Tensor::new(&[2, 2, 1, 2], &x),
            Tensor::new(&[2], &[2f32, 3.0]),
            Tensor::new(&[2], &[0.5f32, 0.0]),
        ];
        let case = |bounds| Case::new(BatchNormTrain { epsilon: 0.0, bounds }, inputs.clone());
        let whole = case(Bounds::None);
        assert_eq!(whole.run::<f32>(), Ok([-1.5, 3.0, 2.5, -3.0, -1.5, 3.0, 2.5, -3.0].into()));
        assert_eq!(whole.run_output::<f32>(1), Ok([2.0, 10.0].into()));
        assert_eq!(whole.run_output::<f32>(2), Ok([1.0, 9.0].into()));
        whole.assert_contract();
        let relu = case(Bounds::RELU);
        assert_eq!(relu.run::<f32>(), Ok([0.0, 3.0, 2.5, 0.0, 0.0, 3.0, 2.5, 0.0].into()));
        relu.assert_contract();
        let unsure = BatchNormTrain { epsilon: f32::NAN, bounds: Bounds::None };
        assert_eq!(Case::new(unsure, inputs.clone()).check(), Err(Error::Parameters));
    }
}
