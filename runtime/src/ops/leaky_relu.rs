//! Leaky ReLU: negative elements times a constant.
//!
//! Input: x of f32 and any shape. Output: the shape of x. In int8 it is the [`Table`](super::Table) that
//! [`LeakyRelu::table`] makes.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{Elementwise, map, unary_f32};
use super::{Factor, OpCode, Run};
use crate::kernels::requantize::{DIFFERENCE_MAX, requantized, saturate};
use crate::kernels::table::TABLE_LEN;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of a leaky ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeakyRelu {
    /// The slope of negative elements.
    pub alpha: f32,
}

impl LeakyRelu {
    /// The int8 outputs of `(scale, zero point)` `out` for the inputs -128 to 127 of `x`: requantized on each side of zero
    /// with its own factor, as TensorFlow Lite Micro does. `None` if a factor is 2^23 or more.
    pub fn table(&self, x: (f32, i32), out: (f32, i32)) -> Option<[i8; TABLE_LEN]> {
        let ratio = |slope: f64| Factor::from_real(x.0 as f64 * slope / out.0 as f64);
        let (positive, slope) = (ratio(1.0)?, ratio(self.alpha.abs() as f64)?);
        slope.check_for(DIFFERENCE_MAX).ok()?;
        requantized(positive, |q| {
            let x = q - x.1;
            let y = match (x >= 0, self.alpha < 0.0) {
                (true, _) => positive.apply(x),
                (false, false) => slope.apply(x),
                // A negative slope rounds as its magnitude does, mirrored.
                (false, true) => slope.apply(x).wrapping_neg(),
            };
            saturate(y, out.1, (i8::MIN, i8::MAX))
        })
    }
}

impl Elementwise for LeakyRelu {
    const CODE: OpCode = OpCode::LeakyRelu;
    const OPERANDS: usize = 1;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        unary_f32(inputs)
    }
}

impl Run<f32> for LeakyRelu {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        map(node, mem, rows, |x: f32| if x > 0.0 { x } else { x * self.alpha });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn only_negative_elements_are_scaled() {
        let op = LeakyRelu { alpha: 0.25 };
        let case = Case::new(op, [Tensor::new(&[3], &[-4.0f32, 0.0, 4.0])]);
        assert_eq!(case.run::<f32>(), Ok([-1.0, 0.0, 4.0].into()));
        case.assert_contract();
        let table = op.table((0.5, 0), (0.5, 0)).unwrap();
        assert_eq!([-4, 1, 4].map(|q| table[(q + 128) as usize]), [-1, 1, 4]);
    }

    #[test]
    fn scales_that_overflow_have_no_table() {
        let table = |alpha, scale| LeakyRelu { alpha }.table((scale, 0), (1.0, 0));
        assert!(table(0.5, 8e6).is_some());
        assert!(table(0.5, 9e6).is_none() && table(-8.0, 2e6).is_none() && table(f32::NAN, 1.0).is_none());
    }
}
