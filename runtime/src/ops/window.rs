//! The window of convolutions and pools: which input rows and columns an output position reads.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Error, Shape, TensorType};

/// Stride, dilation and padding of a window that slides over `[n, h, w, c]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Steps of the window, `[y, x]`, at least 1.
    pub stride: [u8; 2],
    /// Distance of neighbouring taps, `[y, x]`, at least 1.
    pub dilation: [u8; 2],
    /// Positions outside the image: `[top, left, bottom, right]`. They stand for zeros, and are skipped.
    pub pads: [u8; 4],
}

/// The taps of one output position along one axis: tap `k` reads input index `start + k * dilation`.
#[derive(Clone, Debug)]
pub struct Taps {
    /// Input index of tap 0; negative in the padding.
    pub start: i32,
    /// Distance of neighbouring taps.
    pub dilation: i32,
    /// The taps that fall into the image.
    pub valid: Range<usize>,
}

impl Taps {
    /// The valid taps as runs of neighbours in memory, for pixels of `channels` elements: taps at which a run
    /// starts, and elements of a run. Without dilation all taps are one run.
    #[inline(always)]
    pub fn runs(&self, channels: usize) -> (Range<usize>, usize) {
        match self.dilation {
            1 => {
                let n_runs = (!self.valid.is_empty()) as usize;
                (
                    self.valid.start..self.valid.start.wrapping_add(n_runs),
                    self.valid.len().wrapping_mul(channels),
                )
            }
            _ => (self.valid.clone(), channels),
        }
    }

    /// Input index of a valid tap.
    #[inline(always)]
    pub fn index(&self, tap: usize) -> usize {
        self.start.wrapping_add((tap as i32).wrapping_mul(self.dilation)) as usize
    }
}

/// The taps by which positions of the output read one index of the input, along one axis: they, and the positions, are
/// as far apart as the next ones.
#[derive(Clone, Debug)]
pub struct Readers {
    tap: usize,
    tap_step: usize,
    position: isize,
    position_step: usize,
    /// Those of them that are meant.
    pub valid: Range<usize>,
}

impl Readers {
    /// Tap `i`.
    #[inline(always)]
    pub fn tap(&self, i: usize) -> usize {
        self.tap.wrapping_add(i.wrapping_mul(self.tap_step))
    }

    /// The position of the output that reads with it; that may lie outside.
    #[inline(always)]
    pub fn position(&self, i: usize) -> isize {
        self.position.wrapping_sub(i.wrapping_mul(self.position_step) as isize)
    }

    /// Those whose positions are below `len`, none of them negative.
    pub fn inside(mut self, len: usize) -> Readers {
        let is_inside = |readers: &Readers, i: usize| (0..len as isize).contains(&readers.position(i));
        while !self.valid.is_empty() && !is_inside(&self, self.valid.start) {
            self.valid.start += 1;
        }
        while !self.valid.is_empty() && !is_inside(&self, self.valid.end - 1) {
            self.valid.end -= 1;
        }
        self
    }
}

impl Window {
    /// Stride 1, no dilation, no padding.
    pub const UNIT: Window = Window { stride: [1, 1], dilation: [1, 1], pads: [0; 4] };

    /// Size `[h, w]` of the output for a kernel of size `kernel` on an image `[n, h, w, c]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the image is not of rank 4 or smaller than the kernel; [`Error::Parameters`] if a
    /// stride or a dilation is 0.
    pub fn output(&self, kernel: [usize; 2], image: &Shape) -> Result<[usize; 2], Error> {
        if image.rank() != 4 {
            return Err(Error::Shape);
        }
        Ok([self.output_len(0, kernel[0], image.dim(1))?, self.output_len(1, kernel[1], image.dim(2))?])
    }

    fn output_len(&self, axis: usize, kernel: usize, len: usize) -> Result<usize, Error> {
        let [top, left, bottom, right] = self.pads;
        let pads = if axis == 0 { top as usize + bottom as usize } else { left as usize + right as usize };
        let (stride, dilation) = (self.axis(self.stride, axis), self.axis(self.dilation, axis));
        if dilation == 0 || kernel == 0 || kernel > 1 << 15 {
            return Err(Error::Parameters);
        }
        let span = (kernel - 1) * dilation + 1;
        let room = (len + pads).checked_sub(span).ok_or(Error::Shape)?;
        Ok(room.checked_div(stride).ok_or(Error::Parameters)? + 1)
    }

