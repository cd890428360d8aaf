//! One output row of a convolution.

use core::ops::Range;

#[cfg(not(dunlin_mve))]
use super::arithmetic::I8;
use super::arithmetic::{Arithmetic, F32};
use super::tile::Tile;
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::Geometry;

/// Bytes of scratch memory that [`conv_row_i8`] of some core needs.
pub fn conv_scratch_bytes(geometry: &Geometry) -> usize {
    Tile::of(geometry).scratch_bytes(geometry.output[1])
}

/// [`conv_row`] of int8, for which a core may have instructions of its own.
#[cfg(not(any(dunlin_dsp, dunlin_mve)))]
pub fn conv_row_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    _scratch: ViewMut<i32>,
) {
    conv_row(arithmetic, geometry, x, w, y, out);
}

/// The same for several rows.
#[cfg(not(dunlin_mve))]
pub fn conv_rows_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i32>,
) {
    for y in rows {
        crate::kernels::conv::conv_row_i8(arithmetic, geometry, x, w, y, out.row(y), scratch);
    }
}

/// Rows of f32, for which a host may have instructions of its own.
pub fn conv_rows_f32(
    arithmetic: &F32,
    geometry: &Geometry,
    x: &Rows<f32>,
    w: View<f32>,
    rows: Range<usize>,
    out: &RowsMut<f32>,
) {
    for y in rows {
        conv_row(arithmetic, geometry, x, w, y, out.row(y));
    }
}

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
        // Neighbouring taps are one long vector where they are neighbours in memory.
        let (runs, run_len) = columns.runs(c_in);
        for c in 0..c_out {
            let mut acc = arithmetic.begin(c);
            for ky in rows.valid.clone() {
                let row = x.row(image.wrapping_add(rows.index(ky)));
                let line_start = c.wrapping_mul(geometry.kernel[0]).wrapping_add(ky).wrapping_mul(line);
                for kx in runs.clone() {
                    let xs = row.slice(columns.index(kx).wrapping_mul(c_in), run_len);
                    let ws = w.slice(line_start.wrapping_add(kx.wrapping_mul(c_in)), run_len);
                    acc = arithmetic.dot(acc, xs, ws);
                }
            }
            out.set(ox.wrapping_mul(c_out).wrapping_add(c), arithmetic.finish(acc, c));
        }
    }
}
