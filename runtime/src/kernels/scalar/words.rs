//! Sums of products with [`Weights::WORDS`](crate::ops::fully_connected::Weights): two channels a multiplication.
//!
//! A word of weights holds those of four channels for one tap as w + 128. Every other byte of it is 16 bits from the next,
//! so an activation times `word & BYTES` is the product of two channels side by side, and that of `word >> 8 & BYTES` of
//! the other two.
//!
//! What keeps them apart: the words of a pair of taps, with the 128s taken off, are a + (b << 16), where a and b are sums
//! of two products of int8, from -2 * 128 * 127 to 2 * 128 * 128. With [`LOW`] added to each, both fit in 16 bits without
//! a sign. Offset and 128s depend on the activations alone, so they are a word of their own beside each pair of these:
//! see [`spread`].

use crate::mem::{View, ViewMut};

/// Words of a pair of taps: two activations, and what is added to their products.
pub const PAIR_WORDS: usize = 3;
/// Every other byte.
pub const BYTES: i32 = 0x00FF_00FF;
/// Minus the least sum of two products of int8.
pub const LOW: i32 = 2 * 128 * 127;

/// Writes [`PAIR_WORDS`] for each pair of activations.
#[inline(never)]
pub fn spread(x: View<i8>, words: ViewMut<i32>) {
    for pair in 0..x.len() / 2 {
        let (x0, x1) = (x.at(2 * pair) as i32, x.at(2 * pair + 1) as i32);
        let words = words.slice(PAIR_WORDS * pair, PAIR_WORDS);
        words.set(0, x0);
        words.set(1, x1);
        words.set(2, const { LOW | LOW << 16 }.wrapping_sub((x0 + x1).wrapping_mul(0x80_0080)));
    }
}

/// Adds to the sums of fours of channels their products with the taps of `x`, as [`spread`] wrote them, and [`LOW`] for
/// each pair of them. The weights of fours begin `stride` words apart.
pub fn add_words(sums: ViewMut<i32>, x: View<i32>, w: View<i32>, stride: usize) {
    let n_words = x.len() / PAIR_WORDS * 2;
    let weights = |four: usize| w.slice(four.wrapping_mul(stride), n_words);
    let sums_of = |four: usize| sums.slice(4 * four, 4);
    let n = sums.len() / 4;
    let mut four = 0;
    // Two fours share the loads of the activations.
    while four + 2 <= n {
        let (mut a, mut b) = (Four::of(sums_of(four)), Four::of(sums_of(four + 1)));
        let (wa, wb) = (weights(four), weights(four + 1));
        for i in 0..n_words / 2 {
            let pair = Pair::of(x, i);
            a.add(&pair, wa.slice(2 * i, 2));
            b.add(&pair, wb.slice(2 * i, 2));
        }
        a.store(sums_of(four));
        b.store(sums_of(four + 1));
        four += 2;
    }
    if four < n {
        let (mut a, wa) = (Four::of(sums_of(four)), weights(four));
        for i in 0..n_words / 2 {
            a.add(&Pair::of(x, i), wa.slice(2 * i, 2));
        }
        a.store(sums_of(four));
    }
}

/// A pair of taps, and what is added to their products.
struct Pair([i32; PAIR_WORDS]);

impl Pair {
    #[inline(always)]
    fn of(x: View<i32>, i: usize) -> Pair {
        let x = x.slice(PAIR_WORDS * i, PAIR_WORDS);
        Pair([x.at(0), x.at(1), x.at(2)])
    }
}

/// Sums of four channels.
struct Four {
    even: Two,
    odd: Two,
}

impl Four {
    #[inline(always)]
    fn of(sums: ViewMut<i32>) -> Four {
        Four { even: Two::of(sums.at(0), sums.at(2)), odd: Two::of(sums.at(1), sums.at(3)) }
    }

    /// Adds the products of a pair of taps.
    #[inline(always)]
    fn add(&mut self, Pair([x0, x1, offset]): &Pair, w: View<i32>) {
        let (w0, w1) = (w.at(0), w.at(1));
        let product = |x: &i32, w: i32| x.wrapping_mul(w & BYTES);
        self.even.add(offset.wrapping_add(product(x0, w0)).wrapping_add(product(x1, w1)));
        self.odd.add(offset.wrapping_add(product(x0, w0 >> 8)).wrapping_add(product(x1, w1 >> 8)));
    }

    #[inline(always)]
    fn store(&self, sums: ViewMut<i32>) {
        let ([s0, s2], [s1, s3]) = (self.even.sums(), self.odd.sums());
        sums.set(0, s0);
        sums.set(1, s1);
        sums.set(2, s2);
        sums.set(3, s3);
    }
}

/// Sums of two channels.
#[derive(Clone, Copy)]
struct Two {
    /// The lower one, and 2^16 times the upper one.
    both: i32,
    upper: i32,
}

impl Two {
    #[inline(always)]
    fn of(lower: i32, upper: i32) -> Two {
        Two { both: lower.wrapping_add(upper << 16), upper }
    }

    /// Adds what is side by side, neither of it negative.
    #[inline(always)]
    fn add(&mut self, products: i32) {
        self.both = self.both.wrapping_add(products);
        self.upper = self.upper.wrapping_add((products as u32 >> 16) as i32);
    }

    #[inline(always)]
    fn sums(&self) -> [i32; 2] {
        [self.both.wrapping_sub(self.upper << 16), self.upper]
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// Sums of four channels of weights `[taps, 4]`, added to the biases.
    fn sums(x: &[i8], w: &[[i8; 4]], biases: [i32; 4]) -> Vec<i32> {
        let words = w.iter().map(|w| i32::from_le_bytes(w.map(|w| w as u8 ^ 0x80)));
        // Three fours: two that are computed together, and one.
        let words: Vec<i32> = words.collect::<Vec<_>>().repeat(3);
        let mut table = vec![0; PAIR_WORDS * x.len() / 2];
        spread(View::from(x), (&mut table[..]).into());
        let mut sums = biases.map(|bias| bias - x.len() as i32 / 2 * LOW).repeat(3);
        add_words((&mut sums[..]).into(), View::from(&table[..]), View::from(&words[..]), x.len());
        assert!(sums[..4] == sums[4..8] && sums[..4] == sums[8..], "{sums:?}");
        sums[..4].into()
    }

    fn element() -> impl Strategy<Value = i8> {
        prop_oneof![Just(i8::MIN), Just(i8::MAX), any::<i8>()]
    }

    proptest! {
        #[test]
        fn two_channels_share_a_multiplication(
            mut taps in prop::collection::vec((element(), prop::array::uniform4(element())), 0..40),
            biases in prop::array::uniform4(-1_000_000..1_000_000),
        ) {
            taps.truncate(taps.len() & !3);
            let (x, w): (Vec<i8>, Vec<[i8; 4]>) = taps.iter().copied().unzip();
            let expected: Vec<i32> = (0..4)
                .map(|c| biases[c] + taps.iter().map(|(x, w)| *x as i32 * w[c] as i32).sum::<i32>())
                .collect();
            prop_assert_eq!(sums(&x, &w, biases), expected);
        }
    }

    #[test]
    fn the_greatest_products_keep_to_their_halves() {
        for (x, w) in [(-128i8, -128i8), (-128, 127), (127, -128), (127, 127)] {
            assert_eq!(sums(&[x; 8], &[[w; 4]; 8], [0; 4]), [8 * x as i32 * w as i32; 4]);
            assert_eq!(sums(&[x; 8], &[[w, !w, !w, w]; 8], [0; 4])[1], 8 * x as i32 * !w as i32);
        }
    }
}
