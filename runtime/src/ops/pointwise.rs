//! Functions of single numbers that have no operator of their own: roots, exponentials, logarithms, reciprocals.
//!
//! Input: x of f32 and any shape. Output: the shape of x. In int8 it is the [`Table`](super::Table) of the function of every
//! stored number, which the converter makes.

use core::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{Elementwise, map, unary_f32};
use super::{Factor, OpCode, Run};
use crate::kernels::fixed_math::inverse_sqrt;
use crate::kernels::requantize::requantized;
use crate::kernels::table::TABLE_LEN;
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
    /// `x (1 + erf(x / sqrt(2))) / 2`.
    Gelu,
    /// `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2`, nearly the same.
    GeluTanh,
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
            Function::Gelu => 0.5 * x * (1.0 + math::erf(x * FRAC_1_SQRT_2)),
            Function::GeluTanh => {
                let bent = x + 0.044715 * x * x * x;
                0.5 * x * (1.0 + math::tanh(FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * bent))
            }
        }
    }
}

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointwise {
    /// The function.
    pub function: Function,
}

impl Pointwise {
    /// The int8 absolute values in `(scale, zero point)` `out` of the inputs -128 to 127 of `x`, computed as TensorFlow Lite
    /// Micro does. `None` if the input's scale is 2^23 times the output's or more.
    pub fn abs_table(x: (f32, i32), out: (f32, i32)) -> Option<[i8; TABLE_LEN]> {
        let factor = Factor::from_real(x.0 as f64 / out.0 as f64)?;
        requantized(factor, |q| factor.requantize((q - x.1).abs(), out.1, (i8::MIN, i8::MAX)))
    }

    /// The int8 `1 / sqrt(x)` of the inputs -128 to 127, computed as TensorFlow Lite Micro does: the greatest number for 0, and
    /// for negative numbers, too, on which that stops. `factor` is 1 over both the root of the input's scale and the
    /// output's scale. `None` if it is not in [2^-12, 2^31).
    pub fn rsqrt_table(factor: Factor, zero_point: i32, out_zero_point: i32) -> Option<[i8; TABLE_LEN]> {
        // Bits behind the point of the roots of stored numbers.
        const BITS: i8 = 20;
        let factor = Factor { shift: factor.shift - BITS, ..factor };
        factor.check_for(1 << BITS).ok()?;
        Some(core::array::from_fn(|i| {
            let n = i as i32 - 128 - zero_point;
            if n <= 0 {
                return i8::MAX;
            }
            let inverse = inverse_sqrt(n);
            let root = Factor { shift: inverse.shift + BITS, ..inverse }.apply(1);
            factor.requantize(root, out_zero_point, (i8::MIN, i8::MAX))
        }))
    }
}

impl Elementwise for Pointwise {
    const CODE: OpCode = OpCode::Pointwise;
    const OPERANDS: usize = 1;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        unary_f32(inputs)
    }
}

impl Run<f32> for Pointwise {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        map(node, mem, rows, |x| self.function.apply(x));
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
        let gelu = [Function::Gelu, Function::GeluTanh].map(|gelu| [-9.0, -1.0, 2.0].map(|x| gelu.apply(x)));
        let exact = [[0.0, -0.158_655_3, 1.954_499_7], [0.0, -0.158_808, 1.954_597_7]];
        let errors = gelu.iter().flatten().zip(exact.iter().flatten()).map(|(gelu, exact)| gelu - exact);
        assert!(errors.clone().all(|error| error.abs() < 1e-6), "{gelu:?}");
        let erf = [0.0, 0.5, -1.0, 3.0].map(|x| Function::Erf.apply(x));
        let exact = [0.0, 0.520_499_9, -0.842_700_8, 0.999_977_9];
        assert!(erf.iter().zip(exact).all(|(erf, exact)| (erf - exact).abs() < 1e-6), "{erf:?}");
    }

    #[test]
    fn int8_tables_are_near_the_functions() {
        let (x, out) = ((0.043f32, -20), (0.027f32, -114));
        let factor = Factor::from_real(1.0 / (f64::from(x.0).sqrt() * f64::from(out.0))).unwrap();
        let tables = [
            (Function::Abs, Pointwise::abs_table(x, out).unwrap()),
            (Function::Rsqrt, Pointwise::rsqrt_table(factor, x.1, out.1).unwrap()),
        ];
        for (function, table) in tables {
            for (i, q) in table.into_iter().enumerate().filter(|(i, _)| *i as i32 > 128 + x.1) {
                let real = function.apply(x.0 * (i as i32 - 128 - x.1) as f32);
                let want = (real / out.0 + out.1 as f32).clamp(-128.0, 127.0);
                assert!((f32::from(q) - want).abs() < 0.51, "{function:?} of entry {i}: {q}, {want}");
            }
        }
        assert_eq!(tables[1].1[108], 127, "of 0");
        assert_eq!(Pointwise::abs_table(((1 << 23) as f32, 0), (1.0, 0)), None);
        let rsqrt = |real| Pointwise::rsqrt_table(Factor::from_real(real).unwrap(), 0, 0).is_some();
        assert!(rsqrt(1e-3) && rsqrt(5e8) && !rsqrt(1e-4));
    }
}
