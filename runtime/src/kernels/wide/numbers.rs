//! What the kernels ask of a dtype, and the answers of int8 and f32.

use super::cpu::{Cpu, MAX_LANES, TAPS_I8};
use crate::Element;
use crate::kernels::generic::arithmetic::{F32, I8};

/// Weighted sums in vectors: activations are staged and weights laid out in words, `TAPS` of them in 32 bits.
pub trait Numbers: Copy {
    /// Element of activations and weights.
    type T: Element;
    /// A staged activation.
    type Staged: Copy;
    /// Activations or weights in a word.
    const TAPS: usize;
    /// Whether sums are the same in every order.
    const ANY_ORDER: bool;
    /// The constants of as many channels as a vector has lanes.
    type Channels<C: Cpu>: Copy;

    /// The activation that stands for 0, and the same staged.
    fn padding<C: Cpu>(&self) -> (Self::T, Self::Staged);
    /// What stages the activations of a word: the bits that are flipped.
    fn flip<C: Cpu>() -> i32;
    /// Whether the sums of the weights count.
    fn wants_weights<C: Cpu>(&self) -> bool;
    /// Stages `len` activations.
    ///
    /// # Safety
    /// They can be read and written.
    unsafe fn stage<C: Cpu>(&self, cpu: C, from: *const Self::T, to: *mut Self::Staged, len: usize);
    /// The words of `LANES` channels: element `i` of each of `ROWS` rows, in int8 three or four.
    ///
    /// # Safety
    /// `LANES` elements behind each of them can be read.
    unsafe fn interleave<C: Cpu, const ROWS: usize>(cpu: C, from: [*const Self::T; TAPS_I8]) -> C::V;
    /// Adds the products of a word of activations and one of weights.
    fn dot<C: Cpu>(cpu: C, acc: C::V, x: C::V, w: C::V) -> C::V;
    /// Adds weights, if their sum is wanted.
    fn add_weights<C: Cpu>(cpu: C, sum: C::V, w: C::V) -> C::V;
    /// Adds sums.
    fn add<C: Cpu>(cpu: C, a: C::V, b: C::V) -> C::V;
    /// Lane `i` is the sum of the lanes of vector `i`.
    fn sums<C: Cpu>(cpu: C, v: &[C::V; MAX_LANES]) -> C::V;
    /// The constants of `n` channels from `c` on, whose weights have these sums. Lanes that are left repeat them.
    fn channels<C: Cpu>(&self, cpu: C, c: usize, n: usize, weights: C::V) -> Self::Channels<C>;
    /// The sums before the first product.
    fn begin<C: Cpu>(channels: &Self::Channels<C>) -> C::V;
    /// Writes outputs of these channels.
    ///
    /// # Safety
    /// They can be written, and the sums read.
    unsafe fn finish<C: Cpu>(&self, cpu: C, channels: &Self::Channels<C>, sums: Sums<C>, to: *mut Self::T);
}

/// Sums of a vector of channels at some positions.
pub struct Sums<C: Cpu> {
    pub first: *const C::V,
    /// Vectors from position to position.
    pub step: usize,
    pub positions: usize,
    /// Channels of the vector that are there.
    pub channels: usize,
    /// Outputs from position to position.
    pub out_step: usize,
}

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
    fn sums<C: Cpu>(cpu: C, v: &[C::V; MAX_LANES]) -> C::V {
        cpu.sums(v)
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
    unsafe fn finish<C: Cpu>(&self, cpu: C, channels: &Int8Channels<C>, sums: Sums<C>, to: *mut i8) {
        // SAFETY: as the caller says.
        unsafe {
            match (channels.is_usual, self.is_positive) {
                (false, _) => self.finish_any(cpu, channels, sums, to),
                (true, false) => self.finish_usual::<C, false>(cpu, channels, sums, to),
                (true, true) => self.finish_usual::<C, true>(cpu, channels, sums, to),
            }
        }
    }
}

