//! Sum of two int8 rows of different quantization.

use super::cpu::{Cpu, MAX_LANES, Work};
use super::vectors;
use crate::kernels::generic;
use crate::kernels::generic::elementwise::Strided;
use crate::kernels::generic::requantize::Factor;
use crate::mem::{View, ViewMut};

pub use crate::kernels::generic::add::{LEFT_SHIFT, SumI8};

/// The factor of the operand of the greater scale, of which the common scale is twice.
const HALF: Factor = Factor { multiplier: 1 << 30, shift: 0 };

/// [`generic::add::add_row`].
pub fn add_row(sum: &SumI8, a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>) {
    let is_usual = |factor: Factor| factor.shift < 0;
    let operands = sum.operands.iter().all(|&factor| factor == HALF || is_usual(factor));
    let is_made_for = operands && is_usual(sum.output) && a.1 == 1 && b.1 == 1;
    if !is_made_for || !vectors::run(Row { sum, operands: [a.0, b.0], out }) {
        generic::add::add_row(sum, a, b, out);
    }
}

struct Row<'a> {
    sum: &'a SumI8,
    operands: [View<'a, i8>; 2],
    out: ViewMut<'a, i8>,
}

impl Work for Row<'_> {
    #[inline(always)]
    fn run<C: Cpu>(mut self, cpu: C) {
        let mut sum = *self.sum;
        if sum.operands[1] == HALF {
            sum.operands.swap(0, 1);
            sum.zero_points.swap(0, 1);
            self.operands.swap(0, 1);
        }
        let halves = sum.operands.iter().filter(|&&factor| factor == HALF).count();
        match (halves, sum.bounds.0 as i32 >= sum.zero_point) {
            (0, false) => self.add::<C, 0, false>(cpu, &sum),
            (0, true) => self.add::<C, 0, true>(cpu, &sum),
            (1, false) => self.add::<C, 1, false>(cpu, &sum),
            (1, true) => self.add::<C, 1, true>(cpu, &sum),
            (_, false) => self.add::<C, 2, false>(cpu, &sum),
            (_, true) => self.add::<C, 2, true>(cpu, &sum),
        }
    }
}

impl Row<'_> {
    /// `HALVES`: so many operands, the first ones, have the factor [`HALF`]; `POSITIVE`: what is below the zero point is
    /// clamped to it.
    #[inline(always)]
    fn add<C: Cpu, const HALVES: usize, const POSITIVE: bool>(&self, cpu: C, sum: &SumI8) {
        let adder = Adder::<C, HALVES, POSITIVE>::new(cpu, sum);
        let [a, b] = self.operands;
        let (a, b, out, mut i) = (a.as_ptr(), b.as_ptr(), self.out.as_ptr(), 0);
        while i + 4 * C::LANES <= self.out.len() {
            // SAFETY: so many elements more, here and below.
            let (a, b) = unsafe { (cpu.load_4_i8(a.wrapping_add(i)), cpu.load_4_i8(b.wrapping_add(i))) };
            let mut sums = [cpu.splat(0); 4];
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = adder.sum(cpu, a[j], b[j]);
            }
            // SAFETY: as above.
            unsafe { cpu.store_4_i8::<1>(sums, adder.zero_point, adder.bounds, out.wrapping_add(i), 0) };
            i += 4 * C::LANES;
        }
        while i + C::LANES <= self.out.len() {
            // SAFETY: so many elements more.
            unsafe { adder.add(cpu, a.wrapping_add(i), b.wrapping_add(i), out.wrapping_add(i)) };
            i += C::LANES;
        }
        let left = self.out.len() - i;
        if left > 0 {
            let (mut a_tail, mut b_tail, mut out_tail) = ([0; MAX_LANES], [0; MAX_LANES], [0; MAX_LANES]);
            // SAFETY: the rows have so many elements more, and the copies as many as any CPU has lanes.
            unsafe {
                core::ptr::copy_nonoverlapping(a.wrapping_add(i), a_tail.as_mut_ptr(), left);
                core::ptr::copy_nonoverlapping(b.wrapping_add(i), b_tail.as_mut_ptr(), left);
                adder.add(cpu, a_tail.as_ptr(), b_tail.as_ptr(), out_tail.as_mut_ptr());
                core::ptr::copy_nonoverlapping(out_tail.as_ptr(), out.wrapping_add(i), left);
            }
        }
    }
}

/// A sum's constants in vectors.
struct Adder<C: Cpu, const HALVES: usize, const POSITIVE: bool> {
    zero_points: [C::V; 2],
    factors: [C::Factors; 3],
    zero_point: i32,
    bounds: (i8, i8),
}

impl<C: Cpu, const HALVES: usize, const POSITIVE: bool> Adder<C, HALVES, POSITIVE> {
    #[inline(always)]
    fn new(cpu: C, sum: &SumI8) -> Self {
        let [a, b] = sum.zero_points;
        let [a_factor, b_factor] = sum.operands;
        Adder {
            zero_points: [cpu.splat(a), cpu.splat(b)],
            factors: [factors(cpu, a_factor), factors(cpu, b_factor), factors(cpu, sum.output)],
            zero_point: sum.zero_point,
            bounds: sum.bounds,
        }
    }

    /// Adds as many elements as there are lanes.
    ///
    /// # Safety
    /// They can be read, and written.
    #[inline(always)]
    unsafe fn add(&self, cpu: C, a: *const i8, b: *const i8, to: *mut i8) {
        // SAFETY: as the caller says.
        unsafe {
            let sum = self.sum(cpu, cpu.load_i8(a), cpu.load_i8(b));
            cpu.store_i8(sum, self.zero_point, self.bounds, to);
        }
    }

    /// The sums of a vector of elements, without the zero point.
    #[inline(always)]
    fn sum(&self, cpu: C, a: C::V, b: C::V) -> C::V {
        let (a, b) = (cpu.sub(a, self.zero_points[0]), cpu.sub(b, self.zero_points[1]));
        let a = if HALVES > 0 { half(cpu, a) } else { scaled(cpu, a, &self.factors[0]) };
        let b = if HALVES > 1 { half(cpu, b) } else { scaled(cpu, b, &self.factors[1]) };
        let sum = cpu.add(a, b);
        if POSITIVE {
            cpu.requantize_positive(sum, &self.factors[2])
        } else {
            cpu.requantize(sum, &self.factors[2])
        }
    }
}

/// Of an operand less its zero point, half of what is shifted left: nothing is lost.
#[inline(always)]
fn half<C: Cpu>(cpu: C, x: C::V) -> C::V {
    cpu.shift_left::<{ LEFT_SHIFT - 1 }>(x)
}

/// The same times a factor.
#[inline(always)]
fn scaled<C: Cpu>(cpu: C, x: C::V, factors: &C::Factors) -> C::V {
    cpu.requantize(cpu.shift_left::<LEFT_SHIFT>(x), factors)
}

#[inline(always)]
fn factors<C: Cpu>(cpu: C, factor: Factor) -> C::Factors {
    // Those of `HALF` are not used.
    cpu.factors(cpu.splat(factor.multiplier), cpu.splat((-(factor.shift as i32)).max(1)))
}
