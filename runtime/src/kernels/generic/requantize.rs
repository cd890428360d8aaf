//! From 32-bit accumulators back to stored numbers, rounded as TensorFlow Lite Micro does.

use super::table::TABLE_LEN;
use crate::Error;
use crate::mem::View;
#[cfg(not(dunlin_mve))]
use crate::mem::ViewMut;

/// A real factor as `multiplier * 2^(shift - 31)`; the multiplier has 31 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Factor {
    /// Not negative; in [2^30, 2^31) where all bits are used.
    pub multiplier: i32,
    /// In [-31, 30]; positive shifts left.
    pub shift: i8,
}

impl Factor {
    /// The factor nearest to `real`, as TensorFlow Lite's converter rounds it: the mantissa to 31 bits, halves
    /// up. Below 2^-32 it is 0. `None` for what no factor stands for: numbers that are negative, not finite
    /// or 2^30 and more.
    pub fn from_real(real: f64) -> Option<Factor> {
        let bits = real.to_bits();
        // real = mantissa * 2^(exponent - 53), the mantissa in [2^52, 2^53): no 0 and no subnormal gets there.
        let mantissa = (bits & ((1 << 52) - 1)) | 1 << 52;
        let exponent = (bits >> 52) as i32 - 1022;
        let multiplier = (mantissa + (1 << 21)) >> 22;
        let carry = (multiplier >> 31) as i32;
        match exponent + carry {
            // The sign is the exponent's highest bit: negative numbers have huge exponents (-0.0 too).
            31.. => None,
            shift @ -31..=30 => Some(Factor { multiplier: (multiplier >> carry) as i32, shift: shift as i8 }),
            _ => Some(Factor { multiplier: 0, shift: 0 }),
        }
    }

    /// Refuses factors that the arithmetic has no defined result for.
    ///
    /// # Errors
    /// [`Error::Parameters`].
    pub fn check(self) -> Result<(), Error> {
        if self.multiplier >= 0 && (-31..=30).contains(&self.shift) { Ok(()) } else { Err(Error::Parameters) }
    }

    /// [`Factor::check`], and that a left shift cannot overflow for accumulators up to `max` of either sign.
    ///
    /// # Errors
    /// [`Error::Parameters`].
    pub fn check_for(self, max: i32) -> Result<(), Error> {
        self.check()?;
        let room = max.leading_zeros() as i8 - 1;
        if self.shift <= room { Ok(()) } else { Err(Error::Parameters) }
    }

    /// `acc * factor`, rounded twice: to nearest in the doubling high multiplication, then to nearest with
    /// ties away from zero in the right shift. A left shift wraps as in two's complement.
    #[inline(always)]
    pub fn apply(self, acc: i32) -> i32 {
        let shift = self.shift as i32;
        let scaled = acc.wrapping_shl(shift.max(0) as u32);
        round_shift(high_mul(scaled, self.multiplier), (-shift).max(0) as u32)
    }

    /// The stored number of an accumulator: [`Factor::apply`], plus the zero point, clamped to `bounds`. It never
    /// descends while the accumulator ascends, as long as no left shift wraps ([`Factor::check_for`]).
    #[inline(always)]
    pub fn requantize(self, acc: i32, zero_point: i32, bounds: (i8, i8)) -> i8 {
        saturate(self.apply(acc), zero_point, bounds)
    }
}

/// `(a * b * 2) >> 32` rounded to nearest: the saturating rounding doubling high multiplication.
#[inline(always)]
pub fn high_mul(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    // Ties go up for either sign: the usual negative nudge and the truncating division amount to that.
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// `x / 2^shift` rounded to nearest, ties away from zero; `shift` in [0, 31].
#[inline(always)]
pub fn round_shift(x: i32, shift: u32) -> i32 {
    let mask = (1u32.wrapping_shl(shift) as i32).wrapping_sub(1);
    let remainder = x & mask;
    let threshold = (mask >> 1) + (x < 0) as i32;
    x.wrapping_shr(shift) + (remainder > threshold) as i32
}

/// How a channel table is arranged: of every so many channels come the biases, then the multipliers, then the shifts.
/// Channels behind the last whole group have an entry each.
#[derive(Clone, Copy)]
pub struct Groups {
    /// Channels of a group.
    pub channels: usize,
    /// Whether shifts in groups say how far to the right, not to the left.
    pub shifts_right: bool,
}

impl Groups {
    /// An entry for each channel.
    pub const NONE: Groups = Groups { channels: 1, shifts_right: false };
}

/// Per-channel constants of an int8 layer, one `[bias, multiplier, shift]` of i32 a channel.
#[derive(Clone, Copy)]
pub struct Channels<'a>(pub View<'a, i32>);

