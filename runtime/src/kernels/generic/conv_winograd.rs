//! Output rows of an int8 convolution of 3x3 windows by Winograd's tiles of 2x2 outputs.

#[cfg(not(dunlin_dsp))]
use core::ops::Range;

use super::requantize::Requantize;
use crate::mem::View;
#[cfg(not(dunlin_dsp))]
use crate::mem::{Rows, RowsMut, ViewMut};
use crate::ops::window::Geometry;

/// Tiles of a group, which kernels of some cores compute at a time.
pub const TILES: usize = 4;
/// Pixels of a row that a group reads.
pub const GROUP_PIXELS: usize = 2 * TILES + 2;
/// Bytes for the columns of four channels, and for the sums of two.
pub const GROUP_SUMS_BYTES: usize = 4 * 8 * GROUP_PIXELS;

/// A layer.
#[derive(Clone, Copy)]
pub struct Winograd<'a> {
    /// What the sums become.
    pub requantize: Requantize<'a>,
    /// The stored number of the image that stands for 0.
    pub padding: i8,
    /// Transformed weights.
    pub w: View<'a, i16>,
    /// Rows of a tile: 1 or 2.
    pub at_once: usize,
}

impl Winograd<'_> {
    /// Rows of the transformed tile.
    pub fn lines(&self) -> usize {
        self.at_once.wrapping_add(2)
    }

    /// The row of the tiles' first outputs, and of row `y` in them.
    #[inline(always)]
    pub fn tile_row(&self, y: usize) -> (usize, usize) {
        let in_tile = y & (self.at_once >> 1);
        (y.wrapping_sub(in_tile), in_tile)
    }
}

/// Bytes of scratch memory that [`winograd_rows`] of some core needs: the transformed tiles of a group, what is made of
/// them, and the group's pixels.
pub fn winograd_scratch_bytes(geometry: &Geometry, at_once: usize) -> usize {
    let [_, _, c_in] = geometry.input;
    let lines = at_once + 2;
    2 * 4 * lines * c_in * TILES + GROUP_SUMS_BYTES + lines * GROUP_PIXELS * c_in
}

/// Number `i` of a transformed line is input `.0` and `.2` times input `.1`.
#[cfg(not(dunlin_dsp))]
const TERMS: [(usize, usize, i32); 4] = [(0, 2, -1), (1, 2, 1), (2, 1, -1), (3, 1, -1)];

/// The products that add up to an output of a tile's line, with their signs.
#[cfg(not(dunlin_dsp))]
#[inline(always)]
fn products(output: usize) -> [(usize, i32); 3] {
    if output == 0 { [(1, 1), (2, 1), (0, 1)] } else { [(1, 1), (2, -1), (3, 1)] }
}

/// Rows of the convolution of `x`: see [`ConvWinograd`](crate::ops::ConvWinograd).
#[cfg(not(dunlin_dsp))]
pub fn winograd_rows(
    layer: &Winograd,
    geometry: &Geometry,
    x: &Rows<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i16>,
) {
    let ([_, _, c_in], [_, out_w, c_out]) = (geometry.input, geometry.output);
    for y in rows {
        let (_, in_tile) = layer.tile_row(y);
        let out = out.row(y);
        for ox in (0..out_w).step_by(2) {
            transform(layer, geometry, x, [y, ox], scratch);
            for s in 0..out_w.wrapping_sub(ox).min(2) {
                for c in 0..c_out {
                    let mut sum = layer.requantize.channels.bias(c) << 2;
                    for (i, sign) in products(in_tile) {
                        for (j, other_sign) in products(s) {
                            let v = scratch.slice(i.wrapping_mul(4).wrapping_add(j).wrapping_mul(c_in), c_in);
                            let products = (0..c_in).fold(0i32, |sum, k| {
                                let product = v.at(k) as i32 * weight(layer, c_in, c, [i, j], k);
                                sum.wrapping_add(product)
                            });
                            sum = sum.wrapping_add(products.wrapping_mul(sign * other_sign));
                        }
                    }
                    let at = ox.wrapping_add(s).wrapping_mul(c_out).wrapping_add(c);
                    out.set(at, layer.requantize.apply(sum >> 2, c));
                }
            }
        }
    }
}

/// The transformed tile `[4, 4, c_in]` that has row `y` of the outputs and begins at column `ox`. Inputs that this row does
/// not need are not read: as if they were padding.
#[cfg(not(dunlin_dsp))]
fn transform(layer: &Winograd, geometry: &Geometry, x: &Rows<i8>, [y, ox]: [usize; 2], to: ViewMut<i16>) {
    let [_, w, c_in] = geometry.input;
    let (_, in_tile) = layer.tile_row(y);
    let (image, lines) = geometry.row_taps(y);
    let left = geometry.window.pads[1] as usize;
    for k in 0..c_in {
        let input = |dy: usize, dx: usize| {
            let (ky, column) = (dy.wrapping_sub(in_tile), ox.wrapping_add(dx).wrapping_sub(left));
            if lines.valid.contains(&ky) && column < w {
                let row = x.row(image.wrapping_add(lines.index(ky)));
                row.at(column.wrapping_mul(c_in).wrapping_add(k)) as i32
            } else {
                layer.padding as i32
            }
        };
        for (i, (y0, y1, sign)) in TERMS.into_iter().enumerate() {
            let column = |dx: usize| input(y0, dx) + sign * input(y1, dx);
            for (j, (x0, x1, sign)) in TERMS.into_iter().enumerate() {
                let at = i.wrapping_mul(4).wrapping_add(j).wrapping_mul(c_in).wrapping_add(k);
                to.set(at, (column(x0) + sign * column(x1)) as i16);
            }
        }
    }
}

/// The weight of output channel `c` and input channel `k` at a place of the transformed tile.
#[cfg(not(dunlin_dsp))]
#[inline(always)]
fn weight(layer: &Winograd, c_in: usize, c: usize, [i, j]: [usize; 2], k: usize) -> i32 {
    // In the file come rows and columns 1 and 2 before 0 and 3.
    let order = |i: usize| if i == 3 { 3 } else { i.wrapping_add(2) % 3 };
    let tile = order(j).wrapping_mul(layer.lines()).wrapping_add(order(i));
    let pair = (c / 2).wrapping_mul(layer.lines().wrapping_mul(4)).wrapping_add(tile).wrapping_mul(c_in / 2);
    // Words of the channels (0, 2) and (1, 3) of four, each for both channels.
    let word = pair.wrapping_add(k / 4 * 2).wrapping_add(k % 2);
    layer.w.at(word.wrapping_mul(4).wrapping_add(c % 2 * 2).wrapping_add(k / 2 % 2)) as i32
}
