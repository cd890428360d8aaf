//! int8: four taps in a word.

use super::cpu::{Cpu, MAX_LANES, TAPS_I8};
use super::numbers::{Numbers, Sums};
use crate::kernels::generic::arithmetic::I8;

/// int8.
#[derive(Clone, Copy)]
pub struct Int8<'a> {
    arithmetic: &'a I8<'a>,
    /// Whether what is below the zero point is clamped to it.
    is_positive: bool,
}

impl<'a> Int8<'a> {
    #[inline(always)]
    pub fn new(arithmetic: &'a I8<'a>) -> Int8<'a> {
        let requantize = &arithmetic.requantize;
        Int8 { arithmetic, is_positive: requantize.bounds.0 as i32 >= requantize.zero_point }
    }
}

/// See [`Numbers::Channels`].
#[derive(Clone, Copy)]
pub struct Int8Channels<C: Cpu> {
    bias: C::V,
    factors: C::Factors,
    /// The first channel, and how many there are.
    first: usize,
    count: usize,
    /// Whether all factors shift right.
    is_usual: bool,
}

impl Numbers for Int8<'_> {
    type T = i8;
    type Staged = u8;
    const TAPS: usize = TAPS_I8;
    const ANY_ORDER: bool = true;
    type Channels<C: Cpu> = Int8Channels<C>;

    #[inline(always)]
    fn padding<C: Cpu>(&self) -> (i8, u8) {
        let zero_point = self.arithmetic.x_offset.wrapping_neg() as i8;
        (zero_point, zero_point as u8 ^ C::FLIP)
    }

    #[inline(always)]
    fn flip<C: Cpu>() -> i32 {
        i32::from_ne_bytes([C::FLIP; TAPS_I8])
    }

    /// Not if staged activations have no zero point.
    #[inline(always)]
    fn wants_weights<C: Cpu>(&self) -> bool {
        C::OFFSET != self.arithmetic.x_offset
    }

    #[inline(always)]
    unsafe fn stage<C: Cpu>(&self, cpu: C, from: *const i8, to: *mut u8, len: usize) {
        let flip = cpu.splat(Self::flip::<C>());
        let step = TAPS_I8 * C::LANES;
        let mut i = 0;
        while i + step <= len {
            // SAFETY: both have `step` bytes more.
            unsafe {
                let v = cpu.load(from.wrapping_add(i).cast());
                cpu.store(cpu.xor(v, flip), to.wrapping_add(i).cast());
            }
            i += step;
        }
        while i < len {
            // SAFETY: both have a byte more.
            unsafe { to.add(i).write(from.add(i).read() as u8 ^ C::FLIP) };
            i += 1;
        }
    }

    #[inline(always)]
    unsafe fn interleave<C: Cpu, const ROWS: usize>(cpu: C, from: [*const i8; TAPS_I8]) -> C::V {
        // SAFETY: the caller has so many.
        unsafe { cpu.interleave::<ROWS>(from) }
    }

    #[inline(always)]
    fn dot<C: Cpu>(cpu: C, acc: C::V, x: C::V, w: C::V) -> C::V {
        cpu.dot(acc, x, w)
    }

    #[inline(always)]
    fn add_weights<C: Cpu>(cpu: C, sum: C::V, w: C::V) -> C::V {
        cpu.dot(sum, cpu.splat(i32::from_ne_bytes([1; 4])), w)
    }

    #[inline(always)]
    fn add<C: Cpu>(cpu: C, a: C::V, b: C::V) -> C::V {
        cpu.add(a, b)
    }

    #[inline(always)]
    fn sums_of_quarters<C: Cpu>(cpu: C, v: [C::V; 4]) -> C::V {
        cpu.sums_of_quarters(v)
    }

    #[inline(always)]
    fn add_quarters<C: Cpu>(cpu: C, a: C::V, b: C::V) -> C::V {
        cpu.add_quarters(a, b)
    }

    #[inline(always)]
    fn channels<C: Cpu>(&self, cpu: C, c: usize, n: usize, weights: C::V) -> Int8Channels<C> {
        let table = self.arithmetic.requantize.channels.0;
        let [bias, multipliers, shifts] = if n == C::LANES {
            let table = table.slice(3 * c, 3 * n);
            // SAFETY: a triple for each lane.
            unsafe { cpu.load_triples(table.as_ptr()) }
        } else {
            let mut triples = [[0; 3]; MAX_LANES];
            for (i, [bias, multiplier, shift]) in triples.iter_mut().enumerate() {
                let table = table.slice(3 * (c + i % n), 3);
                (*bias, *multiplier, *shift) = (table.at(0), table.at(1), table.at(2));
            }
            // SAFETY: there are as many triples as any CPU has lanes.
            unsafe { cpu.load_triples(triples.as_ptr().cast()) }
        };
        // (x + x_offset) * w = (staged + x_offset - OFFSET) * w.
        let excess = cpu.splat(self.arithmetic.x_offset.wrapping_sub(C::OFFSET));
        let bias = cpu.add(bias, cpu.mul(excess, weights));
        // What is multiplied by 0 may be shifted by any number of bits.
        let shifts = cpu.or_if_zero(multipliers, shifts);
        let factors = cpu.factors(multipliers, cpu.sub(cpu.splat(0), shifts));
        Int8Channels { bias, factors, first: c, count: n, is_usual: cpu.all_negative(shifts) }
    }

    #[inline(always)]
    fn begin<C: Cpu>(channels: &Int8Channels<C>) -> C::V {
        channels.bias
    }

    #[inline(always)]
    unsafe fn finish<C: Cpu>(&self, cpu: C, channels: *const Int8Channels<C>, sums: Sums<C>, to: *mut i8) {
        // SAFETY: as the caller says.
        unsafe {
            let mut is_usual = sums.channels == sums.vectors * C::LANES;
            for v in 0..sums.vectors {
                is_usual &= (*channels.add(v)).is_usual;
            }
            match (sums.vectors, self.is_positive) {
                _ if !is_usual => self.finish_apart(cpu, channels, &sums, to),
                (4, false) => self.finish_whole::<C, 4, false>(cpu, channels, &sums, to),
                (4, true) => self.finish_whole::<C, 4, true>(cpu, channels, &sums, to),
                (2, false) => self.finish_whole::<C, 2, false>(cpu, channels, &sums, to),
                (2, true) => self.finish_whole::<C, 2, true>(cpu, channels, &sums, to),
                (_, false) => self.finish_whole::<C, 1, false>(cpu, channels, &sums, to),
                (_, true) => self.finish_whole::<C, 1, true>(cpu, channels, &sums, to),
            }
        }
    }
}