impl Channels<'_> {
    /// Checks every factor.
    ///
    /// # Errors
    /// [`Error::Parameters`].
    pub fn check(&self) -> Result<(), Error> {
        // As `Factor::check`, without a branch a channel: a model has thousands.
        let (mut sign, mut most) = (0, 0);
        for c in 0..self.0.len() / 3 {
            let (multiplier, shift) = (self.0.at(3 * c + 1), self.0.at(3 * c + 2));
            sign |= multiplier;
            most = u32::max(most, shift.wrapping_add(31) as u32);
        }
        if sign < 0 || most > 61 { Err(Error::Parameters) } else { Ok(()) }
    }

    /// Whether every factor uses all bits of its multiplier and shifts right, by at most 31.
    pub fn are_normal(&self, groups: Groups) -> bool {
        let Groups { channels: mut group, shifts_right: mut is_right } = groups;
        let mut at = 0usize;
        while at < self.0.len() {
            if self.0.len().wrapping_sub(at) < 3 * group {
                (group, is_right) = (1, false);
            }
            at = at.wrapping_add(group);
            for _ in 0..group {
                let (multiplier, shift) = (self.0.at(at), self.0.at(at.wrapping_add(group)));
                let shift = if is_right { shift.wrapping_neg() } else { shift };
                if multiplier >> 30 != 1 || !(-31..0).contains(&shift) {
                    return false;
                }
                at = at.wrapping_add(1);
            }
            at = at.wrapping_add(group);
        }
        true
    }

    #[inline(always)]
    pub fn bias(&self, c: usize) -> i32 {
        self.0.at(3 * c)
    }

    #[inline(always)]
    pub fn factor(&self, c: usize) -> Factor {
        Factor { multiplier: self.0.at(3 * c + 1), shift: self.0.at(3 * c + 2) as i8 }
    }
}

/// How accumulators become int8: factor per channel, then the zero point, then the activation's bounds.
#[derive(Clone, Copy)]
pub struct Requantize<'a> {
    pub channels: Channels<'a>,
    pub zero_point: i32,
    pub bounds: (i8, i8),
}

impl Requantize<'_> {
    #[inline(always)]
    pub fn apply(&self, acc: i32, c: usize) -> i8 {
        self.channels.factor(c).requantize(acc, self.zero_point, self.bounds)
    }
}

/// Bits behind the point of what becomes an output without being rounded.
pub const SCALED_SHIFT: u32 = 10;

/// The stored number of a sum that is scaled already: the high word of its product with `multiplier`, plus `addend`, both
/// with [`SCALED_SHIFT`] bits behind the point, rounded down and clamped to `bounds`.
#[cfg(not(dunlin_dsp))]
#[inline(always)]
pub fn finish_scaled(sum: i32, multiplier: i32, addend: i32, bounds: (i8, i8)) -> i8 {
    let high = ((sum as i64 * multiplier as i64) >> 32) as i32;
    clamp_i8(high.wrapping_add(addend) >> SCALED_SHIFT, bounds)
}

/// Greatest difference of an int8 number and a zero point.
pub const DIFFERENCE_MAX: i32 = 255;

/// From one int8 quantization to another.
#[derive(Clone, Copy)]
pub struct Rescale {
    /// Zero point of the input.
    pub x_zero_point: i32,
    pub factor: Factor,
    /// Zero point of the output.
    pub zero_point: i32,
    pub bounds: (i8, i8),
}

impl Rescale {
    #[inline(always)]
    pub fn apply(&self, x: i8) -> i8 {
        self.factor.requantize(x as i32 - self.x_zero_point, self.zero_point, self.bounds)
    }
}

/// The table of a function of the stored numbers -128 to 127 that applies `factor` to their difference from a zero point.
/// `None` if that would overflow.
pub fn requantized(factor: Factor, f: impl Fn(i32) -> i8) -> Option<[i8; TABLE_LEN]> {
    factor.check_for(DIFFERENCE_MAX).ok()?;
    Some(core::array::from_fn(|i| f(i as i32 - 128)))
}

