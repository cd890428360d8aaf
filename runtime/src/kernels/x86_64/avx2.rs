//! Vectors of 32 bytes.

use core::arch::x86_64::*;

use crate::kernels::wide::cpu::{Cpu, MAX_LANES, TAPS_I8, Work};

/// AVX2 and FMA, and AVX-VNNI if so.
#[derive(Clone, Copy)]
pub struct Avx2<const VNNI: bool>(());

impl<const VNNI: bool> Avx2<VNNI> {
    /// # Safety
    /// The machine has all of them.
    #[inline(always)]
    pub unsafe fn new() -> Avx2<VNNI> {
        Avx2(())
    }

    #[inline(always)]
    pub fn run(self, work: impl Work) {
        // SAFETY: `self` exists only where the machine has the instructions.
        unsafe { if VNNI { self.run_with_vnni(work) } else { self.run_there(work) } }
    }

    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    fn run_there(self, work: impl Work) {
        work.run(self);
    }

    #[inline(never)]
    #[target_feature(enable = "avx2,fma,avxvnni")]
    fn run_with_vnni(self, work: impl Work) {
        work.run(self);
    }
}

/// Intrinsics that take no pointers.
macro_rules! there {
    ($intrinsics:expr) => {{
        // SAFETY: an `Avx2` exists only where the machine has the instructions.
        unsafe { $intrinsics }
    }};
}

/// See [`Cpu::factors`]: a product of 64 bits at a time, those of the even lanes and those of the odd ones.
#[derive(Clone, Copy)]
pub struct Factors {
    multipliers: [__m256i; 2],
    /// What rounds both times, if the first rounding gives no negative number.
    halves: [__m256i; 2],
    /// Bits by which the high halves are shifted.
    shifts: __m256i,
}

/// The odd lanes.
const ODD: i32 = 0xAA;
/// The first rounding: half of 2^31.
const FIRST_HALF: i64 = 1 << 30;

// SAFETY: 8 lanes are 32 bytes, and bytes of 8 lanes are 8.
unsafe impl<const VNNI: bool> Cpu for Avx2<VNNI> {
    const LANES: usize = 8;
    const FLIP: u8 = 0x80;
    const TILES: [usize; 3] = if VNNI { [8, 4, 0] } else { [4, 4, 0] };
    type V = __m256i;
    type Factors = Factors;

    #[inline(always)]
    fn splat(self, word: i32) -> __m256i {
        there!(_mm256_set1_epi32(word))
    }

    #[inline(always)]
    unsafe fn load(self, from: *const i32) -> __m256i {
        // SAFETY: the machine has the instruction, and the caller the words.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_part(self, from: *const u8, n_bytes: usize) -> __m256i {
        let n_words = n_bytes / 4;
        // SAFETY: as in `load`; words that are masked are not touched.
        unsafe {
            let places = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
            let count = _mm256_set1_epi32(n_words as i32);
            let words = _mm256_maskload_epi32(from.cast(), _mm256_cmpgt_epi32(count, places));
            let mut last = 0u32;
            for i in (4 * n_words..n_bytes).rev() {
                last = last << 8 | u32::from(from.add(i).read());
            }
            let last = _mm256_and_si256(_mm256_cmpeq_epi32(count, places), _mm256_set1_epi32(last as i32));
            _mm256_or_si256(words, last)
        }
    }

