//! One output row of a depthwise convolution.

use core::ops::Range;

#[cfg(not(any(dunlin_dsp, dunlin_mve)))]
use super::arithmetic::I8;
use super::arithmetic::{Arithmetic, F32};
use super::tile::divide_up;
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::Geometry;

/// Words of a column of a [`Strip`].
pub const COLUMN_WORDS: usize = 6;

/// How kernels that widen the columns of a 3x3 window cut a row.
#[derive(Clone, Copy)]
pub struct Strip {
    /// The most outputs of a strip.
    pub outputs: usize,
    /// Columns from output to output.
    pub stride: usize,
}

impl Strip {
    /// The strips of a layer, if it is one that such kernels compute: four channels at a time with 3x3 windows.
    pub fn of(geometry: &Geometry) -> Option<Strip> {
        let ([_, _, c_in], [_, out_w, c_out]) = (geometry.input, geometry.output);
        let stride = geometry.window.stride[1] as usize;
        let fits = geometry.kernel == [3, 3]
            && geometry.window.dilation == [1, 1]
            && c_in == c_out
            && c_in.is_multiple_of(4)
            && (stride == 1 || stride == 2);
        let outputs = out_w.min(if stride == 1 { 16 } else { 8 });
        if fits { Some(Strip { outputs, stride }) } else { None }
    }

    /// Columns that `outputs` neighbouring outputs read.
    pub fn columns(stride: usize, outputs: usize) -> usize {
        outputs.wrapping_sub(1).wrapping_mul(stride).wrapping_add(3)
    }

    /// Words of a strip's columns.
    pub fn column_words(&self) -> usize {
        Self::columns(self.stride, self.outputs).wrapping_mul(COLUMN_WORDS)
    }
}

/// Channels that kernels which widen [`Pairs`] take at a time.
pub const CHANNELS: usize = 4;
/// Columns of a strip of such kernels beside those of its first output.
const MORE_COLUMNS: usize = 9;
/// The most scratch memory that they get.
const MAX_WORDS: usize = 1024;

/// Pairs of neighbouring rows of a window, the last of which may be a single row. Widened, a column of [`CHANNELS`] channels
/// is a word of each for every pair.
#[derive(Clone, Copy)]
pub struct Pairs(pub usize);

impl Pairs {
    /// Those of so many rows.
    pub fn of(rows: usize) -> Pairs {
        Pairs(rows.wrapping_add(1) / 2)
    }

    /// Words of so many columns.
    #[inline(always)]
    pub fn words(self, columns: usize) -> usize {
        columns.wrapping_mul(self.0).wrapping_mul(CHANNELS)
    }

    /// Outputs whose columns have room beside the weights in so many words: of an output row as many as all strips have, or
    /// none.
    #[cfg_attr(not(dunlin_dsp), allow(dead_code))]
    pub fn outputs(self, geometry: &Geometry, words: usize) -> usize {
        let (kw, stride) = (geometry.kernel[1], geometry.window.stride[1] as usize);
        let columns = words.checked_div(self.words(1)).unwrap_or(0);
        let Some(more) = columns.checked_sub(2 * kw) else { return 0 };
        let most = more.checked_div(stride).unwrap_or(0).wrapping_add(1);
        let dilation = geometry.window.dilation[1] as usize;
        let outputs = divide_up(geometry.output[1], dilation);
        divide_up(outputs, divide_up(outputs, most))
    }

    /// Words for weights and columns of a strip; fewer, or none, of windows for which there is not as much memory.
    fn scratch_words(geometry: &Geometry) -> usize {
        let ([kh, kw], out_w) = (geometry.kernel, geometry.output[1]);
        let more = out_w.wrapping_sub(1).saturating_mul(geometry.window.stride[1] as usize);
        let pairs = Self::of(kh);
        let [least, most] = [0, more.min(MORE_COLUMNS)].map(|more| pairs.words(2 * kw + more));
        if least > MAX_WORDS { 0 } else { most.min(MAX_WORDS) }
    }
}

