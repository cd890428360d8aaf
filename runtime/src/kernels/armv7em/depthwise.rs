//! Output rows of an int8 depthwise convolution with any window, four channels at a time.
//!
//! Columns of the image are widened, so that a word is a channel's pair of neighbouring rows of the window, and four words
//! are four channels. The weights are brought to the same form, and the words of an output's columns follow each other: six
//! instructions load and multiply eight numbers with eight weights. What lies in the padding is 0; rows that do are left
//! out. Columns that dilation tears apart are widened as neighbours: outputs that are as far apart read the same ones.
//!
//! Of a layer with a multiplier, every so many-th output channel is a depthwise convolution of its own.

use core::ops::Range;
use core::ptr::null;

use super::columns::{Line, Sweep, Widen, sweep_columns, widen_columns};
use super::requantize::clamp_row;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::depthwise::{CHANNELS, Pairs, depthwise_part, depthwise_row};
use crate::kernels::generic::tile::divide_up;
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::depthwise::{depthwise_rows_f32, depthwise_scratch_bytes};

/// The most pairs of rows of a window. They stand on the stack.
const MAX_PAIRS: usize = 4;

/// [`depthwise_row`] of int8 for several rows.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn depthwise_rows_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i32>,
) {
    let layer = Layer::of(arithmetic, geometry, x, w, scratch);
    for y in rows {
        let out = out.row(y);
        match &layer {
            Some(layer) => layer.compute(y, out),
            None => depthwise_row(arithmetic, geometry, x, w, y, out),
        }
        clamp_row(out, arithmetic.requantize.bounds);
    }
}

/// What all rows have in common.
struct Layer<'a> {
    arithmetic: &'a I8<'a>,
    geometry: &'a Geometry,
    x: &'a Rows<'a, i8>,
    w: View<'a, i8>,
    /// Output channels of a channel.
    multiplier: usize,
    /// The most outputs of a strip.
    outputs: usize,
    /// Widened weights: `[kw, pairs of rows, 4]`.
    weights: ViewMut<'a, i32>,
    /// Widened columns of a strip, in the same form.
    columns: ViewMut<'a, i32>,
}

/// The rows that an output row reads, in pairs.
struct Lines {
    pairs: Pairs,
    image: [Line; MAX_PAIRS],
    weights: [Line; MAX_PAIRS],
}

/// Neighbouring outputs, between which are as many others as dilation wants.
struct Outputs {
    first: usize,
    n: usize,
    /// Of the columns that they read, those inside the image.
    inside: Range<usize>,
    /// Bytes from the beginning of a row to the first one inside.
    at: usize,
}

