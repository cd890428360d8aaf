//! One output row of an int8 transposed convolution. Outputs that are a stride apart are reached by the same taps: they are
//! a convolution with those, whose weights are brought together first, as rows that [`super::sums`] reads.

use core::ops::Range;
use core::ptr::null;

use super::block::Block;
use super::requantize::clamp_row;
use super::sums::{Job, sums};
use crate::kernels::generic::arithmetic::{Arithmetic, I8};
use crate::kernels::generic::tile::{Tile, divide_up};
use crate::kernels::generic::transpose_conv::Room;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::{Geometry, Readers};

pub use crate::kernels::generic::transpose_conv::{transpose_conv_row, transpose_conv_scratch_bytes};

/// [`transpose_conv_row`] of int8.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn transpose_conv_row_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let Some(room) = Room::of(geometry) else {
        return transpose_conv_row(arithmetic, geometry, x, w, y, out);
    };
    let (image, rows) = geometry.row_readers(y);
    let weights = scratch.slice(0, room.weight_words);
    let block = scratch.slice(room.weight_words, room.block_words);
    for first in 0..(geometry.window.stride[1] as usize).min(geometry.input[1]) {
        let columns = geometry.column_readers(first);
        let tap_len = geometry.output[2].next_multiple_of(4);
        let taps_len = rows.valid.len().wrapping_mul(columns.valid.len()).wrapping_mul(tap_len);
        let (rows, weights) = (&rows, bytes(weights));
        let phase = Phase {
            arithmetic,
            geometry,
            x,
            w,
            image,
            rows,
            columns,
            first,
            taps_len,
            out,
            room,
            weights,
            block,
        };
        if taps_len == 0 { phase.compute_biases() } else { phase.compute() }
    }
    clamp_row(out, arithmetic.requantize.bounds);
}

/// The bytes of words.
fn bytes(words: ViewMut<i32>) -> ViewMut<i8> {
    // SAFETY: so many bytes, which nothing else uses at the same time.
    unsafe { core::slice::from_raw_parts_mut(words.as_ptr().cast(), words.len().wrapping_mul(4)) }.into()
}

/// The outputs of a row that are a stride apart.
struct Phase<'a> {
    arithmetic: &'a I8<'a>,
    geometry: &'a Geometry,
    x: &'a Rows<'a, i8>,
    w: View<'a, i8>,
    /// First row of the image.
    image: usize,
    rows: &'a Readers,
    /// The columns that reach the first output, of which some may be outside.
    columns: Readers,
    /// The first output.
    first: usize,
    /// Taps of a channel: for each pixel a multiple of 4.
    taps_len: usize,
    out: ViewMut<'a, i8>,
    room: Room,
    weights: ViewMut<'a, i8>,
    block: ViewMut<'a, i32>,
}

impl Phase<'_> {
    /// Computes the outputs, clamped to int8 alone.
    fn compute(&self) {
        let [_, out_w, c_out] = self.geometry.input;
        let stride = self.geometry.window.stride[1] as usize;
        let at_once = self.weights.len().checked_div(self.taps_len).unwrap_or(0).max(1);
        let most = self.room.positions(self.taps_len);
        let mut c = 0usize;
        while c < c_out {
            let channels = c..c.wrapping_add(at_once).min(c_out);
            self.gather(channels.clone());
            let (mut index, mut ox) = (0usize, self.first);
            while ox < out_w {
                let left = divide_up(out_w.wrapping_sub(ox), stride);
                let positions = Tile::positions(left).min(most).max(1);
                self.compute_group(index, positions, channels.clone());
                index = index.wrapping_add(positions);
                ox = ox.wrapping_add(positions.wrapping_mul(stride));
            }
            c = channels.end;
        }
    }

    /// The outputs that no tap reaches.
    #[cold]
    fn compute_biases(&self) {
        let [_, out_w, c_out] = self.geometry.input;
        let mut ox = self.first;
        while ox < out_w {
            for c in 0..c_out {
                let q = self.arithmetic.finish(self.arithmetic.begin(c), c);
                self.out.set(ox.wrapping_mul(c_out).wrapping_add(c), q);
            }
            ox = ox.wrapping_add(self.geometry.window.stride[1] as usize);
        }
    }

    /// Brings the weights of some channels together.
    #[inline(never)]
    fn gather(&self, channels: Range<usize>) {
        let ([kh, kw], c_in) = (self.geometry.kernel, self.geometry.output[2]);
        let mut at = 0usize;
        for c in channels {
            for i in self.rows.valid.clone() {
                let line = c.wrapping_mul(kh).wrapping_add(self.rows.tap(i)).wrapping_mul(kw);
                for k in self.columns.valid.clone() {
                    let tap = line.wrapping_add(self.columns.tap(k));
                    self.weights.slice(at, c_in).copy_from(self.w.slice(tap.wrapping_mul(c_in), c_in));
                    at = at.wrapping_add(c_in.next_multiple_of(4));
                }
            }
        }
    }

    /// Computes some channels of so many positions from output `index` of the phase on.
    #[inline(never)]
    fn compute_group(&self, index: usize, positions: usize, channels: Range<usize>) {
        let (c_out, c_in) = (self.geometry.input[2], self.geometry.output[2]);
        let stride = self.geometry.window.stride[1] as usize;
        let tap_words = self.taps_len / 4;
        let words = self.block.slice(0, tap_words.wrapping_mul(2 * positions));
        let block = Block { words, positions, offset: self.arithmetic.x_offset };
        let mut at = 0usize;
        for i in self.rows.valid.clone() {
            let row = self.x.row(self.image.wrapping_add(self.rows.position(i) as usize));
            for k in self.columns.valid.clone() {
                let mut column = self.columns.position(k).wrapping_add(index as isize);
                for position in 0..positions {
                    if (0..self.geometry.output[1] as isize).contains(&column) {
                        block.widen(position, at, row.slice((column as usize).wrapping_mul(c_in), c_in));
                    } else {
                        block.clear(position, at, c_in);
                    }
                    column = column.wrapping_add(1);
                }
                at = at.wrapping_add(c_in.next_multiple_of(4));
            }
        }
        let table = self.arithmetic.requantize.channels.0.as_ptr();
        let ox = self.first.wrapping_add(index.wrapping_mul(stride));
        let job = Job {
            x: words.as_ptr(),
            x_end: words.as_ptr().wrapping_add(words.len()),
            stored: null::<i32>().cast_mut(),
            table: table.wrapping_add(channels.start.wrapping_mul(3)),
            end: table.wrapping_add(channels.end.wrapping_mul(3)),
            w_skip: 0,
            skipped: tap_words.wrapping_neg() & 3,
            biases: table.wrapping_add(channels.start.wrapping_mul(3)),
            zero_point: self.arithmetic.requantize.zero_point,
            out: self.out.as_ptr().wrapping_add(ox.wrapping_mul(c_out)).wrapping_add(channels.start),
            stride: stride.wrapping_mul(c_out),
            begun: null(),
            w: self.weights.as_ptr(),
        };
        // SAFETY: block, weights and table have these taps, positions and channels, as has the row of the output; nothing is
        // read ahead, as there is a multiple of four taps.
        unsafe { sums(&job, positions) };
    }
}
