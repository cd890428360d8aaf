//! Squared difference of two tensors whose shapes broadcast: `(a - b)^2`, as in a variance.
//!
//! Inputs: two tensors, both f32 or both int8. Output: their broadcast shape. int8 rounds as TensorFlow Lite
//! Micro: both operands are brought to one scale with 7 bits to spare, and the square to the output's.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::add::AddFactors;
use super::elementwise::Elementwise;
use super::{Factor, OpCode, Run, broadcast};
pub use crate::kernels::squared_difference::LEFT_SHIFT;
use crate::kernels::squared_difference::{SQUARE_MAX, SquaredDifferenceI8};
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of a squared difference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SquaredDifference {
    /// Only and always for int8. The common scale is twice the greater one of the operands, so that their factors are at most
    /// 1/2; that of the output is the squared common scale by the output's scale and 2^14, below 2.
    pub factors: Option<AddFactors>,
}

fn check(AddFactors { operands, output }: AddFactors) -> Result<(), Error> {
    let is_half = |factor: Factor| factor.shift < 0 || factor.shift == 0 && factor.multiplier <= 1 << 30;
    for factor in operands {
        factor.check()?;
        if !is_half(factor) {
            return Err(Error::Parameters);
        }
    }
    output.check_for(SQUARE_MAX)
}

impl Elementwise for SquaredDifference {
    const CODE: OpCode = OpCode::SquaredDifference;
    const OPERANDS: usize = 2;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        broadcast::infer_with(inputs, self.factors, check)
    }
}

impl Run<f32> for SquaredDifference {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        broadcast::zip(node, mem, rows, |a: f32, b: f32| (a - b) * (a - b));
    }
}

impl Run<i8> for SquaredDifference {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let Some(AddFactors { operands, output }) = self.factors else { return };
        let square = SquaredDifferenceI8 {
            zero_points: [node.input(0).zero_point(), node.input(1).zero_point()],
            operands,
            output,
            zero_point: node.output(0).zero_point(),
        };
        broadcast::zip(node, mem, rows, |a, b| square.apply(a, b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    fn factor(real: f64) -> Factor {
        Factor::from_real(real).unwrap()
    }

    #[test]
    fn f32_differences_are_squared() {
        let a = Tensor::new(&[2, 3], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let case = Case::new(SquaredDifference { factors: None }, [a, Tensor::new(&[3], &[3f32, 2.0, 1.0])]);
        assert_eq!(case.run::<f32>(), Ok([4.0, 0.0, 4.0, 1.0, 9.0, 25.0].into()));
        case.assert_contract();
    }

    #[test]
    fn int8_squares_are_rounded_and_clamped() {
        // The scales 0.5, 0.25 and 0.5 of operands and output.
        let factors =
            AddFactors { operands: [factor(0.5), factor(0.25)], output: factor(2.0 / (1 << 14) as f64) };
        let a = Tensor::new(&[5], &[1i8, 3, 1, 127, -128]).zero_point(1);
        let b = Tensor::new(&[5], &[0i8, 0, -3, -128, 127]);
        let case = Case::new(SquaredDifference { factors: Some(factors) }, [a, b]).output_zero_point(-100);
        // 0, 1, and 0.75 squared, in halves.
        assert_eq!(case.run::<i8>().unwrap(), [-100, -98, -99, 127, 127]);
        case.assert_contract();
    }

    #[test]
    fn squares_fit_32_bits() {
        let case = |operand, output| {
            let x = || Tensor::new(&[2], &[1i8, 2]);
            let factors = AddFactors { operands: [factor(0.5), factor(operand)], output: factor(output) };
            Case::new(SquaredDifference { factors: Some(factors) }, [x(), x()]).check()
        };
        assert_eq!(case(0.5, 1.9), Ok(()));
        assert_eq!(case(0.51, 0.1), Err(Error::Parameters));
        assert_eq!(case(0.5, 2.0), Err(Error::Parameters));
    }
}
