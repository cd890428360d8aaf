//! Leaky ReLU: negative elements times a constant.
//!
//! Input and output: any shape, f32 or int8. int8 requantizes each side of zero with its own factor, rounded
//! as TensorFlow Lite Micro does.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{map, unary};
use super::{Factor, OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::requantize::{DIFFERENCE_MAX, saturate};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// Parameters of a leaky ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum LeakyRelu {
    /// On f32.
    F32 {
        /// The slope of negative elements.
        alpha: f32,
    },
    /// On int8.
    I8 {
        /// The input's scale by the output's.
        positive: Factor,
        /// The same times the slope; its multiplier is negative where the slope is.
        negative: Factor,
    },
}

impl Operator for LeakyRelu {
    const CODE: OpCode = OpCode::LeakyRelu;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let x = unary(inputs)?;
        let dtype = match *self {
            LeakyRelu::F32 { .. } => DType::F32,
            LeakyRelu::I8 { positive, negative } => {
                positive.check_for(DIFFERENCE_MAX)?;
                magnitude(negative).check_for(DIFFERENCE_MAX)?;
                DType::I8
            }
        };
        if x.dtype == dtype { one(x) } else { Err(Error::DType) }
    }

    fn rows(&self, _input: usize, _inputs: &[TensorType], y: usize) -> Range<usize> {
        y..y + 1
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        1
    }
}

impl Run<f32> for LeakyRelu {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        if let LeakyRelu::F32 { alpha } = *self {
            map(node, mem, rows, |x: f32| if x > 0.0 { x } else { x * alpha });
        }
    }
}

impl Run<i8> for LeakyRelu {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let LeakyRelu::I8 { positive, negative } = *self else { return };
        let (x_zero_point, zero_point) = (node.input(0).zero_point(), node.output(0).zero_point());
        // A negative slope rounds as its magnitude does, mirrored.
        let (slope, mirrored) = (magnitude(negative), negative.multiplier < 0);
        map(node, mem, rows, |x: i8| {
            let x = x as i32 - x_zero_point;
            let y = match (x >= 0, mirrored) {
                (true, _) => positive.apply(x),
                (false, false) => slope.apply(x),
                (false, true) => slope.apply(x).wrapping_neg(),
            };
            saturate(y, zero_point, (i8::MIN, i8::MAX))
        });
    }
}

fn magnitude(factor: Factor) -> Factor {
    Factor { multiplier: factor.multiplier.saturating_abs(), ..factor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn only_negative_elements_are_scaled() {
        let case = Case::new(LeakyRelu::F32 { alpha: 0.25 }, [Tensor::new(&[3], &[-4.0f32, 0.0, 4.0])]);
        assert_eq!(case.run::<f32>(), Ok([-1.0, 0.0, 4.0].into()));
        case.assert_contract();
        let factor = |real| Factor::from_real(real).unwrap();
        let op = LeakyRelu::I8 { positive: factor(1.0), negative: factor(0.25) };
        let case = Case::new(op, [Tensor::new(&[3], &[-4i8, 1, 4]).zero_point(0)]);
        assert_eq!(case.run::<i8>(), Ok([-1, 1, 4].into()));
        case.assert_contract();
    }
}
