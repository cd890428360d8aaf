//! One output row of a pooling, and how each kind of pooling reduces a window.

use core::ops::Range;

use super::arithmetic::clamp_f32;
pub use super::reduce::Pixels;
use super::reduce::add_pixels;
use super::requantize::clamp_i8;
#[cfg(not(dunlin_mve))]
pub use super::requantize::clamp_row;
use crate::Element;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::{ColumnRun, Geometry};

/// How the values of a window become one.
pub trait Pool {
    /// Element of input and output.
    type T: Element;
    /// Accumulator.
    type Acc: Element;
    /// What an empty window gives.
    const EMPTY: Self::Acc;
    /// Takes one value more.
    fn add(&self, acc: Self::Acc, x: Self::T) -> Self::Acc;
    /// The output for a window of `n` values inside the image.
    fn finish(&self, acc: Self::Acc, n: usize) -> Self::T;
    /// Takes pixels, of as many channels as there are accumulators.
    #[inline(always)]
    fn add_pixels(&self, acc: ViewMut<Self::Acc>, pixels: Pixels<Self::T>) {
        add_pixels(acc, pixels, |acc, x| self.add(acc, x));
    }
    /// [`Pool::finish`] of many accumulators.
    #[inline(always)]
    fn finish_all(&self, acc: View<Self::Acc>, n: usize, out: ViewMut<Self::T>) {
        for i in 0..out.len() {
            out.set(i, self.finish(acc.at(i), n));
        }
    }
    /// Row `y` of a pooling of `x`. Positions in the padding do not count.
    #[inline(always)]
    fn row(&self, geometry: &Geometry, x: &Rows<Self::T>, y: usize, out: ViewMut<Self::T>) {
        pool_row(self, geometry, x, y, out);
    }
    /// Takes rows `rows` of the image into the accumulators of a pooling to one row; the first row begins anew.
    #[inline(always)]
    fn accumulate(
        &self,
        geometry: &Geometry,
        x: &Rows<Self::T>,
        rows: Range<usize>,
        acc: ViewMut<Self::Acc>,
    ) {
        accumulate_rows(self, geometry, x, rows, acc);
    }
}

/// f32 mean, clamped.
pub struct AverageF32(pub (f32, f32));

impl Pool for AverageF32 {
    type T = f32;
    type Acc = f32;
    const EMPTY: f32 = 0.0;

    #[inline(always)]
    fn add(&self, acc: f32, x: f32) -> f32 {
        acc + x
    }
    #[inline(always)]
    fn finish(&self, acc: f32, n: usize) -> f32 {
        clamp_f32(acc / n as f32, self.0)
    }
}

/// Adds pixels to an accumulator for each of their channels.
#[cfg(not(dunlin_mve))]
pub fn add_pixels_i8(acc: ViewMut<i32>, pixels: Pixels<i8>) {
    add_pixels(acc, pixels, |acc, x| acc.wrapping_add(x as i32));
}

/// The most values of a window.
pub const MAX_VALUES: usize = 255 * 255;

/// The means of `n` values, of which `acc` holds the sums; see [`AverageI8`].
#[cfg_attr(dunlin_armv6m, allow(dead_code))]
#[inline(never)]
pub fn means_i8(mean: &AverageI8, acc: View<i32>, n: usize, out: ViewMut<i8>) {
    let n = n.clamp(1, MAX_VALUES) as i32;
    let half = n >> 1;
    for i in 0..out.len() {
        let acc = acc.at(i);
        let sign = acc >> 31;
        // Ties go away from zero; a mean of int8 is int8.
        let rounded = acc.wrapping_add((half ^ sign).wrapping_sub(sign));
        out.set(i, (rounded / n) as i8);
    }
    crate::kernels::pool::clamp_row(out, mean.0);
}

/// Mean of the stored integers, rounded to nearest with ties away from zero, clamped. A window has at most
/// 255 * 255 values, so that the sum stays below 2^23.
pub struct AverageI8(pub (i8, i8));

impl Pool for AverageI8 {
    type T = i8;
    type Acc = i32;
    const EMPTY: i32 = 0;

