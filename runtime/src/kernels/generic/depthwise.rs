//! One output row of a depthwise convolution.

use super::arithmetic::Arithmetic;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

/// Row `y` of a depthwise convolution of `x` with weights `w` `[1, kh, kw, c_in * multiplier]`. Taps in the
/// padding are skipped.
pub fn depthwise_row<A: Arithmetic>(
    arithmetic: &A,
    geometry: &Geometry,
    x: &Rows<A::T>,
    w: View<A::T>,
    y: usize,
    out: ViewMut<A::T>,
) {
    let [_, _, c_in] = geometry.input;
    let [_, out_w, c_out] = geometry.output;
    let multiplier = c_out.checked_div(c_in).unwrap_or(0);
    let (image, rows) = geometry.row_taps(y);
    for ox in 0..out_w {
        let columns = geometry.column_taps(ox);
        let mut c = 0;
        for ic in 0..c_in {
            for _ in 0..multiplier {
                let mut acc = arithmetic.begin(c);
                for ky in rows.valid.clone() {
                    let row = x.row(image.wrapping_add(rows.index(ky)));
                    let line = ky.wrapping_mul(geometry.kernel[1]);
                    for kx in columns.valid.clone() {
                        let xi = columns.index(kx).wrapping_mul(c_in).wrapping_add(ic);
                        let wi = line.wrapping_add(kx).wrapping_mul(c_out).wrapping_add(c);
                        acc = arithmetic.add(acc, row.at(xi), w.at(wi));
                    }
                }
                out.set(ox.wrapping_mul(c_out).wrapping_add(c), arithmetic.finish(acc, c));
                c = c.wrapping_add(1);
            }
        }
    }
}
