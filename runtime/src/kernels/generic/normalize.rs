//! Rows shifted and scaled per channel.

use super::arithmetic::clamp_f32;
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

/// Clamps a row where it stands.
pub fn clamp_row(out: ViewMut<f32>, bounds: (f32, f32)) {
    for i in 0..out.len() {
        out.set(i, clamp_f32(out.at(i), bounds));
    }
}

/// The gradient of a normalization with an activation behind it.
pub struct NormalizeGrad<'a> {
    pub mean: View<'a, f32>,
    pub scale: View<'a, f32>,
    pub beta: View<'a, f32>,
    /// Of the activation: the gradient passes strictly inside.
    pub bounds: (f32, f32),
}

impl NormalizeGrad<'_> {
    /// The part of `dy` that passes the activation, and `x - mean`, in channel `c`.
    #[inline(always)]
    fn passed(&self, x: f32, dy: f32, c: usize) -> (f32, f32) {
        let centred = x - self.mean.at(c);
        let y = centred * self.scale.at(c) + self.beta.at(c);
        let (lo, hi) = self.bounds;
        (if (lo < y) & (y < hi) { dy } else { 0.0 }, centred)
    }

    /// Adds a row's gradient `g` to `sums`, and `g * (x - mean)` to `products`.
    pub fn add_row(&self, x: View<f32>, dy: View<f32>, products: ViewMut<f32>, sums: ViewMut<f32>) {
        let channels = self.mean.len();
        for pixel in 0..x.len().checked_div(channels).unwrap_or(0) {
            let start = pixel.wrapping_mul(channels);
            let (x, dy) = (x.slice(start, channels), dy.slice(start, channels));
            for c in 0..channels {
                let (g, centred) = self.passed(x.at(c), dy.at(c), c);
                sums.set(c, sums.at(c) + g);
                products.set(c, products.at(c) + g * centred);
            }
        }
    }

    /// A row of the input's gradient `scale * (g - a - (x - mean) * b)`, with `(a, b) = spread(c)`.
    pub fn row(&self, x: View<f32>, dy: View<f32>, spread: impl Fn(usize) -> (f32, f32), dx: ViewMut<f32>) {
        let channels = self.mean.len();
        for pixel in 0..x.len().checked_div(channels).unwrap_or(0) {
            let start = pixel.wrapping_mul(channels);
            let (x, dy, dx) =
                (x.slice(start, channels), dy.slice(start, channels), dx.slice(start, channels));
            for c in 0..channels {
                let (g, centred) = self.passed(x.at(c), dy.at(c), c);
                let (a, b) = spread(c);
                dx.set(c, self.scale.at(c) * (g - a - centred * b));
            }
        }
    }
}

/// `1 / sqrt(variance + epsilon)`.
#[inline(always)]
pub fn inverse_deviation(variance: f32, epsilon: f32) -> f32 {
    1.0 / math::sqrt(variance + epsilon)
}
