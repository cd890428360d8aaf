//! Sums of products, where activations stand in words: those of two positions in one for four positions, else one.
//!
//! A word `a + (b << 16)` times a weight is both products, if the lower one keeps to its half. Those of two taps do,
//! with [`LOW`] added, and then they are moved apart: half as many multiplications, and half as many loads.

use crate::mem::{View, ViewMut};

/// Words of a tap for four positions.
pub const QUAD_WORDS: usize = 2;

/// Minus the least sum of two products of int8.
pub const LOW: i32 = 2 * 128 * 127;
/// What keeps the greatest one, 2^15, in its half.
pub const HIGH: i32 = 256;

/// Sums of one channel for four positions.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Quad {
    pub sums: [i32; 4],
    /// The sum of the weights.
    pub weights: i32,
}

/// The taps of four positions, to multiply by the weights of one channel after the other.
#[derive(Clone, Copy)]
pub struct Quads<'a>(View<'a, i32>);

impl<'a> Quads<'a> {
    /// For `x`, which holds [`QUAD_WORDS`] a tap.
    pub fn new(x: View<'a, i32>) -> Quads<'a> {
        Quads(x)
    }

    /// The sums of one channel, whose weights are as many as the taps.
    #[inline(always)]
    pub fn sums(&self, w: View<i8>) -> Quad {
        debug_assert_eq!(self.0.len(), QUAD_WORDS * w.len());
        let (mut a, mut b, mut weights) = (Pair::default(), Pair::default(), 0i32);
        let mut two_taps = |w: View<i8>, x: View<i32>| {
            let (w0, w1) = (w.at(0) as i32, w.at(1) as i32);
            weights = weights.wrapping_add(w0).wrapping_add(w1);
            a.add(x.at(0).wrapping_mul(w0).wrapping_add(x.at(2).wrapping_mul(w1)));
            b.add(x.at(1).wrapping_mul(w0).wrapping_add(x.at(3).wrapping_mul(w1)));
        };
        let mut i = 0;
        while i + 4 <= w.len() {
            let (w, x) = (w.slice(i, 4), self.0.slice(QUAD_WORDS * i, 4 * QUAD_WORDS));
            two_taps(w, x);
            two_taps(w.slice(2, 2), x.slice(2 * QUAD_WORDS, 2 * QUAD_WORDS));
            i += 4;
        }
        if i + 2 <= w.len() {
            two_taps(w.slice(i, 2), self.0.slice(QUAD_WORDS * i, 2 * QUAD_WORDS));
            i += 2;
        }
        if i < w.len() {
            let (w, x) = (w.at(i) as i32, self.0.slice(QUAD_WORDS * i, QUAD_WORDS));
            weights = weights.wrapping_add(w);
            a.add(x.at(0).wrapping_mul(w));
            b.add(x.at(1).wrapping_mul(w));
        }
        let steps = w.len().div_ceil(2) as i32;
        let ([s0, s1], [s2, s3]) = (a.sums(steps), b.sums(steps));
        Quad { sums: [s0, s1, s2, s3], weights }
    }
}

/// Sums of two positions.
#[derive(Clone, Copy, Default)]
struct Pair {
    /// Of both products.
    both: i32,
    /// Of the upper ones.
    upper: i32,
}

impl Pair {
    /// Adds the products of two taps.
    #[inline(always)]
    fn add(&mut self, products: i32) {
        let products = products.wrapping_add(const { LOW - (HIGH << 16) });
        self.both = self.both.wrapping_add(products);
        self.upper = self.upper.wrapping_add(products >> 16);
    }

