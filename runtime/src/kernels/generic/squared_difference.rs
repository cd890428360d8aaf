//! Squared difference of two int8 tensors of different quantization.

use super::add::in_common_scale;
use super::requantize::{Factor, saturate};

/// Bits by which the operands are shifted left: with them the greatest square fits 32 bits.
pub const LEFT_SHIFT: u32 = 7;

/// Greatest square: operands of opposite ends, each half its shifted number.
pub const SQUARE_MAX: i32 = (255 << LEFT_SHIFT) * (255 << LEFT_SHIFT);

/// Brings both operands to a common scale, squares their difference, and brings that to the output's.
#[derive(Clone, Copy)]
pub struct SquaredDifferenceI8 {
    /// Zero points of the operands.
    pub zero_points: [i32; 2],
    /// Factors of the operands, shifted left, to the common scale: 1/2 or less.
    pub operands: [Factor; 2],
    /// From the squared common scale to the output's.
    pub output: Factor,
    /// Zero point of the output.
    pub zero_point: i32,
}

impl SquaredDifferenceI8 {
    /// `(a - b)^2`.
    #[inline(always)]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let (a, b) = in_common_scale((a, b), self.zero_points, self.operands, LEFT_SHIFT);
        let difference = a.wrapping_sub(b);
        let square = difference.wrapping_mul(difference);
        saturate(self.output.apply(square), self.zero_point, (i8::MIN, i8::MAX))
    }
}
