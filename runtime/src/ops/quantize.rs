//! To int8, from f32 or from int8 of another scale or zero point.
//!
//! Input: any shape, f32 or int8. Output: int8 of that shape. Rounds to nearest with ties away from zero, as
//! TensorFlow Lite's AffineQuantize, or as its Requantize; NaN becomes the zero point.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{map, unary};
use super::{Factor, OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::requantize::{DIFFERENCE_MAX, Rescale, saturate};
use crate::math;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// Parameters of a quantization.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Quantize {
    /// From f32.
    F32 {
        /// Scale of the output; positive.
        scale: f32,
    },
    /// From int8.
    I8 {
        /// The input's scale by the output's, below 2^23.
        factor: Factor,
    },
}

impl Operator for Quantize {
    const CODE: OpCode = OpCode::Quantize;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let x = unary(inputs)?;
        match (*self, x.dtype) {
            (Quantize::F32 { scale }, DType::F32) if scale > 0.0 && scale.is_finite() => {}
            (Quantize::F32 { .. }, DType::F32) => return Err(Error::Parameters),
            (Quantize::I8 { factor }, DType::I8) => factor.check_for(DIFFERENCE_MAX)?,
            _ => return Err(Error::DType),
        }
        one(TensorType::new(DType::I8, x.shape))
    }

    fn rows(&self, _input: usize, _inputs: &[TensorType], y: usize) -> Range<usize> {
        y..y + 1
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        matches!(self, Quantize::I8 { .. }) as u8
    }
}

impl Run<f32> for Quantize {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        if let Quantize::F32 { scale } = *self {
            let zero_point = node.output(0).zero_point();
            map(node, mem, rows, |x: f32| saturate(math::round(x / scale), zero_point, (i8::MIN, i8::MAX)));
        }
    }
}

impl Run<i8> for Quantize {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        // The output alone is int8 if the input is f32.
        if node.input(0).ty.dtype == DType::I8 { Ok(()) } else { Err(Error::DType) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        if let Quantize::I8 { factor } = *self {
            let rescale = Rescale {
                x_zero_point: node.input(0).zero_point(),
                factor,
                zero_point: node.output(0).zero_point(),
                bounds: (i8::MIN, i8::MAX),
            };
            map(node, mem, rows, |x| rescale.apply(x));
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use crate::ops::Dequantize;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn ties_go_away_from_zero_and_ends_saturate() {
        let x = Tensor::new(&[2, 4], &[0.25f32, -0.25, 0.74, -0.75, 1e30, -1e30, f32::NAN, -0.0]);
        let case = Case::new(Quantize::F32 { scale: 0.5 }, [x]).output_zero_point(3);
        assert_eq!(case.run::<i8>().unwrap(), [4, 2, 4, 1, 127, -128, 3, 3]);
        case.assert_contract();
    }

    #[test]
    fn dequantizing_and_quantizing_gives_every_int8_back() {
        let all: Vec<i8> = (i8::MIN..=i8::MAX).collect();
        let x = Tensor::new(&[1, 2, 16, 8], &all).zero_point(-77);
        let real = Case::new(Dequantize { scale: 0.1 }, [x.clone()]);
        real.assert_contract();
        let real = Tensor::new(&[256], &real.run::<f32>().unwrap());
        let back = Case::new(Quantize::F32 { scale: 0.1 }, [real]).output_zero_point(-77);
        assert_eq!(back.run::<i8>().unwrap(), all);
        let same = Case::new(Quantize::I8 { factor: Factor::from_real(1.0).unwrap() }, [x]);
        same.assert_contract();
        let moved: Vec<i8> = all.iter().map(|q| q.saturating_add(77)).collect();
        assert_eq!(same.run::<i8>().unwrap(), moved);
    }

    #[test]
    fn bad_parameters_are_refused() {
        let f32 = |scale| Case::new(Quantize::F32 { scale }, [Tensor::new(&[1], &[0.0f32])]).check();
        assert_eq!([0.0, -1.0, f32::NAN, f32::INFINITY].map(f32), [Err(Error::Parameters); 4]);
        let from_int8 = Quantize::I8 { factor: Factor::from_real(2.0).unwrap() };
        assert_eq!(Case::new(from_int8, [Tensor::new(&[1], &[0.0f32])]).check(), Err(Error::DType));
    }
}
