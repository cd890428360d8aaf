//! f32: a tap in a word.

use super::cpu::{Cpu, MAX_LANES, TAPS_I8};
use super::numbers::{Numbers, Sums};
use crate::kernels::generic::arithmetic::F32;

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
    fn sums_of_quarters<C: Cpu>(cpu: C, v: [C::V; 4]) -> C::V {
        cpu.sums_of_quarters_f32(v)
    }

    #[inline(always)]
    fn add_quarters<C: Cpu>(cpu: C, a: C::V, b: C::V) -> C::V {
        cpu.add_quarters_f32(a, b)
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
    unsafe fn finish<C: Cpu>(&self, cpu: C, _channels: *const C::V, sums: Sums<C>, to: *mut f32) {
        let (lo, hi) = self.0.bounds;
        let (lo, hi) = (cpu.splat(lo.to_bits() as i32), cpu.splat(hi.to_bits() as i32));
        for p in 0..sums.positions {
            for v in 0..sums.vectors {
                let to = to.wrapping_add(p * sums.out_step + v * C::LANES);
                let n = C::LANES.min(sums.channels - v * C::LANES);
                // SAFETY: the caller has so many sums, and room for their outputs.
                unsafe {
                    let out = cpu.clamp_f32(sums.first.add(p * sums.vectors + v).read(), lo, hi);
                    if n == C::LANES {
                        cpu.store(out, to.cast());
                    } else {
                        let mut outs = [0.0f32; MAX_LANES];
                        cpu.store(out, outs.as_mut_ptr().cast());
                        core::ptr::copy_nonoverlapping(outs.as_ptr(), to, n);
                    }
                }
            }
        }
    }
}
