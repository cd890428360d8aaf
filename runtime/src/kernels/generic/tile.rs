//! How kernels that widen activations cut a layer: they decide the scratch memory of a model, which is the same for
//! every core. The generic kernels need none.

use core::ops::Range;

use crate::ops::window::Geometry;

/// The most taps that are widened at a time.
const MAX_CHUNK: usize = 144;
/// The same for one position alone, where there is least memory to spend.
const MAX_CHUNK_OF_ONE: usize = 60;
/// Channels whose sums are in memory at a time, where the taps come in several chunks or there is one position: the taps
/// are widened anew for so many channels.
const MAX_SUMS: usize = 32;

/// Sizes of a layer's tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Products of an output.
    pub taps: usize,
    /// Taps of a block, a multiple of 4; the last one may have fewer, or up to 3 more.
    pub chunk: usize,
    /// Channels of the output.
    pub channels: usize,
    /// Whether a window is one pixel without padding.
    pub pointwise: bool,
    /// Whether lines of taps are put together as bytes before they are widened.
    pub by_lines: bool,
}

impl Tile {
    /// The tiles of a fully connected layer.
    pub fn of_one(taps: usize, channels: usize) -> Tile {
        Self::new(taps, channels, MAX_CHUNK_OF_ONE)
    }

    fn new(taps: usize, channels: usize, max_chunk: usize) -> Tile {
        let chunks = taps.div_ceil(max_chunk).max(1);
        let chunk = taps.div_ceil(chunks).next_multiple_of(4);
        Tile { taps, chunk, channels, pointwise: false, by_lines: false }
    }

    /// The tiles of a convolution.
    pub fn of(geometry: &Geometry) -> Tile {
        let ([kh, kw], [_, _, c_in], [_, _, c_out]) = (geometry.kernel, geometry.input, geometry.output);
        let tile = Tile::new(kh.wrapping_mul(kw).wrapping_mul(c_in), c_out, MAX_CHUNK);
        let pointwise = kh == 1 && kw == 1 && geometry.window.pads == [0; 4];
        Tile { pointwise, by_lines: !c_in.is_multiple_of(4) && !pointwise, ..tile }
    }

    /// Positions of the next group, of `left` in the row: 5 are the most economical, and 6 better than 5 and 1.
    pub fn positions(left: usize) -> usize {
        if left == 6 { 6 } else { left.min(5) }
    }

    /// Whether a channel has a word of weights; kernels leave others to the generic ones.
    pub fn fits(&self) -> bool {
        self.taps >= 4
    }

    /// Channels that are computed before the taps are widened anew.
    pub fn channels_at_once(&self, positions: usize) -> usize {
        if self.chunk < self.taps || positions == 1 { self.channels.min(MAX_SUMS) } else { self.channels }
    }

    /// Words of the sums that are in memory; of a group in one chunk only one channel's may be.
    fn sum_words(&self, positions: usize) -> usize {
        let keeps_sums = self.chunk < self.taps || positions == 1;
        positions.wrapping_mul(if keeps_sums { self.channels_at_once(positions) } else { 1 })
    }

    /// The taps of the block that begins with tap `start`: at least 4 where there are as many.
    #[cfg_attr(not(dunlin_dsp), allow(dead_code))]
    pub fn block(&self, start: usize) -> Range<usize> {
        let end = start.wrapping_add(self.chunk).min(self.taps);
        start..if self.taps.wrapping_sub(end) < 4 { self.taps } else { end }
    }

    /// Words of the block of widened activations.
    pub fn block_words(&self, positions: usize) -> usize {
        let most_taps = if self.chunk < self.taps { self.chunk.wrapping_add(4) } else { self.chunk };
        (most_taps / 2).wrapping_mul(positions)
    }

    /// Words of a chunk of lines.
    pub fn line_words(&self) -> usize {
        if self.by_lines { self.block_words(1).div_ceil(2) } else { 0 }
    }

    /// Bytes of scratch memory for rows of `width` positions: block, accumulators, lines.
    pub fn scratch_bytes(&self, width: usize) -> usize {
        if !self.fits() {
            return 0;
        }
        let widest = Self::positions(width.min(5));
        let last = Self::positions(if width > 5 { 5 + width % 5 } else { width });
        let words = |positions| self.block_words(positions) + self.sum_words(positions);
        4 * (words(widest).max(words(last)) + self.line_words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_never_too_short_or_too_long() {
        for (taps, max_chunk) in (4..3000).flat_map(|taps| [(taps, MAX_CHUNK), (taps, MAX_CHUNK_OF_ONE)]) {
            let tile = Tile::new(taps, 1, max_chunk);
            let mut start = 0;
            while start < taps {
                let block = tile.block(start);
                assert!(start.is_multiple_of(4) && block.len() >= 4, "{block:?} of {taps}");
                assert!(block.len().next_multiple_of(4) / 2 <= tile.block_words(1), "{block:?} of {taps}");
                start = block.end;
            }
        }
    }
}
