//! Output rows of an int8 convolution: positions in place where a window is one pixel of whole vectors, else patches of
//! them, times all channels.

use core::ops::Range;

use super::blocks::in_blocks;
use super::patch::Patches;
use super::requantize::clamp_row;
use super::sums::{Biases, CHANNELS, Sums, VECTOR, biases, sums};
use crate::kernels::generic::arithmetic::I8;
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::conv::{conv_row, conv_rows_f32, conv_scratch_bytes};

/// [`conv_row`] of int8 for several rows.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn conv_rows_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i32>,
) {
    let ([kh, kw], [_, _, c_in], [_, out_w, channels]) = (geometry.kernel, geometry.input, geometry.output);
    let taps = kh.wrapping_mul(kw).wrapping_mul(c_in);
    let vectors = taps.div_ceil(VECTOR);
    let in_place = kh == 1 && kw == 1 && geometry.window.pads == [0; 4] && c_in.is_multiple_of(VECTOR);
    let patch_words = if in_place { 0 } else { vectors.wrapping_mul(VECTOR / 4) };
    let cut = Cut::of(channels, out_w, patch_words, scratch.len());
    let Some(Cut { channels: at_once, positions }) = cut else {
        // A layer of less than four channels, or of which a patch has no room in the scratch memory.
        for y in rows {
            conv_row(arithmetic, geometry, x, w, y, out.row(y));
        }
        return;
    };
    let to = scratch.slice(at_once, patch_words.wrapping_mul(positions));
    if !taps.is_multiple_of(VECTOR) {
        to.fill(0);
    }
    let bytes = vectors.wrapping_mul(VECTOR);
    let patches = Patches {
        geometry,
        x,
        line_bytes: kw.wrapping_mul(c_in),
        padding: arithmetic.x_offset.wrapping_neg(),
        to: to.as_ptr().cast(),
        bytes,
        // Zeros stand there.
        before: bytes.wrapping_sub(taps),
    };
    let mut layer = Layer { arithmetic, channels, taps, w, first: 0, end: channels, biases: scratch };
    let whole = at_once >= channels;
    if whole {
        layer.sum_weights();
    }
    in_blocks(geometry, x, out, rows, |rows| {
        let mut next = 0usize;
        while next < channels {
            // The last ones may be computed twice, so that there are four.
            layer.first = next.min(channels.wrapping_sub(CHANNELS));
            layer.end = next.wrapping_add(at_once).min(channels);
            if !whole {
                layer.sum_weights();
            }
            if in_place {
                layer.compute_in_place(geometry, x, rows.clone(), out);
            } else {
                layer.compute_patches(&patches, positions, rows.clone(), out);
            }
            next = layer.end;
        }
        for y in rows {
            clamp_row(out.row(y), arithmetic.requantize.bounds);
        }
    });
}

/// What is computed at a time.
struct Cut {
    /// Channels: a multiple of four, or all of them.
    channels: usize,
    /// Positions of a row.
    positions: usize,
}

impl Cut {
    /// `None` if the scratch memory has no room for a patch and the biases of four channels.
    fn of(channels: usize, width: usize, patch_words: usize, words: usize) -> Option<Cut> {
        let least = patch_words.wrapping_mul(width.min(2));
        let room = words.checked_sub(least)? & !3;
        let at_once = channels.next_multiple_of(CHANNELS).min(room);
        if channels < CHANNELS || at_once == 0 {
            return None;
        }
        let positions = words.wrapping_sub(at_once).checked_div(patch_words).unwrap_or(width).min(width);
        // Fewer pairs first, then fewer groups.
        let cost = |n: usize| {
            let (groups, rest) = (width.checked_div(n).unwrap_or(0), width.checked_rem(n).unwrap_or(0));
            let pairs = groups.wrapping_mul(n.div_ceil(2)).wrapping_add(rest.div_ceil(2));
            pairs.wrapping_mul(2).wrapping_add(groups)
        };
        let even = (positions & !1).max(1);
        let positions = if cost(even) < cost(positions.max(1)) { even } else { positions.max(1) };
        Some(Cut { channels: at_once, positions })
    }
}

/// Some channels of a layer.
struct Layer<'a> {
    arithmetic: &'a I8<'a>,
    /// Channels of the output.
    channels: usize,
    taps: usize,
    w: View<'a, i8>,
    first: usize,
    end: usize,
    /// Their biases, from `first` on.
    biases: ViewMut<'a, i32>,
}

