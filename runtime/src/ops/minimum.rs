//! The lesser of two elements, of tensors whose shapes broadcast.
//!
//! Inputs: two tensors, both f32 or both int8 of one quantization, which is the output's. Output: their
//! broadcast shape.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::Elementwise;
use super::{OpCode, Run, broadcast, check_same_zero_points};
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of a minimum: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minimum {}

impl Elementwise for Minimum {
    const CODE: OpCode = OpCode::Minimum;
    const OPERANDS: usize = 2;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        broadcast::infer(inputs)
    }
}

impl Run<f32> for Minimum {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        broadcast::zip(node, mem, rows, |a: f32, b: f32| if b < a { b } else { a });
    }
}

impl Run<i8> for Minimum {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        check_same_zero_points(node)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        broadcast::zip(node, mem, rows, |a: i8, b: i8| if b < a { b } else { a });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn takes_the_lesser() {
        let a = Tensor::new(&[2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let b = Tensor::new(&[3], &[3.0f32, 2.0, 1.0]);
        let case = Case::new(Minimum {}, [a, b]);
        assert_eq!(case.run::<f32>(), Ok([1.0, 2.0, 1.0, 3.0, 2.0, 1.0].into()));
        case.assert_contract();
    }
}