    #[inline(always)]
    unsafe fn store(self, v: __m256i, to: *mut i32) {
        // SAFETY: as in `load`.
        unsafe { _mm256_storeu_si256(to.cast(), v) }
    }

    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> __m256i {
        // SAFETY: as in `load`.
        unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_triples(self, from: *const i32) -> [__m256i; 3] {
        // SAFETY: as in `load`.
        let [a, b, c] = unsafe { [self.load(from), self.load(from.add(8)), self.load(from.add(16))] };
        // Each element of the three vectors is at another place.
        there!({
            let places = _mm256_set_epi32(21, 18, 15, 12, 9, 6, 3, 0);
            let [one, two] = [_mm256_set1_epi32(1), _mm256_set1_epi32(2)];
            let firsts = _mm256_blend_epi32(_mm256_blend_epi32(a, b, 0x92), c, 0x24);
            let seconds = _mm256_blend_epi32(_mm256_blend_epi32(a, b, 0x24), c, 0x49);
            let thirds = _mm256_blend_epi32(_mm256_blend_epi32(a, b, 0x49), c, 0x92);
            [
                _mm256_permutevar8x32_epi32(firsts, places),
                _mm256_permutevar8x32_epi32(seconds, _mm256_add_epi32(places, one)),
                _mm256_permutevar8x32_epi32(thirds, _mm256_add_epi32(places, two)),
            ]
        })
    }

    #[inline(always)]
    unsafe fn interleave<const ROWS: usize>(self, from: [*const i8; TAPS_I8]) -> __m256i {
        // SAFETY: as in `load`.
        unsafe {
            let [a, b, c, d] = from;
            let ab = _mm_unpacklo_epi8(_mm_loadl_epi64(a.cast()), _mm_loadl_epi64(b.cast()));
            let d = if ROWS == 3 { _mm_setzero_si128() } else { _mm_loadl_epi64(d.cast()) };
            let cd = _mm_unpacklo_epi8(_mm_loadl_epi64(c.cast()), d);
            _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd))
        }
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [__m256i; MAX_LANES]) {
        there!({
            for quad in rows[..8].chunks_exact_mut(4) {
                let (a, b) =
                    (_mm256_unpacklo_epi32(quad[0], quad[1]), _mm256_unpackhi_epi32(quad[0], quad[1]));
                let (c, d) =
                    (_mm256_unpacklo_epi32(quad[2], quad[3]), _mm256_unpackhi_epi32(quad[2], quad[3]));
                quad[0] = _mm256_unpacklo_epi64(a, c);
                quad[1] = _mm256_unpackhi_epi64(a, c);
                quad[2] = _mm256_unpacklo_epi64(b, d);
                quad[3] = _mm256_unpackhi_epi64(b, d);
            }
            // Now half `h` of row `4 r + i` is words 4 h + i of rows 4 r to 4 r + 3.
            for i in 0..4 {
                let (a, b) = (rows[i], rows[4 + i]);
                rows[i] = _mm256_permute2x128_si256(a, b, 0x20);
                rows[4 + i] = _mm256_permute2x128_si256(a, b, 0x31);
            }
        })
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        there!(_mm256_add_epi32(a, b))
    }

    #[inline(always)]
    fn sub(self, a: __m256i, b: __m256i) -> __m256i {
        there!(_mm256_sub_epi32(a, b))
    }

    #[inline(always)]
    fn mul(self, a: __m256i, b: __m256i) -> __m256i {
        there!(_mm256_mullo_epi32(a, b))
    }

    #[inline(always)]
    fn xor(self, a: __m256i, b: __m256i) -> __m256i {
        there!(_mm256_xor_si256(a, b))
    }

    #[inline(always)]
    fn or_if_zero(self, v: __m256i, otherwise: __m256i) -> __m256i {
        there!(_mm256_or_si256(otherwise, _mm256_cmpeq_epi32(v, _mm256_setzero_si256())))
    }

    #[inline(always)]
    fn shift_left<const BITS: u32>(self, v: __m256i) -> __m256i {
        there!(_mm256_sll_epi32(v, _mm_cvtsi32_si128(BITS as i32)))
    }

    #[inline(always)]
    fn all_negative(self, v: __m256i) -> bool {
        there!(_mm256_movemask_ps(_mm256_castsi256_ps(v))) == 0xFF
    }

    #[inline(always)]
    fn sums(self, v: &[__m256i; MAX_LANES]) -> __m256i {
        there!({
            let a = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
            let b = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
            _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31))
        })
    }

    #[inline(always)]
    fn dot(self, acc: __m256i, x: __m256i, w: __m256i) -> __m256i {
        if VNNI {
            return there!(_mm256_dpbusd_avx_epi32(acc, x, w));
        }
        // Taps 0 and 2, then 1 and 3, as numbers of 16 bits: products of bytes would be saturated.
        there!({
            let (x_even, x_odd) =
                (_mm256_and_si256(x, _mm256_set1_epi32(0x00FF_00FF)), _mm256_srli_epi16(x, 8));
            let (w_even, w_odd) = (_mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8), _mm256_srai_epi16(w, 8));
            let sums = _mm256_add_epi32(_mm256_madd_epi16(x_even, w_even), _mm256_madd_epi16(x_odd, w_odd));
            _mm256_add_epi32(acc, sums)
        })
    }

    #[inline(always)]
    fn factors(self, multipliers: __m256i, right_shifts: __m256i) -> Factors {
        there!({
            let half = _mm256_set1_epi64x(FIRST_HALF);
            let even = _mm256_and_si256(right_shifts, _mm256_set1_epi64x(0xFFFF_FFFF));
            let odd = _mm256_srli_epi64(right_shifts, 32);
            Factors {
                multipliers: [multipliers, _mm256_srli_epi64(multipliers, 32)],
                halves: [
                    _mm256_add_epi64(half, _mm256_sllv_epi64(half, even)),
                    _mm256_add_epi64(half, _mm256_sllv_epi64(half, odd)),
                ],
                shifts: _mm256_sub_epi32(right_shifts, _mm256_set1_epi32(1)),
            }
        })
    }

    #[inline(always)]
    fn requantize(self, acc: __m256i, factors: &Factors) -> __m256i {
        let [even, odd] = products(acc, factors);
        let even = add_halves(even, factors.halves[0]);
        high_halves(even, add_halves(odd, factors.halves[1]), factors)
    }

    #[inline(always)]
    fn requantize_positive(self, acc: __m256i, factors: &Factors) -> __m256i {
        there!({
            let [even, odd] = products(acc, factors);
            let even = _mm256_add_epi64(even, factors.halves[0]);
            high_halves(even, _mm256_add_epi64(odd, factors.halves[1]), factors)
        })
    }

    #[inline(always)]
    unsafe fn store_i8(self, v: __m256i, zero_point: __m256i, bounds: (i8, i8), to: *mut i8) {
        // SAFETY: as in `load`.
        unsafe { _mm_storel_epi64(to.cast(), to_i8(v, zero_point, bounds)) }
    }

    #[inline(always)]
    unsafe fn store_half_i8(self, v: __m256i, zero_point: __m256i, bounds: (i8, i8), to: *mut i8) {
        let word = there!(_mm_cvtsi128_si32(to_i8(v, zero_point, bounds)));
        // SAFETY: as in `load`.
        unsafe { to.cast::<i32>().write_unaligned(word) }
    }

    #[inline(always)]
    fn with_sign_of(self, v: __m256i, of: __m256i) -> __m256i {
        // Odd, so that it is never 0.
        there!(_mm256_sign_epi32(v, _mm256_or_si256(of, _mm256_set1_epi32(1))))
    }

    #[inline(always)]
    fn divide(self, v: __m256i, by: __m256i) -> __m256i {
        // Rounded to 24 bits, a quotient reaches the next integer only if it is one.
        there!(_mm256_cvttps_epi32(_mm256_div_ps(_mm256_cvtepi32_ps(v), _mm256_cvtepi32_ps(by))))
    }

    #[inline(always)]
    fn add_f32(self, a: __m256i, b: __m256i) -> __m256i {
        there!(_mm256_castps_si256(_mm256_add_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b))))
    }

    #[inline(always)]
    fn mul_add_f32(self, acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        there!(_mm256_castps_si256(_mm256_fmadd_ps(
            _mm256_castsi256_ps(a),
            _mm256_castsi256_ps(b),
            _mm256_castsi256_ps(acc)
        )))
    }

    #[inline(always)]
    fn clamp_f32(self, v: __m256i, lo: __m256i, hi: __m256i) -> __m256i {
        // Where one is no number, the second operand is taken.
        there!({
            let v = _mm256_max_ps(_mm256_castsi256_ps(lo), _mm256_castsi256_ps(v));
            _mm256_castps_si256(_mm256_min_ps(_mm256_castsi256_ps(hi), v))
        })
    }

    #[inline(always)]
    fn sums_f32(self, v: &[__m256i; MAX_LANES]) -> __m256i {
        there!({
            let a = _mm256_hadd_ps(pair_f32(v, 0), pair_f32(v, 2));
            let b = _mm256_hadd_ps(pair_f32(v, 4), pair_f32(v, 6));
            let sums = _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
            _mm256_castps_si256(sums)
        })
    }
}