impl Int8<'_> {
    /// Of `VECTORS` whole vectors with usual factors: four vectors of outputs at a time.
    ///
    /// # Safety
    /// See [`Numbers::finish`].
    #[inline(always)]
    unsafe fn finish_whole<C: Cpu, const VECTORS: usize, const POSITIVE: bool>(
        &self,
        cpu: C,
        channels: *const Int8Channels<C>,
        sums: &Sums<C>,
        to: *mut i8,
    ) {
        // Copies: what is written might be them, for all that the compiler knows.
        let (zero_point, bounds) = (self.arithmetic.requantize.zero_point, self.arithmetic.requantize.bounds);
        // SAFETY: as the caller says, here and below.
        let mut factors = [unsafe { (*channels).factors }; VECTORS];
        for (v, factors) in factors.iter_mut().enumerate() {
            // SAFETY: as above.
            *factors = unsafe { (*channels.add(v)).factors };
        }
        let mut p = 0;
        while p + 4 / VECTORS <= sums.positions {
            let mut q = [cpu.splat(0); 4];
            for (i, q) in q.iter_mut().enumerate() {
                // SAFETY: as above.
                let acc = unsafe { sums.first.add(p * VECTORS + i).read() };
                *q = requantize::<C, POSITIVE>(cpu, acc, &factors[i % VECTORS]);
            }
            let to = to.wrapping_add(p * sums.out_step);
            // SAFETY: as above.
            unsafe {
                match VECTORS {
                    4 => cpu.store_4_i8::<1>(q, zero_point, bounds, to, 0),
                    2 => cpu.store_4_i8::<2>(q, zero_point, bounds, to, sums.out_step),
                    _ => cpu.store_4_i8::<4>(q, zero_point, bounds, to, sums.out_step),
                }
            }
            p += 4 / VECTORS;
        }
        for p in p..sums.positions {
            for (v, factors) in factors.iter().enumerate() {
                // SAFETY: as above.
                unsafe {
                    let acc = sums.first.add(p * VECTORS + v).read();
                    let to = to.wrapping_add(p * sums.out_step + v * C::LANES);
                    cpu.store_i8(requantize::<C, POSITIVE>(cpu, acc, factors), zero_point, bounds, to);
                }
            }
        }
    }

    /// Of any number of channels and any factors, vector by vector.
    ///
    /// # Safety
    /// See [`Numbers::finish`].
    #[inline(always)]
    unsafe fn finish_apart<C: Cpu>(
        &self,
        cpu: C,
        channels: *const Int8Channels<C>,
        sums: &Sums<C>,
        to: *mut i8,
    ) {
        for v in 0..sums.vectors {
            let of_vector = Vector {
                first: sums.first.wrapping_add(v),
                step: sums.vectors,
                positions: sums.positions,
                channels: C::LANES.min(sums.channels - v * C::LANES),
                out_step: sums.out_step,
            };
            let to = to.wrapping_add(v * C::LANES);
            // SAFETY: as the caller says.
            unsafe {
                let channels = &*channels.add(v);
                match (channels.is_usual, self.is_positive) {
                    (false, _) => self.finish_any(cpu, channels, of_vector, to),
                    (true, false) => self.finish_usual::<C, false>(cpu, channels, of_vector, to),
                    (true, true) => self.finish_usual::<C, true>(cpu, channels, of_vector, to),
                }
            }
        }
    }

    /// # Safety
    /// See [`Numbers::finish`].
    #[inline(always)]
    unsafe fn finish_usual<C: Cpu, const POSITIVE: bool>(
        &self,
        cpu: C,
        channels: &Int8Channels<C>,
        sums: Vector<C>,
        to: *mut i8,
    ) {
        // Copies: what is written might be them, for all that the compiler knows.
        let (factors, bounds) = (channels.factors, self.arithmetic.requantize.bounds);
        let zero_point = self.arithmetic.requantize.zero_point;
        for p in 0..sums.positions {
            let to = to.wrapping_add(p * sums.out_step);
            // SAFETY: the caller has so many sums, and room for their outputs.
            unsafe {
                let acc = sums.first.add(p * sums.step).read();
                let q = requantize::<C, POSITIVE>(cpu, acc, &factors);
                if sums.channels == C::LANES {
                    cpu.store_i8(q, zero_point, bounds, to);
                } else if 2 * sums.channels == C::LANES {
                    cpu.store_half_i8(q, zero_point, bounds, to);
                } else {
                    let mut bytes = [0; MAX_LANES];
                    cpu.store_i8(q, zero_point, bounds, bytes.as_mut_ptr());
                    core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, sums.channels);
                }
            }
        }
    }

    /// Whatever the factors.
    ///
    /// # Safety
    /// See [`Numbers::finish`].
    #[inline(always)]
    unsafe fn finish_any<C: Cpu>(&self, cpu: C, channels: &Int8Channels<C>, sums: Vector<C>, to: *mut i8) {
        for p in 0..sums.positions {
            let mut of_position = [0; MAX_LANES];
            // SAFETY: the caller has so many sums; there are as many words as any CPU has lanes.
            unsafe { cpu.store(sums.first.add(p * sums.step).read(), of_position.as_mut_ptr()) };
            for (i, &sum) in of_position.iter().enumerate().take(sums.channels) {
                let q = self.arithmetic.requantize.apply(sum, channels.first + i % channels.count);
                // SAFETY: the caller has room for the outputs.
                unsafe { to.add(p * sums.out_step + i).write(q) };
            }
        }
    }
}

/// Sums of a vector of channels at some positions.
struct Vector<C: Cpu> {
    first: *const C::V,
    /// Vectors from position to position.
    step: usize,
    positions: usize,
    /// Channels that are there.
    channels: usize,
    /// Outputs from position to position.
    out_step: usize,
}

/// `POSITIVE`: what is below the zero point is clamped to it.
#[inline(always)]
fn requantize<C: Cpu, const POSITIVE: bool>(cpu: C, acc: C::V, factors: &C::Factors) -> C::V {
    if POSITIVE { cpu.requantize_positive(acc, factors) } else { cpu.requantize(acc, factors) }
}