    fn axis(&self, pair: [u8; 2], axis: usize) -> usize {
        (if axis == 0 { pair[0] } else { pair[1] }) as usize
    }

    /// Taps along `axis` (0: rows, 1: columns) of output position `o`, for `kernel` taps on `len` inputs.
    // Small cores have it once: it is long, and their kernels call it for a row.
    #[cfg_attr(not(any(dunlin_armv6m, dunlin_armv7m)), inline)]
    #[cfg_attr(any(dunlin_armv6m, dunlin_armv7m), inline(never))]
    pub fn taps(&self, axis: usize, kernel: usize, len: usize, o: usize) -> Taps {
        let pad = if axis == 0 { self.pads[0] } else { self.pads[1] };
        let dilation = self.axis(self.dilation, axis) as i32;
        let start = (o as i32).wrapping_mul(self.axis(self.stride, axis) as i32).wrapping_sub(pad as i32);
        let inside = |tap: usize| {
            let i = start.wrapping_add((tap as i32).wrapping_mul(dilation));
            0 <= i && i < len as i32
        };
        let (mut lo, mut hi) = (0, kernel);
        while lo < hi && !inside(lo) {
            lo += 1;
        }
        while lo < hi && !inside(hi - 1) {
            hi -= 1;
        }
        Taps { start, dilation, valid: lo..hi }
    }

    /// The output position along `axis` that reads input index `i` with tap `tap`, if there is one.
    #[inline]
    pub fn reader(&self, axis: usize, tap: usize, i: usize, out_len: usize) -> Option<usize> {
        let pad = if axis == 0 { self.pads[0] } else { self.pads[1] } as usize;
        let distance = (i + pad).checked_sub(tap.wrapping_mul(self.axis(self.dilation, axis)))?;
        let stride = self.axis(self.stride, axis);
        let o = distance.checked_div(stride)?;
        (o < out_len && o.wrapping_mul(stride) == distance).then_some(o)
    }

    /// The taps by which input index `i` is read along `axis`, if outputs went on outside of the image.
    pub fn readers(&self, axis: usize, kernel: usize, i: usize) -> Readers {
        let pad = if axis == 0 { self.pads[0] } else { self.pads[1] } as usize;
        let [stride, dilation] = [self.stride, self.dilation].map(|pair| self.axis(pair, axis) as isize);
        let mut readers = Readers { tap: 0, tap_step: 0, position: 0, position_step: 0, valid: 0..0 };
        let mut distance = (i + pad) as isize;
        for tap in 0..kernel {
            let position = distance.checked_div(stride).unwrap_or(0);
            if position.wrapping_mul(stride) == distance {
                match readers.valid.end {
                    0 => (readers.tap, readers.position) = (tap, position),
                    1 => {
                        readers.tap_step = tap - readers.tap;
                        readers.position_step = (readers.position - position) as usize;
                    }
                    _ => {}
                }
                readers.valid.end += 1;
            }
            distance = distance.wrapping_sub(dilation);
        }
        readers
    }

    /// Rows of the output among which are all that read row `y` of the image.
    pub fn reader_rows(&self, kernel: [usize; 2], image: &Shape, y: usize) -> Range<usize> {
        let Ok([out_h, _]) = self.output(kernel, image) else { return 0..0 };
        let (batch, iy) =
            (y.checked_div(image.dim(1)).unwrap_or(0), y.checked_rem(image.dim(1)).unwrap_or(0));
        let stride = self.axis(self.stride, 0);
        let last = iy + self.pads[0] as usize;
        let first = last.saturating_sub((kernel[0] - 1) * self.axis(self.dilation, 0));
        let end = (last / stride.max(1) + 1).min(out_h);
        let start = first.div_ceil(stride.max(1)).min(end);
        batch * out_h + start..batch * out_h + end
    }

    /// Rows of the image `[n, h, w, c]` that row `y` of the output reads, from the first tap to the last. What
    /// lies in the padding is cut off, so that both ends ascend with `y`.
    pub fn rows(&self, kernel: [usize; 2], image: &Shape, y: usize) -> Range<usize> {
        let (batch, oy) = match image.dim(0) {
            1 => (0, y),
            _ => {
                let Ok(out_h) = self.output_len(0, kernel[0], image.dim(1)) else { return 0..0 };
                (y.checked_div(out_h).unwrap_or(0), y.checked_rem(out_h).unwrap_or(0))
            }
        };
        let h = image.dim(1);
        let [stride, dilation] = [self.stride, self.dilation].map(|pair| self.axis(pair, 0));
        let start = oy * stride;
        let inside = |padded_y: usize| batch * h + padded_y.saturating_sub(self.pads[0] as usize).min(h);
        inside(start)..inside(start + (kernel[0] - 1) * dilation + 1)
    }
}

