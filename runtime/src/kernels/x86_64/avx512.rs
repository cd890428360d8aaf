//! Vectors of 64 bytes.

use core::arch::x86_64::*;

use crate::kernels::wide::cpu::{Cpu, MAX_LANES, TAPS_I8, Work};

/// AVX-512 F, BW, DQ, VL and VNNI.
#[derive(Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The machine has all of them, AVX2 and FMA.
    #[inline(always)]
    pub unsafe fn new() -> Avx512 {
        Avx512(())
    }

    #[inline(always)]
    pub fn run(self, work: impl Work) {
        // SAFETY: `self` exists only where the machine has the instructions.
        unsafe { self.run_there(work) }
    }

    #[inline(never)]
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn run_there(self, work: impl Work) {
        work.run(self);
    }
}

/// Intrinsics that take no pointers.
macro_rules! there {
    ($intrinsics:expr) => {{
        // SAFETY: an `Avx512` exists only where the machine has the instructions.
        unsafe { $intrinsics }
    }};
}

/// See [`Cpu::factors`]: a product of 64 bits at a time, those of the even lanes and those of the odd ones.
#[derive(Clone, Copy)]
pub struct Factors {
    multipliers: [__m512i; 2],
    /// What rounds both times, if the first rounding gives no negative number.
    halves: [__m512i; 2],
    /// Bits by which the high halves are shifted.
    shifts: __m512i,
}

/// The odd lanes.
const ODD: u16 = 0xAAAA;
/// The first rounding: half of 2^31.
const FIRST_HALF: i64 = 1 << 30;

// SAFETY: 16 lanes are 64 bytes, and bytes of 16 lanes are 16.
unsafe impl Cpu for Avx512 {
    const LANES: usize = 16;
    const FLIP: u8 = 0x80;
    const TILES: [usize; 3] = [8, 8, 6];
    type V = __m512i;
    type Factors = Factors;

    #[inline(always)]
    fn splat(self, word: i32) -> __m512i {
        there!(_mm512_set1_epi32(word))
    }