    /// The sums after so many steps.
    #[inline(always)]
    fn sums(&self, steps: i32) -> [i32; 2] {
        let lower = self.both.wrapping_sub(self.upper << 16).wrapping_sub(steps.wrapping_mul(LOW));
        [lower, self.upper.wrapping_add(steps.wrapping_mul(HIGH))]
    }
}

/// `sums[c] += sum(x * w[c])` for channels whose weights begin `stride` elements apart.
pub fn add_channels(sums: ViewMut<i32>, x: View<i32>, w: View<i8>, stride: usize) {
    let weights = |c: usize| w.slice(c.wrapping_mul(stride), x.len());
    let mut c = 0;
    while c + 4 <= sums.len() {
        let (w0, w1, w2, w3) = (weights(c), weights(c + 1), weights(c + 2), weights(c + 3));
        let (mut s0, mut s1, mut s2, mut s3) = (0, 0, 0, 0);
        let mut i = 0;
        while i + 4 <= x.len() {
            let x = x.slice(i, 4);
            s0 = four_taps(s0, x, w0.slice(i, 4));
            s1 = four_taps(s1, x, w1.slice(i, 4));
            s2 = four_taps(s2, x, w2.slice(i, 4));
            s3 = four_taps(s3, x, w3.slice(i, 4));
            i += 4;
        }
        let rest = x.len().wrapping_sub(i);
        let x = x.slice(i, rest);
        s0 = one_channel(s0, x, w0.slice(i, rest));
        s1 = one_channel(s1, x, w1.slice(i, rest));
        s2 = one_channel(s2, x, w2.slice(i, rest));
        s3 = one_channel(s3, x, w3.slice(i, rest));
        sums.set(c, sums.at(c).wrapping_add(s0));
        sums.set(c + 1, sums.at(c + 1).wrapping_add(s1));
        sums.set(c + 2, sums.at(c + 2).wrapping_add(s2));
        sums.set(c + 3, sums.at(c + 3).wrapping_add(s3));
        c += 4;
    }
    while c < sums.len() {
        sums.set(c, one_channel(sums.at(c), x, weights(c)));
        c += 1;
    }
}

/// `sum` and four products.
#[inline(always)]
fn four_taps(sum: i32, x: View<i32>, w: View<i8>) -> i32 {
    let product = |i: usize| x.at(i).wrapping_mul(w.at(i) as i32);
    sum.wrapping_add(product(0)).wrapping_add(product(1)).wrapping_add(product(2)).wrapping_add(product(3))
}

/// `sum + sum(x * w)`.
#[inline(always)]
pub fn one_channel(mut sum: i32, x: View<i32>, w: View<i8>) -> i32 {
    for i in 0..x.len() {
        sum = sum.wrapping_add(x.at(i).wrapping_mul(w.at(i) as i32));
    }
    sum
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn element() -> impl Strategy<Value = i8> {
        prop_oneof![Just(i8::MIN), Just(i8::MAX), any::<i8>()]
    }

    proptest! {
        #[test]
        fn two_positions_share_a_word(
            taps in prop::collection::vec((prop::array::uniform4(element()), element()), 0..40),
        ) {
            let word = |a: i8, b: i8| (a as i32) + ((b as i32) << 16);
            let x: Vec<i32> = taps.iter().flat_map(|([a, b, c, d], _)| [word(*a, *b), word(*c, *d)]).collect();
            let w: Vec<i8> = taps.iter().map(|(_, w)| *w).collect();
            let found = Quads::new(View::from(&x[..])).sums(View::from(&w[..]));
            for p in 0..4 {
                let sum: i32 = taps.iter().map(|(x, w)| x[p] as i32 * *w as i32).sum();
                prop_assert_eq!(found.sums[p], sum, "position {}", p);
            }
            prop_assert_eq!(found.weights, w.iter().map(|&w| w as i32).sum::<i32>());
        }
    }

    #[test]
    fn the_greatest_products_keep_to_their_halves() {
        for (x, w) in [(-128i32, -128i8), (-128, 127), (127, -128), (127, 127)] {
            let words = [x + (x << 16); 2 * 6];
            let found = Quads::new(View::from(&words[..])).sums(View::from(&[w; 6][..]));
            assert_eq!(found.sums, [6 * x * w as i32; 4]);
        }
    }
}