/// The sizes that a row kernel needs, from the shapes of image and output.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// The window.
    pub window: Window,
    /// Taps `[h, w]`.
    pub kernel: [usize; 2],
    /// Image `[h, w, c]`.
    pub input: [usize; 3],
    /// Output `[h, w, c]`.
    pub output: [usize; 3],
}

/// Neighbouring output columns that have the same valid taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnRun {
    /// The first output column.
    pub start: usize,
    /// Number of output columns.
    pub n: usize,
    /// Input column of the first valid tap of the first of them.
    pub first: usize,
    /// Valid taps.
    pub n_taps: usize,
    /// Input columns from one of them to the next.
    pub stride: usize,
}

impl Geometry {
    /// The sizes for image and output of rank 4.
    pub fn new(window: Window, kernel: [usize; 2], image: &Shape, output: &Shape) -> Geometry {
        let hwc = |s: &Shape| [s.dim(1), s.dim(2), s.dim(3)];
        Geometry { window, kernel, input: hwc(image), output: hwc(output) }
    }

    /// The sizes for an image of rank 4 and an output of `channels`; `None` if the window refuses the image.
    // Not inlined: the check's stack is the deepest.
    #[inline(never)]
    pub fn infer(window: Window, kernel: [usize; 2], image: &Shape, channels: usize) -> Option<Geometry> {
        let [h, w] = window.output(kernel, image).ok()?;
        let input = [image.dim(1), image.dim(2), image.dim(3)];
        Some(Geometry { window, kernel, input, output: [h, w, channels] })
    }

    /// For row `y` of the output: the first row of its image, and the taps along the rows.
    #[inline]
    pub fn row_taps(&self, y: usize) -> (usize, Taps) {
        let (batch, oy) =
            (y.checked_div(self.output[0]).unwrap_or(0), y.checked_rem(self.output[0]).unwrap_or(0));
        (batch.wrapping_mul(self.input[0]), self.window.taps(0, self.kernel[0], self.input[0], oy))
    }

    /// Rows of the images that row `y` of the output reads with a window without dilation.
    #[inline]
    pub fn rows_read(&self, y: usize) -> Range<usize> {
        let (image, taps) = self.row_taps(y);
        let start = image.wrapping_add(taps.index(taps.valid.start));
        start..start.wrapping_add(taps.valid.len())
    }

    /// The output columns from `ox` on that have the same valid taps, in a window without dilation: all of them up to the
    /// padding, or that one.
    // Not inlined: one call is for many columns.
    #[inline(never)]
    pub fn column_run(&self, ox: usize) -> ColumnRun {
        let ([_, in_w, _], [_, out_w, _], [_, kernel]) = (self.input, self.output, self.kernel);
        let taps = self.column_taps(ox);
        let (first, n_taps) = (taps.index(taps.valid.start), taps.valid.len());
        let room = in_w.wrapping_sub(kernel).wrapping_sub(first);
        let stride = self.window.axis(self.window.stride, 1);
        let n = match n_taps == kernel {
            true => room.checked_div(stride).unwrap_or(0).wrapping_add(1).min(out_w.wrapping_sub(ox)),
            false => 1,
        };
        ColumnRun { start: ox, n, first, n_taps, stride }
    }

    /// The output row that reads row `y` of the images with tap `tap`, if there is one.
    #[inline]
    pub fn reader_row(&self, tap: usize, y: usize) -> Option<usize> {
        let [in_h, out_h] = [self.input[0], self.output[0]];
        let oy = self.window.reader(0, tap, y.checked_rem(in_h)?, out_h)?;
        Some(y.checked_div(in_h)?.wrapping_mul(out_h).wrapping_add(oy))
    }

    /// The output column that reads column `x` with tap `tap`, if there is one.
    #[inline]
    pub fn reader_column(&self, tap: usize, x: usize) -> Option<usize> {
        self.window.reader(1, tap, x, self.output[1])
    }

    /// For row `y` of the images: the first row of its output, and the taps by which the output's rows read it.
    pub fn row_readers(&self, y: usize) -> (usize, Readers) {
        let [in_h, out_h] = [self.input[0], self.output[0]];
        let (batch, iy) = (y.checked_div(in_h).unwrap_or(0), y.checked_rem(in_h).unwrap_or(0));
        (batch.wrapping_mul(out_h), self.window.readers(0, self.kernel[0], iy).inside(out_h))
    }