    #[inline(always)]
    fn add(&self, acc: i32, x: i8) -> i32 {
        acc.wrapping_add(x as i32)
    }
    #[inline(always)]
    fn finish(&self, acc: i32, n: usize) -> i8 {
        let n = n as i32;
        let half = if acc > 0 { n / 2 } else { -(n / 2) };
        let mean = acc.wrapping_add(half).checked_div(n).unwrap_or(0);
        clamp_i8(mean, self.0)
    }
    #[inline(always)]
    fn add_pixels(&self, acc: ViewMut<i32>, pixels: Pixels<i8>) {
        crate::kernels::pool::add_pixels_i8(acc, pixels);
    }
    #[inline(always)]
    fn finish_all(&self, acc: View<i32>, n: usize, out: ViewMut<i8>) {
        crate::kernels::pool::means_i8(self, acc, n, out);
    }
    #[inline(always)]
    fn row(&self, geometry: &Geometry, x: &Rows<i8>, y: usize, out: ViewMut<i8>) {
        average_row_i8(self, geometry, x, y, out);
    }
}

/// f32 maximum, clamped; NaNs are passed over.
pub struct MaxF32(pub (f32, f32));

impl Pool for MaxF32 {
    type T = f32;
    type Acc = f32;
    const EMPTY: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn add(&self, acc: f32, x: f32) -> f32 {
        if x > acc { x } else { acc }
    }
    #[inline(always)]
    fn finish(&self, acc: f32, _n: usize) -> f32 {
        clamp_f32(acc, self.0)
    }
}

/// Maximum of the stored integers, clamped.
pub struct MaxI8(pub (i8, i8));

impl Pool for MaxI8 {
    type T = i8;
    type Acc = i8;
    const EMPTY: i8 = i8::MIN;

    #[inline(always)]
    fn add(&self, acc: i8, x: i8) -> i8 {
        acc.max(x)
    }
    #[inline(always)]
    fn finish(&self, acc: i8, _n: usize) -> i8 {
        acc.max(self.0.0).min(self.0.1)
    }
    #[inline(always)]
    fn finish_all(&self, acc: View<i8>, _n: usize, out: ViewMut<i8>) {
        out.copy_from(acc);
        crate::kernels::pool::clamp_row(out, self.0);
    }
    #[inline(always)]
    fn row(&self, geometry: &Geometry, x: &Rows<i8>, y: usize, out: ViewMut<i8>) {
        max_rows_i8(geometry, x, geometry.rows_read(y), false, out);
        crate::kernels::pool::clamp_row(out, self.0);
    }
    #[inline(always)]
    fn accumulate(&self, geometry: &Geometry, x: &Rows<i8>, rows: Range<usize>, acc: ViewMut<i8>) {
        let continues = rows.start != 0;
        max_rows_i8(geometry, x, within(rows, geometry.rows_read(0)), continues, acc);
    }
}

/// [`Pool::row`] of any pooling.
pub fn pool_row<P: Pool + ?Sized>(
    pool: &P,
    geometry: &Geometry,
    x: &Rows<P::T>,
    y: usize,
    out: ViewMut<P::T>,
) {
    let channels = geometry.output[2];
    let rows = geometry.rows_read(y);
    for_each_column(geometry, |run, ox| {
        let n = rows.len().wrapping_mul(run.n_taps);
        for c in 0..channels {
            let mut acc = P::EMPTY;
            for row in rows.clone() {
                let Pixels { x, .. } = window_pixels(run, x.row(row), ox, channels, c..c.wrapping_add(1));
                let mut i = 0usize;
                for _ in 0..run.n_taps {
                    acc = pool.add(acc, x.at(i));
                    i = i.wrapping_add(channels);
                }
            }
            out.set(ox.wrapping_mul(channels).wrapping_add(c), pool.finish(acc, n));
        }
    });
}

