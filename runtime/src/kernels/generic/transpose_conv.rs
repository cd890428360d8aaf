//! One output row of a transposed convolution.

use super::arithmetic::Arithmetic;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

/// Row `y` of what `geometry`'s window, from output to `x`, spreads with weights `w` `[c_out, kh, kw, c_in]`: each pixel
/// is the sum over the taps that some window lays on it.
pub fn transpose_conv_row<A: Arithmetic>(
    arithmetic: &A,
    geometry: &Geometry,
    x: &Rows<A::T>,
    w: View<A::T>,
    y: usize,
    out: ViewMut<A::T>,
) {
    let [kh, kw] = geometry.kernel;
    let [_, out_w, c_out] = geometry.input;
    let c_in = geometry.output[2];
    for ox in 0..out_w {
        for c in 0..c_out {
            let mut acc = arithmetic.begin(c);
            for ky in 0..kh {
                let Some(row) = geometry.reader_row(ky, y) else { continue };
                let line = c.wrapping_mul(kh).wrapping_add(ky).wrapping_mul(kw);
                for kx in 0..kw {
                    let Some(column) = geometry.reader_column(kx, ox) else { continue };
                    let xs = x.row(row).slice(column.wrapping_mul(c_in), c_in);
                    acc = arithmetic.dot(acc, xs, w.slice(line.wrapping_add(kx).wrapping_mul(c_in), c_in));
                }
            }
            out.set(ox.wrapping_mul(c_out).wrapping_add(c), arithmetic.finish(acc, c));
        }
    }
}
