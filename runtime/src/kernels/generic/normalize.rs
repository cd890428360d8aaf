//! Rows shifted and scaled per channel.

use crate::math;
use crate::mem::{View, ViewMut};

/// What normalizes channel `c`: `y = (x - mean[c]) * scale[c] + beta[c]`.
pub struct Normalize<'a> {
    pub mean: View<'a, f32>,
    pub scale: View<'a, f32>,
    pub beta: View<'a, f32>,
}

impl Normalize<'_> {
    /// Normalizes a row of pixels; `out` may be `x`.
    pub fn row(&self, x: View<f32>, out: ViewMut<f32>) {
        let channels = self.mean.len();
        for pixel in 0..x.len().checked_div(channels).unwrap_or(0) {
            let start = pixel.wrapping_mul(channels);
            let (x, out) = (x.slice(start, channels), out.slice(start, channels));
            for c in 0..channels {
                out.set(c, (x.at(c) - self.mean.at(c)) * self.scale.at(c) + self.beta.at(c));
            }
        }
    }
}

/// `1 / sqrt(variance + epsilon)`.
#[inline(always)]
pub fn inverse_deviation(variance: f32, epsilon: f32) -> f32 {
    1.0 / math::sqrt(variance + epsilon)
}