    /// The taps by which column `x` is read, if outputs went on outside of the image.
    pub fn column_readers(&self, x: usize) -> Readers {
        self.window.readers(1, self.kernel[1], x)
    }

    /// The taps along the columns of output column `ox`.
    #[inline]
    pub fn column_taps(&self, ox: usize) -> Taps {
        self.window.taps(1, self.kernel[1], self.input[1], ox)
    }
}

/// All rows of a tensor: what an operator reads of its weights for every row.
pub(crate) fn all_rows(inputs: &[TensorType], input: usize) -> Range<usize> {
    0..inputs.get(input).map_or(0, |ty| ty.shape.rows())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_clips_the_taps() {
        let window = Window { stride: [2, 2], dilation: [1, 1], pads: [1, 1, 1, 1] };
        let image = Shape::new(&[2, 5, 5, 1]).unwrap();
        assert_eq!(window.output([3, 3], &image), Ok([3, 3]));
        let rows: Vec<_> = (0..6).map(|y| window.rows([3, 3], &image, y)).collect();
        assert_eq!(rows, [0..2, 1..4, 3..5, 5..7, 6..9, 8..10]);
    }

    proptest::proptest! {
        #[test]
        fn columns_of_a_run_have_the_same_taps(
            stride in 1u8..4,
            pads in [0u8..4, 0u8..4],
            kernel in 1usize..5,
            len in 1usize..12,
        ) {
            let window = Window { stride: [1, stride], pads: [0, pads[0], 0, pads[1]], ..Window::UNIT };
            let image = Shape::new(&[1, 1, len, 1]).unwrap();
            if let Some(geometry) = Geometry::infer(window, [1, kernel], &image, 1) {
                let mut ox = 0;
                while ox < geometry.output[1] {
                    let run = geometry.column_run(ox);
                    for i in 0..run.n {
                        let taps = geometry.column_taps(ox + i);
                        let found = (taps.index(taps.valid.start), taps.valid.len());
                        proptest::prop_assert!(run.n_taps == 0 || found == (run.first + i * run.stride, run.n_taps));
                    }
                    ox += run.n;
                }
                proptest::prop_assert_eq!(ox, geometry.output[1]);
            }
        }

        #[test]
        fn readers_are_the_inverse_of_taps(
            [stride, dilation] in [1u8..4, 1u8..4],
            pads in [0u8..4, 0u8..4],
            kernel in 1usize..5,
            len in 1usize..9,
        ) {
            let window =
                Window { stride: [stride; 2], dilation: [dilation; 2], pads: [pads[0], 0, pads[1], 0] };
            let image = Shape::new(&[2, len, 1, 1]).unwrap();
            if let Ok([out_len, _]) = window.output([kernel, 1], &image) {
                for (i, tap, o) in (0..len).flat_map(|i| {
                    (0..kernel).flat_map(move |tap| (0..out_len).map(move |o| (i, tap, o)))
                }) {
                    let taps = window.taps(0, kernel, len, o);
                    let reads = taps.valid.contains(&tap) && taps.index(tap) == i;
                    proptest::prop_assert_eq!(window.reader(0, tap, i, out_len) == Some(o), reads);
                    let rows = window.reader_rows([kernel, 1], &image, len + i);
                    let readers = window.readers(0, kernel, i).inside(out_len);
                    let found = readers.valid.clone().find(|&k| readers.tap(k) == tap);
                    let at = found.map(|k| readers.position(k) as usize);
                    proptest::prop_assert_eq!(at, window.reader(0, tap, i, out_len));
                    proptest::prop_assert!(!reads || rows.contains(&(out_len + o)));
                }
            }
        }
    }

    #[test]
    fn a_kernel_larger_than_the_image_needs_padding() {
        let image = Shape::new(&[1, 2, 2, 1]).unwrap();
        assert_eq!(Window::UNIT.output([3, 3], &image), Err(Error::Shape));
        let padded = Window { pads: [2; 4], ..Window::UNIT };
        assert_eq!(padded.output([3, 3], &image), Ok([4, 4]));
        let strideless = Window { stride: [0, 1], ..Window::UNIT };
        assert_eq!(strideless.output([1, 1], &image), Err(Error::Parameters));
    }
    extern crate std;
    use std::vec::Vec;
}
