//! Difference of two tensors whose shapes broadcast, with fused activation.
//!
//! Inputs: two tensors, both f32 or both int8. Output: their broadcast shape. int8 rounds as TensorFlow Lite
//! Micro: as a sum does, with the second operand subtracted after it was brought to the common scale.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::add::{self, AddFactors};
use super::bounds::Bounds;
use super::elementwise::Elementwise;
use super::{OpCode, Run, broadcast};
use crate::kernels::arithmetic::clamp_f32;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sub {
    /// Fused activation.
    pub bounds: Bounds,
    /// Only and always for int8.
    pub factors: Option<AddFactors>,
}

impl Elementwise for Sub {
    const CODE: OpCode = OpCode::Sub;
    const OPERANDS: usize = 2;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        add::infer(self.bounds, self.factors, inputs)
    }
}

impl Run<f32> for Sub {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let bounds = self.bounds.f32();
        broadcast::zip(node, mem, rows, |a: f32, b: f32| clamp_f32(a - b, bounds));
    }
}

impl Run<i8> for Sub {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let Some(factors) = self.factors else { return };
        let sum = factors.arithmetic(node, self.bounds);
        broadcast::zip(node, mem, rows, |a, b| sum.sub(a, b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Factor;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn the_second_is_subtracted_from_the_first() {
        let op = Sub { bounds: Bounds::RELU, factors: None };
        let a = Tensor::new(&[2, 3], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let case = Case::new(op, [a, Tensor::new(&[3], &[3f32, 2.0, 1.0])]);
        assert_eq!(case.run::<f32>(), Ok([0.0, 0.0, 2.0, 1.0, 3.0, 5.0].into()));
        case.assert_contract();
    }

    #[test]
    fn int8_differences_are_rounded_and_clamped() {
        let factor = |real| Factor::from_real(real).unwrap();
        // The scales 0.5, 0.25 and 0.5 of operands and output.
        let factors =
            AddFactors { operands: [factor(0.5), factor(0.25)], output: factor(2.0 / (1 << 20) as f64) };
        let op = Sub { bounds: Bounds::I8 { lo: -100, hi: 100 }, factors: Some(factors) };
        let a = Tensor::new(&[5], &[1i8, 1, 1, 127, -128]).zero_point(1);
        let b = Tensor::new(&[5], &[0i8, 1, -1, -128, 127]);
        let case = Case::new(op, [a, b]).output_zero_point(-2);
        // 0.5 a - 0.25 b: 0, -0.25, 0.25, ... where 0.25 is a tie.
        assert_eq!(case.run::<i8>().unwrap(), [-2, -3, -1, 100, -100]);
        case.assert_contract();
    }
}
