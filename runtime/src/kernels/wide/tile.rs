//! Tiles of a convolution: a few positions times a few vectors of channels, whose sums are in registers.

use super::conv::{Block, ConvRows, Staged};
use super::cpu::{Cpu, MAX_LANES};
use super::numbers::{Numbers, Sums};
use crate::mem::ViewMut;

/// The most sums of a tile.
const MAX_TILE: usize = 24;

/// Where the operands of a tile are.
struct Tile<C: Cpu, N: Numbers> {
    /// The first position.
    x: *const N::Staged,
    /// Where the words of its window are.
    words: *const usize,
    w: *const i32,
    channels: *const N::Channels<C>,
}

/// How many vectors of channels the next tile has.
#[inline(always)]
pub fn tile_vectors<C: Cpu>(left: usize) -> usize {
    if left >= 4 && C::TILES[2] > 0 {
        4
    } else if left >= 2 {
        2
    } else {
        1
    }
}

/// How many positions the next tile has, of those that there are code for.
#[inline(always)]
fn tile_positions<C: Cpu>(n_vectors: usize, left: usize) -> usize {
    let most = C::TILES[n_vectors / 2];
    if n_vectors == 4 {
        // As equal as can be.
        return left.div_ceil(left.div_ceil(most));
    }
    match left {
        8.. if most == 8 => 8,
        4.. => 4,
        2.. => 2,
        _ => 1,
    }
}