impl Int8<'_> {
    /// # Safety
    /// See [`Numbers::finish`].
    #[inline(always)]
    unsafe fn finish_usual<C: Cpu, const POSITIVE: bool>(
        &self,
        cpu: C,
        channels: &Int8Channels<C>,
        sums: Sums<C>,
        to: *mut i8,
    ) {
        // Copies: what is written might be them, for all that the compiler knows.
        let (factors, bounds) = (channels.factors, self.arithmetic.requantize.bounds);
        let zero_point = cpu.splat(self.arithmetic.requantize.zero_point);
        for p in 0..sums.positions {
            let to = to.wrapping_add(p * sums.out_step);
            // SAFETY: the caller has so many sums, and room for their outputs.
            unsafe {
                let acc = sums.first.add(p * sums.step).read();
                let q = if POSITIVE {
                    cpu.requantize_positive(acc, &factors)
                } else {
                    cpu.requantize(acc, &factors)
                };
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
    unsafe fn finish_any<C: Cpu>(&self, cpu: C, channels: &Int8Channels<C>, sums: Sums<C>, to: *mut i8) {
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

/// f32.
#[derive(Clone, Copy)]
pub struct Float32<'a>(pub &'a F32<'a>);

impl Numbers for Float32<'_> {
    type T = f32;
    type Staged = f32;
    const TAPS: usize = 1;
    const ANY_ORDER: bool = false;
    /// The biases.
    type Channels<C: Cpu> = C::V;

    #[inline(always)]
    fn padding<C: Cpu>(&self) -> (f32, f32) {
        (0.0, 0.0)
    }

    #[inline(always)]
    fn flip<C: Cpu>() -> i32 {
        0
    }

    #[inline(always)]
    fn wants_weights<C: Cpu>(&self) -> bool {
        false
    }

    #[inline(always)]
    unsafe fn stage<C: Cpu>(&self, cpu: C, from: *const f32, to: *mut f32, len: usize) {
        let mut i = 0;
        while i + C::LANES <= len {
            // SAFETY: both have so many more.
            unsafe { cpu.store(cpu.load(from.wrapping_add(i).cast()), to.wrapping_add(i).cast()) };
            i += C::LANES;
        }
        while i < len {
            // SAFETY: both have one more.
            unsafe { to.add(i).write(from.add(i).read()) };
            i += 1;
        }
    }

    #[inline(always)]
    unsafe fn interleave<C: Cpu, const ROWS: usize>(cpu: C, from: [*const f32; TAPS_I8]) -> C::V {
        // SAFETY: the caller has so many.
        unsafe { cpu.load(from[0].cast()) }
    }

    #[inline(always)]
    fn dot<C: Cpu>(cpu: C, acc: C::V, x: C::V, w: C::V) -> C::V {
        cpu.mul_add_f32(acc, x, w)
    }

    #[inline(always)]
    fn add_weights<C: Cpu>(_cpu: C, sum: C::V, _w: C::V) -> C::V {
        sum
    }

    #[inline(always)]
    fn add<C: Cpu>(cpu: C, a: C::V, b: C::V) -> C::V {
        cpu.add_f32(a, b)
    }

    #[inline(always)]
    fn sums<C: Cpu>(cpu: C, v: &[C::V; MAX_LANES]) -> C::V {
        cpu.sums_f32(v)
    }

    #[inline(always)]
    fn channels<C: Cpu>(&self, cpu: C, c: usize, n: usize, _weights: C::V) -> C::V {
        let Some(bias) = self.0.bias else { return cpu.splat(0) };
        let bias = bias.slice(c, n);
        if n == C::LANES {
            // SAFETY: one for each lane.
            return unsafe { cpu.load(bias.as_ptr().cast()) };
        }
        let mut biases = [0.0; MAX_LANES];
        for (i, to) in biases.iter_mut().enumerate() {
            *to = bias.at(i % n);
        }
        // SAFETY: there are as many as any CPU has lanes.
        unsafe { cpu.load(biases.as_ptr().cast()) }
    }

    #[inline(always)]
    fn begin<C: Cpu>(channels: &C::V) -> C::V {
        *channels
    }

    #[inline(always)]
    unsafe fn finish<C: Cpu>(&self, cpu: C, _channels: &C::V, sums: Sums<C>, to: *mut f32) {
        let (lo, hi) = self.0.bounds;
        let (lo, hi) = (cpu.splat(lo.to_bits() as i32), cpu.splat(hi.to_bits() as i32));
        for p in 0..sums.positions {
            let to = to.wrapping_add(p * sums.out_step);
            // SAFETY: the caller has so many sums, and room for their outputs.
            unsafe {
                let out = cpu.clamp_f32(sums.first.add(p * sums.step).read(), lo, hi);
                if sums.channels == C::LANES {
                    cpu.store(out, to.cast());
                } else {
                    let mut outs = [0.0f32; MAX_LANES];
                    cpu.store(out, outs.as_mut_ptr().cast());
                    core::ptr::copy_nonoverlapping(outs.as_ptr(), to, sums.channels);
                }
            }
        }
    }
}
