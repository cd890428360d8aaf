//! Output rows of an int8 convolution whose weights are in pairs of channels.

#[cfg(not(dunlin_dsp_fpu))]
use core::ops::Range;

#[cfg(not(dunlin_dsp_fpu))]
use super::requantize::{Factor, clamp_i8};
use super::tile::{MAX_LINES, Tile};
use crate::mem::View;
#[cfg(not(dunlin_dsp_fpu))]
use crate::mem::{Rows, RowsMut, ViewMut};
use crate::ops::window::Geometry;

/// Positions of a group.
pub const POSITIONS: usize = 4;

/// Words of a pair's entry of a `PairTable`: the first channel's bias, and 256 times the second's more; then multiplier and
/// shift, or multiplier and addend, of the first one, and of the second one.
pub const ENTRY_WORDS: usize = 6;

/// Bits behind the point of what becomes an output of a pair's first channel by a line; of the second one, of whose sum
/// there is 256 times as much, 8 more.
pub const LINE_POINT: u32 = 4;

/// Constants of a layer with weights in pairs, an entry of [`ENTRY_WORDS`] for each pair of channels.
#[derive(Clone, Copy)]
pub struct PairTable<'a>(pub View<'a, i32>);

impl PairTable<'_> {
    /// Whether every factor of a table of factors uses all bits of its multiplier and shifts right, by at most 31.
    pub fn are_normal(&self) -> bool {
        let mut at = 0usize;
        while at < self.0.len() {
            at = at.wrapping_add(2);
            for _ in 0..2 {
                if self.0.at(at) >> 30 != 1 || !(-31..0).contains(&self.0.at(at.wrapping_add(1))) {
                    return false;
                }
                at = at.wrapping_add(2);
            }
        }
        true
    }
}

/// The layer's numbers.
pub struct Pairs<'a> {
    /// Minus the zero point of the activations.
    pub x_offset: i32,
    pub table: PairTable<'a>,
    /// Zero point of the output.
    pub zero_point: i32,
    pub bounds: (i8, i8),
    /// `[c_out / 2, taps, 2]`, of an odd `c_out` with the last two channels in a pair of their own.
    pub weights: View<'a, i8>,
    pub has_lines: bool,
}

/// Bytes of scratch memory that [`conv_pair_rows`] of some core needs.
pub fn conv_pairs_scratch_bytes(geometry: &Geometry) -> usize {
    let tile = Tile::of_pairs(geometry);
    tile.group_scratch_bytes(POSITIONS) + line_bytes(&tile, geometry)
}

/// Bytes of the lines that are put together, and of those of a group that reaches into the padding; or of a pixel in the
/// padding, where taps are widened by pixels.
pub fn line_bytes(tile: &Tile, geometry: &Geometry) -> usize {
    if gathers(tile, geometry) {
        let padded = geometry.kernel[0].wrapping_mul(padded_len(tile, geometry));
        // Behind the last position of a narrow output three more are read.
        let behind = if is_narrow(geometry) { step(geometry).wrapping_mul(POSITIONS - 1) } else { 0 };
        let places = tile.taps.next_multiple_of(4).wrapping_mul(slots(geometry));
        return places.wrapping_add(padded).wrapping_add(behind).next_multiple_of(4);
    }
    match tile.by_lines {
        true => tile.line_words().wrapping_mul(4),
        false if geometry.window.pads == [0; 4] => 0,
        false => geometry.input[2],
    }
}

/// Whether the lines of a whole group are put together at a time: where they are rows of the window.
pub fn gathers(tile: &Tile, geometry: &Geometry) -> bool {
    let kh = geometry.kernel[0];
    let is_row = tile.by_lines && kh.wrapping_mul(tile.line_len) == tile.taps && kh <= MAX_LINES;
    is_row && tile.chunk >= tile.taps
}

/// Places for the taps of a group: where one is in two rows, four positions of the second row come behind those of the first.
pub fn slots(geometry: &Geometry) -> usize {
    if geometry.output[1].is_multiple_of(POSITIONS) { POSITIONS } else { 2 * POSITIONS - 1 }
}

