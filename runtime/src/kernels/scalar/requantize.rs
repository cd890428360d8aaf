//! Sums to int8 without branches, for the factors of nearly all channels.

pub use crate::kernels::generic::requantize::clamp_row;
use crate::kernels::generic::requantize::{Factor, Requantize, saturate};

/// From sums to int8 with the factor of one channel, clamped to int8 alone.
#[derive(Clone, Copy)]
pub struct Finish {
    factor: Factor,
    zero_point: i32,
    is_usual: bool,
}

impl Finish {
    #[inline(always)]
    pub fn new(requantize: &Requantize, c: usize) -> Finish {
        let factor = requantize.channels.factor(c);
        Finish { factor, zero_point: requantize.zero_point, is_usual: is_usual(factor) }
    }

    #[inline(always)]
    pub fn apply(&self, sum: i32) -> i8 {
        if !self.is_usual {
            return finish_any(self.factor, self.zero_point, sum);
        }
        let high = doubling_high_mul(sum, self.factor.multiplier);
        let q = round_shift(high, self.factor.shift, self.zero_point);
        q.clamp(i8::MIN as i32, i8::MAX as i32) as i8
    }
}

/// One sum, whatever the factor, clamped to int8 alone.
#[cold]
#[inline(never)]
pub fn finish_any(factor: Factor, zero_point: i32, sum: i32) -> i8 {
    saturate(factor.apply(sum), zero_point, (i8::MIN, i8::MAX))
}

/// Whether a factor uses all bits of the multiplier and shifts right by two bits at least.
#[inline(always)]
pub fn is_usual(factor: Factor) -> bool {
    factor.multiplier >= 1 << 30 && factor.shift < -1
}

/// [`generic::requantize::high_mul`](crate::kernels::generic::requantize::high_mul) with the multiplier of a factor that
/// [`is_usual`].
#[inline(always)]
pub fn doubling_high_mul(x: i32, multiplier: i32) -> i32 {
    if cfg!(dunlin_armv6m) {
        return high_mul_of_halves(x, multiplier);
    }
    // With twice the multiplier less 2^32, it is the high half and `x`.
    let product = x as i64 * (multiplier << 1) as i64;
    ((product >> 32) as i32).wrapping_add(x).wrapping_add((product as u32 >> 31) as i32)
}

/// The same with products of 32 bits.
#[inline(always)]
fn high_mul_of_halves(x: i32, multiplier: i32) -> i32 {
    let (x_low, x_high) = (x & 0xFFFF, x >> 16);
    let (low, high) = (multiplier & 0xFFFF, multiplier >> 16);
    let lowest = x_low.wrapping_mul(low) as u32;
    let middle = x_high.wrapping_mul(low).wrapping_add((lowest >> 16) as i32);
    let lower = (x_low.wrapping_mul(high) + (middle & 0xFFFF)) as u32;
    let upper = x_high.wrapping_mul(high).wrapping_add(middle >> 16).wrapping_add((lower >> 16) as i32);
    (upper << 1).wrapping_add((((lower & 0xFFFF) + (1 << 14)) >> 15) as i32)
}

/// `x / 2^-shift` rounded to nearest, ties away from zero, and `offset`; for factors that are usual.
#[inline(always)]
pub fn round_shift(x: i32, shift: i8, offset: i32) -> i32 {
    // Halves up, after one is taken from negative numbers.
    let x = x.wrapping_add(x >> 31);
    x.wrapping_shr(!(shift as u32)).wrapping_add(offset.wrapping_mul(2) + 1) >> 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::generic::requantize::Channels;
    use crate::mem::View;

    proptest! {
        #[test]
        fn rounds_as_the_generic_kernels(
            sum in prop_oneof![any::<i32>(), -100_000..100_000, Just(i32::MIN), Just(i32::MAX)],
            multiplier in prop_oneof![1 << 30..=i32::MAX, Just(1 << 30), 0..=i32::MAX],
            shift in -31i32..=30,
            zero_point in -128i32..128,
        ) {
            let table = [0, multiplier, shift];
            let channels = Channels(View::from(&table[..]));
            let requantize = Requantize { channels, zero_point, bounds: (i8::MIN, i8::MAX) };
            prop_assert_eq!(Finish::new(&requantize, 0).apply(sum), requantize.apply(sum, 0));
            if multiplier >= 1 << 30 {
                prop_assert_eq!(doubling_high_mul(sum, multiplier), high_mul_of_halves(sum, multiplier));
            }
        }
    }
}
