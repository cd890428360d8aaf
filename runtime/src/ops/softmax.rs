//! Softmax over the last axis: `exp(beta * x) / sum(exp(beta * x))`.
//!
//! Input and output: any shape, f32 or int8. The int8 output counts 256ths, its zero point is -128; rounding
//! is that of TensorFlow Lite Micro, whose result is undefined from 512 equal maxima on: here it is 0.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{each_vector, unary};
use super::{Factor, OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::softmax::{MAX_LEN_I8, softmax_f32, softmax_i8};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// Parameters of a softmax.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Softmax {
    /// On f32.
    F32 {
        /// What the inputs are multiplied with; positive.
        beta: f32,
    },
    /// On int8, with at most 4095 elements in the last axis.
    I8 {
        /// `2^26 * beta * scale`, its shift in [1, 30].
        input: Factor,
    },
}

impl Softmax {
    /// The scale of an int8 output.
    pub const SCALE: f32 = 1.0 / 256.0;
    /// The zero point of an int8 output.
    pub const ZERO_POINT: i8 = -128;

    /// On int8 inputs of `scale`; `None` if `beta * scale` is not above 2^-26.
    ///
    /// From 16 on, where the factor does not fit, the greatest one does the same: all elements but the
    /// maximum become 0.
    pub fn quantized(beta: f32, scale: f32) -> Option<Softmax> {
        const GREATEST: f64 = (1 << 30) as f64 - 0.5;
        let real = beta as f64 * scale as f64 * (1 << 26) as f64;
        let input = Factor::from_real(if real > GREATEST { GREATEST } else { real })?;
        (input.shift >= 1).then_some(Softmax::I8 { input })
    }
}

impl Operator for Softmax {
    const CODE: OpCode = OpCode::Softmax;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let x = unary(inputs)?;
        let (dtype, valid) = match *self {
            Softmax::F32 { beta } => (DType::F32, beta > 0.0 && beta.is_finite()),
            Softmax::I8 { input } => (DType::I8, input.check().is_ok() && input.shift >= 1),
        };
        if x.dtype != dtype {
            return Err(Error::DType);
        }
        if dtype == DType::I8 && x.shape.channels() > MAX_LEN_I8 {
            return Err(Error::Shape);
        }
        if valid { one(x) } else { Err(Error::Parameters) }
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

impl Run<f32> for Softmax {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        if let Softmax::F32 { beta } = *self {
            each_vector(node, mem, rows, |x, out| softmax_f32(x, beta, out));
        }
    }
}

impl Run<i8> for Softmax {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        let right = node.output(0).zero_point() == Softmax::ZERO_POINT as i32;
        if right { Ok(()) } else { Err(Error::Parameters) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        if let Softmax::I8 { input } = *self {
            each_vector(node, mem, rows, |x, out| softmax_i8(x, input, out));
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::ops::testing::{Case, Tensor};

    fn int8(dims: &[usize], x: &[i8], scale: f32) -> Case<Softmax> {
        let op = Softmax::quantized(1.0, scale).unwrap();
        Case::new(op, [Tensor::new(dims, x)]).output_zero_point(Softmax::ZERO_POINT)
    }

    proptest! {
        #[test]
        fn int8_is_within_one_step_of_f32(x in prop::array::uniform6(any::<i8>()), scale in 1e-3f32..1.0) {
            let quantized = int8(&[1, 1, 2, 3], &x, scale);
            quantized.assert_contract();
            let real = Tensor::new(&[1, 1, 2, 3], &x.map(f32::from));
            let exact = Case::new(Softmax::F32 { beta: scale }, [real]);
            exact.assert_contract();
            for (q, real) in quantized.run::<i8>().unwrap().iter().zip(exact.run::<f32>().unwrap()) {
                let probability = (*q as f32 + 128.0) / 256.0;
                prop_assert!((probability - real).abs() <= 1.0 / 256.0, "{probability} {real}");
            }
        }
    }

    #[test]
    fn sums_fit_up_to_the_greatest_length() {
        let equal = |n: usize| int8(&[n], &vec![5; n], 0.1);
        assert_eq!(equal(256).run::<i8>().unwrap(), vec![-127; 256]);
        assert_eq!(equal(4095).run::<i8>().unwrap(), vec![-128; 4095]);
        assert_eq!(equal(4096).check(), Err(Error::Shape));
    }

    #[test]
    fn great_scales_leave_the_maximum_alone() {
        let only_the_maximum: Vec<i8> = int8(&[4], &[3, 4, 2, -128], 1e30).run().unwrap();
        assert_eq!(only_the_maximum, [-128, 127, -128, -128]);
        assert!([0.0, 1e-9, -1.0, f32::NAN].iter().all(|&scale| Softmax::quantized(1.0, scale).is_none()));
    }

    #[test]
    fn great_inputs_do_not_overflow() {
        let x = Tensor::new(&[2, 2], &[3e38, -3e38, -1e30, -1e30]);
        let y: Vec<f32> = Case::new(Softmax::F32 { beta: 2.0 }, [x]).run().unwrap();
        assert_eq!(y, [1.0, 0.0, 0.5, 0.5]);
    }

    #[test]
    fn bad_parameters_are_refused() {
        let f32 = |beta| Case::new(Softmax::F32 { beta }, [Tensor::new(&[2], &[0.0f32; 2])]).check();
        assert_eq!([f32(0.0), f32(f32::NAN), f32(f32::INFINITY)], [Err(Error::Parameters); 3]);
        let right_shift = Softmax::I8 { input: Factor { multiplier: 1 << 30, shift: 0 } };
        let x = Tensor::new(&[2], &[0i8; 2]);
        assert_eq!(Case::new(right_shift, [x.clone()]).check(), Err(Error::Parameters));
        let zero_point_0 = Case::new(Softmax::quantized(1.0, 0.1).unwrap(), [x]);
        assert_eq!(zero_point_0.check(), Err(Error::Parameters));
    }
}
