//! Output rows of an int8 convolution with weights in vectors: two positions at a time, whose lines of taps are read where
//! they are. Those that reach out of the row are copied, and so is what has no partner.

use core::ops::Range;
use core::ptr::null;

use super::patch::{PatchRow, Patches};
use super::requantize::clamp_row;
use super::vectors::{Fours, KEPT, Run, fours};
use crate::mem::{Rows, RowsMut, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::conv_vectors::{
    GROUP, Line, MAX_RUN, RUN_WORDS, VECTOR, Vectors, conv_vectors_scratch_bytes,
};

/// See the generic function of this name.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn conv_vector_rows(
    layer: &Vectors,
    geometry: &Geometry,
    x: &Rows<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i32>,
) {
    let bytes = layer.line.channel_bytes;
    let run_words = scratch.len().wrapping_sub(bytes / 2);
    let patches = Patches {
        geometry,
        x,
        line_bytes: layer.line.bytes,
        padding: layer.padding.into(),
        to: scratch.slice(run_words, bytes / 2).as_ptr().cast(),
        bytes,
        before: 0,
    };
    let runs = scratch.slice(0, run_words).as_ptr().cast();
    let mut kernel = Kernel { layer, channels: geometry.output[2], patches, runs, waiting: None };
    let is_pointwise = kernel.is_pointwise();
    let [inside, reaching] = [layer.line.bytes, layer.line.taps].map(|bytes| kernel.columns_inside(bytes));
    for y in rows.clone() {
        if is_pointwise {
            kernel.pointwise(y, out.row(y));
        } else {
            kernel.row(y, &inside, &reaching, out.row(y));
        }
    }
    kernel.finish_waiting(None);
    for y in rows {
        clamp_row(out.row(y), layer.requantize.bounds);
    }
}

/// A layer in the works.
struct Kernel<'a> {
    layer: &'a Vectors<'a>,
    /// Channels of the output.
    channels: usize,
    /// Two of them.
    patches: Patches<'a>,
    runs: *mut Run,
    /// A position, in a pixel or the first patch, that waits for a partner.
    waiting: Option<Position>,
}

/// Where a position's activations and outputs are.
#[derive(Clone, Copy)]
struct Position {
    x: *const i8,
    out: *mut i8,
}

