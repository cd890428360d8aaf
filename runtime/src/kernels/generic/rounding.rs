//! What rounding does to gradients.

use crate::mem::{View, ViewMut};

/// How a tensor `[outer, c, inner]` is rounded: to multiples of `scale[c]`, of which `lo` to `hi` are stored.
pub struct Rounding<'a> {
    pub scale: View<'a, f32>,
    pub inner: usize,
    pub lo: f32,
    pub hi: f32,
}

impl Rounding<'_> {
    /// The gradient of the real numbers `x` that became `rounded`: `dy` where they were not clipped. What each scale
    /// changes, `dy * (rounded - x) / scale` (`dy * rounded / scale` where they were), is added to `dscale`.
    pub fn grad(
        &self,
        dy: View<f32>,
        x: View<f32>,
        rounded: View<f32>,
        dx: ViewMut<f32>,
        dscale: ViewMut<f32>,
    ) {
        let channels = self.scale.len();
        for block in 0..x.len().checked_div(self.inner).unwrap_or(0) {
            let c = block.checked_rem(channels).unwrap_or(0);
            let (start, unit) = (block.wrapping_mul(self.inner), 1.0 / self.scale.at(c));
            let (lo, hi) = (self.lo - 0.5, self.hi + 0.5);
            let [dy, x, rounded] = [&dy, &x, &rounded].map(|view| view.slice(start, self.inner));
            let dx = dx.slice(start, self.inner);
            let mut sum = 0.0;
            for i in 0..self.inner {
                // Without a branch, which data would make unpredictable.
                let steps = x.at(i) * unit;
                let passes = (lo <= steps) & (steps <= hi);
                dx.set(i, if passes { dy.at(i) } else { 0.0 });
                sum += dy.at(i) * (rounded.at(i) - if passes { x.at(i) } else { 0.0 });
            }
            dscale.set(c, dscale.at(c) + sum * unit);
        }
    }
}
