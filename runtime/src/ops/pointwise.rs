//! Functions of single numbers that have no operator of their own: roots, exponentials, logarithms, reciprocals.
//!
//! Inputs: x of any shape, for int8 then the table `[256]` of i8 with the function of every stored number, which the
//! converter makes. Output: the shape of x.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{infer_table, look_up, map, rows};
use super::{OUTPUT, OpCode, Operator, Outputs, Run};
use crate::math;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// A function of a number. Where it has no value it is NaN or infinite, as in IEEE 754.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// `|x|`.
    Abs,
    /// -1, 0 or 1.
    Sign,
    /// `e^x`.
    Exp,
    /// Natural logarithm.
    Ln,
    /// Square root.
    Sqrt,
    /// `1 / sqrt(x)`.
    Rsqrt,
    /// `1 / x`.
    Reciprocal,
    /// `x` above 0, else `e^x - 1`.
    Elu,
    /// The error function.
    Erf,
}

impl Function {
    /// The function of `x`.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Function::Abs => x.abs(),
            Function::Sign if x > 0.0 => 1.0,
            Function::Sign if x < 0.0 => -1.0,
            Function::Sign => x * 0.0,
            Function::Exp => math::exp(x),
            Function::Ln => math::ln(x),
            Function::Sqrt => math::sqrt(x),
            Function::Rsqrt => 1.0 / math::sqrt(x),
            Function::Reciprocal => 1.0 / x,
            Function::Elu if x > 0.0 => x,
            Function::Elu => math::exp(x) - 1.0,
            Function::Erf => math::erf(x),
        }
    }
}

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointwise {
    /// The function.
    pub function: Function,
}

impl Operator for Pointwise {
    const CODE: OpCode = OpCode::Pointwise;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        infer_table(inputs)
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        rows(input, inputs, y)
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        1
    }
}

impl Run<f32> for Pointwise {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        map(node, mem, rows, |x| self.function.apply(x));
    }
}

impl Run<i8> for Pointwise {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        look_up(node, mem, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn functions_are_as_named() {
        let run = |function| {
            let case = Case::new(Pointwise { function }, [Tensor::new(&[2, 2], &[4.0f32, 0.25, 1.0, 0.0])]);
            case.assert_contract();
            case.run::<f32>().unwrap()
        };
        assert_eq!(run(Function::Sqrt), [2.0, 0.5, 1.0, 0.0]);
        assert_eq!(run(Function::Rsqrt), [0.5, 2.0, 1.0, f32::INFINITY]);
        assert_eq!(run(Function::Reciprocal), [0.25, 4.0, 1.0, f32::INFINITY]);
        assert_eq!(run(Function::Ln)[2..], [0.0, f32::NEG_INFINITY]);
        assert_eq!(run(Function::Exp)[3], 1.0);
        assert_eq!(run(Function::Elu), [4.0, 0.25, 1.0, 0.0]);
        assert!((Function::Elu.apply(-1.0) + 0.632_120_6).abs() < 1e-6);
        assert_eq!(run(Function::Sign), [1.0, 1.0, 1.0, 0.0]);
        assert_eq!([-2.5, 0.0, -1e-9].map(|x| Function::Sign.apply(x)), [-1.0, 0.0, -1.0]);
        assert_eq!(Function::Abs.apply(-2.5), 2.5);
        let erf = [0.0, 0.5, -1.0, 3.0].map(|x| Function::Erf.apply(x));
        let exact = [0.0, 0.520_499_9, -0.842_700_8, 0.999_977_9];
        assert!(erf.iter().zip(exact).all(|(erf, exact)| (erf - exact).abs() < 1e-6), "{erf:?}");
    }
}
