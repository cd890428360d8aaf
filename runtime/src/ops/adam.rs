//! Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019): an update of
//! parameters and their moments, in place.
//!
//! Inputs, f32: parameter, gradient, first and second moment of one shape, and `[3]` numbers that the caller
//! gives at each step `t` = 1, 2, ...: the learning rate, `1 / (1 - beta1^t)` and `1 / (1 - beta2^t)`.
//! Outputs: the new parameter and moments.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::batch_norm::check_epsilon;
use super::sgd::{check_factors, check_update};
use super::window::all_rows;
use super::{OpCode, Operator, Outputs, Run};
use crate::kernels::update::AdamRule;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of the update.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    /// Parts of the first and the second moment that stay, in [0, 1).
    pub betas: [f32; 2],
    /// Added to the square root of the second moment.
    pub epsilon: f32,
    /// Part of the parameter that each step takes away, times the learning rate.
    pub weight_decay: f32,
}

impl Operator for Adam {
    const CODE: OpCode = OpCode::Adam;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[parameter, gradient, first, second, rates] = inputs else { return Err(Error::Arity) };
        check_update(inputs, &[gradient, first, second], rates, 3)?;
        check_factors(&self.betas, self.weight_decay)?;
        check_epsilon(self.epsilon)?;
        Ok([parameter; 3].into_iter().collect())
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        if input < 4 { y..y + 1 } else { all_rows(inputs, input) }
    }

    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        0b1111
    }
}

impl Run<f32> for Adam {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let inputs = [0, 1, 2, 3].map(|i| node.input(i).rows::<f32>(mem));
        let outputs = [0, 1, 2].map(|i| node.output(i).rows_mut::<f32>(mem));
        let rates = node.input(4).view::<f32>(mem);
        let rule = AdamRule {
            rate: rates.at(0),
            corrections: [rates.at(1), rates.at(2)],
            betas: self.betas,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
        };
        for y in rows {
            rule.update(inputs.map(|rows| rows.row(y)), outputs.map(|rows| rows.row(y)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn the_first_step_is_the_rate_in_the_gradients_direction() {
        let inputs = [[4.0f32, -2.0], [1.0, -3.0], [0.0; 2], [0.0; 2]];
        let tensors = inputs.map(|values| Tensor::new(&[2, 1], &values));
        let rates = Tensor::new(&[3], &[0.25f32, 2.0, 4.0]);
        let op = Adam { betas: [0.5, 0.75], epsilon: 0.0, weight_decay: 0.5 };
        let case = Case::new(op, tensors.into_iter().chain([rates]));
        // 4 - 0.25 * (1 + 0.5 * 4) and -2 - 0.25 * (-1 - 0.5 * 2)
        assert_eq!(case.run::<f32>(), Ok([3.25, -1.5].into()));
        assert_eq!(case.run_output::<f32>(1), Ok([0.5, -1.5].into()));
        assert_eq!(case.run_output::<f32>(2), Ok([0.25, 2.25].into()));
        case.assert_contract();
    }
}
