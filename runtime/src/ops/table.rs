//! Table of a function of one int8 number: what the converter makes of an operator, or of several, whose outputs follow,
//! element by element, from one tensor.
//!
//! Inputs: x of int8 and any shape, and the table `[256]` of i8 with what becomes of -128 to 127. Output: the shape of x.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{Elementwise, each_row};
use super::{OpCode, Run};
use crate::kernels::table::{TABLE_LEN, look_up_row};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The number of the operator that it was made of, or of this one if it was made of several. For reports: nothing that is
    /// computed depends on it.
    pub of: u8,
}

impl Table {
    /// A table that was made of several operators.
    pub const OF_SEVERAL: Table = Table { of: OpCode::Table as u8 };
}

impl Elementwise for Table {
    const CODE: OpCode = OpCode::Table;
    const OPERANDS: usize = 1;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        let &[x, table] = inputs else { return Err(Error::Arity) };
        if x.dtype != DType::I8 || table.dtype != DType::I8 {
            return Err(Error::DType);
        }
        if table.shape == Shape::new(&[TABLE_LEN])? { Ok(x) } else { Err(Error::Shape) }
    }
}

impl Run<i8> for Table {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        if node.input(1).is_constant() { Ok(()) } else { Err(Error::TensorPlace) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, table, out) =
            (node.input(0).rows(mem), node.input(1).view(mem), node.output(0).rows_mut(mem));
        each_row(x, out, rows, |x, out| look_up_row(x, table, out));
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
        let table = Tensor::new(&[256], &squares).constant();
        let case = Case::new(Table::OF_SEVERAL, [x, table]).output_zero_point(-1);
        assert_eq!(case.run::<i8>().unwrap(), [127, 31, -1, -1, 31, 125]);
        case.assert_contract();
    }

    #[test]
    fn every_number_has_an_entry() {
        let check = |inputs: &[Tensor]| Case::new(Table::OF_SEVERAL, inputs.iter().cloned()).check();
        let x = Tensor::new(&[2], &[1i8, 2]);
        assert_eq!(check(core::slice::from_ref(&x)), Err(Error::Arity));
        assert_eq!(check(&[x.clone(), Tensor::new(&[255], &[0i8; 255])]), Err(Error::Shape));
        assert_eq!(check(&[x.clone(), Tensor::new(&[256], &[0.0f32; 256])]), Err(Error::DType));
        let table = Tensor::new(&[256], &[0i8; 256]);
        assert_eq!(check(&[x.clone(), table.clone().constant()]), Ok(()));
        assert_eq!(check(&[x, table.clone()]), Err(Error::TensorPlace));
        assert_eq!(check(&[Tensor::new(&[2], &[1.0f32, 2.0]), table]), Err(Error::DType));
    }
}
