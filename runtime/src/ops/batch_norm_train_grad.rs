//! Gradients of batch normalization while training, through the batch's statistics.
//!
//! Inputs, all f32: the output's gradient `dy` and the input `x` (one shape, channels innermost), then gamma, beta, mean
//! and variance `[c]`. Outputs: the gradients of `x`, gamma and beta. With `g` the part of `dy` that passes the fused
//! activation, and `n` values a channel:
//! `dx = scale * (g - sum(g) / n - (x - mean) / (variance + epsilon) * sum(g * (x - mean)) / n)`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::batch_norm::{check_epsilon, check_per_channel};
use super::bounds::Bounds;
use super::window::all_rows;
use super::{OpCode, Operator, Outputs, Run};
use crate::kernels::normalize::{NormalizeGrad, inverse_deviation};
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of the gradient: those of the normalization.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchNormTrainGrad {
    /// Added to the variance; not negative.
    pub epsilon: f32,
    /// Fused activation.
    pub bounds: Bounds,
}

impl Operator for BatchNormTrainGrad {
    const CODE: OpCode = OpCode::BatchNormTrainGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[dy, x, gamma, beta, mean, variance] = inputs else { return Err(Error::Arity) };
        check_epsilon(self.epsilon)?;
        check_per_channel(x, &[gamma, beta, mean, variance])?;
        self.bounds.check(x.dtype)?;
        if dy != x {
            return Err(Error::Shape);
        }
        Ok([x, gamma, gamma].into_iter().collect())
    }

    fn rows(&self, input: usize, inputs: &[TensorType], _y: usize) -> Range<usize> {
        all_rows(inputs, input)
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        inputs.get(2).map_or(0, TensorType::bytes)
    }
}

impl Run<f32> for BatchNormTrainGrad {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let shape = node.input(1).ty.shape;
        let (dy, x) = (node.input(0).rows::<f32>(mem), node.input(1).rows::<f32>(mem));
        let [gamma, beta, mean, variance] = [2, 3, 4, 5].map(|i| node.input(i).view::<f32>(mem));
        let [dgamma, dbeta] = [1, 2].map(|i| node.output(i).view_mut::<f32>(mem));
        let scale = node.scratch::<f32>(mem);
        for c in 0..gamma.len() {
            scale.set(c, gamma.at(c) * inverse_deviation(variance.at(c), self.epsilon));
        }
        dgamma.fill(0.0);
        dbeta.fill(0.0);
        let grad = NormalizeGrad { mean, scale: scale.view(), beta, bounds: self.bounds.f32() };
        for y in 0..shape.rows() {
            grad.add_row(x.row(y), dy.row(y), dgamma, dbeta);
        }
        let n = shape.count().checked_div(gamma.len()).unwrap_or(1) as f32;
        let dx = node.output(0).rows_mut(mem);
        let spread = |c: usize| {
            let inverse = inverse_deviation(variance.at(c), self.epsilon);
            (dbeta.at(c) / n, dgamma.at(c) * inverse * inverse / n)
        };
        for y in rows {
            grad.row(x.row(y), dy.row(y), spread, dx.row(y));
        }
        for c in 0..gamma.len() {
            dgamma.set(c, dgamma.at(c) * inverse_deviation(variance.at(c), self.epsilon));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn a_shift_and_a_scale_of_the_input_have_no_gradient() {
        let x = [1f32, 13.0, 3.0, 7.0, 1.0, 13.0, 3.0, 7.0];
        let channels = |values: [f32; 2]| Tensor::new(&[2], &values);
        let case = |dy: [f32; 8]| {
            let images = [dy, x].map(|values| Tensor::new(&[2, 2, 1, 2], &values));
            // Of channels with gamma 2 and 3, beta 0, mean 2 and 10, variance 1 and 9.
            let rest = [[2.0, 3.0], [0.0; 2], [2.0, 10.0], [1.0, 9.0]].map(channels);
            let op = BatchNormTrainGrad { epsilon: 0.0, bounds: Bounds::None };
            Case::new(op, images.into_iter().chain(rest))
        };
        // dy is 1 everywhere, and dy is x - mean.
        for (dy, dgamma, dbeta) in [
            ([1f32; 8], [0.0, 0.0], [4.0, 4.0]),
            ([-1.0, 3.0, 1.0, -3.0, -1.0, 3.0, 1.0, -3.0], [4.0, 12.0], [0.0, 0.0]),
        ] {
            let case = case(dy);
            assert_eq!(case.run::<f32>(), Ok([0.0; 8].into()));
            assert_eq!(case.run_output::<f32>(1), Ok(dgamma.into()));
            assert_eq!(case.run_output::<f32>(2), Ok(dbeta.into()));
            case.assert_contract();
        }
    }
}
