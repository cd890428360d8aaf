//! Sum of two int8 rows with a weight each, in 32 bits.

use super::elementwise::{Strided, zip_row};
use super::requantize::clamp_i8;
use crate::mem::ViewMut;

/// Bits behind the point of the sum.
pub const SHIFT: u32 = 21;
/// Bits of a weight that lie behind those of the sum.
pub const WEIGHT_BITS: u32 = 8;

/// What becomes of a pair of elements.
#[derive(Clone, Copy)]
pub struct Weighted {
    /// Of the operands, and what is added to the sum, which has 32 bits.
    pub weights: [i32; 2],
    pub offset: i32,
    pub bounds: (i8, i8),
}

impl Weighted {
    #[inline(always)]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let [a_weight, b_weight] = self.weights;
        let sum = product(a, a_weight).wrapping_add(product(b, b_weight)).wrapping_add(self.offset);
        clamp_i8(sum >> SHIFT, self.bounds)
    }
}

/// `x * weight / 2^WEIGHT_BITS`, rounded down: the weight's lowest bits apart, so that 32 bits will do.
#[inline(always)]
fn product(x: i8, weight: i32) -> i32 {
    let low = weight & ((1 << WEIGHT_BITS) - 1);
    let high = (x as i32).wrapping_mul(weight >> WEIGHT_BITS);
    high.wrapping_add((x as i32).wrapping_mul(low) >> WEIGHT_BITS)
}

/// `out[i]` is the sum of `a[i] * weights[0]`, `b[i] * weights[1]` and the offset, each rounded down, without the bits behind
/// the point, clamped; `out` may stand on an operand of step 1.
pub fn weighted_sum_row(sum: &Weighted, a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>) {
    zip_row(a, b, out, |a, b| sum.apply(a, b));
}
