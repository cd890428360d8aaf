//! Stochastic gradient descent with momentum: an update of parameters and their velocity, in place.
//!
//! Inputs, f32: parameter, gradient and velocity of one shape, and the learning rate `[1]`, which the caller
//! gives at each step. Outputs: the new parameter and velocity. With `g = gradient + weight_decay * parameter`
//! and `v = momentum * velocity + g`, the parameter moves by `-rate * v`, or by `-rate * (momentum * v + g)`
//! with Nesterov's momentum (Sutskever et al. 2013, in the form that Keras and PyTorch use).

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv2d_input_grad::check_f32;
use super::window::all_rows;
use super::{OpCode, Operator, Outputs, Run};
use crate::kernels::update::SgdRule;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, Shape, TensorType};

/// Parameters of the update.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sgd {
    /// Part of the velocity that stays, in [0, 1).
    pub momentum: f32,
    /// Whether the step looks one momentum ahead.
    pub nesterov: bool,
    /// L2 penalty on the parameter.
    pub weight_decay: f32,
}

impl Operator for Sgd {
    const CODE: OpCode = OpCode::Sgd;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[parameter, gradient, velocity, rate] = inputs else { return Err(Error::Arity) };
        check_update(inputs, &[gradient, velocity], rate, 1)?;
        check_factors(&[self.momentum], self.weight_decay)?;
        Ok([parameter; 2].into_iter().collect())
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        if input < 3 { y..y + 1 } else { all_rows(inputs, input) }
    }

    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        0b111
    }
}

impl Run<f32> for Sgd {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let inputs = [0, 1, 2].map(|i| node.input(i).rows::<f32>(mem));
        let outputs = [0, 1].map(|i| node.output(i).rows_mut::<f32>(mem));
        let rule = SgdRule {
            rate: node.input(3).view(mem).at(0),
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            nesterov: self.nesterov,
        };
        for y in rows {
            rule.update(inputs.map(|rows| rows.row(y)), outputs.map(|rows| rows.row(y)));
        }
    }
}

/// That an update's tensors are f32 and of the parameter's shape, and that `n` rates are given.
pub(super) fn check_update(
    inputs: &[TensorType],
    others: &[TensorType],
    rates: TensorType,
    n: usize,
) -> Result<(), Error> {
    check_f32(inputs)?;
    let same = others.iter().all(|ty| Some(ty) == inputs.first());
    if same && rates.shape == Shape::new(&[n])? { Ok(()) } else { Err(Error::Shape) }
}

/// That averages decay by factors in [0, 1), and weights by a finite one that is not negative.
pub(super) fn check_factors(decays: &[f32], weight_decay: f32) -> Result<(), Error> {
    let fits =
        decays.iter().all(|decay| (0.0..1.0).contains(decay)) && (0.0..f32::INFINITY).contains(&weight_decay);
    if fits { Ok(()) } else { Err(Error::Parameters) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn momentum_decay_and_lookahead() {
        let case = |nesterov, weight_decay| {
            let inputs = [[4.0f32, -2.0], [1.0, 3.0], [2.0, 8.0]].map(|values| Tensor::new(&[2, 1], &values));
            let rate = Tensor::new(&[1], &[0.25f32]);
            let op = Sgd { momentum: 0.5, nesterov, weight_decay };
            Case::new(op, inputs.into_iter().chain([rate]))
        };
        // v = 0.5 * (2, 8) + (1, 3)
        assert_eq!(case(false, 0.0).run::<f32>(), Ok([3.5, -3.75].into()));
        assert_eq!(case(false, 0.0).run_output::<f32>(1), Ok([2.0, 7.0].into()));
        // 0.5 * v + g = (2, 6.5)
        assert_eq!(case(true, 0.0).run::<f32>(), Ok([3.5, -3.625].into()));
        // g = (1, 3) + 0.5 * (4, -2) = (3, 2), v = (4, 6)
        assert_eq!(case(false, 0.5).run::<f32>(), Ok([3.0, -3.5].into()));
        case(true, 0.5).assert_contract();
        assert_eq!(case(true, f32::NAN).check(), Err(Error::Parameters));
    }
}
