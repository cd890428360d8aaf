//! Output rows of an int8 depthwise convolution with a 3x3 window from records of 16 channels.

#[cfg(not(dunlin_mve))]
use core::ops::Range;

#[cfg(not(dunlin_mve))]
use super::conv_vectors::Window;
#[cfg(not(dunlin_mve))]
use super::requantize::{Factor, saturate};
use crate::mem::View;
#[cfg(not(dunlin_mve))]
use crate::mem::{Rows, RowsMut, ViewMut};
#[cfg(not(dunlin_mve))]
use crate::ops::window::Geometry;

/// Channels of a record.
pub const CHANNELS: usize = 16;
/// Words of a record: see [`DepthwiseVectors`](crate::ops::DepthwiseVectors).
pub const RECORD_WORDS: usize = 9 * CHANNELS / 4 + 3 * CHANNELS;

/// What a record has of each channel, behind the weights.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub enum Field {
    Bias,
    Multiplier,
    Shift,
}

impl Field {
    /// The first word.
    pub const fn start(self) -> usize {
        9 * CHANNELS / 4 + self as usize * CHANNELS
    }
}

/// The place of a channel of 16 in the fields: widened twice, every other number of a vector comes first.
pub const fn place(channel: usize) -> usize {
    (channel % 2 * 2 + channel / 2 % 2) * 4 + channel / 4
}

/// A layer.
pub struct Vectors<'a> {
    /// `[channels / CHANNELS, RECORD_WORDS]`.
    pub records: View<'a, i32>,
    /// The stored number of the image that stands for 0.
    pub padding: i8,
    /// The same of the output.
    pub zero_point: i32,
    pub bounds: (i8, i8),
}

/// Bytes of scratch memory that [`depthwise_vector_rows`] of some core needs: a pixel of padding.
pub fn depthwise_vectors_scratch_bytes(channels: usize) -> usize {
    channels
}

/// Rows of a depthwise convolution of `x`: see [`DepthwiseVectors`](crate::ops::DepthwiseVectors).
#[cfg(not(dunlin_mve))]
pub fn depthwise_vector_rows(
    layer: &Vectors,
    geometry: &Geometry,
    x: &Rows<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    _scratch: ViewMut<i32>,
) {
    let [_, out_w, channels] = geometry.output;
    for y in rows {
        let out = out.row(y);
        for (ox, c) in (0..out_w).flat_map(|ox| (0..channels).map(move |c| (ox, c))) {
            let record = layer.records.slice(c / CHANNELS * RECORD_WORDS, RECORD_WORDS);
            let field = |field: Field| record.at(field.start() + place(c % CHANNELS));
            let sum = field(Field::Bias).wrapping_add(sum(layer.padding, geometry, x, [y, ox, c], record));
            let factor = Factor { multiplier: field(Field::Multiplier), shift: field(Field::Shift) as i8 };
            out.set(ox * channels + c, saturate(factor.apply(sum), layer.zero_point, layer.bounds));
        }
    }
}

/// The products of channel `c` at a position.
#[cfg(not(dunlin_mve))]
fn sum(padding: i8, geometry: &Geometry, x: &Rows<i8>, [y, ox, c]: [usize; 3], record: View<i32>) -> i32 {
    let window = Window::new(geometry, x, [y, ox], padding);
    let mut sum = 0;
    for (ky, kx) in (0..3).flat_map(|ky| (0..3).map(move |kx| (ky, kx))) {
        let x = window.at([ky, kx], c);
        let tap = (3 * ky + kx) * CHANNELS + c % CHANNELS;
        let w = record.at(tap / 4).to_le_bytes()[tap % 4] as i8;
        sum += x as i32 * w as i32;
    }
    sum
}
