//! Output rows of an int8 convolution whose weights are in vectors.

#[cfg(not(dunlin_mve))]
use core::ops::Range;

use super::requantize::Requantize;
#[cfg(not(dunlin_mve))]
use super::requantize::{Factor, saturate};
use crate::mem::View;
#[cfg(not(dunlin_mve))]
use crate::mem::{Rows, RowsMut, ViewMut};
#[cfg(not(dunlin_mve))]
use crate::ops::window::{Geometry, Taps};

/// Bytes of a vector.
pub const VECTOR: usize = 16;
/// Channels whose vectors come together.
pub const GROUP: usize = 4;
/// Vectors of activations that follow each other in memory and are taken at a time, at most.
pub const MAX_RUN: usize = 9;
/// Words of the place of a run.
pub const RUN_WORDS: usize = 3;

/// Bytes of the taps of a window.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Taps of a line.
    pub taps: usize,
    /// From line to line.
    pub bytes: usize,
    /// Of all lines.
    pub all_bytes: usize,
    /// Of a channel: the lines as whole vectors.
    pub channel_bytes: usize,
}

impl Line {
    /// Of `[kh, kw]` pixels of `c_in` channels; `in_lines`: every line has whole vectors.
    pub fn new([kh, kw]: [usize; 2], c_in: usize, in_lines: bool) -> Line {
        let taps = kw.wrapping_mul(c_in);
        let bytes = if in_lines { taps.next_multiple_of(VECTOR) } else { taps };
        let all_bytes = kh.wrapping_mul(bytes);
        Line { taps, bytes, all_bytes, channel_bytes: all_bytes.next_multiple_of(VECTOR) }
    }

    /// Whether a weight stands in every place.
    pub fn is_full(&self) -> bool {
        self.taps == self.bytes && self.all_bytes == self.channel_bytes
    }

    /// Whether a weight stands in this place of a channel.
    pub fn is_tap(&self, place: usize) -> bool {
        place < self.all_bytes && place.checked_rem(self.bytes).unwrap_or(0) < self.taps
    }
}

/// A layer.
pub struct Vectors<'a> {
    /// What the sums become; the table has the numbers of [`GROUP`] channels together.
    pub requantize: Requantize<'a>,
    /// The stored number of the image that stands for 0.
    pub padding: i8,
    pub w: View<'a, i8>,
    pub line: Line,
}

/// Bytes of scratch memory that [`conv_vector_rows`] of some core needs: the places of a window's runs, and what two
/// windows read.
pub fn conv_vectors_scratch_bytes(line: &Line) -> usize {
    let runs = |bytes: usize| (bytes / VECTOR).div_ceil(MAX_RUN);
    let lines = line.all_bytes.checked_div(line.bytes).unwrap_or(0);
    let most = runs(line.channel_bytes).max(lines.wrapping_mul(runs(line.bytes)));
    4 * RUN_WORDS * (most + 1) + 2 * line.channel_bytes
}

/// Rows of a convolution of `x`: see [`ConvVectors`](crate::ops::ConvVectors).
#[cfg(not(dunlin_mve))]
pub fn conv_vector_rows(
    layer: &Vectors,
    geometry: &Geometry,
    x: &Rows<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    _scratch: ViewMut<i32>,
) {
    let [_, out_w, c_out] = geometry.output;
    for y in rows {
        let out = out.row(y);
        for (ox, c) in (0..out_w).flat_map(|ox| (0..c_out).map(move |c| (ox, c))) {
            let q = finish(&layer.requantize, sum(layer, geometry, x, [y, ox], c), c);
            out.set(ox.wrapping_mul(c_out).wrapping_add(c), q);
        }
    }
}

/// What a position reads.
#[cfg(not(dunlin_mve))]
pub struct Window<'a> {
    x: &'a Rows<'a, i8>,
    channels: usize,
    image: usize,
    lines: Taps,
    columns: Taps,
    padding: i8,
}

#[cfg(not(dunlin_mve))]
impl<'a> Window<'a> {
    /// The window of an output, with the stored number that stands for 0.
    pub fn new(geometry: &Geometry, x: &'a Rows<'a, i8>, [y, ox]: [usize; 2], padding: i8) -> Window<'a> {
        let ((image, lines), columns) = (geometry.row_taps(y), geometry.column_taps(ox));
        Window { x, channels: geometry.input[2], image, lines, columns, padding }
    }

    /// The element of a channel that a tap reads.
    pub fn at(&self, [ky, kx]: [usize; 2], channel: usize) -> i8 {
        if !self.lines.valid.contains(&ky) || !self.columns.valid.contains(&kx) {
            return self.padding;
        }
        self.x.row(self.image + self.lines.index(ky)).at(self.columns.index(kx) * self.channels + channel)
    }
}

/// The products of channel `c` at a position.
#[cfg(not(dunlin_mve))]
fn sum(layer: &Vectors, geometry: &Geometry, x: &Rows<i8>, [y, ox]: [usize; 2], c: usize) -> i32 {
    let ([kh, kw], [_, _, c_in]) = (geometry.kernel, geometry.input);
    let window = Window::new(geometry, x, [y, ox], layer.padding);
    let group = c / GROUP * GROUP * layer.line.channel_bytes + c % GROUP * VECTOR;
    let mut sum = 0i32;
    for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
        for i in 0..c_in {
            let x = window.at([ky, kx], i);
            let tap = ky * layer.line.bytes + kx * c_in + i;
            let w = layer.w.at(group + tap / VECTOR * GROUP * VECTOR + tap % VECTOR);
            sum = sum.wrapping_add(x as i32 * w as i32);
        }
    }
    sum
}

#[cfg(not(dunlin_mve))]
fn finish(requantize: &Requantize, sum: i32, c: usize) -> i8 {
    let entry = |field: usize| requantize.channels.0.at(c / GROUP * 3 * GROUP + field * GROUP + c % GROUP);
    let factor = Factor { multiplier: entry(1), shift: entry(2) as i8 };
    saturate(factor.apply(sum.wrapping_add(entry(0))), requantize.zero_point, requantize.bounds)
}
