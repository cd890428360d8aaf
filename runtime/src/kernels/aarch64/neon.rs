//! Vectors of 16 bytes.

use core::arch::aarch64::*;

use crate::kernels::wide::cpu::{Cpu, MAX_LANES, TAPS_I8, Work};

/// Neon, and the dot product of bytes if so.
#[derive(Clone, Copy)]
pub struct Neon<const DOT: bool>(());

impl<const DOT: bool> Neon<DOT> {
    /// # Safety
    /// The machine has them.
    #[inline(always)]
    pub unsafe fn new() -> Neon<DOT> {
        Neon(())
    }

    #[inline(always)]
    pub fn run(self, work: impl Work) {
        // SAFETY: `self` exists only where the machine has the instructions.
        unsafe { if DOT { self.run_with_dot(work) } else { self.run_there(work) } }
    }

    #[inline(never)]
    #[target_feature(enable = "neon")]
    fn run_there(self, work: impl Work) {
        work.run(self);
    }

    #[inline(never)]
    #[target_feature(enable = "neon,dotprod")]
    fn run_with_dot(self, work: impl Work) {
        work.run(self);
    }
}

/// Intrinsics that take no pointers.
macro_rules! there {
    ($intrinsics:expr) => {{
        // SAFETY: a `Neon` exists only where the machine has the instructions.
        unsafe { $intrinsics }
    }};
}

/// See [`Cpu::factors`].
#[derive(Clone, Copy)]
pub struct Factors {
    multipliers: int32x4_t,
    /// Bits of the second rounding, negative: to the right.
    shifts: int32x4_t,
}

// SAFETY: 4 lanes are 16 bytes, and bytes of 4 lanes are 4.
unsafe impl<const DOT: bool> Cpu for Neon<DOT> {
    const LANES: usize = 4;
    const FLIP: u8 = 0;
    const TILES: [usize; 3] = [8, 8, 4];
    type V = int32x4_t;
    type Factors = Factors;

    #[inline(always)]
    fn splat(self, word: i32) -> int32x4_t {
        there!(vdupq_n_s32(word))
    }

