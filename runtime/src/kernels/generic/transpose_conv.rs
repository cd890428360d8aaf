//! One output row of a transposed convolution.

use super::arithmetic::Arithmetic;
#[cfg(not(dunlin_dsp))]
use super::arithmetic::I8;
use super::tile::divide_up;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::Geometry;

/// Words that kernels which bring weights together get for them, unless one channel has more, and for activations.
const WEIGHT_WORDS: usize = 512;
const BLOCK_WORDS: usize = 768;
/// The most positions that they compute at a time.
const MAX_POSITIONS: usize = 6;

/// Scratch memory of kernels that bring together the weights of the taps by which a window reaches some outputs.
#[derive(Clone, Copy)]
pub struct Room {
    pub weight_words: usize,
    pub block_words: usize,
}

impl Room {
    /// That of a layer; `None` if one channel's taps are more than what there is memory for.
    pub fn of(geometry: &Geometry) -> Option<Room> {
        let most_words = most_taps(geometry).saturating_mul(geometry.output[2].div_ceil(4));
        let channels = WEIGHT_WORDS.checked_div(most_words)?;
        let block_words = most_words.wrapping_mul(2);
        let positions = (BLOCK_WORDS.checked_div(block_words)?).min(geometry.input[1]).min(MAX_POSITIONS);
        (channels > 0).then(|| Room {
            weight_words: most_words.wrapping_mul(channels.min(geometry.input[2])),
            block_words: block_words.wrapping_mul(positions),
        })
    }

    /// Positions for which the activations of so many taps, each of a multiple of 4 channels, have room.
    #[cfg_attr(not(dunlin_dsp), allow(dead_code))]
    pub fn positions(&self, taps_len: usize) -> usize {
        self.block_words.checked_div(taps_len / 2).unwrap_or(0)
    }
}

/// The most taps by which a window reaches an output.
fn most_taps(geometry: &Geometry) -> usize {
    let along = |axis: usize| {
        let (taps, stride) = (geometry.kernel[axis], geometry.window.stride[axis] as usize);
        // With dilation they may all be a multiple of the stride apart.
        if geometry.window.dilation[axis] == 1 { divide_up(taps, stride) } else { taps }
    };
    along(0).wrapping_mul(along(1))
}

/// Bytes of scratch memory that [`transpose_conv_row_i8`] of some core needs.
pub fn transpose_conv_scratch_bytes(geometry: &Geometry) -> usize {
    Room::of(geometry).map_or(0, |room| 4 * (room.weight_words + room.block_words))
}

/// [`transpose_conv_row`] of int8, for which a core may have instructions of its own.
#[cfg(not(dunlin_dsp))]
pub fn transpose_conv_row_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    _scratch: ViewMut<i32>,
) {
    transpose_conv_row(arithmetic, geometry, x, w, y, out);
}

/// Row `y` of what `geometry`'s window, from output to `x`, spreads with weights `w` `[c_out, kh, kw, c_in]`: each pixel
/// is the sum over the taps that some window lays on it.
pub fn transpose_conv_row<A: Arithmetic>(
    arithmetic: &A,
    geometry: &Geometry,
    x: &Rows<A::T>,
    w: View<A::T>,
    y: usize,
    out: ViewMut<A::T>,
) {
    let [kh, kw] = geometry.kernel;
    let [_, out_w, c_out] = geometry.input;
    let [_, width, c_in] = geometry.output;
    let (image, rows) = geometry.row_readers(y);
    for ox in 0..out_w {
        let columns = geometry.column_readers(ox).inside(width);
        for c in 0..c_out {
            let mut acc = arithmetic.begin(c);
            for i in rows.valid.clone() {
                let row = x.row(image.wrapping_add(rows.position(i) as usize));
                let line = c.wrapping_mul(kh).wrapping_add(rows.tap(i)).wrapping_mul(kw);
                for k in columns.valid.clone() {
                    let xs = row.slice((columns.position(k) as usize).wrapping_mul(c_in), c_in);
                    let tap = line.wrapping_add(columns.tap(k));
                    acc = arithmetic.dot(acc, xs, w.slice(tap.wrapping_mul(c_in), c_in));
                }
            }
            out.set(ox.wrapping_mul(c_out).wrapping_add(c), arithmetic.finish(acc, c));
        }
    }
}
