//! Rows of a depthwise convolution: as many channels at a time as a vector has lanes.
//!
//! In int8 a lane multiplies four taps at a time: the rows that an output row reads are staged four to a plane, in words of
//! one channel's four rows. In f32 a plane is a row. So an output takes a product for each column and plane.

use core::ops::Range;

use super::cpu::{Cpu, MAX_LANES, TAPS_I8, Work};
use super::numbers::{Float32, Int8, Numbers, Sums};
use super::room::{MAX_BYTES, Room, with_room};
use crate::Element;
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::{F32, I8};
use crate::kernels::{is_f32_fast, vectors};
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::depthwise::{depthwise_row_i8, depthwise_scratch_bytes};

/// The most bytes that staged rows take: a small cache has room for them.
const STAGED_BYTES: usize = 24 << 10;
/// What the constants of a channel take at most.
const CHANNEL_BYTES: usize = 32;

/// [`generic::depthwise::depthwise_rows_i8`].
pub fn depthwise_rows_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i32>,
) {
    if !depthwise_rows(Int8::new(arithmetic), geometry, x, w, rows.clone(), out) {
        generic::depthwise::depthwise_rows_i8(arithmetic, geometry, x, w, rows, out, scratch);
    }
}

/// [`generic::depthwise::depthwise_rows_f32`].
pub fn depthwise_rows_f32(
    arithmetic: &F32,
    geometry: &Geometry,
    x: &Rows<f32>,
    w: View<f32>,
    rows: Range<usize>,
    out: &RowsMut<f32>,
) {
    if !is_f32_fast() || !depthwise_rows(Float32(arithmetic), geometry, x, w, rows.clone(), out) {
        generic::depthwise::depthwise_rows_f32(arithmetic, geometry, x, w, rows, out);
    }
}

/// False, and nothing is done, if the machine or the layer is not one for this.
fn depthwise_rows<N: Numbers>(
    numbers: N,
    geometry: &Geometry,
    x: &Rows<N::T>,
    w: View<N::T>,
    rows: Range<usize>,
    out: &RowsMut<N::T>,
) -> bool {
    let planes = Planes::new::<N>(geometry);
    let channels = geometry.output[2].next_multiple_of(MAX_LANES);
    let bytes = STAGED_BYTES.max(planes.staged_len(1).saturating_mul(4)).saturating_add(
        channels.saturating_mul(planes.words().saturating_mul(4).saturating_add(CHANNEL_BYTES)),
    );
    let mut is_done = false;
    // Channels that several outputs read are rare.
    if geometry.input[2] == geometry.output[2] && bytes < MAX_BYTES {
        with_room(bytes + 256, &mut |room| {
            let rows = rows.clone();
            is_done = vectors::run(DepthwiseRows { numbers, geometry, planes, x, w, rows, out, room });
        });
    }
    is_done
}

/// How the window is cut.
#[derive(Clone, Copy)]
struct Planes {
    /// Rows of the window in words of so many.
    planes: usize,
    columns: usize,
    channels: usize,
    /// Words from position to position, and from column to column.
    position: usize,
    column: usize,
}

impl Planes {
    fn new<N: Numbers>(geometry: &Geometry) -> Planes {
        let (channels, window) = (geometry.input[2], &geometry.window);
        Planes {
            planes: geometry.kernel[0].div_ceil(N::TAPS),
            columns: geometry.kernel[1],
            channels,
            position: window.stride[1] as usize * channels,
            column: window.dilation[1] as usize * channels,
        }
    }

    /// Words of a channel's weights.
    #[inline(always)]
    fn words(&self) -> usize {
        self.planes * self.columns
    }

    /// Whether a vector has room for the channels of several positions, which follow each other.
    #[inline(always)]
    fn is_folded<C: Cpu>(&self) -> bool {
        self.channels < C::LANES && C::LANES.is_multiple_of(self.channels) && self.position == self.channels
    }

    /// Words of a plane for so many positions. A vector may reach behind the last channel.
    #[inline(always)]
    fn plane_len(&self, positions: usize) -> usize {
        (positions - 1) * self.position + (self.columns - 1) * self.column + self.channels
    }

    /// Words of all planes.
    #[inline(always)]
    fn staged_len(&self, positions: usize) -> usize {
        self.planes * self.plane_len(positions) + MAX_LANES
    }
}

struct DepthwiseRows<'a, N: Numbers> {
    numbers: N,
    geometry: &'a Geometry,
    planes: Planes,
    x: &'a Rows<'a, N::T>,
    w: View<'a, N::T>,
    rows: Range<usize>,
    out: &'a RowsMut<'a, N::T>,
    room: Room<'a>,
}