/// Whether most groups reach into the padding, or into the next row.
pub fn is_narrow(geometry: &Geometry) -> bool {
    geometry.output[1] < 2 * POSITIONS
}

/// Elements from a position to the next one.
fn step(geometry: &Geometry) -> usize {
    geometry.input[2].wrapping_mul(geometry.window.stride[1] as usize)
}

/// Elements of a row, with padding, that a group reads, or all positions of a narrow output.
pub fn padded_len(tile: &Tile, geometry: &Geometry) -> usize {
    let positions = if is_narrow(geometry) { geometry.output[1] } else { POSITIONS };
    step(geometry).wrapping_mul(positions.wrapping_sub(1)).wrapping_add(tile.line_len)
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
    let Pairs { x_offset, table, weights, .. } = layer;
    let ([_, kw], [_, _, c_in], [_, out_w, c_out]) = (geometry.kernel, geometry.input, geometry.output);
    let taps = geometry.kernel[0].wrapping_mul(kw).wrapping_mul(c_in).next_multiple_of(4);
    for y in rows {
        let (image, lines) = geometry.row_taps(y);
        let out = out.row(y);
        for ox in 0..out_w {
            let columns = geometry.column_taps(ox);
            for c in 0..c_out {
                let (pair, is_second) = place(c, c_out);
                let entry = table.0.slice(pair.wrapping_mul(ENTRY_WORDS), ENTRY_WORDS);
                let pair = weights.slice(pair.wrapping_mul(taps).wrapping_mul(2), taps.wrapping_mul(2));
                let mut acc = bias(entry, is_second);
                for ky in lines.valid.clone() {
                    let row = x.row(image.wrapping_add(lines.index(ky)));
                    for kx in columns.valid.clone() {
                        let pixel = row.slice(columns.index(kx).wrapping_mul(c_in), c_in);
                        let tap = ky.wrapping_mul(kw).wrapping_add(kx).wrapping_mul(c_in);
                        for i in 0..c_in {
                            let w = weight(pair, tap.wrapping_add(i), is_second);
                            let x = pixel.at(i) as i32 + x_offset;
                            acc = acc.wrapping_add(x.wrapping_mul(w));
                        }
                    }
                }
                out.set(ox.wrapping_mul(c_out).wrapping_add(c), finish(layer, entry, acc, is_second));
            }
        }
    }
}

/// A channel's pair, and whether it is the second one there.
#[cfg(not(dunlin_dsp_fpu))]
#[inline(always)]
fn place(c: usize, c_out: usize) -> (usize, bool) {
    let last = c_out.wrapping_sub(1);
    match c_out & 1 != 0 && c.wrapping_add(1) >= last {
        true => (last / 2, c == last),
        false => (c / 2, c & 1 != 0),
    }
}

/// What a channel's sum begins with.
#[cfg(not(dunlin_dsp_fpu))]
#[inline(always)]
fn bias(entry: View<i32>, is_second: bool) -> i32 {
    let first = entry.at(0);
    if is_second { entry.at(1).wrapping_sub(first) >> 8 } else { first }
}

/// The output of a channel's sum, of which the second one has 24 bits.
#[cfg(not(dunlin_dsp_fpu))]
#[inline(always)]
fn finish(layer: &Pairs, entry: View<i32>, acc: i32, is_second: bool) -> i8 {
    let at = if is_second { 4 } else { 2 };
    let (multiplier, last) = (entry.at(at), entry.at(at + 1));
    let scaled = if is_second { acc << 8 } else { acc };
    if layer.has_lines {
        let high = ((scaled as i64 * multiplier as i64) >> 32) as i32;
        let point = if is_second { LINE_POINT + 8 } else { LINE_POINT };
        return clamp_i8(high.wrapping_add(last) >> point, layer.bounds);
    }
    let factor = Factor { multiplier, shift: last as i8 };
    factor.requantize(if is_second { scaled >> 8 } else { scaled }, layer.zero_point, layer.bounds)
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
