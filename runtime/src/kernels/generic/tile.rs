//! How kernels that widen activations cut a layer: they decide the scratch memory of a model, which is the same for
//! every core. The generic kernels need none.

use core::ops::Range;

use crate::ops::window::Geometry;

/// The most taps that are widened at a time.
const MAX_CHUNK: usize = 144;
/// The same for one position alone, where there is least memory to spend, and where that does not do.
const MAX_CHUNK_OF_ONE: usize = 128;
const CHUNK_OF_ONE: usize = 64;
/// The same for weights in quads, of which every chunk costs each quad as much as eight taps.
const MAX_CHUNK_OF_QUADS: usize = 640;
/// The same where sums have more than 24 bits: those of so many products, of a weight in -128..=128 and a difference up to
/// 255, do not. And channels whose sums are in memory at a time.
pub const MAX_WIDE_CHUNK: usize = 256;
const MAX_WIDE_SUMS: usize = 64;
/// Taps of a chunk of whole pixels, and channels whose sums are in memory at a time, where weights are in pairs.
const MAX_CHUNK_OF_PIXELS: usize = 192;
const MAX_SUMS_OF_PAIRS: usize = 64;
const MAX_SHORT_PIXEL: usize = 16;
/// The same otherwise.
const MAX_SUMS: usize = 32;
/// The most lines of a window, of which a kernel knows the places, and lines in a chunk of a window that has more.
pub const MAX_LINES: usize = 12;
const MANY_LINES: usize = 8;

/// Sizes of a layer's tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Products of an output.
    pub taps: usize,
    /// Taps of a block, a multiple of 4; the last one may have fewer.
    pub chunk: usize,
    /// Channels of the output.
    pub channels: usize,
    /// Neighbouring taps that are neighbours in memory: a row of the window, or a pixel of it where dilation tears the row
    /// apart.
    pub line_len: usize,
    /// Whether a window is one pixel without padding.
    pub pointwise: bool,
    /// Whether lines of taps are put together as bytes before they are widened.
    pub by_lines: bool,
    /// Whether sums of weights in quads have more than 24 bits.
    pub wide: bool,
    /// Channels whose sums are in memory at a time, where the taps come in several chunks: they are widened anew for so
    /// many channels.
    pub sums: usize,
}

impl Tile {
    /// The tiles of a fully connected layer.
    pub fn of_one(taps: usize, channels: usize) -> Tile {
        let max_chunk = if taps > MAX_CHUNK_OF_ONE { CHUNK_OF_ONE } else { MAX_CHUNK_OF_ONE };
        Self::new(taps, channels, taps, max_chunk)
    }

    /// The same of channels whose weights are in quads; `wide` are sums of more than 24 bits.
    pub fn of_quads(taps: usize, channels: usize, wide: bool) -> Tile {
        let (max_chunk, sums) =
            if wide { (MAX_WIDE_CHUNK, MAX_WIDE_SUMS) } else { (MAX_CHUNK_OF_QUADS, MAX_SUMS) };
        let mut tile = Self::new(taps, channels, taps, max_chunk);
        (tile.wide, tile.sums) = (wide, sums);
        tile
    }

    fn new(taps: usize, channels: usize, line_len: usize, max_chunk: usize) -> Tile {
        let max_chunk = max_chunk.max(8);
        // Most layers have one chunk, without a division.
        let chunks = if taps > max_chunk { taps.div_ceil(max_chunk) } else { 1 };
        let chunk = if chunks > 1 { taps.div_ceil(chunks) } else { taps };
        let chunk = chunk.next_multiple_of(8).min(max_chunk);
        Tile {
            taps,
            chunk,
            channels,
            line_len,
            pointwise: false,
            by_lines: false,
            wide: false,
            sums: MAX_SUMS,
        }
    }

    /// The tiles of a convolution.
    pub fn of(geometry: &Geometry) -> Tile {
        let ([kh, kw], [_, _, c_in], [_, _, c_out]) = (geometry.kernel, geometry.input, geometry.output);
        let torn = geometry.window.dilation[1] != 1 && kw != 1;
        let line_len = if torn { c_in } else { kw.wrapping_mul(c_in) };
        let taps = kh.wrapping_mul(kw).wrapping_mul(c_in);
        let lines = if torn { kh.wrapping_mul(kw) } else { kh };
        // A chunk may begin and end within lines, and so touch one more than it has taps for.
        let max_chunk = if lines > MAX_LINES { line_len.wrapping_mul(MANY_LINES) } else { MAX_CHUNK };
        let tile = Tile::new(taps, c_out, line_len, max_chunk.min(MAX_CHUNK));
        let pointwise = kh == 1 && kw == 1 && geometry.window.pads == [0; 4];
        Tile { pointwise, by_lines: !c_in.is_multiple_of(4) && !pointwise, ..tile }
    }