/// Bytes of scratch memory that [`depthwise_row_i8`] of some core needs: three columns of weights, and a strip; or what
/// [`Pairs`] need, which are content with the former, too, if it is enough for one output.
pub fn depthwise_scratch_bytes(geometry: &Geometry) -> usize {
    let words = match Strip::of(geometry) {
        Some(strip) => {
            let least = Pairs::of(geometry.kernel[0]).words(2 * geometry.kernel[1]);
            least.max(3 * COLUMN_WORDS + strip.column_words())
        }
        None => Pairs::scratch_words(geometry),
    };
    4 * words
}

/// [`depthwise_row`] of int8, for which a core may have instructions of its own.
#[cfg(not(any(dunlin_dsp, dunlin_mve)))]
pub fn depthwise_row_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    _scratch: ViewMut<i32>,
) {
    depthwise_row(arithmetic, geometry, x, w, y, out);
}

/// The same for several rows.
#[cfg(not(any(dunlin_dsp, dunlin_mve)))]
pub fn depthwise_rows_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i32>,
) {
    for y in rows {
        crate::kernels::depthwise::depthwise_row_i8(arithmetic, geometry, x, w, y, out.row(y), scratch);
    }
}

/// Rows of f32, for which a host may have instructions of its own.
pub fn depthwise_rows_f32(
    arithmetic: &F32,
    geometry: &Geometry,
    x: &Rows<f32>,
    w: View<f32>,
    rows: Range<usize>,
    out: &RowsMut<f32>,
) {
    for y in rows {
        depthwise_row(arithmetic, geometry, x, w, y, out.row(y));
    }
}

/// Row `y` of a depthwise convolution of `x` with weights `w` `[1, kh, kw, c_in * multiplier]`. Taps in the
/// padding are skipped.
pub fn depthwise_row<A: Arithmetic>(
    arithmetic: &A,
    geometry: &Geometry,
    x: &Rows<A::T>,
    w: View<A::T>,
    y: usize,
    out: ViewMut<A::T>,
) {
    let [_, out_w, c_out] = geometry.output;
    depthwise_part(arithmetic, geometry, x, w, y, [0..out_w, 0..c_out], out);
}

/// These columns and channels of [`depthwise_row`].
#[inline(never)]
pub fn depthwise_part<A: Arithmetic>(
    arithmetic: &A,
    geometry: &Geometry,
    x: &Rows<A::T>,
    w: View<A::T>,
    y: usize,
    [columns, channels]: [Range<usize>; 2],
    out: ViewMut<A::T>,
) {
    let ([_, _, c_in], [_, _, c_out]) = (geometry.input, geometry.output);
    let multiplier = c_out.checked_div(c_in).unwrap_or(0);
    let first = channels.start.checked_div(multiplier).unwrap_or(0);
    let (image, rows) = geometry.row_taps(y);
    for ox in columns {
        let columns = geometry.column_taps(ox);
        let (mut ic, mut readers) = (first, channels.start.wrapping_sub(first.wrapping_mul(multiplier)));
        for c in channels.clone() {
            let mut acc = arithmetic.begin(c);
            for ky in rows.valid.clone() {
                let row = x.row(image.wrapping_add(rows.index(ky)));
                let line = ky.wrapping_mul(geometry.kernel[1]);
                for kx in columns.valid.clone() {
                    let xi = columns.index(kx).wrapping_mul(c_in).wrapping_add(ic);
                    let wi = line.wrapping_add(kx).wrapping_mul(c_out).wrapping_add(c);
                    acc = arithmetic.add(acc, row.at(xi), w.at(wi));
                }
            }
            out.set(ox.wrapping_mul(c_out).wrapping_add(c), arithmetic.finish(acc, c));
            readers = readers.wrapping_add(1);
            if readers == multiplier {
                (ic, readers) = (ic.wrapping_add(1), 0);
            }
        }
    }
}
