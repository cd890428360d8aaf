//! Gradients of the convolutions: transposed in the image, correlated in the weights. The innermost loops
//! run over neighbouring channels.

use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

/// Row `y` of the gradient of the image: what [`conv_row`](super::conv::conv_row) with weights `w`
/// `[c_out, kh, kw, c_in]` passes back of `dy`.
pub fn conv_input_grad_row(geometry: &Geometry, dy: &Rows<f32>, w: View<f32>, y: usize, dx: ViewMut<f32>) {
    let [kh, kw] = geometry.kernel;
    let [_, in_w, c_in] = geometry.input;
    let c_out = geometry.output[2];
    let filter_len = kh.wrapping_mul(kw).wrapping_mul(c_in);
    dx.fill(0.0);
    for ky in 0..kh {
        let Some(oy) = geometry.reader_row(ky, y) else { continue };
        for x in 0..in_w {
            let dx = dx.slice(x.wrapping_mul(c_in), c_in);
            for kx in 0..kw {
                let Some(ox) = geometry.reader_column(kx, x) else { continue };
                let dy = dy.row(oy).slice(ox.wrapping_mul(c_out), c_out);
                let mut tap = ky.wrapping_mul(kw).wrapping_add(kx).wrapping_mul(c_in);
                for c in 0..c_out {
                    add_scaled(dx, dy.at(c), w.slice(tap, c_in));
                    tap = tap.wrapping_add(filter_len);
                }
            }
        }
    }
}

/// Adds what row `y` of `dy` contributes to the gradient `dw` of the weights `[c_out, kh, kw, c_in]`.
pub fn conv_weights_grad_row(geometry: &Geometry, dy: View<f32>, x: &Rows<f32>, y: usize, dw: ViewMut<f32>) {
    let [kh, kw] = geometry.kernel;
    let c_in = geometry.input[2];
    let [_, out_w, c_out] = geometry.output;
    let (image, rows) = geometry.row_taps(y);
    let line = kw.wrapping_mul(c_in);
    for ox in 0..out_w {
        let columns = geometry.column_taps(ox);
        let (runs, run_len) = columns.runs(c_in);
        for ky in rows.valid.clone() {
            let x = x.row(image.wrapping_add(rows.index(ky)));
            for kx in runs.clone() {
                let x = x.slice(columns.index(kx).wrapping_mul(c_in), run_len);
                let mut tap = ky.wrapping_mul(line).wrapping_add(kx.wrapping_mul(c_in));
                for c in 0..c_out {
                    add_scaled(dw.slice(tap, run_len), dy.at(ox.wrapping_mul(c_out).wrapping_add(c)), x);
                    tap = tap.wrapping_add(kh.wrapping_mul(line));
                }
            }
        }
    }
}

/// Row `y` of the gradient of the image: what [`depthwise_row`](super::depthwise::depthwise_row) with weights
/// `w` `[1, kh, kw, c_out]` passes back of `dy`.
pub fn depthwise_input_grad_row(
    geometry: &Geometry,
    dy: &Rows<f32>,
    w: View<f32>,
    y: usize,
    dx: ViewMut<f32>,
) {
    let [kh, kw] = geometry.kernel;
    let [_, in_w, c_in] = geometry.input;
    let c_out = geometry.output[2];
    let multiplier = c_out.checked_div(c_in).unwrap_or(0);
    dx.fill(0.0);
    for ky in 0..kh {
        let Some(oy) = geometry.reader_row(ky, y) else { continue };
        for x in 0..in_w {
            let dx = dx.slice(x.wrapping_mul(c_in), c_in);
            for kx in 0..kw {
                let Some(ox) = geometry.reader_column(kx, x) else { continue };
                let dy = dy.row(oy).slice(ox.wrapping_mul(c_out), c_out);
                let w = w.slice(ky.wrapping_mul(kw).wrapping_add(kx).wrapping_mul(c_out), c_out);
                for k in 0..multiplier {
                    for ic in 0..c_in {
                        let c = ic.wrapping_mul(multiplier).wrapping_add(k);
                        dx.set(ic, dx.at(ic) + dy.at(c) * w.at(c));
                    }
                }
            }
        }
    }
}

/// Adds what row `y` of `dy` contributes to the gradient `dw` of the depthwise weights `[1, kh, kw, c_out]`.
pub fn depthwise_weights_grad_row(
    geometry: &Geometry,
    dy: View<f32>,
    x: &Rows<f32>,
    y: usize,
    dw: ViewMut<f32>,
) {
    let c_in = geometry.input[2];
    let [_, out_w, c_out] = geometry.output;
    let multiplier = c_out.checked_div(c_in).unwrap_or(0);
    let (image, rows) = geometry.row_taps(y);
    for ox in 0..out_w {
        let columns = geometry.column_taps(ox);
        let dy = dy.slice(ox.wrapping_mul(c_out), c_out);
        for ky in rows.valid.clone() {
            let x = x.row(image.wrapping_add(rows.index(ky)));
            for kx in columns.valid.clone() {
                let x = x.slice(columns.index(kx).wrapping_mul(c_in), c_in);
                let tap = ky.wrapping_mul(geometry.kernel[1]).wrapping_add(kx);
                let dw = dw.slice(tap.wrapping_mul(c_out), c_out);
                for k in 0..multiplier {
                    for ic in 0..c_in {
                        let c = ic.wrapping_mul(multiplier).wrapping_add(k);
                        dw.set(c, dw.at(c) + dy.at(c) * x.at(ic));
                    }
                }
            }
        }
    }
}

/// `acc += scale * x`, element by element.
#[inline(always)]
pub fn add_scaled(acc: ViewMut<f32>, scale: f32, x: View<f32>) {
    for i in 0..x.len() {
        acc.set(i, acc.at(i) + scale * x.at(i));
    }
}
