//! The arithmetic of a weighted sum, by dtype: what convolutions and fully connected layers have in common.

use super::dot::{dot_f32, dot_i8};
use super::requantize::Requantize;
use crate::Element;
use crate::mem::View;

/// Sums of products of activations and weights, and how they become an output of channel `c`.
pub trait Arithmetic {
    /// Element of activations and weights.
    type T: Element;
    /// Accumulator.
    type Acc: Copy;
    /// The sum before the first product: the bias.
    fn begin(&self, c: usize) -> Self::Acc;
    /// Adds one product.
    fn add(&self, acc: Self::Acc, x: Self::T, w: Self::T) -> Self::Acc;
    /// Adds the products of two equally long vectors.
    fn dot(&self, acc: Self::Acc, x: View<Self::T>, w: View<Self::T>) -> Self::Acc;
    /// The output.
    fn finish(&self, acc: Self::Acc, c: usize) -> Self::T;
}

/// f32: bias or zero, sum, clamp.
pub struct F32<'a> {
    pub bias: Option<View<'a, f32>>,
    pub bounds: (f32, f32),
}

impl Arithmetic for F32<'_> {
    type T = f32;
    type Acc = f32;

    #[inline(always)]
    fn begin(&self, c: usize) -> f32 {
        self.bias.map_or(0.0, |bias| bias.at(c))
    }
    #[inline(always)]
    fn add(&self, acc: f32, x: f32, w: f32) -> f32 {
        acc + x * w
    }
    #[inline(always)]
    fn dot(&self, acc: f32, x: View<f32>, w: View<f32>) -> f32 {
        dot_f32(acc, x, w)
    }
    #[inline(always)]
    fn finish(&self, acc: f32, _c: usize) -> f32 {
        clamp_f32(acc, self.bounds)
    }
}

/// int8: 32-bit sums of `(x - zero_point) * w`, requantized per channel.
pub struct I8<'a> {
    /// Minus the zero point of the activations.
    pub x_offset: i32,
    pub requantize: Requantize<'a>,
}

impl Arithmetic for I8<'_> {
    type T = i8;
    type Acc = i32;

    #[inline(always)]
    fn begin(&self, c: usize) -> i32 {
        self.requantize.channels.bias(c)
    }
    #[inline(always)]
    fn add(&self, acc: i32, x: i8, w: i8) -> i32 {
        acc.wrapping_add((x as i32 + self.x_offset).wrapping_mul(w as i32))
    }
    #[inline(always)]
    fn dot(&self, acc: i32, x: View<i8>, w: View<i8>) -> i32 {
        dot_i8(acc, x, self.x_offset, w)
    }
    #[inline(always)]
    fn finish(&self, acc: i32, c: usize) -> i8 {
        self.requantize.apply(acc, c)
    }
}

/// `x` clamped to `[lo, hi]`; NaN stays NaN. (`f32::clamp` would bring a panic for `lo > hi`.)
#[inline(always)]
pub fn clamp_f32(x: f32, (lo, hi): (f32, f32)) -> f32 {
    if x < lo {
        lo
    } else if x > hi {
        hi
    } else {
        x
    }
}
