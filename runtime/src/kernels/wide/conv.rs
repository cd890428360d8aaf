//! Rows of a convolution: a few positions times a few vectors of channels at a time.
//!
//! The weights of each channel are words in the order of the taps; those of neighbouring channels are the lanes of a vector.
//! The rows that an output row reads are staged with their padding, so that every tap of every position is there.

use core::ops::Range;

use super::cpu::{Cpu, MAX_LANES, Work, load};
use super::float32::Float32;
use super::int8::Int8;
use super::numbers::Numbers;
use super::room::{MAX_BYTES, Room, with_room};
use super::tile::tile_vectors;
use super::vectors;
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::{F32, I8};
use crate::kernels::is_f32_fast;
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::conv::{conv_row_i8, conv_scratch_bytes};

/// The most bytes that staged rows take: a small cache has room for them.
const STAGED_BYTES: usize = 16 << 10;
/// What the constants of a channel take at most.
const CHANNEL_BYTES: usize = 32;

layer_entries!(conv: conv_rows_i8, conv_rows_f32 by conv_rows);

/// False, and nothing is done, if the machine or the layer is not one for this.
fn conv_rows<N: Numbers>(
    numbers: N,
    geometry: &Geometry,
    x: &Rows<N::T>,
    w: View<N::T>,
    rows: Range<usize>,
    out: &RowsMut<N::T>,
) -> bool {
    if rows.is_empty() {
        return true;
    }
    let is_pointwise =
        geometry.kernel == [1, 1] && geometry.window.stride == [1, 1] && geometry.window.pads == [0; 4];
    if is_pointwise && let (Some(x), Some(joined)) = (x.joined(rows.clone()), out.joined(rows.clone())) {
        // As one long row: an output stands on no input of its own row or a later one, here as there.
        let [[_, width, c_in], [_, _, c_out]] = [geometry.input, geometry.output];
        let len = rows.len() * width;
        let geometry = Geometry { input: [1, len, c_in], output: [1, len, c_out], ..*geometry };
        let (x, out) = (Rows::new(x, len * c_in), RowsMut::new(joined, len * c_out));
        return conv_rows_apart(numbers, &geometry, &x, w, 0..1, &out);
    }
    conv_rows_apart(numbers, geometry, x, w, rows, out)
}

/// The same, row after row.
fn conv_rows_apart<N: Numbers>(
    numbers: N,
    geometry: &Geometry,
    x: &Rows<N::T>,
    w: View<N::T>,
    rows: Range<usize>,
    out: &RowsMut<N::T>,
) -> bool {
    let lines = Lines::new::<N>(geometry);
    let channels = geometry.output[2].next_multiple_of(4 * MAX_LANES);
    let bytes = STAGED_BYTES
        .max(lines.staged_len(1).saturating_mul(size_of::<N::Staged>()))
        .saturating_add(8 * (lines.ring + lines.words) + 512)
        .saturating_add(channels.saturating_mul(CHANNEL_BYTES.saturating_add(4 * lines.words)));
    let mut is_done = false;
    if bytes < MAX_BYTES || lines.fits::<N>() {
        with_room(bytes, &mut |room| {
            let rows = rows.clone();
            is_done = vectors::run(ConvRows { numbers, geometry, lines, x, w, rows, out, room });
        });
    }
    is_done
}

/// Neighbouring taps that are neighbours in memory, in elements: a row of the window, or a pixel of it where dilation tears
/// the row apart.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    /// Rows of the window, lines of a row, and rows of the image that are staged at a time.
    pub(super) rows: usize,
    pub(super) in_row: usize,
    pub(super) ring: usize,
    /// Whether rows of the window may be above or below the image.
    pub(super) is_padded: bool,
    /// Taps of a line, and from line to line.
    pub(super) len: usize,
    pub(super) step: usize,
    /// Words of all lines.
    pub(super) words: usize,
    /// Elements from position to position, and those that a row of the window spans, with those of its last word.
    pub(super) position: usize,
    pub(super) span: usize,
}

impl Lines {
    fn new<N: Numbers>(geometry: &Geometry) -> Lines {
        let ([kh, kw], [_, _, c_in], window) = (geometry.kernel, geometry.input, &geometry.window);
        let is_torn = window.dilation[1] != 1 && kw != 1;
        let (in_row, len) = if is_torn { (kw, c_in) } else { (1, kw * c_in) };
        let step = window.dilation[1] as usize * c_in;
        Lines {
            rows: kh,
            in_row,
            ring: (kh - 1) * window.dilation[0] as usize + 1,
            is_padded: window.pads[0] | window.pads[2] != 0,
            len,
            step,
            words: kh * in_row * len.div_ceil(N::TAPS),
            position: window.stride[1] as usize * c_in,
            span: (in_row - 1) * step + len.next_multiple_of(N::TAPS),
        }
    }

