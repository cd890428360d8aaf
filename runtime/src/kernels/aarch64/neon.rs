//! Vectors of 16 bytes.

use core::arch::aarch64::int32x4_t as V;
use core::arch::aarch64::*;

use crate::kernels::wide::cpu::{Cpu, MAX_LANES, TAPS_I8, Work, entry, methods, there};

/// Neon, and the dot product of bytes if so.
#[derive(Clone, Copy)]
pub struct Neon<const DOT: bool>(());

entry!(run, Neon::<false>(()), "neon");
entry!(run_with_dot, Neon::<true>(()), "neon,dotprod");

/// See [`Cpu::factors`].
#[derive(Clone, Copy)]
pub struct Factors {
    multipliers: V,
    /// Bits of the second rounding, negative: to the right.
    shifts: V,
}

// SAFETY: 4 lanes are 16 bytes, and bytes of 4 lanes are 4.
unsafe impl<const DOT: bool> Cpu for Neon<DOT> {
    const LANES: usize = 4;
    const FLIP: u8 = 0;
    const TILES: [usize; 3] = [8, 8, 4];
    type V = V;
    type Factors = Factors;

    methods! {
        splat(word: i32) -> V = vdupq_n_s32(word);
        add(a: V, b: V) -> V = vaddq_s32(a, b);
        sub(a: V, b: V) -> V = vsubq_s32(a, b);
        mul(a: V, b: V) -> V = vmulq_s32(a, b);
        xor(a: V, b: V) -> V = veorq_s32(a, b);
        or_if_zero(v: V, otherwise: V) -> V = vorrq_s32(otherwise, vreinterpretq_s32_u32(vceqzq_s32(v)));
        with_sign_of(v: V, of: V) -> V = vbslq_s32(vcltzq_s32(of), vnegq_s32(v), v);
        add_f32(a: V, b: V) -> V = vreinterpretq_s32_f32(vaddq_f32(vreinterpretq_f32_s32(a), vreinterpretq_f32_s32(b)));
    }