    #[inline(always)]
    unsafe fn load(self, from: *const i32) -> __m512i {
        // SAFETY: the machine has the instruction, and the caller the words.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_part(self, from: *const u8, n_bytes: usize) -> __m512i {
        // SAFETY: as in `load`; bytes that are masked are not touched.
        unsafe { _mm512_maskz_loadu_epi8((1 << n_bytes) - 1, from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, v: __m512i, to: *mut i32) {
        // SAFETY: as in `load`.
        unsafe { _mm512_storeu_si512(to.cast(), v) }
    }

    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> __m512i {
        // SAFETY: as in `load`.
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_triples(self, from: *const i32) -> [__m512i; 3] {
        // SAFETY: as in `load`.
        let [a, b, c] = unsafe { [self.load(from), self.load(from.add(16)), self.load(from.add(32))] };
        // Each element of the three vectors is at another place.
        there!({
            let places = _mm512_set_epi32(13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3, 0);
            let firsts = _mm512_mask_mov_epi32(_mm512_mask_mov_epi32(a, 0x4924, b), 0x2492, c);
            let seconds = _mm512_mask_mov_epi32(_mm512_mask_mov_epi32(a, 0x9249, b), 0x4924, c);
            let thirds = _mm512_mask_mov_epi32(_mm512_mask_mov_epi32(a, 0x2492, b), 0x9249, c);
            let [one, two] = [_mm512_set1_epi32(1), _mm512_set1_epi32(2)];
            [
                _mm512_permutexvar_epi32(places, firsts),
                _mm512_permutexvar_epi32(_mm512_add_epi32(places, one), seconds),
                _mm512_permutexvar_epi32(_mm512_add_epi32(places, two), thirds),
            ]
        })
    }

    #[inline(always)]
    unsafe fn interleave<const ROWS: usize>(self, from: [*const i8; TAPS_I8]) -> __m512i {
        // SAFETY: as in `load`.
        unsafe {
            let [a, b, c, d] = from;
            let ab = _mm512_or_si512(bytes(a), _mm512_slli_epi32(bytes(b), 8));
            let abc = _mm512_or_si512(ab, _mm512_slli_epi32(bytes(c), 16));
            if ROWS == 3 { abc } else { _mm512_or_si512(abc, _mm512_slli_epi32(bytes(d), 24)) }
        }
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [__m512i; MAX_LANES]) {
        there!({
            for quad in rows.chunks_exact_mut(4) {
                let (a, b) =
                    (_mm512_unpacklo_epi32(quad[0], quad[1]), _mm512_unpackhi_epi32(quad[0], quad[1]));
                let (c, d) =
                    (_mm512_unpacklo_epi32(quad[2], quad[3]), _mm512_unpackhi_epi32(quad[2], quad[3]));
                quad[0] = _mm512_unpacklo_epi64(a, c);
                quad[1] = _mm512_unpackhi_epi64(a, c);
                quad[2] = _mm512_unpacklo_epi64(b, d);
                quad[3] = _mm512_unpackhi_epi64(b, d);
            }
            // Now quarter `q` of row `4 r + i` is words 4 q + i of rows 4 r to 4 r + 3.
            for i in 0..4 {
                let [r0, r1, r2, r3] = [rows[i], rows[4 + i], rows[8 + i], rows[12 + i]];
                let (a, b) = (_mm512_shuffle_i32x4(r0, r1, 0x88), _mm512_shuffle_i32x4(r0, r1, 0xDD));
                let (c, d) = (_mm512_shuffle_i32x4(r2, r3, 0x88), _mm512_shuffle_i32x4(r2, r3, 0xDD));
                rows[i] = _mm512_shuffle_i32x4(a, c, 0x88);
                rows[8 + i] = _mm512_shuffle_i32x4(a, c, 0xDD);
                rows[4 + i] = _mm512_shuffle_i32x4(b, d, 0x88);
                rows[12 + i] = _mm512_shuffle_i32x4(b, d, 0xDD);
            }
        })
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        there!(_mm512_add_epi32(a, b))
    }

    #[inline(always)]
    fn sub(self, a: __m512i, b: __m512i) -> __m512i {
        there!(_mm512_sub_epi32(a, b))
    }

    #[inline(always)]
    fn mul(self, a: __m512i, b: __m512i) -> __m512i {
        there!(_mm512_mullo_epi32(a, b))
    }

    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        there!(_mm512_xor_si512(a, b))
    }

    #[inline(always)]
    fn or_if_zero(self, v: __m512i, otherwise: __m512i) -> __m512i {
        there!({
            let is_zero = _mm512_testn_epi32_mask(v, v);
            _mm512_mask_mov_epi32(otherwise, is_zero, _mm512_set1_epi32(-1))
        })
    }

    #[inline(always)]
    fn shift_left<const BITS: u32>(self, v: __m512i) -> __m512i {
        there!(_mm512_slli_epi32::<BITS>(v))
    }

    #[inline(always)]
    fn all_negative(self, v: __m512i) -> bool {
        there!(_mm512_movepi32_mask(v)) == u16::MAX
    }

    #[inline(always)]
    fn sums(self, v: &[__m512i; MAX_LANES]) -> __m512i {
        sums_of_16(v, false)
    }

    #[inline(always)]
    fn dot(self, acc: __m512i, x: __m512i, w: __m512i) -> __m512i {
        there!(_mm512_dpbusd_epi32(acc, x, w))
    }

    #[inline(always)]
    fn factors(self, multipliers: __m512i, right_shifts: __m512i) -> Factors {
        there!({
            let half = _mm512_set1_epi64(FIRST_HALF);
            let even = _mm512_and_si512(right_shifts, _mm512_set1_epi64(0xFFFF_FFFF));
            let odd = _mm512_srli_epi64(right_shifts, 32);
            Factors {
                multipliers: [multipliers, _mm512_srli_epi64(multipliers, 32)],
                halves: [
                    _mm512_add_epi64(half, _mm512_sllv_epi64(half, even)),
                    _mm512_add_epi64(half, _mm512_sllv_epi64(half, odd)),
                ],
                shifts: _mm512_sub_epi32(right_shifts, _mm512_set1_epi32(1)),
            }
        })
    }

    #[inline(always)]
    fn requantize(self, acc: __m512i, factors: &Factors) -> __m512i {
        let [even, odd] = products(acc, factors);
        let even = add_halves(even, factors.halves[0]);
        high_halves(even, add_halves(odd, factors.halves[1]), factors)
    }

    #[inline(always)]
    fn requantize_positive(self, acc: __m512i, factors: &Factors) -> __m512i {
        there!({
            let [even, odd] = products(acc, factors);
            let even = _mm512_add_epi64(even, factors.halves[0]);
            high_halves(even, _mm512_add_epi64(odd, factors.halves[1]), factors)
        })
    }

    #[inline(always)]
    unsafe fn store_i8(self, v: __m512i, zero_point: __m512i, bounds: (i8, i8), to: *mut i8) {
        // SAFETY: as in `load`.
        unsafe { _mm_storeu_si128(to.cast(), to_i8(v, zero_point, bounds)) }
    }

    #[inline(always)]
    unsafe fn store_half_i8(self, v: __m512i, zero_point: __m512i, bounds: (i8, i8), to: *mut i8) {
        // SAFETY: as in `load`.
        unsafe { _mm_storel_epi64(to.cast(), to_i8(v, zero_point, bounds)) }
    }

    #[inline(always)]
    fn with_sign_of(self, v: __m512i, of: __m512i) -> __m512i {
        there!({
            let is_negative = _mm512_movepi32_mask(of);
            _mm512_mask_sub_epi32(v, is_negative, _mm512_setzero_si512(), v)
        })
    }

    #[inline(always)]
    fn divide(self, v: __m512i, by: __m512i) -> __m512i {
        // Rounded to 24 bits, a quotient reaches the next integer only if it is one.
        there!(_mm512_cvttps_epi32(_mm512_div_ps(_mm512_cvtepi32_ps(v), _mm512_cvtepi32_ps(by))))
    }

    #[inline(always)]
    fn add_f32(self, a: __m512i, b: __m512i) -> __m512i {
        sum(a, b, true)
    }

    #[inline(always)]
    fn mul_add_f32(self, acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        there!(_mm512_castps_si512(_mm512_fmadd_ps(
            _mm512_castsi512_ps(a),
            _mm512_castsi512_ps(b),
            _mm512_castsi512_ps(acc)
        )))
    }

    #[inline(always)]
    fn clamp_f32(self, v: __m512i, lo: __m512i, hi: __m512i) -> __m512i {
        // Where one is no number, the second operand is taken.
        there!({
            let v = _mm512_max_ps(_mm512_castsi512_ps(lo), _mm512_castsi512_ps(v));
            _mm512_castps_si512(_mm512_min_ps(_mm512_castsi512_ps(hi), v))
        })
    }

    #[inline(always)]
    fn sums_f32(self, v: &[__m512i; MAX_LANES]) -> __m512i {
        sums_of_16(v, true)
    }
}

/// Accumulators times multipliers: even lanes, odd lanes.
#[inline(always)]
fn products(acc: __m512i, factors: &Factors) -> [__m512i; 2] {
    there!([
        _mm512_mul_epi32(acc, factors.multipliers[0]),
        _mm512_mul_epi32(_mm512_srli_epi64(acc, 32), factors.multipliers[1]),
    ])
}

/// The high halves of the even and the odd lanes' numbers, shifted right.
#[inline(always)]
fn high_halves(even: __m512i, odd: __m512i, factors: &Factors) -> __m512i {
    there!({
        let high = _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), ODD, odd);
        _mm512_srav_epi32(high, factors.shifts)
    })
}

