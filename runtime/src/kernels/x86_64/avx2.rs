//! Vectors of 32 bytes.

use core::arch::x86_64::__m256i as V;
use core::arch::x86_64::*;

use super::rounding::{self, Products, rounding_methods};
use crate::kernels::wide::cpu::{Cpu, MAX_LANES, TAPS_I8, Work, entry, methods, there};

/// AVX2 and FMA, and AVX-VNNI if so.
#[derive(Clone, Copy)]
pub struct Avx2<const VNNI: bool>(());

entry!(run, Avx2::<false>(()), "avx2,fma");
entry!(run_with_vnni, Avx2::<true>(()), "avx2,fma,avxvnni");

// SAFETY: 8 lanes are 32 bytes, and bytes of 8 lanes are 8.
unsafe impl<const VNNI: bool> Cpu for Avx2<VNNI> {
    const LANES: usize = 8;
    const FLIP: u8 = 0x80;
    const TILES: [usize; 3] = if VNNI { [8, 4, 0] } else { [4, 4, 0] };
    type V = V;

    rounding_methods!();

    methods! {
        splat(word: i32) -> V = _mm256_set1_epi32(word);
        add(a: V, b: V) -> V = _mm256_add_epi32(a, b);
        sub(a: V, b: V) -> V = _mm256_sub_epi32(a, b);
        mul(a: V, b: V) -> V = _mm256_mullo_epi32(a, b);
        xor(a: V, b: V) -> V = _mm256_xor_si256(a, b);
        add_f32(a: V, b: V) -> V = _mm256_castps_si256(_mm256_add_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)));
    }

    #[inline(always)]
    unsafe fn load(self, from: *const i32) -> V {
        // SAFETY: the machine has the instruction, and the caller the words.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_part(self, from: *const u8, n_bytes: usize) -> V {
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
    unsafe fn store(self, v: V, to: *mut i32) {
        // SAFETY: as in `load`.
        unsafe { _mm256_storeu_si256(to.cast(), v) }
    }

    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> V {
        // SAFETY: as in `load`.
        unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_triples(self, from: *const i32) -> [V; 3] {
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
    unsafe fn interleave<const ROWS: usize>(self, from: [*const i8; TAPS_I8]) -> V {
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
    fn transpose(self, rows: &mut [V; MAX_LANES]) {
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
    fn or_if_zero(self, v: V, otherwise: V) -> V {
        there!(_mm256_or_si256(otherwise, _mm256_cmpeq_epi32(v, _mm256_setzero_si256())))
    }

    #[inline(always)]
    fn shift_left<const BITS: u32>(self, v: V) -> V {
        there!(_mm256_sll_epi32(v, _mm_cvtsi32_si128(BITS as i32)))
    }

    #[inline(always)]
    fn all_negative(self, v: V) -> bool {
        there!(_mm256_movemask_ps(_mm256_castsi256_ps(v))) == 0xFF
    }

    #[inline(always)]
    fn sums_of_quarters(self, [a, b, c, d]: [V; 4]) -> V {
        there!(_mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d)))
    }

    #[inline(always)]
    fn add_quarters(self, a: V, b: V) -> V {
        let [a, b] = halves(a, b);
        self.add(a, b)
    }

    #[inline(always)]
    fn dot(self, acc: V, x: V, w: V) -> V {
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
    unsafe fn store_i8(self, v: V, zero_point: i32, bounds: (i8, i8), to: *mut i8) {
        // SAFETY: as in `load`.
        unsafe { _mm_storel_epi64(to.cast(), to_i8(v, zero_point, bounds)) }
    }

    #[inline(always)]
    unsafe fn store_half_i8(self, v: V, zero_point: i32, bounds: (i8, i8), to: *mut i8) {
        let word = there!(_mm_cvtsi128_si32(to_i8(v, zero_point, bounds)));
        // SAFETY: as in `load`.
        unsafe { to.cast::<i32>().write_unaligned(word) }
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
            let (low, high) = (_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
            match RUNS {
                1 => _mm256_storeu_si256(to.cast(), bytes),
                2 => {
                    _mm_storeu_si128(to.cast(), low);
                    _mm_storeu_si128(to.wrapping_add(step).cast(), high);
                }
                _ => {
                    _mm_storel_epi64(to.cast(), low);
                    _mm_storel_epi64(to.wrapping_add(step).cast(), _mm_unpackhi_epi64(low, low));
                    _mm_storel_epi64(to.wrapping_add(2 * step).cast(), high);
                    _mm_storel_epi64(to.wrapping_add(3 * step).cast(), _mm_unpackhi_epi64(high, high));
                }
            }
        }
    }

    #[inline(always)]
    fn with_sign_of(self, v: V, of: V) -> V {
        // Odd, so that it is never 0.
        there!(_mm256_sign_epi32(v, _mm256_or_si256(of, _mm256_set1_epi32(1))))
    }

    #[inline(always)]
    fn divide(self, v: V, by: V) -> V {
        // Rounded to 24 bits, a quotient reaches the next integer only if it is one.
        there!(_mm256_cvttps_epi32(_mm256_div_ps(_mm256_cvtepi32_ps(v), _mm256_cvtepi32_ps(by))))
    }

    #[inline(always)]
    fn mul_add_f32(self, acc: V, a: V, b: V) -> V {
        there!(_mm256_castps_si256(_mm256_fmadd_ps(
            _mm256_castsi256_ps(a),
            _mm256_castsi256_ps(b),
            _mm256_castsi256_ps(acc)
        )))
    }

    #[inline(always)]
    fn clamp_f32(self, v: V, lo: V, hi: V) -> V {
        // Where one is no number, the second operand is taken.
        there!({
            let v = _mm256_max_ps(_mm256_castsi256_ps(lo), _mm256_castsi256_ps(v));
            _mm256_castps_si256(_mm256_min_ps(_mm256_castsi256_ps(hi), v))
        })
    }

    #[inline(always)]
    fn sums_of_quarters_f32(self, v: [V; 4]) -> V {
        there!({
            let ab = _mm256_hadd_ps(_mm256_castsi256_ps(v[0]), _mm256_castsi256_ps(v[1]));
            let cd = _mm256_hadd_ps(_mm256_castsi256_ps(v[2]), _mm256_castsi256_ps(v[3]));
            _mm256_castps_si256(_mm256_hadd_ps(ab, cd))
        })
    }

    #[inline(always)]
    fn add_quarters_f32(self, a: V, b: V) -> V {
        let [a, b] = halves(a, b);
        self.add_f32(a, b)
    }
}

impl<const VNNI: bool> Products for Avx2<VNNI> {
    methods! {
        splat_64(number: i64) -> V = _mm256_set1_epi64x(number);
        add_64(a: V, b: V) -> V = _mm256_add_epi64(a, b);
        shift_left_64(v: V, bits: V) -> V = _mm256_sllv_epi64(v, bits);
        sub_if_negative_64(v: V, number: V, of: V) -> V = {
            let is_negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), of);
            _mm256_sub_epi64(v, _mm256_and_si256(is_negative, number))
        };
        high(v: V) -> V = _mm256_srli_epi64(v, 32);
        mul_even(a: V, b: V) -> V = _mm256_mul_epi32(a, b);
        alternate(even: V, odd: V) -> V = _mm256_blend_epi32(even, odd, 0xAA);
        shift_right(v: V, bits: V) -> V = _mm256_srav_epi32(v, bits);
    }
}

/// The low halves of `a` and `b`, and the high ones.
#[inline(always)]
fn halves(a: V, b: V) -> [V; 2] {
    there!([_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31)])
}

/// See [`Cpu::store_i8`].
#[inline(always)]
fn to_i8(v: V, zero_point: i32, (lo, hi): (i8, i8)) -> __m128i {
    there!({
        let q = _mm256_add_epi32(v, _mm256_set1_epi32(zero_point));
        let q = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
        let q = _mm_packs_epi16(q, q);
        _mm_min_epi8(_mm_max_epi8(q, _mm_set1_epi8(lo)), _mm_set1_epi8(hi))
    })
}

/// See [`Cpu::store_4_i8`]: the bytes of one vector after the other.
#[inline(always)]
fn to_i8s([a, b, c, d]: [V; 4], zero_point: i32, (lo, hi): (i8, i8)) -> V {
    there!({
        let zero_point = _mm256_set1_epi16(zero_point as i16);
        let ab = _mm256_adds_epi16(_mm256_packs_epi32(a, b), zero_point);
        let cd = _mm256_adds_epi16(_mm256_packs_epi32(c, d), zero_point);
        // Word i of half h is of half h of vector i.
        let places = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
        let q = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(ab, cd), places);
        _mm256_min_epi8(_mm256_max_epi8(q, _mm256_set1_epi8(lo)), _mm256_set1_epi8(hi))
    })
}
