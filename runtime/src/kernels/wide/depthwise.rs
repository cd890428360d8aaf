//! Rows of a depthwise convolution: as many channels at a time as a vector has lanes.
//!
//! In int8 a lane multiplies four taps at a time: the rows that an output row reads are staged four to a plane, in words of
//! one channel's four rows. In f32 a plane is a row. So an output takes a product for each column and plane.

use core::ops::Range;

use super::cpu::{Cpu, MAX_LANES, TAPS_I8, Work};
use super::float32::Float32;
use super::int8::Int8;
use super::numbers::{Numbers, Sums};
use super::planes::{Planes, whole};
use super::room::{MAX_BYTES, Room, with_room};
use super::vectors;
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::{F32, I8};
use crate::kernels::is_f32_fast;
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::depthwise::{depthwise_row_i8, depthwise_scratch_bytes};

/// The most bytes that staged rows take: a small cache has room for them.
const STAGED_BYTES: usize = 24 << 10;
/// What the constants of a channel take at most.
const CHANNEL_BYTES: usize = 32;

layer_entries!(depthwise: depthwise_rows_i8, depthwise_rows_f32 by depthwise_rows);

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

/// Rows to compute.
pub(super) struct DepthwiseRows<'a, N: Numbers> {
    pub(super) numbers: N,
    pub(super) geometry: &'a Geometry,
    pub(super) planes: Planes,
    pub(super) x: &'a Rows<'a, N::T>,
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
            let sums = Sums {
                first: sums.as_ptr(),
                vectors: 1,
                positions: at_once,
                channels: run.channels,
                out_step,
            };
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