/// Adds what rounds a product both times. Halves go away from zero: a negative number has one less before the second
/// rounding.
#[inline(always)]
fn add_halves(product: __m512i, halves: __m512i) -> __m512i {
    there!({
        let sum = _mm512_add_epi64(product, halves);
        _mm512_mask_sub_epi64(sum, _mm512_movepi64_mask(product), sum, _mm512_set1_epi64(2 * FIRST_HALF))
    })
}

/// 16 bytes as lanes.
///
/// # Safety
/// The machine has the instructions, and the bytes can be read.
#[inline(always)]
unsafe fn bytes(from: *const i8) -> __m512i {
    // SAFETY: as the caller says.
    unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())) }
}

/// See [`Cpu::sums`].
#[inline(always)]
fn sums_of_16(v: &[__m512i; MAX_LANES], is_f32: bool) -> __m512i {
    let low = sum_of_halves(sums_of_4(v, 0, is_f32), sums_of_4(v, 4, is_f32), is_f32);
    let high = sum_of_halves(sums_of_4(v, 8, is_f32), sums_of_4(v, 12, is_f32), is_f32);
    sum_of_halves(low, high, is_f32)
}

/// Of four vectors from `i` on, in each quarter the sums of that quarter.
#[inline(always)]
fn sums_of_4(v: &[__m512i; MAX_LANES], i: usize, is_f32: bool) -> __m512i {
    let [a, b, c, d] = [v[i], v[i + 1], v[i + 2], v[i + 3]];
    there!({
        let ab = sum(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b), is_f32);
        let cd = sum(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d), is_f32);
        sum(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd), is_f32)
    })
}

/// Adds neighbouring quarters: those of `a`, then those of `b`.
#[inline(always)]
fn sum_of_halves(a: __m512i, b: __m512i, is_f32: bool) -> __m512i {
    there!(sum(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD), is_f32))
}

#[inline(always)]
fn sum(a: __m512i, b: __m512i, is_f32: bool) -> __m512i {
    there!(match is_f32 {
        true => _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b))),
        false => _mm512_add_epi32(a, b),
    })
}

/// See [`Cpu::store_i8`].
#[inline(always)]
fn to_i8(v: __m512i, zero_point: __m512i, (lo, hi): (i8, i8)) -> __m128i {
    there!({
        let q = _mm512_cvtsepi32_epi8(_mm512_add_epi32(v, zero_point));
        _mm_min_epi8(_mm_max_epi8(q, _mm_set1_epi8(lo)), _mm_set1_epi8(hi))
    })
}
