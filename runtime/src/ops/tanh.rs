//! Hyperbolic tangent.
//!
//! Input: x of f32 and any shape. Output: the shape of x. In int8 it is the [`Table`](super::Table) that [`Tanh::table`]
//! makes; its output counts 128ths, with zero point 0.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{Elementwise, map, unary_f32};
use super::{OpCode, Run};
use crate::kernels::fixed_math::{table, tanh_q31};
use crate::kernels::requantize::{round_shift, saturate};
use crate::kernels::table::TABLE_LEN;
use crate::math;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// A hyperbolic tangent has no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tanh {}

impl Tanh {
    /// The scale of an int8 output.
    pub const SCALE: f32 = 1.0 / 128.0;
    /// The zero point of an int8 output.
    pub const ZERO_POINT: i8 = 0;

    /// The int8 outputs for the inputs -128 to 127 of `scale` and `zero_point`, computed as TensorFlow Lite
    /// Micro does. `None` if the scale is not in (2^-59, 8) or the
    /// zero point not an int8.
    pub fn table(scale: f32, zero_point: i32) -> Option<[i8; TABLE_LEN]> {
        table(scale, zero_point, |x_q27| {
            saturate(round_shift(tanh_q31(x_q27), 24), Self::ZERO_POINT as i32, (i8::MIN, i8::MAX))
        })
    }
}

impl Elementwise for Tanh {
    const CODE: OpCode = OpCode::Tanh;
    const OPERANDS: usize = 1;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        unary_f32(inputs)
    }
}

impl Run<f32> for Tanh {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        map(node, mem, rows, math::tanh);
    }
}