impl<N: Numbers> ConvRows<'_, N> {
    /// The outputs of a block of channels at `n` positions that are staged.
    #[inline(always)]
    pub(super) fn multiply<C: Cpu>(
        &self,
        cpu: C,
        block: &Block<C, N>,
        staged: &Staged<N>,
        n: usize,
        out: ViewMut<N::T>,
    ) {
        let n_channels = self.geometry.output[2];
        let mut acc = [cpu.splat(0); MAX_TILE];
        let (mut vector, mut w) = (0, block.words);
        while vector < block.len {
            let n_vectors = tile_vectors::<C>(block.len - vector);
            let mut position = 0;
            while position < n {
                let positions = tile_positions::<C>(n_vectors, n - position);
                let tile = Tile::<C, N> {
                    x: staged.elements.wrapping_add(position * self.lines.position),
                    words: staged.words,
                    w,
                    channels: block.channels.wrapping_add(vector),
                };
                match n_vectors {
                    4 => self.tile_of::<C, 4>(cpu, &tile, positions, &mut acc),
                    2 => self.tile_of::<C, 2>(cpu, &tile, positions, &mut acc),
                    _ => self.tile_of::<C, 1>(cpu, &tile, positions, &mut acc),
                }
                let c = (block.first + vector) * C::LANES;
                let sums = Sums {
                    first: acc.as_ptr(),
                    vectors: n_vectors,
                    positions,
                    channels: (n_vectors * C::LANES).min(n_channels - c),
                    out_step: n_channels,
                };
                let to = out.as_ptr().wrapping_add(position * n_channels + c);
                // SAFETY: the block has constants for all its vectors, and the row room for the outputs.
                unsafe { self.numbers.finish(cpu, tile.channels, sums, to) };
                position += positions;
            }
            w = w.wrapping_add(n_vectors * C::LANES * self.lines.words);
            vector += n_vectors;
        }
    }

    #[inline(always)]
    fn tile_of<C: Cpu, const VECTORS: usize>(
        &self,
        cpu: C,
        tile: &Tile<C, N>,
        positions: usize,
        acc: &mut [C::V; MAX_TILE],
    ) {
        // SAFETY: `multiply` has made the tile for so many positions and vectors.
        unsafe {
            match positions {
                8 if VECTORS <= 2 => self.tile::<C, 8, VECTORS>(cpu, tile, acc),
                6 if VECTORS == 4 && C::TILES[2] == 6 => self.tile::<C, 6, VECTORS>(cpu, tile, acc),
                5 if VECTORS == 4 && C::TILES[2] == 6 => self.tile::<C, 5, VECTORS>(cpu, tile, acc),
                4 => self.tile::<C, 4, VECTORS>(cpu, tile, acc),
                3 if VECTORS == 4 => self.tile::<C, 3, VECTORS>(cpu, tile, acc),
                2 => self.tile::<C, 2, VECTORS>(cpu, tile, acc),
                _ => self.tile::<C, 1, VECTORS>(cpu, tile, acc),
            }
        }
    }

    /// The sums of `POSITIONS` positions of `VECTORS` vectors of channels.
    ///
    /// # Safety
    /// The tile's pointers are good for so many.
    #[inline(always)]
    unsafe fn tile<C: Cpu, const POSITIONS: usize, const VECTORS: usize>(
        &self,
        cpu: C,
        tile: &Tile<C, N>,
        sums: &mut [C::V; MAX_TILE],
    ) {
        let mut acc = [[cpu.splat(0); VECTORS]; POSITIONS];
        for v in 0..VECTORS {
            // SAFETY: the tile has constants for all its vectors.
            let begin = N::begin(unsafe { &*tile.channels.add(v) });
            for of_position in &mut acc {
                of_position[v] = begin;
            }
        }
        // SAFETY: as the caller says.
        unsafe {
            if self.lines.shares_columns::<N>() && VECTORS <= 2 && POSITIONS >= 4 {
                self.multiply_columns(cpu, tile, &mut acc);
            } else {
                self.multiply_words(cpu, tile, &mut acc);
            }
        }
        for (p, acc) in acc.iter().enumerate() {
            sums[p * VECTORS..][..VECTORS].copy_from_slice(acc);
        }
    }

    /// Word by word of the window, at each position.
    ///
    /// # Safety
    /// The tile's pointers are good for so many positions and vectors.
    #[inline(always)]
    unsafe fn multiply_words<C: Cpu, const POSITIONS: usize, const VECTORS: usize>(
        &self,
        cpu: C,
        tile: &Tile<C, N>,
        acc: &mut [[C::V; VECTORS]; POSITIONS],
    ) {
        let mut x = [tile.x; POSITIONS];
        for (p, x) in x.iter_mut().enumerate() {
            *x = tile.x.wrapping_add(p * self.lines.position);
        }
        for i in 0..self.lines.words {
            // SAFETY: the places of all words are there.
            let place = unsafe { tile.words.add(i).read() };
            // SAFETY: there are as many vectors of weights as words of taps.
            let weights: [_; VECTORS] = unsafe { self.weights(cpu, tile, i) };
            for p in 0..POSITIONS {
                let word = x[p].wrapping_add(place).cast::<i32>();
                // SAFETY: every word of every position is staged.
                let x = cpu.splat(unsafe { word.read_unaligned() });
                for v in 0..VECTORS {
                    acc[p][v] = N::dot(cpu, acc[p][v], x, weights[v]);
                }
            }
        }
    }

    /// Word by word of the pixels: each is read once for the three positions in whose windows it is.
    ///
    /// # Safety
    /// As above, and the lines share their columns.
    #[inline(always)]
    unsafe fn multiply_columns<C: Cpu, const POSITIONS: usize, const VECTORS: usize>(
        &self,
        cpu: C,
        tile: &Tile<C, N>,
        acc: &mut [[C::V; VECTORS]; POSITIONS],
    ) {
        let (pixel, words) = (self.lines.position, self.lines.position / N::TAPS);
        // With few sums in registers, each would wait for its last product: those of the middle have sums of their own.
        let is_apart = VECTORS == 1 && C::LANES == MAX_LANES;
        let mut middles = [[cpu.splat(0); VECTORS]; POSITIONS];
        for ky in 0..self.lines.rows {
            for i in 0..words {
                let first = 3 * ky * words + i;
                // SAFETY: here and below as in `multiply_words`.
                let x = tile.x.wrapping_add(unsafe { tile.words.add(first).read() });
                // SAFETY: as above.
                let left: [_; VECTORS] = unsafe { self.weights(cpu, tile, first) };
                // SAFETY: as above.
                let middle: [_; VECTORS] = unsafe { self.weights(cpu, tile, first + words) };
                // SAFETY: as above.
                let right: [_; VECTORS] = unsafe { self.weights(cpu, tile, first + 2 * words) };
                for column in 0..POSITIONS + 2 {
                    let word = x.wrapping_add(column * pixel).cast::<i32>();
                    // SAFETY: as above.
                    let x = cpu.splat(unsafe { word.read_unaligned() });
                    for v in 0..VECTORS {
                        if column < POSITIONS {
                            acc[column][v] = N::dot(cpu, acc[column][v], x, left[v]);
                        }
                        if (1..=POSITIONS).contains(&column) {
                            let acc = if is_apart { &mut middles[column - 1] } else { &mut acc[column - 1] };
                            acc[v] = N::dot(cpu, acc[v], x, middle[v]);
                        }
                        if column >= 2 {
                            acc[column - 2][v] = N::dot(cpu, acc[column - 2][v], x, right[v]);
                        }
                    }
                }
            }
        }
        if is_apart {
            for (acc, middles) in acc.iter_mut().zip(&middles) {
                for v in 0..VECTORS {
                    acc[v] = N::add(cpu, acc[v], middles[v]);
                }
            }
        }
    }

    /// The weights of a word.
    ///
    /// # Safety
    /// There are so many words, and so many vectors of each.
    #[inline(always)]
    unsafe fn weights<C: Cpu, const VECTORS: usize>(
        &self,
        cpu: C,
        tile: &Tile<C, N>,
        word: usize,
    ) -> [C::V; VECTORS] {
        let mut weights = [cpu.splat(0); VECTORS];
        for (v, weights) in weights.iter_mut().enumerate() {
            let at = (word * VECTORS + v) * C::LANES;
            // SAFETY: as the caller says.
            *weights = unsafe { cpu.load(tile.w.wrapping_add(at)) };
        }
        weights
    }
}
