//! Sum ([`Add`](super::Add)) or difference ([`Sub`](super::Sub)) of two int8 tensors whose shapes broadcast, as the
//! converter arranges it where one sum with a weight for each operand gives the same bytes for every pair of numbers.
//!
//! Inputs: two tensors of int8. Output: their broadcast shape. An output is
//! `((a * weights[0] >> 8) + (b * weights[1] >> 8) + offset) >> 21`, clamped. The zero points are in the offset.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::elementwise::Elementwise;
use super::{OpCode, Run, broadcast};
pub use crate::kernels::weighted_sum::{SHIFT, WEIGHT_BITS};
use crate::kernels::weighted_sum::{Weighted, weighted_sum_row};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// Parameters of a sum with weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedSum {
    /// Fused activation.
    pub bounds: Bounds,
    /// Of the operands, with 29 bits behind the point.
    pub weights: [i32; 2],
    /// Added to the products, with 21 bits behind the point: no sum leaves 32 bits.
    pub offset: i32,
}

impl WeightedSum {
    /// Whether no sum leaves 32 bits.
    pub fn fits(&self) -> bool {
        // 128 of 256 parts, rounded away from zero.
        let reach = |weight: i32| (i64::from(weight).abs() + 1) >> 1;
        let [a, b] = self.weights.map(reach);
        a.wrapping_add(b).wrapping_add(i64::from(self.offset).abs()) <= i64::from(i32::MAX)
    }
}

impl Elementwise for WeightedSum {
    const CODE: OpCode = OpCode::WeightedSum;
    const OPERANDS: usize = 2;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        let out = broadcast::infer(inputs)?;
        if out.dtype != DType::I8 {
            return Err(Error::DType);
        }
        self.bounds.check(DType::I8)?;
        if self.fits() { Ok(out) } else { Err(Error::Parameters) }
    }
}

impl Run<i8> for WeightedSum {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let WeightedSum { weights, offset, .. } = *self;
        let sum = Weighted { weights, offset, bounds: self.bounds.i8() };
        broadcast::zip_lines(node, mem, rows, |a, b, out| weighted_sum_row(&sum, a, b, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    const HALF: i32 = 1 << (SHIFT + WEIGHT_BITS - 1);

    fn sum(weights: [i32; 2], offset: i32) -> Case<WeightedSum> {
        let op = WeightedSum { bounds: Bounds::I8 { lo: -100, hi: 100 }, weights, offset };
        let a = Tensor::new(&[5], &[1i8, 1, 1, 127, -128]);
        Case::new(op, [a, Tensor::new(&[5], &[0i8, 1, -1, 127, -128])])
    }

    #[test]
    fn sums_are_rounded_down_and_clamped() {
        // a + b / 2, then a - b + 0.5.
        let (one, case) = (2 * HALF, sum([2 * HALF, HALF], 0));
        assert_eq!(case.run::<i8>().unwrap(), [1, 1, 0, 100, -100]);
        case.assert_contract();
        assert_eq!(sum([one, -one], 1 << (SHIFT - 1)).run::<i8>().unwrap(), [1, 0, 2, 0, 0]);
    }

    #[test]
    fn what_would_overflow_is_refused() {
        let refused = Err(Error::Parameters);
        assert_eq!(sum([i32::MAX, -i32::MAX], 0).check(), refused);
        assert_eq!(sum([i32::MAX, -i32::MAX + 2], 0).check(), Ok(()));
        assert_eq!(sum([i32::MAX, -i32::MAX + 2], -1).check(), refused);
        assert_eq!(sum([0, 0], i32::MIN).check(), refused);
    }
}
