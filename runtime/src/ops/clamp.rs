//! Clamp to a range: ReLU, ReLU6 and others standing alone.
//!
//! Input and output: any shape, f32 or int8. int8 may change scale and zero point on the way, as TensorFlow
//! Lite Micro's ReLU does: it requantizes, then clamps.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::elementwise::{map, unary};
use super::{Factor, OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::arithmetic::clamp_f32;
use crate::kernels::requantize::{DIFFERENCE_MAX, Rescale, clamp_i8};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// Parameters of a clamp.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clamp {
    /// The range, in the numbers that the output stores.
    pub bounds: Bounds,
    /// Only for int8: the input's scale by the output's, below 2^23. `None` if they have the same scale and
    /// zero point.
    pub factor: Option<Factor>,
}

impl Operator for Clamp {
    const CODE: OpCode = OpCode::Clamp;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let x = unary(inputs)?;
        match (x.dtype, self.factor) {
            (DType::F32 | DType::I8, None) => {}
            (DType::I8, Some(factor)) => factor.check_for(DIFFERENCE_MAX)?,
            (DType::F32, Some(_)) => return Err(Error::Parameters),
            _ => return Err(Error::DType),
        }
        self.bounds.check(x.dtype)?;
        one(x)
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

impl Run<f32> for Clamp {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let bounds = self.bounds.f32();
        map(node, mem, rows, |x| clamp_f32(x, bounds));
    }
}

impl Run<i8> for Clamp {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        let same = node.input(0).zero_point() == node.output(0).zero_point();
        if same || self.factor.is_some() { Ok(()) } else { Err(Error::Parameters) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let bounds = self.bounds.i8();
        match self.factor {
            None => map(node, mem, rows, |x: i8| clamp_i8(x as i32, bounds)),
            Some(factor) => {
                let rescale = Rescale {
                    x_zero_point: node.input(0).zero_point(),
                    factor,
                    zero_point: node.output(0).zero_point(),
                    bounds,
                };
                map(node, mem, rows, |x| rescale.apply(x));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn nan_stays_and_the_rest_is_in_range() {
        let x = Tensor::new(&[5], &[-1.0, 3.0, 7.0, f32::INFINITY, f32::NAN]);
        let y = Case::new(Clamp { bounds: Bounds::RELU6, factor: None }, [x]).run::<f32>().unwrap();
        assert_eq!(y[..4], [0.0, 3.0, 6.0, 6.0]);
        assert!(y[4].is_nan());
    }

    #[test]
    fn int8_needs_a_factor_to_change_its_zero_point() {
        let case = |factor, zero_point| {
            let x = Tensor::new(&[2, 2], &[-128i8, 1, 2, 127]);
            Case::new(Clamp { bounds: Bounds::I8 { lo: -5, hi: 90 }, factor }, [x])
                .output_zero_point(zero_point)
        };
        assert_eq!(case(None, -5).check(), Err(Error::Parameters));
        assert_eq!(case(None, 0).run::<i8>().unwrap(), [-5, 1, 2, 90]);
        let half = case(Factor::from_real(0.5), -5);
        assert_eq!(half.run::<i8>().unwrap(), [-5, -4, -4, 59]);
        half.assert_contract();
        case(None, 0).assert_contract();
        assert_eq!(case(Factor::from_real((1 << 23) as f64), 0).check(), Err(Error::Parameters));
    }
}