impl<'a> Layer<'a> {
    /// A layer with enough channels, and scratch memory for its window.
    fn of(
        arithmetic: &'a I8,
        geometry: &'a Geometry,
        x: &'a Rows<'a, i8>,
        w: View<'a, i8>,
        scratch: ViewMut<'a, i32>,
    ) -> Option<Layer<'a>> {
        let ([kh, kw], [_, _, c_in], [_, _, c_out]) = (geometry.kernel, geometry.input, geometry.output);
        let pairs = Pairs::of(kh);
        let outputs = pairs.outputs(geometry, scratch.len());
        if c_in < CHANNELS || outputs == 0 || pairs.0 > MAX_PAIRS {
            return None;
        }
        let weights = pairs.words(kw);
        Some(Layer {
            arithmetic,
            geometry,
            x,
            w,
            multiplier: c_out.checked_div(c_in).unwrap_or(0),
            outputs,
            weights: scratch.slice(0, weights),
            columns: scratch.slice(weights, scratch.len().wrapping_sub(weights)),
        })
    }

    /// Computes a row, clamped to int8 alone.
    fn compute(&self, y: usize, out: ViewMut<i8>) {
        let lines = self.lines(y);
        if lines.pairs.0 == 0 {
            return depthwise_row(self.arithmetic, self.geometry, self.x, self.w, y, out);
        }
        let out_w = self.geometry.output[1];
        let dilation = self.geometry.window.dilation[1] as usize;
        // As neighbours are the columns of every so many-th output.
        for first in 0..dilation.min(out_w) {
            let mut ox = first;
            while ox < out_w {
                let n = divide_up(out_w.wrapping_sub(ox), dilation).min(self.outputs);
                self.compute_outputs(&lines, &self.outputs_of(ox, n, lines.pairs), y, out);
                ox = ox.wrapping_add(n.wrapping_mul(dilation));
            }
        }
    }

    /// The rows that output row `y` reads; no pairs if there are none but in the padding.
    #[inline(never)]
    fn lines(&self, y: usize) -> Lines {
        let (image, taps) = self.geometry.row_taps(y);
        let none = [Line { from: null(), lower: 0, mask: 0 }; MAX_PAIRS];
        let mut lines = Lines { pairs: Pairs::of(taps.valid.len()), image: none, weights: none };
        let line_len = self.geometry.kernel[1].wrapping_mul(self.geometry.output[2]);
        let row = |ky: usize| self.x.row(image.wrapping_add(taps.index(ky))).as_ptr();
        let mut ky = taps.valid.start;
        for (image, weights) in lines.image.iter_mut().zip(&mut lines.weights).take(lines.pairs.0) {
            // The last row may be its own pair, times 0.
            let is_whole = ky.wrapping_add(1) < taps.valid.end;
            let (below, lower, mask) = if is_whole { (ky.wrapping_add(1), line_len, -1) } else { (ky, 0, 0) };
            let from = row(ky);
            *image = Line { from, lower: (row(below) as usize).wrapping_sub(from as usize), mask: -1 };
            *weights = Line { from: self.w.as_ptr().wrapping_add(ky.wrapping_mul(line_len)), lower, mask };
            ky = ky.wrapping_add(2);
        }
        lines
    }

    /// The `n` outputs from `first` on; those of their columns that lie in the padding are 0 from now on.
    #[inline(never)]
    fn outputs_of(&self, first: usize, n: usize, pairs: Pairs) -> Outputs {
        let Geometry { input: [_, width, channels], window, kernel: [_, kw], .. } = *self.geometry;
        let [dilation, stride] = [window.dilation[1], window.stride[1]].map(usize::from);
        // Column `i` is the image's column `column + i * dilation`, which may lie in the padding.
        let column = first.wrapping_mul(stride) as isize - window.pads[1] as isize;
        let columns = n.wrapping_sub(1).wrapping_mul(stride).wrapping_add(kw);
        let until = |x: isize| divide_up(x.max(0) as usize, dilation).min(columns);
        let start = until(column.wrapping_neg());
        let end = until((width as isize).wrapping_sub(column)).max(start);
        self.columns.slice(0, pairs.words(start)).fill(0);
        self.columns.slice(pairs.words(end), pairs.words(columns.wrapping_sub(end))).fill(0);
        let at = column.wrapping_add(start.wrapping_mul(dilation) as isize) as usize;
        Outputs { first, n, inside: start..end, at: at.wrapping_mul(channels) }
    }

    /// Computes all channels of some outputs.
    fn compute_outputs(&self, lines: &Lines, outputs: &Outputs, y: usize, out: ViewMut<i8>) {
        let ([_, _, c_in], [_, _, c_out], kw) =
            (self.geometry.input, self.geometry.output, self.geometry.kernel[1]);
        let [dilation, stride] =
            [self.geometry.window.dilation[1], self.geometry.window.stride[1]].map(usize::from);
        let pairs = lines.pairs;
        let (quads, column_bytes) = (kw.wrapping_mul(pairs.0), pairs.words(4));
        let weights = self.weights.as_ptr().cast_const();
        let out_step = dilation.wrapping_mul(c_out);
        let first = out.as_ptr().wrapping_add(outputs.first.wrapping_mul(c_out));
        let mut sweep = Sweep {
            weights_end: weights.wrapping_add(pairs.words(kw)),
            weights,
            skipped: quads.wrapping_neg() & 3,
            columns: self.columns.as_ptr(),
            step: column_bytes.wrapping_mul(stride),
            zero_point: self.arithmetic.requantize.zero_point,
            out: first,
            out_step,
            multiplier: self.multiplier,
            out_end: first,
            table: null(),
        };
        let mut c = 0usize;
        while c < c_in {
            // The last ones may be computed twice, so that there are four.
            c = c.min(c_in.wrapping_sub(CHANNELS));
            self.widen_image(lines, outputs, c);
            for k in 0..self.multiplier {
                let channel = c.wrapping_mul(self.multiplier).wrapping_add(k);
                self.widen_weights(lines, channel);
                sweep.table =
                    self.arithmetic.requantize.channels.0.as_ptr().wrapping_add(channel.wrapping_mul(3));
                sweep.out = first.wrapping_add(channel);
                sweep.out_end = sweep.out.wrapping_add(outputs.n.wrapping_mul(out_step));
                // SAFETY: the columns of the outputs have been widened, as have the weights; row and table have the channels.
                if !unsafe { sweep_columns(&sweep) } {
                    self.compute_one_by_one(outputs, channel, y, out);
                }
            }
            c = c.wrapping_add(CHANNELS);
        }
    }

    /// Widens the columns of four channels.
    #[inline(always)]
    fn widen_image(&self, lines: &Lines, outputs: &Outputs, c: usize) {
        if outputs.inside.is_empty() {
            return;
        }
        let pairs = lines.pairs;
        let x_offset = self.arithmetic.x_offset;
        let step = (self.geometry.window.dilation[1] as usize).wrapping_mul(self.geometry.input[2]);
        let mut job = Widen {
            lines: lines.image.as_ptr(),
            lines_end: lines.image.as_ptr().wrapping_add(pairs.0),
            at: outputs.at.wrapping_add(c),
            step,
            to: self.columns.as_ptr().wrapping_add(pairs.words(outputs.inside.start)),
            to_step: pairs.words(4),
            to_bytes: pairs.words(4).wrapping_mul(outputs.inside.len()),
            offset: x_offset & 0xFFFF | x_offset << 16,
        };
        // SAFETY: these columns are in the image, and the memory for a strip's has room.
        unsafe { widen_columns(&mut job) };
    }

    /// Brings the weights of four channels to the form of the columns.
    #[inline(always)]
    fn widen_weights(&self, lines: &Lines, channel: usize) {
        let (kw, c_out, pairs) = (self.geometry.kernel[1], self.geometry.output[2], lines.pairs);
        if self.multiplier != 1 {
            return self.gather_weights(lines, channel);
        }
        let mut job = Widen {
            lines: lines.weights.as_ptr(),
            lines_end: lines.weights.as_ptr().wrapping_add(pairs.0),
            at: channel,
            step: c_out,
            to: self.weights.as_ptr(),
            to_step: pairs.words(4),
            to_bytes: pairs.words(4).wrapping_mul(kw),
            offset: 0,
        };
        // SAFETY: the lines have these channels in every column, and the memory for weights has room.
        unsafe { widen_columns(&mut job) };
    }

    /// The same for channels that are no neighbours.
    #[inline(never)]
    fn gather_weights(&self, lines: &Lines, channel: usize) {
        let (kw, c_out) = (self.geometry.kernel[1], self.geometry.output[2]);
        let mut first = 0usize;
        for line in lines.weights.iter().take(lines.pairs.0) {
            let upper = (line.from as usize).wrapping_sub(self.w.as_ptr() as usize);
            let (mut from, mut to) = (upper.wrapping_add(channel), first);
            for _ in 0..kw {
                let mut at = from;
                for i in to..to.wrapping_add(CHANNELS) {
                    let below = self.w.at(at.wrapping_add(line.lower)) as i32 & line.mask;
                    self.weights.set(i, self.w.at(at) as i32 & 0xFFFF | below << 16);
                    at = at.wrapping_add(self.multiplier);
                }
                from = from.wrapping_add(c_out);
                to = to.wrapping_add(lines.pairs.words(1));
            }
            first = first.wrapping_add(CHANNELS);
        }
    }

    /// Outputs of four channels of which the portable kernel takes care.
    #[cold]
    fn compute_one_by_one(&self, outputs: &Outputs, channel: usize, y: usize, out: ViewMut<i8>) {
        let mut ox = outputs.first;
        for _ in 0..outputs.n {
            let mut channel = channel;
            for _ in 0..CHANNELS {
                let part = [ox..ox.wrapping_add(1), channel..channel.wrapping_add(1)];
                depthwise_part(self.arithmetic, self.geometry, self.x, self.w, y, part, out);
                channel = channel.wrapping_add(self.multiplier);
            }
            ox = ox.wrapping_add(self.geometry.window.dilation[1] as usize);
        }
    }
}