    /// The same of a convolution with weights in pairs, whose chunks are whole pixels where that is possible.
    pub fn of_pairs(geometry: &Geometry) -> Tile {
        let tile = Tile::of(geometry);
        let tile = Tile { sums: MAX_SUMS_OF_PAIRS, channels: tile.channels.next_multiple_of(2), ..tile };
        let c_in = geometry.input[2];
        let row_len = geometry.kernel[1].wrapping_mul(c_in);
        let at_once = MAX_CHUNK_OF_PIXELS.checked_div(c_in).unwrap_or(0);
        let are_few = tile.line_len == row_len && geometry.kernel[0] <= MAX_LINES;
        // Short pixels that are no words are put together by fours, as lines are.
        let is_short = tile.pointwise && !c_in.is_multiple_of(4) && c_in <= MAX_SHORT_PIXEL;
        if (tile.by_lines || is_short) && are_few && tile.taps <= MAX_CHUNK_OF_PIXELS {
            return Tile { chunk: tile.taps.next_multiple_of(8), pointwise: false, by_lines: true, ..tile };
        }
        if tile.pointwise || tile.by_lines || !are_few || at_once == 0 {
            return tile;
        }
        let pixels = geometry.kernel[0].wrapping_mul(geometry.kernel[1]);
        let chunks = pixels.div_ceil(at_once).max(1);
        Tile { chunk: pixels.div_ceil(chunks).wrapping_mul(c_in), ..tile }
    }

    /// Positions of the next group, of `left` in the row: 5 are the most economical, and 6 better than 5 and 1.
    pub fn positions(left: usize) -> usize {
        if left == 6 { 6 } else { left.min(5) }
    }

    /// Channels that are computed before the taps are widened anew.
    pub fn channels_at_once(&self) -> usize {
        if self.chunk < self.taps { self.channels.min(self.sums) } else { self.channels }
    }

    /// Words of the sums that are in memory: none where all taps are in one chunk.
    fn sum_words(&self, positions: usize) -> usize {
        if self.chunk < self.taps { positions.wrapping_mul(self.channels_at_once()) } else { 0 }
    }

    /// The taps of the block that begins with tap `start`.
    #[cfg_attr(not(dunlin_dsp), allow(dead_code))]
    pub fn block(&self, start: usize) -> Range<usize> {
        start..start.wrapping_add(self.chunk).min(self.taps)
    }

    /// Words of the block of widened activations.
    pub fn block_words(&self, positions: usize) -> usize {
        (self.chunk.min(self.taps.next_multiple_of(4)) / 2).wrapping_mul(positions)
    }

    /// Words of a chunk of lines.
    pub fn line_words(&self) -> usize {
        if self.by_lines { self.block_words(1).div_ceil(2) } else { 0 }
    }

    /// Bytes of scratch memory for groups of `positions`: block and sums.
    pub fn group_scratch_bytes(&self, positions: usize) -> usize {
        4 * (self.block_words(positions) + self.sum_words(positions))
    }

    /// Bytes of scratch memory for rows of `width` positions: block, accumulators, lines.
    pub fn scratch_bytes(&self, width: usize) -> usize {
        let widest = Self::positions(width.min(5));
        let last = Self::positions(if width > 5 { 5 + width % 5 } else { width });
        let words = |positions| self.block_words(positions) + self.sum_words(positions);
        4 * (words(widest).max(words(last)) + self.line_words())
    }
}

/// `n / by` rounded up, and 0 if `by` is 0, for which `div_ceil` would panic.
#[inline(always)]
pub fn divide_up(n: usize, by: usize) -> usize {
    if by == 1 { n } else { n.wrapping_add(by).wrapping_sub(1).checked_div(by).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::window::Window;

    #[test]
    fn blocks_never_have_more_lines_than_places() {
        for (kh, kw, c_in, dilation) in (1..30).flat_map(|kh| {
            let rest = [(1, 1), (1, 3), (1, 4), (1, 12), (2, 1), (2, 4), (3, 5), (5, 4), (7, 3), (11, 1)];
            rest.into_iter().flat_map(move |(kw, c_in)| [1, 2].map(|dilation| (kh, kw, c_in, dilation)))
        }) {
            let window = Window { dilation: [1, dilation], ..Window::UNIT };
            let (input, output) = ([kh, 40, c_in], [1, 8, 4]);
            let tile = Tile::of_pairs(&Geometry { window, kernel: [kh, kw], input, output });
            // A block may begin and end within a line, unless it has them all.
            let lines = tile.taps / tile.line_len;
            let touched = (tile.chunk / tile.line_len + 2).min(lines);
            assert!(touched <= MAX_LINES || lines <= MAX_LINES, "{tile:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "18,000 layers: minutes in an interpreter")]
    fn blocks_are_never_too_long() {
        for (taps, max_chunk) in (1..3000).flat_map(|taps| {
            [8, CHUNK_OF_ONE, MAX_CHUNK_OF_ONE, MAX_CHUNK, MAX_WIDE_CHUNK, MAX_CHUNK_OF_QUADS]
                .map(|max| (taps, max))
        }) {
            let tile = Tile::new(taps, 1, taps, max_chunk);
            let mut start = 0;
            while start < taps {
                let block = tile.block(start);
                assert!(start.is_multiple_of(8) && !block.is_empty(), "{block:?} of {taps}");
                assert!(block.len().next_multiple_of(4) / 2 <= tile.block_words(1), "{block:?} of {taps}");
                start = block.end;
            }
        }
    }
}
