//! Clamp to a range: ReLU, ReLU6 and others standing alone.
//!
//! Input: x of any shape, f32 or int8. Output: the shape of x. Where its scale or zero point changes on the way, in int8, it is
//! the [`Table`](super::Table) that [`Clamp::table`] makes.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::elementwise::{Elementwise, map, unary};
use super::{Factor, OpCode, Run, check_same_zero_points};
use crate::kernels::arithmetic::clamp_f32;
use crate::kernels::requantize::{clamp_i8, requantized};
use crate::kernels::table::TABLE_LEN;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of a clamp.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clamp {
    /// The range, in the numbers that the output stores.
    pub bounds: Bounds,
}

impl Clamp {
    /// The int8 outputs of `(scale, zero point)` `out` for the inputs -128 to 127 of `x`: requantized, then clamped, as
    /// TensorFlow Lite Micro does. `None` if the input's scale is 2^23 times the output's or more.
    pub fn table(&self, x: (f32, i32), out: (f32, i32)) -> Option<[i8; TABLE_LEN]> {
        let factor = Factor::from_real(x.0 as f64 / out.0 as f64)?;
        let bounds = self.bounds.i8();
        requantized(factor, |q| factor.requantize(q - x.1, out.1, bounds))
    }
}

impl Elementwise for Clamp {
    const CODE: OpCode = OpCode::Clamp;
    const OPERANDS: usize = 1;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        let x = unary(inputs)?;
        self.bounds.check(x.dtype)?;
        Ok(x)
    }
}

impl Run<f32> for Clamp {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let bounds = self.bounds.f32();
        map(node, mem, rows, |x| clamp_f32(x, bounds));
    }
}

impl Run<i8> for Clamp {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        check_same_zero_points(node)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let bounds = self.bounds.i8();
        map(node, mem, rows, |x: i8| clamp_i8(x as i32, bounds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn nan_stays_and_the_rest_is_in_range() {
        let x = Tensor::new(&[5], &[-1.0, 3.0, 7.0, f32::INFINITY, f32::NAN]);
        let y = Case::new(Clamp { bounds: Bounds::RELU6 }, [x]).run::<f32>().unwrap();
        assert_eq!(y[..4], [0.0, 3.0, 6.0, 6.0]);
        assert!(y[4].is_nan());
    }

    #[test]
    fn int8_needs_a_table_to_change_its_zero_point() {
        let op = Clamp { bounds: Bounds::I8 { lo: -5, hi: 90 } };
        let x = Tensor::new(&[2, 2], &[-128i8, 1, 2, 127]);
        let plain = |zero_point| Case::new(op, [x.clone()]).output_zero_point(zero_point);
        assert_eq!(plain(-5).check(), Err(Error::Parameters));
        assert_eq!(plain(0).run::<i8>().unwrap(), [-5, 1, 2, 90]);
        plain(0).assert_contract();
        let half = op.table((0.5, 0), (1.0, -5)).unwrap();
        assert_eq!([0, 129, 130, 255].map(|i| half[i]), [-5, -4, -4, 59]);
        assert_eq!(op.table(((1 << 23) as f32, 0), (1.0, 0)), None);
        assert_eq!(Case::new(op, [x.clone(), x]).check(), Err(Error::Arity));
    }
}
