//! Output rows of an int8 depthwise convolution with a 3x3 window whose channels are records: weights, bias and factor
//! in the form in which they are used.

#[cfg(not(dunlin_dsp))]
use core::ops::Range;

#[cfg(not(dunlin_dsp))]
use super::requantize::finish_scaled;
use crate::mem::View;
#[cfg(not(dunlin_dsp))]
use crate::mem::{Rows, RowsMut, ViewMut};
use crate::ops::window::Geometry;

/// Words of a channel's record. Two numbers of 16 bits stand in a word, the first one in its low half:
/// - 0 to 2: the weights of the window's upper and lower row, a word for each column;
/// - 3, 4: those of its middle row, columns 0 and 1, then column 2 alone;
/// - 5: the bias;
/// - 6: the multiplier, in `[2^30, 2^31)`;
/// - 7: what is added to the product's high word.
pub const RECORD_WORDS: usize = 8;
/// What the channels of a layer have in common.
#[derive(Clone, Copy)]
pub struct Records<'a> {
    /// Minus the zero point of the activations.
    pub x_offset: i32,
    /// `[channels, RECORD_WORDS]`.
    pub words: View<'a, i32>,
    pub bounds: (i8, i8),
    /// Rows that may be computed at a time from an even one on: 1 or 2.
    #[cfg_attr(not(dunlin_dsp), allow(dead_code))]
    pub at_once: u8,
}

/// Words of a column of a [`Strip`]: for each of four channels the pairs of rows (0, 2) and (1, 3).
pub const COLUMN_WORDS: usize = 8;
/// The most columns of a strip.
const MAX_COLUMNS: usize = 14;

/// How kernels that widen columns cut a row.
#[derive(Clone, Copy)]
pub struct Strip {
    /// The most outputs of a strip.
    pub outputs: usize,
}

impl Strip {
    /// The strips of a layer: of about one length.
    pub fn of(geometry: &Geometry) -> Strip {
        let (out_w, stride) = (geometry.output[1], geometry.window.stride[1] as usize);
        let most = if stride == 1 { MAX_COLUMNS - 2 } else { (MAX_COLUMNS - 1) / 2 };
        let strips = out_w.div_ceil(most);
        Strip {
            outputs: out_w.checked_div(strips).unwrap_or(0)
                + (out_w.checked_rem(strips).unwrap_or(0) != 0) as usize,
        }
    }

    /// Columns that `outputs` neighbouring outputs read.
    pub fn columns(geometry: &Geometry, outputs: usize) -> usize {
        let stride = geometry.window.stride[1] as usize;
        outputs.wrapping_sub(1).wrapping_mul(stride).wrapping_add(3)
    }
}

/// Bytes of scratch memory that [`depthwise_record_rows`] of some core needs.
pub fn depthwise_records_scratch_bytes(geometry: &Geometry) -> usize {
    let columns = Strip::columns(geometry, Strip::of(geometry).outputs);
    // With stride 2, columns come in pairs.
    let alone = if geometry.window.stride[1] == 2 { columns & 1 } else { 0 };
    4 * COLUMN_WORDS * columns.wrapping_add(alone)
}

/// Rows of a depthwise convolution of `x` with a 3x3 window. Taps in the padding are skipped.
#[cfg(not(dunlin_dsp))]
pub fn depthwise_record_rows(
    records: &Records,
    geometry: &Geometry,
    x: &Rows<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    _scratch: ViewMut<i32>,
) {
    let [_, out_w, channels] = geometry.output;
    for y in rows {
        let (image, lines) = geometry.row_taps(y);
        let out = out.row(y);
        for ox in 0..out_w {
            let columns = geometry.column_taps(ox);
            for c in 0..channels {
                let record = records.words.slice(c.wrapping_mul(RECORD_WORDS), RECORD_WORDS);
                let mut acc = record.at(5);
                for ky in lines.valid.clone() {
                    let row = x.row(image.wrapping_add(lines.index(ky)));
                    for kx in columns.valid.clone() {
                        let x = row.at(columns.index(kx).wrapping_mul(channels).wrapping_add(c)) as i32;
                        acc = acc.wrapping_add((x + records.x_offset).wrapping_mul(weight(record, ky, kx)));
                    }
                }
                let q = finish_scaled(acc, record.at(6), record.at(7), records.bounds);
                out.set(ox.wrapping_mul(channels).wrapping_add(c), q);
            }
        }
    }
}

/// The weight of row `ky` and column `kx` of the window.
#[cfg(not(dunlin_dsp))]
fn weight(record: View<i32>, ky: usize, kx: usize) -> i32 {
    let (word, half) = match (ky, kx) {
        (0, _) => (kx, 0),
        (1, 2) => (4, 0),
        (1, _) => (3, kx),
        _ => (kx, 1),
    };
    (record.at(word) >> (16 * half)) as i16 as i32
}
