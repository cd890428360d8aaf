//! How depthwise layers stage the rows that they read.

use super::cpu::{Cpu, MAX_LANES, TAPS_I8};
use super::depthwise::DepthwiseRows;
use super::numbers::Numbers;
use crate::Element;
use crate::mem::View;
use crate::ops::window::Geometry;

/// How the window is cut.
#[derive(Clone, Copy)]
pub(super) struct Planes {
    /// Rows of the window in words of so many.
    pub(super) planes: usize,
    pub(super) columns: usize,
    pub(super) channels: usize,
    /// Words from position to position, and from column to column.
    pub(super) position: usize,
    pub(super) column: usize,
}

impl Planes {
    pub(super) fn new<N: Numbers>(geometry: &Geometry) -> Planes {
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
    pub(super) fn words(&self) -> usize {
        self.planes * self.columns
    }

    /// Whether a vector has room for the channels of several positions, which follow each other.
    #[inline(always)]
    pub(super) fn is_folded<C: Cpu>(&self) -> bool {
        self.channels < C::LANES && C::LANES.is_multiple_of(self.channels) && self.position == self.channels
    }

    /// Words of a plane for so many positions. A vector may reach behind the last channel.
    #[inline(always)]
    pub(super) fn plane_len(&self, positions: usize) -> usize {
        (positions - 1) * self.position + (self.columns - 1) * self.column + self.channels
    }

    /// Words of all planes.
    #[inline(always)]
    pub(super) fn staged_len(&self, positions: usize) -> usize {
        self.planes * self.plane_len(positions) + MAX_LANES
    }
}

impl<N: Numbers> DepthwiseRows<'_, N> {
    /// Stages what `n` positions of row `y` read, from position `ox` on.
    #[inline(always)]
    pub(super) fn stage<C: Cpu>(&self, cpu: C, y: usize, ox: usize, n: usize, staged: *mut i32) {
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
}

/// The first of `lanes` elements, or of a copy in `tail` if there are fewer, which are repeated.
#[inline(always)]
pub(super) fn whole<T: Element>(elements: View<T>, lanes: usize, tail: &mut [T; MAX_LANES]) -> *const T {
    if elements.len() == lanes {
        return elements.as_ptr();
    }
    for (i, to) in tail.iter_mut().enumerate() {
        *to = elements.at(i % elements.len());
    }
    tail.as_ptr()
}
