//! How kernels that widen activations cut a layer: they decide the scratch memory of a model, which is the same for
//! every core. The portable kernels need none.

/// The most taps that are widened at a time.
pub const MAX_CHUNK: usize = 128;
/// Channels whose accumulators are in memory at a time: where the taps come in several chunks, they are widened anew for
/// so many channels.
const CHANNELS: usize = 16;
const CHANNELS_OF_CHUNKED: usize = 32;

/// Sizes of a layer's tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Products of an output.
    pub taps: usize,
    /// Taps of a block; but for the last one a multiple of 4, and never below 4 where there are as many taps.
    pub chunk: usize,
    /// Channels of the output.
    pub channels: usize,
    /// Channels of which accumulators are held.
    pub channels_at_once: usize,
}

impl Tile {
    /// The tiles of a layer.
    pub fn new(taps: usize, channels: usize) -> Tile {
        let chunks = taps.div_ceil(MAX_CHUNK).max(1);
        let chunk = taps.div_ceil(chunks).next_multiple_of(4);
        let at_once = if chunk < taps { CHANNELS_OF_CHUNKED } else { CHANNELS };
        Tile { taps, chunk, channels, channels_at_once: at_once.min(channels) }
    }

    /// Positions of the next group, of `left` in the row: 5 are the most economical, and 6 better than 5 and 1.
    pub fn positions(left: usize) -> usize {
        if left == 6 { 6 } else { left.min(5) }
    }

    /// Words of the block of widened activations.
    pub fn block_words(&self, positions: usize) -> usize {
        (self.chunk / 2).wrapping_mul(positions)
    }

    /// Bytes of scratch memory for rows of `width` positions: block and accumulators.
    pub fn scratch_bytes(&self, width: usize) -> usize {
        let last = Self::positions(if width > 5 { 5 + width % 5 } else { width });
        let positions = last.max(width.min(5));
        4 * (self.block_words(positions) + positions * self.channels_at_once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_never_too_short() {
        for taps in 1..2000 {
            let Tile { chunk, .. } = Tile::new(taps, 1);
            assert!(chunk.is_multiple_of(4) && chunk <= MAX_CHUNK);
            assert!(taps < 4 || (taps - 1) % chunk >= 3, "{taps} in chunks of {chunk}");
        }
    }
}
