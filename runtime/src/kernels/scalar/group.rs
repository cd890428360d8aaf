//! A few neighbouring positions times the weights of all channels.

use core::ops::Range;

use super::outputs::Four;
use super::requantize::Finish;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::outputs::{finish_four, finish_one};
use crate::kernels::sums::{QUAD_WORDS, Quad, Quads, add_channels};
use crate::mem::{View, ViewMut};

/// Channels whose sums are in memory where the taps do not fit at once: the taps are fetched anew for so many.
const MAX_SUMS: usize = 32;

/// How many taps of a group are in memory at a time, and for how many channels they are used.
#[derive(Clone, Copy)]
pub struct Blocks {
    taps: usize,
    chunk: usize,
    at_once: usize,
}

impl Blocks {
    /// For four positions, whose sums are in memory only if the taps do not fit at once; `None` if `scratch_words` are
    /// too few, or for a single tap: kernels take two and more.
    pub fn of_four(taps: usize, channels: usize, scratch_words: usize) -> Option<Blocks> {
        if taps < 2 {
            return None;
        }
        if taps.wrapping_mul(QUAD_WORDS) <= scratch_words {
            return Some(Blocks { taps, chunk: taps, at_once: channels });
        }
        let at_once = channels.min(MAX_SUMS);
        Self::cut(taps, at_once, scratch_words.checked_sub(4usize.wrapping_mul(at_once))? / QUAD_WORDS)
    }

    /// For one position, whose sums are always in memory.
    pub fn of_one(taps: usize, channels: usize, scratch_words: usize) -> Option<Blocks> {
        let at_once = channels.min(scratch_words.saturating_sub(taps));
        if at_once >= channels.min(MAX_SUMS / 2) {
            return Some(Blocks { taps, chunk: taps, at_once });
        }
        let at_once = channels.min(MAX_SUMS).min(scratch_words / 2);
        Self::cut(taps, at_once, scratch_words.wrapping_sub(at_once))
    }

    /// For one position, whose taps have other memory: `words`, at least 4, and as many `sums`.
    pub fn of_one_apart(taps: usize, channels: usize, words: usize, sums: usize) -> Blocks {
        let n_parts = channels.div_ceil((sums & !3).max(1)).max(1);
        let at_once = channels.div_ceil(n_parts).next_multiple_of(4).min(sums);
        Blocks { taps, chunk: Self::chunk(taps, words), at_once }
    }

    fn cut(taps: usize, at_once: usize, room: usize) -> Option<Blocks> {
        let chunk = Self::chunk(taps, room);
        (chunk <= room && at_once > 0).then_some(Blocks { taps, chunk, at_once })
    }

    /// Taps of equal chunks, multiples of 4, of which `room` has at least 4.
    #[inline(never)]
    fn chunk(taps: usize, room: usize) -> usize {
        taps.div_ceil(taps.div_ceil((room & !3).max(1)).max(1)).next_multiple_of(4)
    }

    /// Runs `part` for every block of channels and taps.
    #[inline(always)]
    fn each(&self, channels: usize, mut part: impl FnMut(Range<usize>, Range<usize>)) {
        let mut first = 0usize;
        while first < channels {
            let end = first.wrapping_add(self.at_once).min(channels);
            let mut start = 0usize;
            while start < self.taps {
                let taps = start..start.wrapping_add(self.chunk).min(self.taps);
                start = taps.end;
                part(first..end, taps);
            }
            first = end;
        }
    }
}

/// A group of positions of an output row.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    pub arithmetic: &'a I8<'a>,
    pub blocks: Blocks,
    /// Weights `[channels, taps]`.
    pub w: View<'a, i8>,
    /// The outputs `[positions, channels]`.
    pub out: ViewMut<'a, i8>,
    pub channels: usize,
    /// Where the taps are.
    pub words: ViewMut<'a, i32>,
    /// Where the sums are, at the end.
    pub sums: ViewMut<'a, i32>,
}