impl Layer<'_> {
    fn table(&self, c: usize) -> *const i32 {
        self.arithmetic.requantize.channels.0.as_ptr().wrapping_add(c.wrapping_mul(3))
    }

    fn sum_weights(&self) {
        let job = Biases {
            w: self.w.as_ptr().wrapping_add(self.first.wrapping_mul(self.taps)),
            table: self.table(self.first),
            to: self.biases.as_ptr(),
            channels: self.end.wrapping_sub(self.first),
            taps: self.taps,
            x_offset: self.arithmetic.x_offset,
        };
        // SAFETY: weights and entries of these channels, at least four of them, and room for their biases.
        unsafe { biases(&job) };
    }

    /// Computes rows of a layer whose window is one pixel without padding.
    fn compute_in_place(&self, geometry: &Geometry, x: &Rows<i8>, rows: Range<usize>, out: &RowsMut<i8>) {
        let ([_, _, c_in], [_, out_w, _]) = (geometry.input, geometry.output);
        let joined = if geometry.window.stride == [1, 1] {
            x.joined(rows.clone()).zip(out.joined(rows.clone()))
        } else {
            None
        };
        if let Some((x, out)) = joined {
            return self.compute(x.as_ptr(), c_in, rows.len().wrapping_mul(out_w), out);
        }
        let step = c_in.wrapping_mul(geometry.window.stride[1] as usize);
        for y in rows {
            let (image, taps) = geometry.row_taps(y);
            self.compute(x.row(image.wrapping_add(taps.index(0))).as_ptr(), step, out_w, out.row(y));
        }
    }

    /// Computes rows of a layer of other windows, `at_once` positions at a time.
    fn compute_patches(&self, patches: &Patches, at_once: usize, rows: Range<usize>, out: &RowsMut<i8>) {
        let out_w = patches.geometry.output[1];
        for y in rows {
            let row = patches.row(y);
            let mut ox = 0usize;
            while ox < out_w {
                let n = out_w.wrapping_sub(ox).min(at_once);
                patches.fill(&row, ox..ox.wrapping_add(n));
                let from = out.row(y).slice(ox.wrapping_mul(self.channels), n.wrapping_mul(self.channels));
                self.compute(patches.to, patches.bytes, n, from);
                ox = ox.wrapping_add(n);
            }
        }
    }

    /// Computes the outputs of `positions` that are `distance` bytes apart, from `x` on.
    fn compute(&self, x: *const i8, distance: usize, positions: usize, out: ViewMut<i8>) {
        let vectors = self.taps.div_ceil(VECTOR);
        let bytes = vectors.wrapping_mul(VECTOR);
        let [first_vectors, passes] = Sums::passes(vectors);
        let requantize = &self.arithmetic.requantize;
        let job = |c: usize, fours: usize| Sums {
            w: self
                .w
                .as_ptr()
                .wrapping_add(c.wrapping_mul(self.taps))
                .wrapping_sub(bytes.wrapping_sub(self.taps)),
            taps: self.taps,
            x,
            x_second: if positions == 1 { x } else { x.wrapping_add(distance) },
            biases: self.biases.as_ptr().wrapping_add(c.wrapping_sub(self.first)),
            table: self.table(c),
            out: out.as_ptr().wrapping_add(c),
            stride: if positions == 1 { 0 } else { self.channels },
            x_step: distance.wrapping_mul(2).wrapping_sub(bytes),
            x_end: x.wrapping_add(distance.wrapping_mul(positions)),
            first_vectors,
            passes,
            zero_point: requantize.zero_point,
            fours,
            negative: (requantize.bounds.0 as i32) < requantize.zero_point,
            vectors,
        };
        let n = self.end.wrapping_sub(self.first);
        // SAFETY: whole vectors of activations, with zeros where the channels have no taps; weights, biases and entries
        // of these channels; and outputs of so many positions. At least one position: rows are not empty.
        unsafe {
            sums(&mut job(self.first, n / CHANNELS));
            if !n.is_multiple_of(CHANNELS) {
                sums(&mut job(self.end.wrapping_sub(CHANNELS), 1));
            }
        }
    }
}
