//! Product of two int8 rows.

use super::elementwise::{Strided, zip_row};
use super::requantize::{Factor, saturate};
use crate::mem::ViewMut;

/// Greatest magnitude of a product of two int8 numbers without their zero points.
pub const PRODUCT_MAX: i32 = 255 * 255;

/// Multiplies without zero points and requantizes.
#[derive(Clone, Copy)]
pub struct MulI8 {
    /// Zero points of the operands.
    pub zero_points: [i32; 2],
    /// From the product to the output's scale.
    pub output: Factor,
    /// Zero point of the output.
    pub zero_point: i32,
    pub bounds: (i8, i8),
}

impl MulI8 {
    #[inline(always)]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let [a_zero_point, b_zero_point] = self.zero_points;
        let product = (a as i32 - a_zero_point).wrapping_mul(b as i32 - b_zero_point);
        saturate(self.output.apply(product), self.zero_point, self.bounds)
    }
}

/// `out[i]` is the product of `a[i]` and `b[i]`, requantized; `out` may stand on an operand of step 1.
pub fn mul_row(mul: &MulI8, a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>) {
    zip_row(a, b, out, |a, b| mul.apply(a, b));
}
