//! Table of a function of one int8 number: what the converter makes of several operators whose outputs follow, element by
//! element, from one tensor.
//!
//! Inputs: x of int8 and any shape, and the table `[256]` of i8 with what becomes of -128 to 127. Output: the shape of x.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{Elementwise, infer_table, look_up};
use super::{OpCode, Run};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// A table has no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {}

impl Elementwise for Table {
    const CODE: OpCode = OpCode::Table;
    const OPERANDS: usize = 1;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        match inputs {
            [x, ..] if x.dtype != DType::I8 => Err(Error::DType),
            _ => infer_table(inputs),
        }
    }
}

impl Run<i8> for Table {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        look_up(node, mem, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn numbers_are_looked_up() {
        let squares: [i8; 256] =
            core::array::from_fn(|i| ((i as i32 - 128) * (i as i32 - 128) / 128 - 1) as i8);
        let x = Tensor::new(&[2, 3], &[-128i8, -64, 0, 1, 64, 127]);
        let case = Case::new(Table {}, [x, Tensor::new(&[256], &squares).constant()]).output_zero_point(-1);
        assert_eq!(case.run::<i8>().unwrap(), [127, 31, -1, -1, 31, 125]);
        case.assert_contract();
        assert_eq!(Case::new(Table {}, [Tensor::new(&[2], &[1f32, 2.0])]).check(), Err(Error::DType));
        assert_eq!(Case::new(Table {}, [Tensor::new(&[2], &[1i8, 2])]).check(), Err(Error::Arity));
    }
}
