//! Sum of two tensors whose shapes broadcast, with fused activation.
//!
//! Inputs: two tensors, both f32 or both int8. Output: their broadcast shape. int8 rounds as TensorFlow Lite
//! Micro: both operands are brought to one scale with 20 bits to spare, and the sum to the output's.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::elementwise::Elementwise;
use super::{Factor, OpCode, Run, broadcast};
pub use crate::kernels::add::LEFT_SHIFT;
use crate::kernels::add::{SumI8, add_row};
use crate::kernels::arithmetic::clamp_f32;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of a sum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Add {
    /// Fused activation.
    pub bounds: Bounds,
    /// Only and always for int8.
    pub factors: Option<AddFactors>,
}

/// Ratios of scales, each below 1. The common scale is twice the greater one of the operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddFactors {
    /// The scale of either operand by the common scale.
    pub operands: [Factor; 2],
    /// The common scale by the output's scale and 2^20.
    pub output: Factor,
}

impl AddFactors {
    fn check(self) -> Result<(), Error> {
        let [a, b] = self.operands;
        for factor in [a, b, self.output] {
            factor.check()?;
            if factor.shift > 0 {
                return Err(Error::Parameters);
            }
        }
        Ok(())
    }

    /// The arithmetic of a node with these factors.
    pub(super) fn arithmetic(self, node: &Node, bounds: Bounds) -> SumI8 {
        SumI8 {
            zero_points: [node.input(0).zero_point(), node.input(1).zero_point()],
            operands: self.operands,
            output: self.output,
            zero_point: node.output(0).zero_point(),
            bounds: bounds.i8(),
        }
    }
}

/// The shape rule of sums and differences.
pub(super) fn infer(
    bounds: Bounds,
    factors: Option<AddFactors>,
    inputs: &[TensorType],
) -> Result<TensorType, Error> {
    let out = broadcast::infer_with(inputs, factors, AddFactors::check)?;
    bounds.check(out.dtype)?;
    Ok(out)
}

impl Elementwise for Add {
    const CODE: OpCode = OpCode::Add;
    const OPERANDS: usize = 2;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        infer(self.bounds, self.factors, inputs)
    }
}

impl Run<f32> for Add {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let bounds = self.bounds.f32();
        broadcast::zip(node, mem, rows, |a: f32, b: f32| clamp_f32(a + b, bounds));
    }
}

impl Run<i8> for Add {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let Some(factors) = self.factors else { return };
        let sum = factors.arithmetic(node, self.bounds);
        broadcast::zip_lines(node, mem, rows, |a, b, out| add_row(&sum, a, b, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    /// The scales 0.5, 0.25 and 0.5 of operands and output.
    fn halves_and_quarters() -> AddFactors {
        let factor = |real| Factor::from_real(real).unwrap();
        AddFactors { operands: [factor(0.5), factor(0.25)], output: factor(2.0 / (1 << 20) as f64) }
    }

    #[test]
    fn int8_sums_are_rounded_and_clamped() {
        let op = Add { bounds: Bounds::I8 { lo: -10, hi: 100 }, factors: Some(halves_and_quarters()) };
        let a = Tensor::new(&[6], &[1i8, 1, 1, 127, -128, 3]).zero_point(1);
        let b = Tensor::new(&[6], &[0i8, 1, -1, 127, -128, 4]);
        let case = Case::new(op, [a, b]).output_zero_point(-2);
        // 0.5 a + 0.25 b: 0, 0.25, -0.25, ... where 0.25 is a tie.
        assert_eq!(case.run::<i8>().unwrap(), [-2, -1, -3, 100, -10, 2]);
        case.assert_contract();
    }

    #[test]
    fn factors_belong_to_int8_and_are_below_1() {
        let case = |factors| {
            let x = || Tensor::new(&[2], &[1i8, 2]);
            Case::new(Add { bounds: Bounds::None, factors }, [x(), x()]).check()
        };
        let AddFactors { operands, .. } = halves_and_quarters();
        let one = Factor::from_real(1.0).unwrap();
        assert_eq!(case(None), Err(Error::Parameters));
        assert_eq!(case(Some(AddFactors { operands, output: one })), Err(Error::Parameters));
        assert_eq!(case(Some(AddFactors { operands, output: operands[0] })), Ok(()));
    }
}