/// [`Pool::accumulate`] of any pooling.
pub fn accumulate_rows<P: Pool + ?Sized>(
    pool: &P,
    geometry: &Geometry,
    x: &Rows<P::T>,
    rows: Range<usize>,
    acc: ViewMut<P::Acc>,
) {
    let ([_, in_w, _], [_, out_w, channels]) = (geometry.input, geometry.output);
    if rows.start == 0 {
        acc.fill(P::EMPTY);
    }
    let rows = within(rows, geometry.rows_read(0));
    // Whole rows that follow each other are pixels that do.
    if let (1, Some(x)) = (out_w, x.joined(rows.clone()))
        && geometry.column_run(0).n_taps == in_w
    {
        let count = rows.len().wrapping_mul(in_w);
        return pool.add_pixels(acc, Pixels { x, distance: channels, count });
    }
    for row in rows {
        for_each_column(geometry, |run, ox| {
            let pixels = window_pixels(run, x.row(row), ox, channels, 0..channels);
            pool.add_pixels(acc.slice(ox.wrapping_mul(channels), channels), pixels);
        });
    }
}

/// The one row that the accumulators hold.
pub fn finish_row<P: Pool>(pool: &P, geometry: &Geometry, acc: View<P::Acc>, out: ViewMut<P::T>) {
    let channels = geometry.output[2];
    let n_rows = geometry.rows_read(0).len();
    for_each_run(geometry, |run| {
        let (start, len) = (run.start.wrapping_mul(channels), run.n.wrapping_mul(channels));
        let n = n_rows.wrapping_mul(run.n_taps);
        pool.finish_all(acc.slice(start, len), n, out.slice(start, len));
    });
}

/// The part of `rows` in `read`.
fn within(rows: Range<usize>, read: Range<usize>) -> Range<usize> {
    rows.start.max(read.start)..rows.end.min(read.end)
}

/// Calls `run` for all columns of a row.
#[inline(always)]
fn for_each_run(geometry: &Geometry, run: impl Fn(&ColumnRun)) {
    let mut ox = 0;
    while ox < geometry.output[1] {
        let columns = geometry.column_run(ox);
        run(&columns);
        ox = ox.wrapping_add(columns.n);
    }
}

/// Calls `column` for each column of a row.
#[inline(always)]
fn for_each_column(geometry: &Geometry, column: impl Fn(&ColumnRun, usize)) {
    for_each_run(geometry, |run| (0..run.n).for_each(|i| column(run, run.start.wrapping_add(i))));
}

/// Channels `part` of the pixels in a row of the window of output column `ox`, one of `run`.
#[inline(always)]
fn window_pixels<'a, T: Element>(
    run: &ColumnRun,
    row: View<'a, T>,
    ox: usize,
    channels: usize,
    part: Range<usize>,
) -> Pixels<'a, T> {
    let first = run.first.wrapping_add(ox.wrapping_sub(run.start).wrapping_mul(run.stride));
    let start = first.wrapping_mul(channels).wrapping_add(part.start);
    let len = run.n_taps.saturating_sub(1).wrapping_mul(channels).wrapping_add(part.len());
    Pixels { x: row.slice(start, len), distance: channels, count: run.n_taps }
}

/// Accumulators that are on the stack: of the channels of a pixel, or of several pixels of few channels.
const SUMS_AT_ONCE: usize = 32;

/// [`Pool::row`] of means of int8.
pub fn average_row_i8(mean: &AverageI8, geometry: &Geometry, x: &Rows<i8>, y: usize, out: ViewMut<i8>) {
    let channels = geometry.output[2];
    let rows = geometry.rows_read(y);
    let pixels_at_once = SUMS_AT_ONCE.checked_div(channels).unwrap_or(0).max(1);
    for_each_run(geometry, |run| {
        let n = rows.len().wrapping_mul(run.n_taps);
        let (mut ox, end) = (run.start, run.start.wrapping_add(run.n));
        while ox < end {
            let pixels = end.wrapping_sub(ox).min(pixels_at_once);
            let mut c = 0;
            while c < channels {
                let len = channels.wrapping_sub(c).min(SUMS_AT_ONCE);
                let mut sums = [0i32; SUMS_AT_ONCE];
                let sums = ViewMut::from(&mut sums[..]).slice(0, len.wrapping_mul(pixels));
                for pixel in 0..pixels {
                    let sums = sums.slice(pixel.wrapping_mul(len), len);
                    let ox = ox.wrapping_add(pixel);
                    for row in rows.clone() {
                        let part = c..c.wrapping_add(len);
                        mean.add_pixels(sums, window_pixels(run, x.row(row), ox, channels, part));
                    }
                }
                let start = ox.wrapping_mul(channels).wrapping_add(c);
                mean.finish_all(sums.view(), n, out.slice(start, sums.len()));
                c = c.wrapping_add(len);
            }
            ox = ox.wrapping_add(pixels);
        }
    });
}