    /// Elements of a staged row for so many positions.
    #[inline(always)]
    fn row_len(&self, positions: usize) -> usize {
        (positions - 1) * self.position + self.span
    }

    /// Elements of all staged rows, and of one that is nothing but padding, if there is any.
    #[inline(always)]
    fn staged_len(&self, positions: usize) -> usize {
        (self.ring + self.is_padded as usize) * self.row_len(positions)
    }

    /// Whether windows are three whole pixels wide and overlap in two of them.
    #[inline(always)]
    pub(super) fn shares_columns<N: Numbers>(&self) -> bool {
        self.in_row == 1 && self.len == 3 * self.position && self.position.is_multiple_of(N::TAPS)
    }

    /// Lines of the window.
    #[inline(always)]
    fn count(&self) -> usize {
        self.rows * self.in_row
    }

    /// Whether the most memory that there is suffices for a position and a few channels.
    fn fits<N: Numbers>(&self) -> bool {
        let staged = self.staged_len(1).saturating_mul(size_of::<N::Staged>());
        let lines = 8 * (self.ring + self.words);
        staged.saturating_add(lines).saturating_add(MAX_LANES * 4 * self.words) < MAX_BYTES / 2
    }
}

pub(super) struct ConvRows<'a, N: Numbers> {
    pub(super) numbers: N,
    pub(super) geometry: &'a Geometry,
    pub(super) lines: Lines,
    pub(super) x: &'a Rows<'a, N::T>,
    pub(super) w: View<'a, N::T>,
    pub(super) rows: Range<usize>,
    pub(super) out: &'a RowsMut<'a, N::T>,
    pub(super) room: Room<'a>,
}

/// Vectors of channels whose weights are laid out.
pub(super) struct Block<C: Cpu, N: Numbers> {
    pub(super) first: usize,
    pub(super) len: usize,
    pub(super) words: *mut i32,
    pub(super) channels: *mut N::Channels<C>,
}

/// Rows of the image with their padding: a row is staged once for all output rows that read it.
pub(super) struct Staged<N: Numbers> {
    /// As many rows as the window spans, by turns, then one of padding.
    pub(super) elements: *mut N::Staged,
    pub(super) row_len: usize,
    /// The image's row in each place, counted from 1.
    pub(super) rows: *mut usize,
    /// Where the words of the window are at the first position.
    pub(super) words: *mut usize,
}

impl<N: Numbers> Work for ConvRows<'_, N> {
    #[inline(always)]
    fn run<C: Cpu>(mut self, cpu: C) {
        let [_, out_w, n_channels] = self.geometry.output;
        let n_vectors = n_channels.div_ceil(C::LANES);
        let element = size_of::<N::Staged>();
        // Fewer positions at a time where they would take too much.
        let mut at_once = out_w;
        while at_once > 1 && self.lines.staged_len(at_once) * element > STAGED_BYTES {
            at_once = at_once.div_ceil(2);
        }
        let elements = self.room.take::<N::Staged>(self.lines.staged_len(at_once));
        let (rows, places) = (self.room.take(self.lines.ring), self.room.take(self.lines.words));
        let vector_bytes = C::LANES * (CHANNEL_BYTES + 4 * self.lines.words);
        let block_len = (self.room.left().saturating_sub(256) / vector_bytes).min(n_vectors);
        let channels = self.room.take::<N::Channels<C>>(block_len);
        let words = self.room.take::<i32>(block_len * C::LANES * self.lines.words);
        let (Some(elements), Some(rows), Some(places)) = (elements, rows, places) else { return };
        let (Some(channels), Some(words)) = (channels, words) else { return };
        let mut staged = Staged::<N> { elements, row_len: 0, rows, words: places };
        let mut block = Block::<C, N> { first: 0, len: block_len, words, channels };
        let is_whole = block_len == n_vectors;
        if is_whole {
            self.lay_out(cpu, &block);
        }
        for y in self.rows.clone() {
            let out = self.out.row(y);
            let mut ox = 0;
            while ox < out_w {
                let n = at_once.min(out_w - ox);
                if at_once < out_w || staged.row_len == 0 {
                    self.clear(&mut staged, n);
                }
                self.stage(cpu, y, ox, n, &staged);
                block.first = 0;
                while block.first < n_vectors {
                    block.len = block_len.min(n_vectors - block.first);
                    if !is_whole {
                        self.lay_out(cpu, &block);
                    }
                    let out = out.slice(ox * n_channels, n * n_channels);
                    self.multiply(cpu, &block, &staged, n, out);
                    block.first += block.len;
                }
                ox += n;
            }
        }
    }
}