/// Weights and constants, a vector of channels after the other.
struct Laid<C: Cpu, N: Numbers> {
    words: *mut i32,
    channels: *mut N::Channels<C>,
}

impl<N: Numbers> Work for DepthwiseRows<'_, N> {
    #[inline(always)]
    fn run<C: Cpu>(mut self, cpu: C) {
        let Planes { channels: n_channels, .. } = self.planes;
        let out_w = self.geometry.output[1];
        let n_vectors = n_channels.div_ceil(C::LANES);
        let mut at_once = out_w;
        while at_once > 1 && self.planes.staged_len(at_once) * 4 > STAGED_BYTES {
            at_once = at_once.div_ceil(2);
        }
        let staged = self.room.take::<i32>(self.planes.staged_len(at_once));
        let channels = self.room.take::<N::Channels<C>>(n_vectors);
        let words = self.room.take::<i32>(n_vectors * C::LANES * self.planes.words());
        let (Some(staged), Some(channels), Some(words)) = (staged, channels, words) else { return };
        let laid = Laid::<C, N> { words, channels };
        self.lay_out(cpu, &laid);
        for y in self.rows.clone() {
            let out = self.out.row(y);
            let mut ox = 0;
            while ox < out_w {
                let n = at_once.min(out_w - ox);
                self.stage(cpu, y, ox, n, staged);
                self.multiply(cpu, &laid, staged, n, out.slice(ox * n_channels, n * n_channels));
                ox += n;
            }
        }
    }
}

