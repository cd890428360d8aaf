//! Gradients of rounding by the straight-through estimator, of the scales as well (Esser et al. 2020, "Learned step size
//! quantization").
//!
//! Inputs, all f32: the output's gradient `dy`, then those of the rounding: `x` and `rounded` of one shape, and the
//! scales. Outputs: the gradients of `x`, which pass where rounding did not clip, and of the scales.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::straight_through::StraightThrough;
use super::window::all_rows;
use super::{OpCode, Operator, Outputs, Run};
use crate::kernels::rounding::Rounding;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StraightThroughGrad {
    /// The rounding.
    pub of: StraightThrough,
}

impl Operator for StraightThroughGrad {
    const CODE: OpCode = OpCode::StraightThroughGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[dy, x, rounded, scale] = inputs else { return Err(Error::Arity) };
        self.of.check(x, rounded, scale)?;
        if dy != x {
            return Err(Error::Shape);
        }
        Ok([x, scale].into_iter().collect())
    }

    /// All of them, as the gradient of a scale is a sum over all rows.
    fn rows(&self, input: usize, inputs: &[TensorType], _y: usize) -> Range<usize> {
        all_rows(inputs, input)
    }
}

impl Run<f32> for StraightThroughGrad {
    fn run(&self, node: &Node, mem: &Memory, _rows: Range<usize>) {
        let [dy, x, rounded, scale] = [0, 1, 2, 3].map(|i| node.input(i).view::<f32>(mem));
        let [dx, dscale] = [0, 1].map(|i| node.output(i).view_mut::<f32>(mem));
        let inner = self.of.inner(&node.input(1).ty, &node.input(3).ty);
        dscale.fill(0.0);
        let rounding = Rounding { scale, inner, lo: self.of.lo, hi: self.of.hi };
        rounding.grad(dy, x, rounded, dx, dscale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn what_is_clipped_moves_the_scale_only() {
        let dy = [1f32, 2.0, 3.0, 4.0];
        let (x, rounded) = ([0.3f32, 0.8, -0.6, 5.0], [0.5f32, 0.5, -0.5, 1.0]);
        let tensors = [dy, x, rounded].map(|values| Tensor::new(&[2, 2], &values));
        let case = |axis, scales: &[f32]| {
            let scale = Tensor::new(&[scales.len()], scales);
            let op = StraightThroughGrad { of: StraightThrough { axis, lo: -1.0, hi: 1.0 } };
            Case::new(op, tensors.clone().into_iter().chain([scale]))
        };
        // One scale: 0.8 is 1.6 steps, which are clipped to 1; 5 is 10 steps.
        let one = case(0, &[0.5]);
        assert_eq!(one.run::<f32>(), Ok([1.0, 0.0, 3.0, 0.0].into()));
        let [passed, clipped] = [(0.2 + 3.0 * 0.1) / 0.5, (2.0 * 0.5 + 4.0 * 1.0) / 0.5];
        assert!((one.run_output::<f32>(1).unwrap()[0] - (passed + clipped)).abs() < 1e-5);
        // A scale a column: in the second, 5 is 5 steps.
        let columns = case(1, &[0.5, 1.0]);
        assert_eq!(columns.run::<f32>(), Ok([1.0, 2.0, 3.0, 0.0].into()));
        let dscale = columns.run_output::<f32>(1).unwrap();
        let want = [(0.2 + 3.0 * 0.1) / 0.5, 2.0 * (0.5 - 0.8) + 4.0];
        assert!(dscale.iter().zip(want).all(|(have, want)| (have - want).abs() < 1e-5), "{dscale:?}");
        columns.assert_contract();
    }
}