impl<N: Numbers> ConvRows<'_, N> {
    /// Weights and constants of a block of channels.
    #[inline(always)]
    fn lay_out<C: Cpu>(&self, cpu: C, block: &Block<C, N>) {
        let (mut vector, mut to) = (0, block.words);
        while vector < block.len {
            let n = tile_vectors::<C>(block.len - vector);
            for i in 0..n {
                let c = (block.first + vector + i) * C::LANES;
                let n_channels = C::LANES.min(self.geometry.output[2] - c);
                let sums =
                    self.lay_out_vector(cpu, c, n_channels, to.wrapping_add(i * C::LANES), n * C::LANES);
                let channels = self.numbers.channels(cpu, c, n_channels, sums);
                // SAFETY: the block has constants for all its vectors.
                unsafe { block.channels.add(vector + i).write(channels) };
            }
            to = to.wrapping_add(n * C::LANES * self.lines.words);
            vector += n;
        }
    }

    /// Writes the weights of a vector's channels, a vector every `step` words; returns the sums of the channels.
    #[inline(always)]
    fn lay_out_vector<C: Cpu>(&self, cpu: C, c: usize, n: usize, mut to: *mut i32, step: usize) -> C::V {
        let taps = self.lines.count() * self.lines.len;
        let mut sums = cpu.splat(0);
        for line in 0..self.lines.count() {
            let mut at = 0;
            while at < self.lines.len {
                let start = line * self.lines.len + at;
                let mut vectors = [cpu.splat(0); MAX_LANES];
                let len = (self.lines.len - at).min(C::LANES * N::TAPS);
                let n_words = len.div_ceil(N::TAPS);
                for (i, row) in vectors.iter_mut().enumerate().take(n) {
                    let w = self.w.slice((c + i) * taps + start, len);
                    // SAFETY: so many weights.
                    *row = unsafe { load(cpu, w.as_ptr().cast(), len * size_of::<N::T>()) };
                }
                cpu.transpose(&mut vectors);
                for &vector in vectors.iter().take(n_words) {
                    sums = N::add_weights(cpu, sums, vector);
                    // SAFETY: the block has memory for all words of its channels.
                    unsafe { cpu.store(vector, to) };
                    to = to.wrapping_add(step);
                }
                at += len;
            }
        }
        sums
    }

    /// Forgets the staged rows, of which there will be new ones for `n` positions.
    #[inline(always)]
    fn clear(&self, staged: &mut Staged<N>, n: usize) {
        staged.row_len = self.lines.row_len(n);
        for i in 0..self.lines.ring {
            // SAFETY: there are as many places.
            unsafe { staged.rows.add(i).write(0) };
        }
    }

    /// Stages what `n` positions of row `y` read, from position `ox` on, unless it is there.
    #[inline(always)]
    fn stage<C: Cpu>(&self, cpu: C, y: usize, ox: usize, n: usize, staged: &Staged<N>) {
        let Geometry { window, input: [_, width, c_in], .. } = self.geometry;
        let (image, rows) = self.geometry.row_taps(y);
        let row_len = self.lines.row_len(n);
        // Elements of the padding before the image, then those of the image that are there.
        let left = window.pads[1] as usize * c_in;
        let start = ox * self.lines.position;
        let before = left.saturating_sub(start).min(row_len);
        let from = start.saturating_sub(left);
        let len = (width * c_in).saturating_sub(from).min(row_len - before);
        let (_, padding) = self.numbers.padding::<C>();
        if rows.valid.len() < self.lines.rows {
            // SAFETY: the row of padding is behind the others.
            unsafe { fill(staged.elements.wrapping_add(self.lines.ring * row_len), padding, row_len) };
        }
        let (mut word, n_words) = (staged.words, self.lines.len.div_ceil(N::TAPS));
        for ky in 0..self.lines.rows {
            let mut place = self.lines.ring;
            if rows.valid.contains(&ky) {
                let row = image.wrapping_add(rows.index(ky));
                place = row % self.lines.ring;
                let to = staged.elements.wrapping_add(place * row_len);
                // SAFETY: there are so many places, and rows of so many elements; those of the image are in its row.
                unsafe {
                    if staged.rows.add(place).replace(row + 1) != row + 1 {
                        fill(to, padding, before);
                        let row = self.x.row(row).slice(from, len);
                        self.numbers.stage(cpu, row.as_ptr(), to.wrapping_add(before), len);
                        fill(to.wrapping_add(before + len), padding, row_len - before - len);
                    }
                }
            }
            for kx in 0..self.lines.in_row {
                let start = place * row_len + kx * self.lines.step;
                for i in 0..n_words {
                    // SAFETY: there are so many words.
                    unsafe { word.write(start + i * N::TAPS) };
                    word = word.wrapping_add(1);
                }
            }
        }
    }
}

/// # Safety
/// `len` elements can be written.
#[inline(always)]
unsafe fn fill<T: Copy>(to: *mut T, value: T, len: usize) {
    for i in 0..len {
        // SAFETY: the caller has so many.
        unsafe { to.add(i).write(value) };
    }
}
