//! One output row of an int8 depthwise convolution, one channel after the other: of a 3x3 window its weights are kept, and each
//! column of three rows is read once.

use super::columns::{Layer, Sweep};
use super::requantize::{Finish, clamp_row};
use crate::kernels::columns::sweep_row;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::depthwise_fours::depthwise_row_by_fours;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::depthwise::{
    depthwise_rows_f32, depthwise_rows_i8, depthwise_scratch_bytes,
};

/// [`depthwise_row`](crate::kernels::generic::depthwise::depthwise_row) of int8.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn depthwise_row_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    _scratch: ViewMut<i32>,
) {
    let (image, rows) = geometry.row_taps(y);
    let sweep = match Sweep::of(geometry) {
        // The rows in the padding get weights of 0, so they may be any row.
        Some(sweep) if !rows.valid.is_empty() => sweep,
        _ => {
            by_fours(arithmetic, geometry, x, w, y, out);
            return clamp_row(out, arithmetic.requantize.bounds);
        }
    };
    let line_len = sweep.channels.wrapping_mul(3);
    let is_inside = |ky: usize| rows.valid.contains(&ky);
    let row =
        |ky: usize| x.row(image.wrapping_add(rows.index(if is_inside(ky) { ky } else { rows.valid.start })));
    let line = |ky: usize| w.slice(ky.wrapping_mul(line_len), line_len);
    let mask = |ky: usize| if is_inside(ky) { -1 } else { 0 };
    let layer = Layer {
        arithmetic,
        rows: [0, 1, 2].map(row),
        lines: [0, 1, 2].map(line),
        masks: [0, 1, 2].map(mask),
        sweep,
    };
    sweep_row(&layer, out);
    clamp_row(out, arithmetic.requantize.bounds);
}

/// The same for any window, clamped to int8 alone.
#[inline(never)]
fn by_fours(arithmetic: &I8, geometry: &Geometry, x: &Rows<i8>, w: View<i8>, y: usize, out: ViewMut<i8>) {
    let finish = |c: usize, sum: i32| Finish::new(&arithmetic.requantize, c).apply(sum);
    depthwise_row_by_fours(arithmetic, geometry, x, w, y, out, finish);
}