/// Maxima over windows of the rows `rows` of the image, and what is in `out` already if that `continues`.
pub fn max_rows_i8(geometry: &Geometry, x: &Rows<i8>, rows: Range<usize>, continues: bool, out: ViewMut<i8>) {
    let channels = geometry.output[2];
    for_each_run(geometry, |run| {
        let out = out.slice(run.start.wrapping_mul(channels), run.n.wrapping_mul(channels));
        let distance = run.stride.wrapping_mul(channels);
        let len = run.n.wrapping_sub(1).wrapping_mul(distance).wrapping_add(channels);
        let mut taps =
            FourTaps { taps: [out.view(); 4], n: continues as usize, continues, channels, distance };
        for row in rows.clone() {
            let (row, mut start) = (x.row(row), run.first.wrapping_mul(channels));
            for _ in 0..run.n_taps {
                taps.push(row.slice(start, len), out);
                start = start.wrapping_add(channels);
            }
        }
        taps.flush(out);
    });
}

/// Up to four taps of windows, and the maximum of which they become parts.
pub struct FourTaps<'a> {
    /// Each from its first pixel on.
    pub taps: [View<'a, i8>; 4],
    /// How many there are.
    n: usize,
    /// Whether the first one is the output, whose pixels follow each other.
    pub continues: bool,
    /// Channels of a pixel.
    pub channels: usize,
    /// Elements from a pixel of a tap to the next.
    pub distance: usize,
}

impl<'a> FourTaps<'a> {
    fn push(&mut self, tap: View<'a, i8>, out: ViewMut<'a, i8>) {
        if let Some(slot) = self.taps.get_mut(self.n) {
            *slot = tap;
        }
        self.n = self.n.wrapping_add(1);
        if self.n == 4 {
            self.flush(out);
        }
    }

    /// Writes the maxima of what there is; they are the first tap of the next ones.
    fn flush(&mut self, out: ViewMut<'a, i8>) {
        if self.n > self.continues as usize {
            let last = self.taps.get(self.n.wrapping_sub(1)).copied().unwrap_or(out.view());
            // A maximum may have a value twice.
            self.taps.iter_mut().skip(self.n).for_each(|tap| *tap = last);
            crate::kernels::pool::max_of_four_i8(self, out);
        }
        (self.n, self.continues) = (1, true);
        if let Some(first) = self.taps.first_mut() {
            *first = out.view();
        }
    }
}

/// Pixels of `out`, which follow each other: the maxima of those of four taps.
#[cfg(not(dunlin_mve))]
#[inline(never)]
pub fn max_of_four_i8(four: &FourTaps, out: ViewMut<i8>) {
    let FourTaps { taps: [a, b, c, d], channels: len, distance, continues, .. } = *four;
    let a_distance = if continues { len } else { distance };
    let (mut to, mut a_start, mut start) = (0usize, 0usize, 0usize);
    while to < out.len() {
        let (a, b) = (a.slice(a_start, len), b.slice(start, len));
        let (c, d) = (c.slice(start, len), d.slice(start, len));
        let out = out.slice(to, len);
        for i in 0..len {
            out.set(i, a.at(i).max(b.at(i)).max(c.at(i).max(d.at(i))));
        }
        to = to.wrapping_add(len);
        a_start = a_start.wrapping_add(a_distance);
        start = start.wrapping_add(distance);
    }
}
