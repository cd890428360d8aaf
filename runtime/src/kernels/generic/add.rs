//! Sum and difference of two int8 tensors of different quantization.

use super::elementwise::{Strided, zip_row};
use super::requantize::{Factor, saturate};
use crate::mem::ViewMut;

/// Bits by which the operands are shifted left, so that rounding them loses nothing.
pub const LEFT_SHIFT: u32 = 20;

/// Brings both operands to a common scale, adds or subtracts, and brings the result to the output's.
#[derive(Clone, Copy)]
pub struct SumI8 {
    /// Zero points of the operands.
    pub zero_points: [i32; 2],
    /// Factors of the operands, shifted left, to the common scale.
    pub operands: [Factor; 2],
    /// From the common scale to the output's.
    pub output: Factor,
    /// Zero point of the output.
    pub zero_point: i32,
    pub bounds: (i8, i8),
}

/// Both operands without their zero points, shifted left and times their factors.
#[inline(always)]
pub fn in_common_scale(
    (a, b): (i8, i8),
    [a_zero_point, b_zero_point]: [i32; 2],
    [a_factor, b_factor]: [Factor; 2],
    left_shift: u32,
) -> (i32, i32) {
    (
        a_factor.apply((a as i32 - a_zero_point).wrapping_shl(left_shift)),
        b_factor.apply((b as i32 - b_zero_point).wrapping_shl(left_shift)),
    )
}

impl SumI8 {
    /// `a + b`.
    #[inline(always)]
    pub fn add(&self, a: i8, b: i8) -> i8 {
        let (a, b) = self.common(a, b);
        self.finish(a.wrapping_add(b))
    }

    /// `a - b`.
    #[inline(always)]
    pub fn sub(&self, a: i8, b: i8) -> i8 {
        let (a, b) = self.common(a, b);
        self.finish(a.wrapping_sub(b))
    }

    #[inline(always)]
    fn common(&self, a: i8, b: i8) -> (i32, i32) {
        in_common_scale((a, b), self.zero_points, self.operands, LEFT_SHIFT)
    }

    #[inline(always)]
    fn finish(&self, sum: i32) -> i8 {
        saturate(self.output.apply(sum), self.zero_point, self.bounds)
    }
}

/// `out[i] = a[i] + b[i]`; `out` may stand on an operand of step 1.
pub fn add_row(sum: &SumI8, a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>) {
    zip_row(a, b, out, |a, b| sum.add(a, b));
}