/// Accumulators times multipliers: even lanes, odd lanes.
#[inline(always)]
fn products(acc: __m256i, factors: &Factors) -> [__m256i; 2] {
    there!([
        _mm256_mul_epi32(acc, factors.multipliers[0]),
        _mm256_mul_epi32(_mm256_srli_epi64(acc, 32), factors.multipliers[1]),
    ])
}

/// The high halves of the even and the odd lanes' numbers, shifted right.
#[inline(always)]
fn high_halves(even: __m256i, odd: __m256i, factors: &Factors) -> __m256i {
    there!({
        let high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, ODD);
        _mm256_srav_epi32(high, factors.shifts)
    })
}

/// Adds what rounds a product both times. Halves go away from zero: a negative number has one less before the second
/// rounding.
#[inline(always)]
fn add_halves(product: __m256i, halves: __m256i) -> __m256i {
    there!({
        let is_negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), product);
        let one = _mm256_and_si256(is_negative, _mm256_set1_epi64x(2 * FIRST_HALF));
        _mm256_sub_epi64(_mm256_add_epi64(product, halves), one)
    })
}

/// Sums of neighbours, of two vectors from `i` on.
#[inline(always)]
fn pair_f32(v: &[__m256i; MAX_LANES], i: usize) -> __m256 {
    there!(_mm256_hadd_ps(_mm256_castsi256_ps(v[i]), _mm256_castsi256_ps(v[i + 1])))
}

/// See [`Cpu::store_i8`].
#[inline(always)]
fn to_i8(v: __m256i, zero_point: __m256i, (lo, hi): (i8, i8)) -> __m128i {
    there!({
        let q = _mm256_add_epi32(v, zero_point);
        let q = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
        let q = _mm_packs_epi16(q, q);
        _mm_min_epi8(_mm_max_epi8(q, _mm_set1_epi8(lo)), _mm_set1_epi8(hi))
    })
}
