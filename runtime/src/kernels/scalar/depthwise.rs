//! One output row of an int8 depthwise convolution with a 3x3 window, one channel after the other: its weights are kept,
//! and each column of three rows is read once.

use super::columns::{Layer, Sweep};
use super::requantize::clamp_row;
use crate::kernels::columns::sweep_row;
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::I8;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::depthwise::{
    depthwise_rows_f32, depthwise_rows_i8, depthwise_scratch_bytes,
};

/// [`generic::depthwise::depthwise_row`] of int8.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn depthwise_row_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let (image, rows) = geometry.row_taps(y);
    let sweep = match Sweep::of(geometry) {
        // The rows in the padding get weights of 0, so they may be any row.
        Some(sweep) if !rows.valid.is_empty() => sweep,
        _ => return generic::depthwise::depthwise_row_i8(arithmetic, geometry, x, w, y, out, scratch),
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
