//! Requantization with products of 64 bits, which are those of the even lanes and those of the odd ones.

use crate::kernels::wide::cpu::Cpu;

/// What it asks of a CPU beside [`Cpu`].
pub trait Products: Cpu {
    /// The same number in all lanes of 64 bits.
    fn splat_64(self, number: i64) -> Self::V;
    /// Wraps, in lanes of 64 bits.
    fn add_64(self, a: Self::V, b: Self::V) -> Self::V;
    /// Shifts lanes of 64 bits left, each by its own number of bits.
    fn shift_left_64(self, v: Self::V, bits: Self::V) -> Self::V;
    /// Subtracts in lanes of 64 bits where `of` is negative.
    fn sub_if_negative_64(self, v: Self::V, number: Self::V, of: Self::V) -> Self::V;
    /// Lanes of 64 bits: their high halves.
    fn high(self, v: Self::V) -> Self::V;
    /// Lanes of 64 bits: the products of the even lanes.
    fn mul_even(self, a: Self::V, b: Self::V) -> Self::V;
    /// The even lanes of one, and the odd lanes of another.
    fn alternate(self, even: Self::V, odd: Self::V) -> Self::V;
    /// Shifts right, each lane by its own number of bits.
    fn shift_right(self, v: Self::V, bits: Self::V) -> Self::V;
}

/// See [`Cpu::factors`].
#[derive(Clone, Copy)]
pub struct Factors<V> {
    multipliers: [V; 2],
    /// What rounds both times, if the first rounding gives no negative number.
    halves: [V; 2],
    /// Bits by which the high halves are shifted.
    shifts: V,
}

/// The first rounding: half of 2^31.
const FIRST_HALF: i64 = 1 << 30;

/// See [`Cpu::factors`].
#[inline(always)]
pub fn factors<C: Products>(cpu: C, multipliers: C::V, right_shifts: C::V) -> Factors<C::V> {
    let half = cpu.splat_64(FIRST_HALF);
    let (even, odd) = (cpu.alternate(right_shifts, cpu.splat(0)), cpu.high(right_shifts));
    Factors {
        multipliers: [multipliers, cpu.high(multipliers)],
        halves: [
            cpu.add_64(half, cpu.shift_left_64(half, even)),
            cpu.add_64(half, cpu.shift_left_64(half, odd)),
        ],
        shifts: cpu.sub(right_shifts, cpu.splat(1)),
    }
}

/// See [`Cpu::requantize`].
#[inline(always)]
pub fn requantize<C: Products>(cpu: C, acc: C::V, factors: &Factors<C::V>) -> C::V {
    let [even, odd] = products(cpu, acc, factors);
    // Halves go away from zero: a negative number has one less before the second rounding.
    let one = cpu.splat_64(2 * FIRST_HALF);
    let even = cpu.sub_if_negative_64(cpu.add_64(even, factors.halves[0]), one, even);
    let odd = cpu.sub_if_negative_64(cpu.add_64(odd, factors.halves[1]), one, odd);
    shifted(cpu, even, odd, factors)
}

/// See [`Cpu::requantize_positive`].
#[inline(always)]
pub fn requantize_positive<C: Products>(cpu: C, acc: C::V, factors: &Factors<C::V>) -> C::V {
    let [even, odd] = products(cpu, acc, factors);
    let (even, odd) = (cpu.add_64(even, factors.halves[0]), cpu.add_64(odd, factors.halves[1]));
    shifted(cpu, even, odd, factors)
}

/// Accumulators times multipliers: even lanes, odd lanes.
#[inline(always)]
fn products<C: Products>(cpu: C, acc: C::V, factors: &Factors<C::V>) -> [C::V; 2] {
    [cpu.mul_even(acc, factors.multipliers[0]), cpu.mul_even(cpu.high(acc), factors.multipliers[1])]
}

/// The high halves of the even and the odd lanes' numbers, shifted right.
#[inline(always)]
fn shifted<C: Products>(cpu: C, even: C::V, odd: C::V, factors: &Factors<C::V>) -> C::V {
    cpu.shift_right(cpu.alternate(cpu.high(even), odd), factors.shifts)
}

/// The methods of a [`Cpu`] with these products, whose vectors are `V`.
macro_rules! rounding_methods {
    () => {
        type Factors = rounding::Factors<V>;

        #[inline(always)]
        fn factors(self, multipliers: V, right_shifts: V) -> Self::Factors {
            rounding::factors(self, multipliers, right_shifts)
        }

        #[inline(always)]
        fn requantize(self, acc: V, factors: &Self::Factors) -> V {
            rounding::requantize(self, acc, factors)
        }

        #[inline(always)]
        fn requantize_positive(self, acc: V, factors: &Self::Factors) -> V {
            rounding::requantize_positive(self, acc, factors)
        }
    };
}
pub(super) use rounding_methods;