    #[inline(always)]
    unsafe fn load(self, from: *const i32) -> V {
        // SAFETY: the machine has the instruction, and the caller the words. Bytes have no alignment.
        unsafe { vreinterpretq_s32_u8(vld1q_u8(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_part(self, from: *const u8, n_bytes: usize) -> V {
        let mut bytes = [0u8; 16];
        // SAFETY: as in `load`.
        unsafe {
            core::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), n_bytes);
            self.load(bytes.as_ptr().cast())
        }
    }

    #[inline(always)]
    unsafe fn store(self, v: V, to: *mut i32) {
        // SAFETY: as in `load`.
        unsafe { vst1q_u8(to.cast(), vreinterpretq_u8_s32(v)) }
    }

    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> V {
        // SAFETY: as in `load`.
        let word = unsafe { from.cast::<u32>().read_unaligned() };
        there!(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(word))))))
    }

    #[inline(always)]
    unsafe fn load_4_i8(self, from: *const i8) -> [V; 4] {
        // SAFETY: as in `load`.
        unsafe {
            let bytes = vld1q_s8(from);
            let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
            [
                vmovl_s16(vget_low_s16(low)),
                vmovl_high_s16(low),
                vmovl_s16(vget_low_s16(high)),
                vmovl_high_s16(high),
            ]
        }
    }

    #[inline(always)]
    unsafe fn load_triples(self, from: *const i32) -> [V; 3] {
        // SAFETY: as in `load`; words of a table are aligned.
        let int32x4x3_t(a, b, c) = unsafe { vld3q_s32(from) };
        [a, b, c]
    }

    #[inline(always)]
    unsafe fn interleave<const ROWS: usize>(self, from: [*const i8; TAPS_I8]) -> V {
        // SAFETY: as in `load`.
        let words = unsafe {
            let word = |i: usize| from[i].cast::<u32>().read_unaligned();
            [word(0), word(1), word(2), if ROWS == 3 { 0 } else { word(3) }]
        };
        // Byte 4 i + j of the result is byte 4 j + i.
        const PLACES: [u8; 16] = [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15];
        // SAFETY: as in `load`.
        unsafe {
            let words = vreinterpretq_u8_u32(vld1q_u32(words.as_ptr()));
            vreinterpretq_s32_u8(vqtbl1q_u8(words, vld1q_u8(PLACES.as_ptr())))
        }
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [V; MAX_LANES]) {
        there!({
            let (a, b) = (vtrn1q_s32(rows[0], rows[1]), vtrn2q_s32(rows[0], rows[1]));
            let (c, d) = (vtrn1q_s32(rows[2], rows[3]), vtrn2q_s32(rows[2], rows[3]));
            rows[0] = low_halves(a, c);
            rows[1] = low_halves(b, d);
            rows[2] = high_halves(a, c);
            rows[3] = high_halves(b, d);
        })
    }

    #[inline(always)]
    fn shift_left<const BITS: u32>(self, v: V) -> V {
        there!(vshlq_s32(v, vdupq_n_s32(BITS as i32)))
    }

    #[inline(always)]
    fn all_negative(self, v: V) -> bool {
        there!(vmaxvq_s32(v)) < 0
    }

    #[inline(always)]
    fn sums_of_quarters(self, [a, b, c, d]: [V; 4]) -> V {
        there!(vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)))
    }

    /// There is one quarter.
    #[inline(always)]
    fn add_quarters(self, a: V, _b: V) -> V {
        a
    }

    #[inline(always)]
    fn dot(self, acc: V, x: V, w: V) -> V {
        there!({
            let (x, w) = (vreinterpretq_s8_s32(x), vreinterpretq_s8_s32(w));
            if DOT {
                return dot_product(acc, x, w);
            }
            let low = vpaddlq_s16(vmull_s8(vget_low_s8(x), vget_low_s8(w)));
            let high = vpaddlq_s16(vmull_high_s8(x, w));
            vaddq_s32(acc, vpaddq_s32(low, high))
        })
    }

    #[inline(always)]
    fn factors(self, multipliers: V, right_shifts: V) -> Factors {
        Factors { multipliers, shifts: there!(vnegq_s32(right_shifts)) }
    }

    #[inline(always)]
    fn requantize(self, acc: V, factors: &Factors) -> V {
        there!({
            let high = vqrdmulhq_s32(acc, factors.multipliers);
            // The shift rounds halves up: where they must go down, the number is negative and has one less.
            vrshlq_s32(vqaddq_s32(high, vshrq_n_s32::<31>(high)), factors.shifts)
        })
    }

    #[inline(always)]
    fn requantize_positive(self, acc: V, factors: &Factors) -> V {
        there!(vrshlq_s32(vqrdmulhq_s32(acc, factors.multipliers), factors.shifts))
    }

    #[inline(always)]
    unsafe fn store_i8(self, v: V, zero_point: i32, bounds: (i8, i8), to: *mut i8) {
        let word = there!(vget_lane_u32::<0>(vreinterpret_u32_s8(to_i8(v, zero_point, bounds))));
        // SAFETY: as in `load`.
        unsafe { to.cast::<u32>().write_unaligned(word) }
    }

    #[inline(always)]
    unsafe fn store_half_i8(self, v: V, zero_point: i32, bounds: (i8, i8), to: *mut i8) {
        let half = there!(vget_lane_u16::<0>(vreinterpret_u16_s8(to_i8(v, zero_point, bounds))));
        // SAFETY: as in `load`.
        unsafe { to.cast::<u16>().write_unaligned(half) }
    }

    #[inline(always)]
    unsafe fn store_4_i8<const RUNS: usize>(
        self,
        v: [V; 4],
        zero_point: i32,
        bounds: (i8, i8),
        to: *mut i8,
        step: usize,
    ) {
        let bytes = to_i8s(v, zero_point, bounds);
        // SAFETY: as in `load`.
        unsafe {
            match RUNS {
                1 => vst1q_s8(to, bytes),
                2 => {
                    vst1_s8(to, vget_low_s8(bytes));
                    vst1_s8(to.wrapping_add(step), vget_high_s8(bytes));
                }
                _ => {
                    let words = vreinterpretq_u32_s8(bytes);
                    to.cast::<u32>().write_unaligned(vgetq_lane_u32::<0>(words));
                    to.wrapping_add(step).cast::<u32>().write_unaligned(vgetq_lane_u32::<1>(words));
                    to.wrapping_add(2 * step).cast::<u32>().write_unaligned(vgetq_lane_u32::<2>(words));
                    to.wrapping_add(3 * step).cast::<u32>().write_unaligned(vgetq_lane_u32::<3>(words));
                }
            }
        }
    }

    #[inline(always)]
    fn divide(self, v: V, by: V) -> V {
        // Rounded to 24 bits, a quotient reaches the next integer only if it is one.
        there!(vcvtq_s32_f32(vdivq_f32(vcvtq_f32_s32(v), vcvtq_f32_s32(by))))
    }

    #[inline(always)]
    fn mul_add_f32(self, acc: V, a: V, b: V) -> V {
        there!({
            let (a, b) = (vreinterpretq_f32_s32(a), vreinterpretq_f32_s32(b));
            vreinterpretq_s32_f32(vfmaq_f32(vreinterpretq_f32_s32(acc), a, b))
        })
    }

    #[inline(always)]
    fn clamp_f32(self, v: V, lo: V, hi: V) -> V {
        // What is no number stays so.
        there!({
            let v = vmaxq_f32(vreinterpretq_f32_s32(v), vreinterpretq_f32_s32(lo));
            vreinterpretq_s32_f32(vminq_f32(v, vreinterpretq_f32_s32(hi)))
        })
    }

    #[inline(always)]
    fn sums_of_quarters_f32(self, v: [V; 4]) -> V {
        there!({
            let ab = vpaddq_f32(vreinterpretq_f32_s32(v[0]), vreinterpretq_f32_s32(v[1]));
            let cd = vpaddq_f32(vreinterpretq_f32_s32(v[2]), vreinterpretq_f32_s32(v[3]));
            vreinterpretq_s32_f32(vpaddq_f32(ab, cd))
        })
    }

    /// There is one quarter.
    #[inline(always)]
    fn add_quarters_f32(self, a: V, _b: V) -> V {
        a
    }
}

