//! Gradients of batch normalization with respect to what is per channel.
//!
//! Inputs, all f32: the output's gradient `dy` and the input `x` (one shape, channels innermost), then gamma,
//! mean and variance `[c]`. Outputs `[c]`: gradients of gamma, beta, mean and variance. A reduction that
//! accumulates in its outputs. (The gradient of `x` is `dy * gamma / sqrt(variance + epsilon)`: batch
//! normalization itself.)

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::batch_norm::{check_epsilon, check_per_channel};
use super::window::all_rows;
use super::{OpCode, Operator, Order, Outputs, Run};
use crate::kernels::moments::add_centred_products;
use crate::kernels::normalize::inverse_deviation;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of the gradient: those of the batch normalization.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchNormGrad {
    /// Added to the variance; not negative.
    pub epsilon: f32,
}

impl Operator for BatchNormGrad {
    const CODE: OpCode = OpCode::BatchNormGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[dy, x, gamma, mean, variance] = inputs else { return Err(Error::Arity) };
        check_epsilon(self.epsilon)?;
        check_per_channel(x, &[gamma, mean, variance])?;
        if dy != x {
            return Err(Error::Shape);
        }
        Ok([gamma; 4].into_iter().collect())
    }

    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Reduction
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        if input < 2 { y..y + 1 } else { all_rows(inputs, input) }
    }
}

impl Run<f32> for BatchNormGrad {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (dy, x) = (node.input(0).rows::<f32>(mem), node.input(1).rows::<f32>(mem));
        let mean = node.input(3).view(mem);
        let (dgamma, dbeta) = (node.output(0).view_mut(mem), node.output(1).view_mut(mem));
        for y in rows {
            if y == 0 {
                dgamma.fill(0.0);
                dbeta.fill(0.0);
            }
            add_centred_products(x.row(y), dy.row(y), mean, dgamma, dbeta);
            if y.wrapping_add(1) == node.input(0).ty.shape.rows() {
                self.finish(node, mem);
            }
        }
    }
}

impl BatchNormGrad {
    /// From the sums of `dy * (x - mean)` and `dy`, by the chain rule.
    fn finish(&self, node: &Node, mem: &Memory) {
        let (gamma, variance) = (node.input(2).view::<f32>(mem), node.input(4).view::<f32>(mem));
        let out = |i: usize| node.output(i).view_mut::<f32>(mem);
        let (dgamma, dbeta, dmean, dvariance) = (out(0), out(1), out(2), out(3));
        for c in 0..gamma.len() {
            let inverse = inverse_deviation(variance.at(c), self.epsilon);
            let scale = gamma.at(c) * inverse;
            let centred = dgamma.at(c) * inverse;
            dgamma.set(c, centred);
            dmean.set(c, -scale * dbeta.at(c));
            dvariance.set(c, -0.5 * scale * inverse * centred);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn sums_over_all_pixels() {
        let x: [f32; 8] = core::array::from_fn(|i| i as f32);
        let per_channel = |value: f32| Tensor::new(&[2], &[value, -value]);
        let inputs = [
            Tensor::new(&[1, 2, 2, 2], &[1.0f32; 8]),
            Tensor::new(&[1, 2, 2, 2], &x),
            per_channel(2.0),
            Tensor::new(&[2], &[1.0f32, 1.0]),
            Tensor::new(&[2], &[3.0f32, 0.0]),
        ];
        let case = Case::new(BatchNormGrad { epsilon: 1.0 }, inputs);
        // Channel 0: x - mean is -1, 1, 3, 5; channel 1: 0, 2, 4, 6.
        assert_eq!(case.run::<f32>(), Ok([4.0, 12.0].into()));
        assert_eq!(case.run_output::<f32>(1), Ok([4.0, 4.0].into()));
        assert_eq!(case.run_output::<f32>(2), Ok([-4.0, 8.0].into()));
        assert_eq!(case.run_output::<f32>(3), Ok([-1.0, 12.0].into()));
        case.assert_contract();
    }
}
