//! Output rows of an int8 convolution whose weights are in pairs of channels.

#[cfg(not(dunlin_dsp_fpu))]
use core::ops::Range;

#[cfg(not(dunlin_dsp_fpu))]
use super::arithmetic::{Arithmetic, I8};
use super::tile::Tile;
#[cfg(not(dunlin_dsp_fpu))]
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::Geometry;

/// Positions of a group.
pub const POSITIONS: usize = 4;

/// Bytes of scratch memory that [`conv_pair_rows`] of some core needs.
pub fn conv_pairs_scratch_bytes(geometry: &Geometry) -> usize {
    Tile::of(geometry).group_scratch_bytes(POSITIONS)
}

/// Rows of a convolution of `x` with weights `w` `[c_out / 2, taps, 2]`: see [`ConvPairs`](crate::ops::ConvPairs). Taps in
/// the padding are skipped.
#[cfg(not(dunlin_dsp_fpu))]
pub fn conv_pair_rows(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    _scratch: ViewMut<i32>,
) {
    let ([_, kw], [_, _, c_in], [_, out_w, c_out]) = (geometry.kernel, geometry.input, geometry.output);
    let taps = geometry.kernel[0].wrapping_mul(kw).wrapping_mul(c_in).next_multiple_of(4);
    for y in rows {
        let (image, lines) = geometry.row_taps(y);
        let out = out.row(y);
        for ox in 0..out_w {
            let columns = geometry.column_taps(ox);
            for c in 0..c_out {
                let pair = w.slice((c & !1).wrapping_mul(taps), taps.wrapping_mul(2));
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
                // The second channel's sum has 24 bits.
                let acc = if c & 1 == 0 { acc } else { acc << 8 >> 8 };
                out.set(ox.wrapping_mul(c_out).wrapping_add(c), arithmetic.finish(acc, c));
            }
        }
    }
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