/// `x + zero_point` clamped to `bounds`.
#[inline(always)]
pub fn saturate(x: i32, zero_point: i32, bounds: (i8, i8)) -> i8 {
    clamp_i8(x.saturating_add(zero_point), bounds)
}

/// `q` in `[lo, hi]`. (`Ord::clamp` would bring a panic for `lo > hi`.)
#[inline(always)]
pub fn clamp_i8(q: i32, (lo, hi): (i8, i8)) -> i8 {
    q.max(lo as i32).min(hi as i32) as i8
}

/// Clamps a row that is already int8.
#[cfg(not(dunlin_mve))]
#[inline(never)]
pub fn clamp_row(out: ViewMut<i8>, (lo, hi): (i8, i8)) {
    if (lo, hi) == (i8::MIN, i8::MAX) {
        return;
    }
    for i in 0..out.len() {
        out.set(i, out.at(i).max(lo).min(hi));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two roundings spelled out in exact arithmetic.
    fn slow(acc: i32, factor: Factor) -> i32 {
        let shifted = acc.wrapping_shl(factor.shift.max(0) as u32) as i64;
        let product = shifted * factor.multiplier as i64;
        let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
        let high = (product + nudge) / (1 << 31); // truncates
        let divisor = 1i64 << (-factor.shift).max(0);
        let (q, r) = (high.div_euclid(divisor), high.rem_euclid(divisor));
        let up = if high >= 0 { 2 * r >= divisor } else { 2 * r > divisor };
        (q + up as i64) as i32
    }

    proptest::proptest! {
        #[test]
        fn rounds_twice_to_nearest(acc: i32, multiplier in 0..=i32::MAX, shift in -31i8..=30) {
            let factor = Factor { multiplier, shift };
            proptest::prop_assert_eq!(factor.apply(acc), slow(acc, factor));
        }
    }

    proptest::proptest! {
        /// What the converter's intervals rest on.
        #[test]
        fn greater_accumulators_give_no_lesser_numbers(
            [a, b]: [i32; 2],
            multiplier in 0..=i32::MAX,
            shift in -31i8..=30,
            near: bool,
        ) {
            let factor = Factor { multiplier, shift };
            let b = if near { a.saturating_add(b % 3) } else { b };
            let most = a.unsigned_abs().max(b.unsigned_abs());
            if most <= i32::MAX as u32 && factor.check_for(most as i32).is_ok() {
                let [a_out, b_out] = [a, b].map(|acc| factor.requantize(acc, 3, (-100, 120)));
                let ascends = if a <= b { a_out <= b_out } else { a_out >= b_out };
                proptest::prop_assert!(ascends);
            }
        }
    }

    #[test]
    fn factors_are_the_converters_of_tensorflow_lite() {
        let factor = |multiplier, shift| Some(Factor { multiplier, shift });
        assert_eq!(Factor::from_real(0.0), factor(0, 0));
        assert_eq!(Factor::from_real(1.0), factor(1 << 30, 1));
        assert_eq!(Factor::from_real(0.5), factor(1 << 30, 0));
        assert_eq!(Factor::from_real(0.1), factor(1_717_986_918, -3));
        assert_eq!(Factor::from_real(1.0 - 1e-12), factor(1 << 30, 1), "carry");
        let tie = 1.0 - 0.5 / (1u64 << 31) as f64;
        assert_eq!(Factor::from_real(tie), factor(1 << 30, 1), "half up");
        let least = 1.0 / (1u64 << 32) as f64;
        assert_eq!(Factor::from_real(least), factor(1 << 30, -31));
        assert_eq!(Factor::from_real(0.999 * least), factor(0, 0));
        let end = (1 << 30) as f64;
        assert_eq!(Factor::from_real(0.75 * end), factor(3 << 29, 30));
        for real in [end, end - 1e-4, -1.0, -0.0, f64::NAN, f64::INFINITY, f64::MAX] {
            assert_eq!(Factor::from_real(real), None, "{real}");
        }
    }

    #[test]
    fn ties_go_away_from_zero_in_the_shift() {
        assert_eq!([-3, -2, -1, 0, 1, 2, 3].map(|x| round_shift(x, 1)), [-2, -1, -1, 0, 1, 1, 2]);
        assert_eq!(round_shift(i32::MIN, 31), -1);
        assert_eq!(round_shift(i32::MAX, 31), 1);
    }
}
