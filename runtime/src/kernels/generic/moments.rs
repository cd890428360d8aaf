//! Sums over all pixels of each channel, a row at a time.

use crate::mem::{View, ViewMut};

/// Accumulators of the first two moments. Values are taken relative to `shift`, a value of the channel
/// itself, so that the difference of the sums keeps its digits when the mean is large.
pub struct Moments<'a> {
    pub shift: View<'a, f32>,
    pub sum: ViewMut<'a, f32>,
    pub sum_of_squares: ViewMut<'a, f32>,
}

impl Moments<'_> {
    /// Adds a row of pixels.
    pub fn add_row(&self, x: View<f32>) {
        let channels = self.shift.len();
        for x in pixels(x, channels) {
            for c in 0..channels {
                let d = x.at(c) - self.shift.at(c);
                self.sum.set(c, self.sum.at(c) + d);
                self.sum_of_squares.set(c, self.sum_of_squares.at(c) + d * d);
            }
        }
    }

    /// Turns the sums of `n` values a channel into mean and (biased) variance.
    pub fn finish(&self, n: usize) {
        for c in 0..self.shift.len() {
            let mean = self.sum.at(c) / n as f32;
            let variance = self.sum_of_squares.at(c) / n as f32 - mean * mean;
            self.sum.set(c, self.shift.at(c) + mean);
            // Rounding may take the variance of equal values below zero. NaN must stay NaN.
            self.sum_of_squares.set(c, if variance < 0.0 { 0.0 } else { variance });
        }
    }
}

/// Adds a row's `dy` and `dy * (x - mean)` to the sums of each channel.
pub fn add_centred_products(
    x: View<f32>,
    dy: View<f32>,
    mean: View<f32>,
    products: ViewMut<f32>,
    sums: ViewMut<f32>,
) {
    let channels = mean.len();
    for (x, dy) in pixels(x, channels).zip(pixels(dy, channels)) {
        for c in 0..channels {
            sums.set(c, sums.at(c) + dy.at(c));
            products.set(c, products.at(c) + dy.at(c) * (x.at(c) - mean.at(c)));
        }
    }
}

/// The pixels of a row.
fn pixels<'a>(row: View<'a, f32>, channels: usize) -> impl Iterator<Item = View<'a, f32>> {
    let n = row.len().checked_div(channels).unwrap_or(0);
    (0..n).map(move |i| row.slice(i.wrapping_mul(channels), channels))
}
