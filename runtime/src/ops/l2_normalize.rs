//! Vectors along the last axis, divided by their Euclidean norm: `x / max(sqrt(sum(x^2)), 1e-6)`.
//!
//! Input and output: any shape, f32 or int8 of at most 33,025 elements in the last axis. The int8 output counts 128ths, its
//! zero point is 0, 1 becomes 127; the norm has 19 bits and rounding is that of TensorFlow Lite Micro.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{each_vector, unary};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::l2_normalize::{MAX_LEN_I8, l2_normalize_f32, l2_normalize_i8};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// It has no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct L2Normalize {}

impl L2Normalize {
    /// The scale of an int8 output.
    pub const SCALE: f32 = 1.0 / 128.0;
    /// The zero point of an int8 output.
    pub const ZERO_POINT: i8 = 0;
}

impl Operator for L2Normalize {
    const CODE: OpCode = OpCode::L2Normalize;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let x = unary(inputs)?;
        match x.dtype {
            DType::F32 => one(x),
            DType::I8 if x.shape.channels() <= MAX_LEN_I8 => one(x),
            DType::I8 => Err(Error::Shape),
            _ => Err(Error::DType),
        }
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

impl Run<f32> for L2Normalize {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        each_vector(node, mem, rows, l2_normalize_f32);
    }
}

impl Run<i8> for L2Normalize {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        let right = node.output(0).zero_point() == L2Normalize::ZERO_POINT as i32;
        if right { Ok(()) } else { Err(Error::Parameters) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let zero_point = node.input(0).zero_point();
        each_vector(node, mem, rows, |x, out| l2_normalize_i8(x, zero_point, out));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Shape;
    use crate::ops::testing::{Case, Tensor};

    proptest! {
        #[test]
        fn int8_is_within_one_step_of_f32(x in prop::array::uniform6(any::<i8>()), zero_point: i8) {
            let quantized = Case::new(L2Normalize {}, [Tensor::new(&[1, 2, 3], &x).zero_point(zero_point)]);
            quantized.assert_contract();
            let real = Tensor::new(&[1, 2, 3], &x.map(|q| f32::from(q) - f32::from(zero_point)));
            let exact = Case::new(L2Normalize {}, [real]);
            exact.assert_contract();
            for (q, real) in quantized.run::<i8>().unwrap().iter().zip(exact.run::<f32>().unwrap()) {
                prop_assert!((f32::from(*q) / 128.0 - real).abs() <= 1.01 / 128.0, "{q} {real}");
            }
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        let of = |x: &[f32]| Case::new(L2Normalize {}, [Tensor::new(&[x.len()], x)]).run::<f32>().unwrap();
        assert_eq!(of(&[0.0, -0.0]), [0.0, 0.0]);
        assert!((of(&[1e-9, 0.0])[0] - 1e-3).abs() < 1e-9, "the norm is taken for 1e-6");
        assert!(of(&[f32::NAN, 1.0]).iter().all(|v| v.is_nan()));
        let int8 = Case::new(L2Normalize {}, [Tensor::new(&[3], &[5i8; 3]).zero_point(5)]);
        assert_eq!(int8.run::<i8>().unwrap(), [0, 0, 0]);
    }

    #[test]
    fn longer_vectors_are_refused() {
        let of = |n| TensorType::new(DType::I8, Shape::new(&[n]).unwrap());
        assert!(L2Normalize {}.infer(&[of(MAX_LEN_I8)]).is_ok());
        assert_eq!(L2Normalize {}.infer(&[of(MAX_LEN_I8 + 1)]), Err(Error::Shape));
    }

    #[test]
    fn other_zero_points_of_the_output_are_refused() {
        let case = Case::new(L2Normalize {}, [Tensor::new(&[3], &[1i8, 2, 3])]).output_zero_point(1);
        assert_eq!(case.run::<i8>(), Err(Error::Parameters));
    }
}