/// SDOT, whose intrinsic is not stable.
///
/// # Safety
/// The machine has it.
#[inline(always)]
unsafe fn dot_product(acc: V, x: int8x16_t, w: int8x16_t) -> V {
    let mut sums = acc;
    // SAFETY: it computes with registers alone.
    unsafe {
        core::arch::asm!(
            ".arch_extension dotprod",
            "sdot {sums:v}.4s, {x:v}.16b, {w:v}.16b",
            sums = inout(vreg) sums,
            x = in(vreg) x,
            w = in(vreg) w,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// The first two lanes of `a`, then of `b`.
#[inline(always)]
fn low_halves(a: V, b: V) -> V {
    there!(vreinterpretq_s32_s64(vtrn1q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b))))
}

/// The last two lanes of `a`, then of `b`.
#[inline(always)]
fn high_halves(a: V, b: V) -> V {
    there!(vreinterpretq_s32_s64(vtrn2q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b))))
}

/// See [`Cpu::store_i8`].
#[inline(always)]
fn to_i8(v: V, zero_point: i32, (lo, hi): (i8, i8)) -> int8x8_t {
    there!({
        let q = vqmovn_s32(vaddq_s32(v, vdupq_n_s32(zero_point)));
        let q = vqmovn_s16(vcombine_s16(q, q));
        vmin_s8(vmax_s8(q, vdup_n_s8(lo)), vdup_n_s8(hi))
    })
}

/// See [`Cpu::store_4_i8`]: the bytes of one vector after the other.
#[inline(always)]
fn to_i8s([a, b, c, d]: [V; 4], zero_point: i32, (lo, hi): (i8, i8)) -> int8x16_t {
    there!({
        let zero_point = vdupq_n_s16(zero_point as i16);
        let ab = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(a), b), zero_point);
        let cd = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(c), d), zero_point);
        let q = vqmovn_high_s16(vqmovn_s16(ab), cd);
        vminq_s8(vmaxq_s8(q, vdupq_n_s8(lo)), vdupq_n_s8(hi))
    })
}
