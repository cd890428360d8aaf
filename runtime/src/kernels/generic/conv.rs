//! One output row of a convolution.

use super::arithmetic::Arithmetic;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

/// Row `y` of a convolution of `x` with weights `w` `[c_out, kh, kw, c_in]`. Taps in the padding are skipped.
pub fn conv_row<A: Arithmetic>(
    arithmetic: &A,
    geometry: &Geometry,
    x: &Rows<A::T>,
    w: View<A::T>,
    y: usize,
    out: ViewMut<A::T>,
) {
    let [_, _, c_in] = geometry.input;
    let [_, out_w, c_out] = geometry.output;
    let (image, rows) = geometry.row_taps(y);
    let line = geometry.kernel[1].wrapping_mul(c_in);
    for ox in 0..out_w {
        let columns = geometry.column_taps(ox);
        let valid = columns.valid.clone();
        // Neighbouring taps without dilation are neighbours in memory: one long vector.
        let (n_dots, dot_len) = match columns.dilation {
            1 => ((!valid.is_empty()) as usize, valid.len().wrapping_mul(c_in)),
            _ => (valid.len(), c_in),
        };
        for c in 0..c_out {
            let mut acc = arithmetic.begin(c);
            for ky in rows.valid.clone() {
                let row = x.row(image.wrapping_add(rows.index(ky)));
                let line_start = c.wrapping_mul(geometry.kernel[0]).wrapping_add(ky).wrapping_mul(line);
                for kx in valid.start..valid.start.wrapping_add(n_dots) {
                    let xs = row.slice(columns.index(kx).wrapping_mul(c_in), dot_len);
                    let ws = w.slice(line_start.wrapping_add(kx.wrapping_mul(c_in)), dot_len);
                    acc = arithmetic.dot(acc, xs, ws);
                }
            }
            out.set(ox.wrapping_mul(c_out).wrapping_add(c), arithmetic.finish(acc, c));
        }
    }
}