impl<N: Numbers> DepthwiseRows<'_, N> {
    #[inline(always)]
    fn lay_out<C: Cpu>(&self, cpu: C, laid: &Laid<C, N>) {
        let Planes { planes, columns, channels: n_channels, .. } = self.planes;
        let zeros = [N::T::default(); MAX_LANES];
        for vector in 0..n_channels.div_ceil(C::LANES) {
            let c = vector * C::LANES;
            let n = C::LANES.min(n_channels - c);
            let mut sums = cpu.splat(0);
            for plane in 0..planes {
                for kx in 0..columns {
                    let mut tails = [[N::T::default(); MAX_LANES]; TAPS_I8];
                    let mut from = [zeros.as_ptr(); TAPS_I8];
                    for (i, (from, tail)) in from.iter_mut().zip(&mut tails).enumerate().take(N::TAPS) {
                        let ky = plane * N::TAPS + i;
                        if ky < self.geometry.kernel[0] {
                            let w = self.w.slice((ky * columns + kx) * n_channels + c, n);
                            *from = whole(w, C::LANES, tail);
                        }
                    }
                    // SAFETY: so many elements, of the weights or of a copy.
                    let words = unsafe { N::interleave::<C, TAPS_I8>(cpu, from) };
                    sums = N::add_weights(cpu, sums, words);
                    let at = ((vector * planes + plane) * columns + kx) * C::LANES;
                    // SAFETY: there is memory for all words of all channels.
                    unsafe { cpu.store(words, laid.words.wrapping_add(at)) };
                }
            }
            let channels = self.numbers.channels(cpu, c, n, sums);
            // SAFETY: there is memory for the constants of all channels.
            unsafe { laid.channels.add(vector).write(channels) };
        }
    }

    /// Stages what `n` positions of row `y` read, from position `ox` on.
    #[inline(always)]
    fn stage<C: Cpu>(&self, cpu: C, y: usize, ox: usize, n: usize, staged: *mut i32) {
        let Geometry { window, input: [_, width, _], .. } = self.geometry;
        let (planes, n_channels) = (&self.planes, self.planes.channels);
        let (image, rows) = self.geometry.row_taps(y);
        let plane_len = planes.plane_len(n);
        // Elements of the padding before the image, then those of the image that are there.
        let left = window.pads[1] as usize * n_channels;
        let start = ox * planes.position;
        let before = left.saturating_sub(start).min(plane_len);
        let from = start.saturating_sub(left);
        let len = (width * n_channels).saturating_sub(from).min(plane_len - before);
        let padding = [self.numbers.padding::<C>().0; MAX_LANES];
        for plane in 0..planes.planes {
            // Rows in the padding, and those behind the window, whose weights are 0.
            let mut sources = [(padding.as_ptr(), 0); TAPS_I8];
            for (i, source) in sources.iter_mut().enumerate().take(N::TAPS) {
                let ky = plane * N::TAPS + i;
                if len > 0 && rows.valid.contains(&ky) {
                    let row = self.x.row(image.wrapping_add(rows.index(ky))).slice(from, len);
                    *source = (row.as_ptr(), 1);
                }
            }
            let to = staged.wrapping_add(plane * plane_len);
            // SAFETY: the staged rows have so many words, and a vector behind them; rows have `len` elements.
            unsafe {
                self.fill(cpu, to, padding.as_ptr(), before);
                self.interleave(cpu, to.wrapping_add(before), &sources, len);
                self.fill(cpu, to.wrapping_add(before + len), padding.as_ptr(), plane_len - before - len);
            }
        }
        // What a vector reads behind the last channel is not used, but must be something.
        // SAFETY: as above.
        unsafe { cpu.store(cpu.splat(0), staged.wrapping_add(planes.planes * plane_len)) };
    }

    /// # Safety
    /// `len` words can be written, and `LANES` elements of padding read.
    #[inline(always)]
    unsafe fn fill<C: Cpu>(&self, cpu: C, to: *mut i32, padding: *const N::T, len: usize) {
        // SAFETY: the padding is read in place, as often as it takes.
        unsafe { self.interleave(cpu, to, &[(padding, 0); TAPS_I8], len) };
    }

    /// Writes the staged words of `len` elements of up to four rows, each given with the step from element to element.
    ///
    /// # Safety
    /// `len` words can be written; rows of step 1 have `len` elements, others `LANES`.
    #[inline(always)]
    unsafe fn interleave<C: Cpu>(
        &self,
        cpu: C,
        to: *mut i32,
        rows: &[(*const N::T, usize); TAPS_I8],
        len: usize,
    ) {
        // SAFETY: as the caller says.
        unsafe {
            if self.geometry.kernel[0] <= 3 {
                self.interleave_rows::<C, 3>(cpu, to, rows, len);
            } else {
                self.interleave_rows::<C, TAPS_I8>(cpu, to, rows, len);
            }
        }
    }

    /// # Safety
    /// See [`Self::interleave`].
    #[inline(always)]
    unsafe fn interleave_rows<C: Cpu, const ROWS: usize>(
        &self,
        cpu: C,
        to: *mut i32,
        rows: &[(*const N::T, usize); TAPS_I8],
        len: usize,
    ) {
        let flip = cpu.splat(N::flip::<C>());
        let mut i = 0;
        while i + C::LANES <= len {
            let mut from = [rows[0].0; TAPS_I8];
            for j in 0..ROWS {
                from[j] = rows[j].0.wrapping_add(i * rows[j].1);
            }
            // SAFETY: so many elements more, and words.
            unsafe { cpu.store(cpu.xor(N::interleave::<C, ROWS>(cpu, from), flip), to.wrapping_add(i)) };
            i += C::LANES;
        }
        let left = len - i;
        if left > 0 {
            let mut tails = [[N::T::default(); MAX_LANES]; TAPS_I8];
            let mut from = [tails[0].as_ptr(); TAPS_I8];
            for j in 0..N::TAPS {
                // SAFETY: so many elements more; the padding has any number.
                unsafe {
                    let row = rows[j].0.wrapping_add(i * rows[j].1);
                    core::ptr::copy_nonoverlapping(row, tails[j].as_mut_ptr(), left);
                }
                from[j] = tails[j].as_ptr();
            }
            let mut last = [0; MAX_LANES];
            // SAFETY: as many words as any CPU has lanes, of which those that are left belong to the caller.
            unsafe {
                cpu.store(cpu.xor(N::interleave::<C, ROWS>(cpu, from), flip), last.as_mut_ptr());
                core::ptr::copy_nonoverlapping(last.as_ptr(), to.wrapping_add(i), left);
            }
        }
    }

    /// The outputs at `n` positions that are staged.
    #[inline(always)]
    fn multiply<C: Cpu>(&self, cpu: C, laid: &Laid<C, N>, staged: *const i32, n: usize, out: ViewMut<N::T>) {
        let planes = &self.planes;
        let run =
            Run { staged, plane_len: planes.plane_len(n), out: out.as_ptr(), positions: n, channels: 0 };
        if planes.is_folded::<C>() {
            // Vectors reach over several positions, which are neighbours; lanes repeat the channels.
            let len = n * planes.channels;
            let whole = len / C::LANES * C::LANES;
            let positions = len / C::LANES;
            self.channels_of(cpu, laid, 0, C::LANES, Run { positions, channels: C::LANES, ..run });
            let rest = Run {
                staged: staged.wrapping_add(whole),
                out: out.as_ptr().wrapping_add(whole),
                positions: 1,
                channels: len - whole,
                ..run
            };
            if rest.channels > 0 {
                self.channels_of(cpu, laid, 0, C::LANES, rest);
            }
            return;
        }
        for vector in 0..planes.channels.div_ceil(C::LANES) {
            let c = vector * C::LANES;
            let run = Run {
                staged: staged.wrapping_add(c),
                out: out.as_ptr().wrapping_add(c),
                channels: C::LANES.min(planes.channels - c),
                ..run
            };
            self.channels_of(cpu, laid, vector, planes.position, run);
        }
    }

    #[inline(always)]
    fn channels_of<C: Cpu>(&self, cpu: C, laid: &Laid<C, N>, vector: usize, step: usize, run: Run<N>) {
        // SAFETY: there are weights and constants of all channels, and the positions are staged.
        unsafe {
            match (self.planes.words(), self.planes.columns) {
                (3, 3) => self.channels::<C, 3>(cpu, laid, vector, step, run),
                (9, 3) => self.channels::<C, 9>(cpu, laid, vector, step, run),
                _ => self.channels::<C, 0>(cpu, laid, vector, step, run),
            }
        }
    }

    /// One vector of channels, of `WORDS` words of weights in three columns, or of any number if that is 0; `step` words
    /// from position to position.
    ///
    /// # Safety
    /// See [`Self::channels_of`].
    #[inline(always)]
    unsafe fn channels<C: Cpu, const WORDS: usize>(
        &self,
        cpu: C,
        laid: &Laid<C, N>,
        vector: usize,
        step: usize,
        run: Run<N>,
    ) {
        let planes = &self.planes;
        let w = laid.words.wrapping_add(vector * C::LANES * planes.words());
        // SAFETY: as the caller says, here and below.
        let channels = unsafe { &*laid.channels.add(vector) };
        let begin = N::begin(channels);
        let mut weights = [cpu.splat(0); WORDS];
        for (i, weights) in weights.iter_mut().enumerate() {
            // SAFETY: as above.
            *weights = unsafe { cpu.load(w.wrapping_add(i * C::LANES)) };
        }
        let out_step = if step == C::LANES && planes.is_folded::<C>() { step } else { planes.channels };
        let (mut position, mut sums) = (0, [cpu.splat(0); AT_ONCE]);
        while position < run.positions {
            let at_once = AT_ONCE.min(run.positions - position);
            for (i, sum) in sums.iter_mut().enumerate().take(at_once) {
                let x = run.staged.wrapping_add((position + i) * step);
                let mut acc = begin;
                if WORDS == 0 {
                    for i in 0..planes.words() {
                        let at = i / planes.columns * run.plane_len + i % planes.columns * planes.column;
                        let w = w.wrapping_add(i * C::LANES);
                        // SAFETY: as above.
                        let (x, w) = unsafe { (cpu.load(x.wrapping_add(at)), cpu.load(w)) };
                        acc = N::dot(cpu, acc, x, w);
                    }
                } else {
                    for (i, &weights) in weights.iter().enumerate() {
                        let at = i / 3 * run.plane_len + i % 3 * planes.column;
                        // SAFETY: as above.
                        acc = N::dot(cpu, acc, unsafe { cpu.load(x.wrapping_add(at)) }, weights);
                    }
                }
                *sum = acc;
            }
            let sums =
                Sums { first: sums.as_ptr(), step: 1, positions: at_once, channels: run.channels, out_step };
            // SAFETY: the channels of an output row's positions.
            unsafe { self.numbers.finish(cpu, channels, sums, run.out.wrapping_add(position * out_step)) };
            position += at_once;
        }
    }
}

/// Neighbouring positions of a vector of channels.
struct Run<N: Numbers> {
    /// Where the first one's first word is.
    staged: *const i32,
    plane_len: usize,
    out: *mut N::T,
    positions: usize,
    /// Channels that are there.
    channels: usize,
}

/// Positions whose sums are computed before they are finished.
const AT_ONCE: usize = 8;

/// The first of `lanes` elements, or of a copy in `tail` if there are fewer, which are repeated.
#[inline(always)]
fn whole<T: Element>(elements: View<T>, lanes: usize, tail: &mut [T; MAX_LANES]) -> *const T {
    if elements.len() == lanes {
        return elements.as_ptr();
    }
    for (i, to) in tail.iter_mut().enumerate() {
        *to = elements.at(i % elements.len());
    }
    tail.as_ptr()
}
