//! Hyperbolic tangent.
//!
//! Inputs: x of any shape, for int8 then the table `[256]` of i8 that [`Tanh::table`] makes. Output: the shape
//! of x. The int8 output counts 128ths, its zero point is 0.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{Elementwise, infer_table, look_up, map};
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
        infer_table(inputs)
    }
}

impl Run<f32> for Tanh {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        map(node, mem, rows, math::tanh);
    }
}

impl Run<i8> for Tanh {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        look_up(node, mem, rows);
    }
}