impl<'a> Group<'a> {
    /// Computes four positions or one, clamped to int8 alone; `fill` writes words of the taps: for four as they are in the
    /// file, for one without their zero point.
    #[inline(always)]
    pub fn compute(&self, positions: usize, mut fill: impl FnMut(Range<usize>, ViewMut<i32>)) {
        let Group { arithmetic, w, out, channels, .. } = *self;
        let tap_words = if positions == 4 { QUAD_WORDS } else { 1 };
        self.blocks.each(channels, |some_channels, taps| {
            let x = self.words.slice(0, tap_words.wrapping_mul(taps.len()));
            fill(taps.clone(), x);
            if positions != 4 {
                self.multiply_one(some_channels, taps, x.view());
            } else if taps.len() == self.blocks.taps {
                let x = Quads::new(x.view());
                finish_four(&Four { arithmetic, x, taps: taps.len(), w, out, channels });
            } else {
                self.multiply_four(some_channels, taps, Quads::new(x.view()));
            }
        });
    }

    /// Adds the products of some of the taps to sums that are in memory, and finishes those that are complete.
    #[inline(never)]
    fn multiply_four(&self, channels: Range<usize>, taps: Range<usize>, x: Quads) {
        let requantize = &self.arithmetic.requantize;
        let mut at = self.sums.len().wrapping_sub(4usize.wrapping_mul(channels.len()));
        for c in channels {
            let w = self.w.slice(c.wrapping_mul(self.blocks.taps).wrapping_add(taps.start), taps.len());
            let Quad { sums: [s0, s1, s2, s3], weights } = x.sums(w);
            let zero_point = self.arithmetic.x_offset.wrapping_mul(weights);
            let stored = self.sums.slice(at, 4);
            if taps.start == 0 {
                stored.fill(requantize.channels.bias(c));
            }
            stored.set(0, stored.at(0).wrapping_add(zero_point).wrapping_add(s0));
            stored.set(1, stored.at(1).wrapping_add(zero_point).wrapping_add(s1));
            stored.set(2, stored.at(2).wrapping_add(zero_point).wrapping_add(s2));
            stored.set(3, stored.at(3).wrapping_add(zero_point).wrapping_add(s3));
            if taps.end == self.blocks.taps {
                let finish = Finish::new(requantize, c);
                for i in 0..4 {
                    self.out.set(self.channels.wrapping_mul(i).wrapping_add(c), finish.apply(stored.at(i)));
                }
            }
            at = at.wrapping_add(4);
        }
    }

    /// Adds the products of some of the taps to sums that are in memory, and finishes those that are complete.
    #[inline(never)]
    fn multiply_one(&self, channels: Range<usize>, taps: Range<usize>, x: View<i32>) {
        let requantize = &self.arithmetic.requantize;
        let n = channels.len();
        let sums = self.sums.slice(self.sums.len().wrapping_sub(n), n);
        if taps.start == 0 {
            for i in 0..n {
                sums.set(i, requantize.channels.bias(channels.start.wrapping_add(i)));
            }
        }
        let n_taps = self.blocks.taps;
        let start = channels.start.wrapping_mul(n_taps).wrapping_add(taps.start);
        let others = n.wrapping_sub(1).wrapping_mul(n_taps);
        add_channels(sums, x, self.w.slice(start, others.wrapping_add(taps.len())), n_taps);
        if taps.end == n_taps {
            finish_one(requantize, channels.start, sums.view(), self.out);
        }
    }
}

/// Writes a word for each element, with `offset`.
#[inline(never)]
pub fn widen(x: View<i8>, offset: i32, words: ViewMut<i32>) {
    let word = |x: View<i8>, i: usize| x.at(i) as i32 + offset;
    let mut i = 0;
    while i + 4 <= x.len() {
        let (x, words) = (x.slice(i, 4), words.slice(i, 4));
        words.set(0, word(x, 0));
        words.set(1, word(x, 1));
        words.set(2, word(x, 2));
        words.set(3, word(x, 3));
        i += 4;
    }
    while i < x.len() {
        words.set(i, word(x, i));
        i += 1;
    }
}
