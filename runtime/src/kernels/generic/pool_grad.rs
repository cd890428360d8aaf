//! Gradients of the poolings, a row of the image at a time.

use crate::mem::{Rows, ViewMut};
use crate::ops::window::Geometry;

/// Row `y` of the gradient of an average pooling's image: each output spreads evenly over its window.
pub fn average_pool_grad_row(geometry: &Geometry, dy: &Rows<f32>, y: usize, dx: ViewMut<f32>) {
    let [_, out_w, channels] = geometry.output;
    dx.fill(0.0);
    for ky in 0..geometry.kernel[0] {
        let Some(oy) = geometry.reader_row(ky, y) else { continue };
        let (_, rows) = geometry.row_taps(oy);
        for ox in 0..out_w {
            let columns = geometry.column_taps(ox);
            let share = 1.0 / rows.valid.len().wrapping_mul(columns.valid.len()) as f32;
            let dy = dy.row(oy).slice(ox.wrapping_mul(channels), channels);
            for kx in columns.valid.clone() {
                let dx = dx.slice(columns.index(kx).wrapping_mul(channels), channels);
                for c in 0..channels {
                    dx.set(c, dx.at(c) + dy.at(c) * share);
                }
            }
        }
    }
}

/// Row `y` of the gradient of a max pooling's image `x`: each output goes to the first greatest value of its
/// window.
pub fn max_pool_grad_row(geometry: &Geometry, x: &Rows<f32>, dy: &Rows<f32>, y: usize, dx: ViewMut<f32>) {
    let [_, out_w, channels] = geometry.output;
    dx.fill(0.0);
    for ky in 0..geometry.kernel[0] {
        let Some(oy) = geometry.reader_row(ky, y) else { continue };
        let (image, rows) = geometry.row_taps(oy);
        for ox in 0..out_w {
            let columns = geometry.column_taps(ox);
            for c in 0..channels {
                let at = |column: usize| column.wrapping_mul(channels).wrapping_add(c);
                // Row and column of the greatest value; none if there are but NaNs.
                let (mut first, mut greatest) = (None, f32::NEG_INFINITY);
                for row in rows.valid.clone().map(|tap| image.wrapping_add(rows.index(tap))) {
                    let values = x.row(row);
                    for column in columns.valid.clone().map(|tap| columns.index(tap)) {
                        let value = values.at(at(column));
                        if value > greatest {
                            (first, greatest) = (Some((row, column)), value);
                        }
                    }
                }
                match first {
                    Some((row, column)) if row == y => {
                        dx.set(at(column), dx.at(at(column)) + dy.row(oy).at(at(ox)));
                    }
                    _ => {}
                }
            }
        }
    }
}