    #[inline(always)]
    unsafe fn load(self, from: *const i32) -> int32x4_t {
        // SAFETY: the machine has the instruction, and the caller the words. Bytes have no alignment.
        unsafe { vreinterpretq_s32_u8(vld1q_u8(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_part(self, from: *const u8, n_bytes: usize) -> int32x4_t {
        let mut bytes = [0u8; 16];
        // SAFETY: as in `load`.
        unsafe {
            core::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), n_bytes);
            self.load(bytes.as_ptr().cast())
        }
    }

    #[inline(always)]
    unsafe fn store(self, v: int32x4_t, to: *mut i32) {
        // SAFETY: as in `load`.
        unsafe { vst1q_u8(to.cast(), vreinterpretq_u8_s32(v)) }
    }

    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> int32x4_t {
        // SAFETY: as in `load`.
        let word = unsafe { from.cast::<u32>().read_unaligned() };
        there!(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(word))))))
    }

    #[inline(always)]
    unsafe fn load_triples(self, from: *const i32) -> [int32x4_t; 3] {
        // SAFETY: as in `load`; words of a table are aligned.
        let int32x4x3_t(a, b, c) = unsafe { vld3q_s32(from) };
        [a, b, c]
    }

    #[inline(always)]
    unsafe fn interleave<const ROWS: usize>(self, from: [*const i8; TAPS_I8]) -> int32x4_t {
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
    fn transpose(self, rows: &mut [int32x4_t; MAX_LANES]) {
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
    fn add(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        there!(vaddq_s32(a, b))
    }

    #[inline(always)]
    fn sub(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        there!(vsubq_s32(a, b))
    }

    #[inline(always)]
    fn mul(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        there!(vmulq_s32(a, b))
    }

    #[inline(always)]
    fn xor(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        there!(veorq_s32(a, b))
    }

    #[inline(always)]
    fn or_if_zero(self, v: int32x4_t, otherwise: int32x4_t) -> int32x4_t {
        there!(vorrq_s32(otherwise, vreinterpretq_s32_u32(vceqzq_s32(v))))
    }

    #[inline(always)]
    fn shift_left<const BITS: u32>(self, v: int32x4_t) -> int32x4_t {
        there!(vshlq_s32(v, vdupq_n_s32(BITS as i32)))
    }

    #[inline(always)]
    fn all_negative(self, v: int32x4_t) -> bool {
        there!(vmaxvq_s32(v)) < 0
    }

    #[inline(always)]
    fn sums(self, v: &[int32x4_t; MAX_LANES]) -> int32x4_t {
        there!(vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3])))
    }

    #[inline(always)]
    fn dot(self, acc: int32x4_t, x: int32x4_t, w: int32x4_t) -> int32x4_t {
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
    fn factors(self, multipliers: int32x4_t, right_shifts: int32x4_t) -> Factors {
        Factors { multipliers, shifts: there!(vnegq_s32(right_shifts)) }
    }

    #[inline(always)]
    fn requantize(self, acc: int32x4_t, factors: &Factors) -> int32x4_t {
        there!({
            let high = vqrdmulhq_s32(acc, factors.multipliers);
            // The shift rounds halves up: where they must go down, the number is negative and has one less.
            vrshlq_s32(vqaddq_s32(high, vshrq_n_s32::<31>(high)), factors.shifts)
        })
    }

    #[inline(always)]
    fn requantize_positive(self, acc: int32x4_t, factors: &Factors) -> int32x4_t {
        there!(vrshlq_s32(vqrdmulhq_s32(acc, factors.multipliers), factors.shifts))
    }

    #[inline(always)]
    unsafe fn store_i8(self, v: int32x4_t, zero_point: int32x4_t, bounds: (i8, i8), to: *mut i8) {
        let word = there!(vget_lane_u32::<0>(vreinterpret_u32_s8(to_i8(v, zero_point, bounds))));
        // SAFETY: as in `load`.
        unsafe { to.cast::<u32>().write_unaligned(word) }
    }

    #[inline(always)]
    unsafe fn store_half_i8(self, v: int32x4_t, zero_point: int32x4_t, bounds: (i8, i8), to: *mut i8) {
        let half = there!(vget_lane_u16::<0>(vreinterpret_u16_s8(to_i8(v, zero_point, bounds))));
        // SAFETY: as in `load`.
        unsafe { to.cast::<u16>().write_unaligned(half) }
    }

    #[inline(always)]
    fn with_sign_of(self, v: int32x4_t, of: int32x4_t) -> int32x4_t {
        there!(vbslq_s32(vcltzq_s32(of), vnegq_s32(v), v))
    }

    #[inline(always)]
    fn divide(self, v: int32x4_t, by: int32x4_t) -> int32x4_t {
        // Rounded to 24 bits, a quotient reaches the next integer only if it is one.
        there!(vcvtq_s32_f32(vdivq_f32(vcvtq_f32_s32(v), vcvtq_f32_s32(by))))
    }

    #[inline(always)]
    fn add_f32(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        there!(vreinterpretq_s32_f32(vaddq_f32(vreinterpretq_f32_s32(a), vreinterpretq_f32_s32(b))))
    }

    #[inline(always)]
    fn mul_add_f32(self, acc: int32x4_t, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        there!({
            let (a, b) = (vreinterpretq_f32_s32(a), vreinterpretq_f32_s32(b));
            vreinterpretq_s32_f32(vfmaq_f32(vreinterpretq_f32_s32(acc), a, b))
        })
    }

    #[inline(always)]
    fn clamp_f32(self, v: int32x4_t, lo: int32x4_t, hi: int32x4_t) -> int32x4_t {
        // What is no number stays so.
        there!({
            let v = vmaxq_f32(vreinterpretq_f32_s32(v), vreinterpretq_f32_s32(lo));
            vreinterpretq_s32_f32(vminq_f32(v, vreinterpretq_f32_s32(hi)))
        })
    }

    #[inline(always)]
    fn sums_f32(self, v: &[int32x4_t; MAX_LANES]) -> int32x4_t {
        there!({
            let low = vpaddq_f32(vreinterpretq_f32_s32(v[0]), vreinterpretq_f32_s32(v[1]));
            let high = vpaddq_f32(vreinterpretq_f32_s32(v[2]), vreinterpretq_f32_s32(v[3]));
            vreinterpretq_s32_f32(vpaddq_f32(low, high))
        })
    }
}

/// SDOT, whose intrinsic is not stable.
///
/// # Safety
/// The machine has it.
#[inline(always)]
unsafe fn dot_product(acc: int32x4_t, x: int8x16_t, w: int8x16_t) -> int32x4_t {
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
fn low_halves(a: int32x4_t, b: int32x4_t) -> int32x4_t {
    there!(vreinterpretq_s32_s64(vtrn1q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b))))
}

/// The last two lanes of `a`, then of `b`.
#[inline(always)]
fn high_halves(a: int32x4_t, b: int32x4_t) -> int32x4_t {
    there!(vreinterpretq_s32_s64(vtrn2q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b))))
}

/// See [`Cpu::store_i8`].
#[inline(always)]
fn to_i8(v: int32x4_t, zero_point: int32x4_t, (lo, hi): (i8, i8)) -> int8x8_t {
    there!({
        let q = vqmovn_s32(vaddq_s32(v, zero_point));
        let q = vqmovn_s16(vcombine_s16(q, q));
        vmin_s8(vmax_s8(q, vdup_n_s8(lo)), vdup_n_s8(hi))
    })
}
