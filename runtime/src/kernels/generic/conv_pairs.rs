//! Output rows of an int8 convolution whose weights are in pairs of channels.

#[cfg(not(dunlin_dsp_fpu))]
use core::ops::Range;

#[cfg(not(dunlin_dsp_fpu))]
use super::arithmetic::Arithmetic;
use super::arithmetic::I8;
#[cfg(not(dunlin_dsp_fpu))]
use super::requantize::{Requantize, finish_scaled};
use super::tile::Tile;
use crate::mem::View;
#[cfg(not(dunlin_dsp_fpu))]
use crate::mem::{Rows, RowsMut, ViewMut};
use crate::ops::window::Geometry;

/// Positions of a group.
pub const POSITIONS: usize = 4;

/// The layer's numbers.
pub struct Pairs<'a> {
    /// Its table has factors, or scaled channels.
    pub arithmetic: I8<'a>,
    /// `[c_out / 2, taps, 2]`.
    pub weights: View<'a, i8>,
    pub is_scaled: bool,
}

/// Bytes of scratch memory that [`conv_pair_rows`] of some core needs.
pub fn conv_pairs_scratch_bytes(geometry: &Geometry) -> usize {
    let tile = Tile::of_pairs(geometry);
    let line_bytes = 4 * tile.line_words() * together(geometry);
    tile.group_scratch_bytes(POSITIONS) + line_bytes + padding_bytes(&tile, geometry)
}

/// Bytes of a pixel in the padding, where taps are widened by pixels.
pub fn padding_bytes(tile: &Tile, geometry: &Geometry) -> usize {
    if tile.by_lines || geometry.window.pads == [0; 4] { 0 } else { geometry.input[2] }
}

/// Positions whose lines of taps are put together at a time: those of a group, where many of these lie inside the image and
/// a line has a word at least.
pub fn together(geometry: &Geometry) -> usize {
    let line_len = geometry.kernel[1].wrapping_mul(geometry.input[2]);
    if geometry.output[1] >= 2 * POSITIONS && line_len >= 4 { POSITIONS } else { 1 }
}

/// Rows of a convolution of `x`: see [`ConvPairs`](crate::ops::ConvPairs). Taps in the padding are skipped.
#[cfg(not(dunlin_dsp_fpu))]
pub fn conv_pair_rows(
    layer: &Pairs,
    geometry: &Geometry,
    x: &Rows<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    _scratch: ViewMut<i32>,
) {
    let Pairs { arithmetic, weights, .. } = layer;
    let ([_, kw], [_, _, c_in], [_, out_w, c_out]) = (geometry.kernel, geometry.input, geometry.output);
    let taps = geometry.kernel[0].wrapping_mul(kw).wrapping_mul(c_in).next_multiple_of(4);
    for y in rows {
        let (image, lines) = geometry.row_taps(y);
        let out = out.row(y);
        for ox in 0..out_w {
            let columns = geometry.column_taps(ox);
            for c in 0..c_out {
                let pair = weights.slice((c & !1).wrapping_mul(taps), taps.wrapping_mul(2));
                let mut acc = arithmetic.begin(c);
                for ky in lines.valid.clone() {
                    let row = x.row(image.wrapping_add(lines.index(ky)));
                    for kx in columns.valid.clone() {
                        let pixel = row.slice(columns.index(kx).wrapping_mul(c_in), c_in);
                        let tap = ky.wrapping_mul(kw).wrapping_add(kx).wrapping_mul(c_in);
                        for i in 0..c_in {
                            let w = weight(pair, tap.wrapping_add(i), c & 1 != 0);
                            let x = pixel.at(i) as i32 + arithmetic.x_offset;
                            acc = acc.wrapping_add(x.wrapping_mul(w));
                        }
                    }
                }
                out.set(ox.wrapping_mul(c_out).wrapping_add(c), finish(layer, acc, c));
            }
        }
    }
}

/// The output of a channel's sum, of which the second one has 24 bits.
#[cfg(not(dunlin_dsp_fpu))]
#[inline(always)]
fn finish(layer: &Pairs, acc: i32, c: usize) -> i8 {
    let Requantize { channels, bounds, .. } = layer.arithmetic.requantize;
    let is_second = c & 1 != 0;
    if !layer.is_scaled {
        return layer.arithmetic.finish(if is_second { acc << 8 >> 8 } else { acc }, c);
    }
    let (addend, shift) = channels.scaled(c);
    let scaled = if is_second { (acc << 8).wrapping_shr(shift) } else { acc.wrapping_shl(shift) };
    finish_scaled(scaled, channels.0.at(3 * c + 1), addend, bounds)
}

/// The weight of tap `tap` of the first or the second channel.
#[cfg(not(dunlin_dsp_fpu))]
#[inline(always)]
fn weight(pair: View<i8>, tap: usize, is_second: bool) -> i32 {
    let place = (tap & !3) | (tap & 1) << 1 | (tap >> 1 & 1);
    let (first, high) = (pair.at(place.wrapping_mul(2)) as i32, pair.at(place.wrapping_mul(2) + 1) as i32);
    // A negative first one has taken 1 from the high byte.
    if is_second { high - (first >> 31) } else { first }
}
