//! From int8 to f32: `scale * (x - zero_point)`, rounded once.
//!
//! Input: int8 of any shape. Output: f32 of that shape.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{map, unary};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// Parameters of a dequantization.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dequantize {
    /// Scale of the input; positive.
    pub scale: f32,
}

impl Operator for Dequantize {
    const CODE: OpCode = OpCode::Dequantize;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let x = unary(inputs)?;
        if x.dtype != DType::I8 {
            return Err(Error::DType);
        }
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            return Err(Error::Parameters);
        }
        one(TensorType::new(DType::F32, x.shape))
    }

    fn rows(&self, _input: usize, _inputs: &[TensorType], y: usize) -> Range<usize> {
        y..y + 1
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }
}

impl Run<i8> for Dequantize {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let zero_point = node.input(0).zero_point();
        map(node, mem, rows, |x: i8| self.scale * (x as i32 - zero_point) as f32);
    }
}