impl Kernel<'_> {
    /// Columns of which so many bytes of all lines are inside the image's rows.
    fn columns_inside(&self, bytes: usize) -> Range<usize> {
        let Geometry { window, input: [_, width, c_in], output: [_, out_w, _], .. } = *self.patches.geometry;
        let is_aligned = self.layer.line.bytes.is_multiple_of(VECTOR);
        let (stride, left) = (window.stride[1] as usize, window.pads[1] as usize);
        let pixels = bytes.div_ceil(c_in.max(1));
        // A window's stride is not 0.
        let start = left.div_ceil(stride.max(1)).min(out_w);
        match width.wrapping_add(left).checked_sub(pixels) {
            Some(last) if is_aligned => {
                start..last.checked_div(stride).unwrap_or(0).wrapping_add(1).min(out_w).max(start)
            }
            _ => 0..0,
        }
    }

    /// Whether behind every row that an output row reads there is another one in memory, as long as a vector: so much may be
    /// read behind a line, and is multiplied with zeros.
    fn is_followed(&self, PatchRow { image, taps, .. }: &PatchRow) -> bool {
        let [height, width, c_in] = self.patches.geometry.input;
        let last = taps.index(taps.valid.end.wrapping_sub(1));
        let first = image.wrapping_add(last);
        last.wrapping_add(1) < height
            && width.wrapping_mul(c_in) >= VECTOR
            && self.patches.x.joined(first..first.wrapping_add(2)).is_some()
    }

    /// Whether a position reads a pixel and nothing behind it.
    fn is_pointwise(&self) -> bool {
        let Geometry { window, kernel, input, .. } = self.patches.geometry;
        kernel == &[1, 1] && window.pads == [0; 4] && input[2].is_multiple_of(VECTOR)
    }

    /// Computes row `y` of a pointwise layer, whose last pixel may have to wait for the next row's first one.
    fn pointwise(&mut self, y: usize, out: ViewMut<i8>) {
        let Geometry { window, input: [_, _, c_in], output: [_, out_w, _], .. } = *self.patches.geometry;
        let (image, taps) = self.patches.geometry.row_taps(y);
        let x = self.patches.x.row(image.wrapping_add(taps.index(0))).as_ptr();
        let (out, step) = (out.as_ptr(), c_in.wrapping_mul(window.stride[1] as usize));
        // What is computed first may stand on the pixel that waits: there it is not needed any more when it is alone.
        let first = self.waiting.as_ref().is_some_and(|waiting| {
            let (x, out) = (waiting.x as usize, out as usize);
            x.wrapping_add(c_in) <= out || out.wrapping_add(self.channels) <= x
        });
        self.finish_waiting(first.then_some(Position { x, out }));
        let start = first as usize;
        let at = |ox: usize| Position {
            x: x.wrapping_add(ox.wrapping_mul(step)),
            out: out.wrapping_add(ox.wrapping_mul(self.channels)),
        };
        let (position, last) = (at(start), at(out_w.wrapping_sub(1)));
        let n = out_w.wrapping_sub(start);
        if n > 1 {
            let n_runs = self.add_runs(0, position.x, step, c_in);
            self.compute(n_runs, n / 2, step.wrapping_mul(2), position.out, self.channels, false);
        }
        self.waiting = (n & 1 != 0).then_some(last);
    }

    /// Computes row `y`. Columns `inside` lie with whole vectors inside the image's rows, and `reaching` with their taps.
    fn row(&mut self, y: usize, inside: &Range<usize>, reaching: &Range<usize>, out: ViewMut<i8>) {
        let out_w = self.patches.geometry.output[1];
        let row = self.patches.row(y);
        let none = 0..0;
        let inside = match row.taps.valid.is_empty() {
            true => &none,
            false if inside != reaching && self.is_followed(&row) => reaching,
            false => inside,
        };
        let in_place = inside.start..inside.end.wrapping_sub(inside.len() & 1);
        self.copied(&row, 0..in_place.start, out);
        if !in_place.is_empty() {
            self.in_place(&row, in_place.clone(), out);
        }
        self.copied(&row, in_place.end..out_w, out);
    }

    /// Computes pairs of columns of a row.
    fn in_place(&mut self, PatchRow { image, taps, .. }: &PatchRow, columns: Range<usize>, out: ViewMut<i8>) {
        let Geometry { window, input: [_, _, c_in], kernel: [kh, _], .. } = *self.patches.geometry;
        let line_bytes = self.layer.line.bytes;
        let step = (window.stride[1] as usize).wrapping_mul(c_in);
        let start =
            columns.start.wrapping_mul(step).wrapping_sub((window.pads[1] as usize).wrapping_mul(c_in));
        let is_padded = taps.valid.len() < kh;
        if is_padded {
            // SAFETY: a patch, which nothing waits in, has room for a line.
            unsafe { self.padding().write_bytes(self.layer.padding as u8, line_bytes) };
        }
        let mut n_runs = 0;
        for ky in 0..kh {
            n_runs = if taps.valid.contains(&ky) {
                let row = self.patches.x.row(image.wrapping_add(taps.index(ky)));
                self.add_runs(n_runs, row.as_ptr().wrapping_add(start), step, line_bytes)
            } else {
                self.add_padding(n_runs)
            };
        }
        let to = out.as_ptr().wrapping_add(columns.start.wrapping_mul(self.channels));
        self.compute(n_runs, columns.len() / 2, step.wrapping_mul(2), to, self.channels, is_padded);
    }

    /// The second patch, in which nothing waits.
    fn padding(&self) -> *mut i8 {
        self.patches.to.wrapping_add(self.patches.bytes)
    }

    /// Appends the runs of a line in the padding.
    fn add_padding(&mut self, n_runs: usize) -> usize {
        let (mut n_runs, mut left) = (n_runs, self.layer.line.bytes / VECTOR);
        while left != 0 {
            let vectors = left.min(MAX_RUN);
            self.set_run(n_runs, Run { x: [self.padding(); 2].map(<*mut i8>::cast_const), vectors });
            (n_runs, left) = (n_runs.wrapping_add(1), left.wrapping_sub(vectors));
        }
        n_runs
    }

    /// Computes columns of a row from copies of what they read.
    fn copied(&mut self, row: &PatchRow, columns: Range<usize>, out: ViewMut<i8>) {
        let mut ox = columns.start;
        while ox < columns.end {
            let room = if self.waiting.is_some() { 1 } else { 2 };
            let n = columns.end.wrapping_sub(ox).min(room);
            let bytes = self.patches.bytes;
            let first = self.patches.to;
            self.patches.to = first.wrapping_add(bytes.wrapping_mul(2usize.wrapping_sub(room)));
            self.patches.fill(row, ox..ox.wrapping_add(n));
            self.patches.to = first;
            let to = out.as_ptr().wrapping_add(ox.wrapping_mul(self.channels));
            let second = Position { x: first.wrapping_add(bytes), out: to };
            if room == 2 {
                self.waiting = Some(Position { x: first, ..second });
            }
            if n == 2 {
                self.finish_waiting(Some(Position { out: to.wrapping_add(self.channels), ..second }));
            } else if room == 1 {
                self.finish_waiting(Some(second));
            }
            ox = ox.wrapping_add(n);
        }
    }

    /// Computes the position that waits, if there is one, together with a second one, if there is one.
    fn finish_waiting(&mut self, second: Option<Position>) {
        let Some(first) = self.waiting.take() else { return };
        let second = second.unwrap_or(first);
        let distance = |a: usize, b: usize| b.wrapping_sub(a);
        let x_distance = distance(first.x as usize, second.x as usize);
        let n_runs = self.add_runs(0, first.x, x_distance, self.patches.bytes);
        self.compute(n_runs, 1, 0, first.out, distance(first.out as usize, second.out as usize), false);
    }

    /// Appends the runs of `bytes` neighbouring bytes from `x` on, which another position has `distance` bytes further.
    fn add_runs(&mut self, n_runs: usize, x: *const i8, distance: usize, bytes: usize) -> usize {
        let (mut n_runs, mut done) = (n_runs, 0usize);
        while done < bytes {
            let n = bytes.wrapping_sub(done).min(MAX_RUN * VECTOR);
            let x = x.wrapping_add(done);
            self.set_run(n_runs, Run { x: [x, x.wrapping_add(distance)], vectors: n / VECTOR });
            (n_runs, done) = (n_runs.wrapping_add(1), done.wrapping_add(n));
        }
        n_runs
    }

    fn set_run(&mut self, i: usize, run: Run) {
        // SAFETY: the scratch memory has room for all runs of a window and their end.
        unsafe { self.runs.add(i).write(run) };
    }

    /// Computes the outputs of pairs of positions from `out` on; the second one's are `distance` bytes behind the first's.
    fn compute(
        &mut self,
        n_runs: usize,
        pairs: usize,
        x_step: usize,
        out: *mut i8,
        distance: usize,
        is_padded: bool,
    ) {
        let Vectors { requantize, w, .. } = self.layer;
        let zero_point = requantize.zero_point;
        let is_negative = (requantize.bounds.0 as i32) < zero_point;
        let end = [zero_point as usize as *const i8, distance as *const i8];
        self.set_run(n_runs, Run { x: end, vectors: is_negative as usize });
        let last = self.runs.wrapping_add(n_runs.wrapping_sub(1));
        // SAFETY: there is a run, as a window has taps.
        let before_kept = unsafe { (*last).vectors }.checked_sub(KEPT);
        if let Some(vectors) = before_kept {
            // SAFETY: the same.
            unsafe { (*last).vectors = vectors };
        }
        let job = Fours {
            w: w.as_ptr(),
            w_end: w.as_ptr_range().end,
            table: requantize.channels.0.as_ptr(),
            out,
            runs: self.runs,
            pairs,
            n_runs,
            x_step,
            out_step: self.channels,
            kept: if before_kept.is_some() { last } else { null() },
            kept_offset: before_kept.unwrap_or(0).wrapping_mul(VECTOR),
            padding: if is_padded { self.padding() } else { null() },
        };
        // SAFETY: runs inside of rows or patches, weights and entries of all channels, and outputs of so many positions.
        unsafe { fours(&job) };
    }
}

const _: () = assert!(size_of::<*const i8>() != 4 || size_of::<Run>() == 4 * RUN_WORDS);
const _: () = assert!(GROUP == 4);
