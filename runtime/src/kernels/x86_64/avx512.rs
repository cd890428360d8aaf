//! Vectors of 64 bytes.

use core::arch::x86_64::__m512i as V;
use core::arch::x86_64::*;

use super::rounding::{self, Products, rounding_methods};
use crate::kernels::wide::cpu::{Cpu, MAX_LANES, TAPS_I8, Work, entry, methods, there};

/// AVX-512 F, BW, DQ, VL and VNNI.
#[derive(Clone, Copy)]
pub struct Avx512(());

entry!(run, Avx512(()), "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni");

// SAFETY: 16 lanes are 64 bytes, and bytes of 16 lanes are 16.
unsafe impl Cpu for Avx512 {
    const LANES: usize = 16;
    const FLIP: u8 = 0x80;
    const TILES: [usize; 3] = [8, 8, 6];
    type V = V;

    rounding_methods!();

    methods! {
        splat(word: i32) -> V = _mm512_set1_epi32(word);
        add(a: V, b: V) -> V = _mm512_add_epi32(a, b);
        sub(a: V, b: V) -> V = _mm512_sub_epi32(a, b);
        mul(a: V, b: V) -> V = _mm512_mullo_epi32(a, b);
        xor(a: V, b: V) -> V = _mm512_xor_si512(a, b);
        add_f32(a: V, b: V) -> V = _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)));
    }

    #[inline(always)]
    unsafe fn load(self, from: *const i32) -> V {
        // SAFETY: the machine has the instruction, and the caller the words.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_part(self, from: *const u8, n_bytes: usize) -> V {
        // SAFETY: as in `load`; bytes that are masked are not touched.
        unsafe { _mm512_maskz_loadu_epi8((1 << n_bytes) - 1, from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, v: V, to: *mut i32) {
        // SAFETY: as in `load`.
        unsafe { _mm512_storeu_si512(to.cast(), v) }
    }

    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> V {
        // SAFETY: as in `load`.
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_triples(self, from: *const i32) -> [V; 3] {
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
    unsafe fn interleave<const ROWS: usize>(self, from: [*const i8; TAPS_I8]) -> V {
        // SAFETY: as in `load`.
        unsafe {
            let [a, b, c, d] = from;
            let ab = _mm512_or_si512(bytes(a), _mm512_slli_epi32(bytes(b), 8));
            let abc = _mm512_or_si512(ab, _mm512_slli_epi32(bytes(c), 16));
            if ROWS == 3 { abc } else { _mm512_or_si512(abc, _mm512_slli_epi32(bytes(d), 24)) }
        }
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [V; MAX_LANES]) {
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
    fn or_if_zero(self, v: V, otherwise: V) -> V {
        there!({
            let is_zero = _mm512_testn_epi32_mask(v, v);
            _mm512_mask_mov_epi32(otherwise, is_zero, _mm512_set1_epi32(-1))
        })
    }

    #[inline(always)]
    fn shift_left<const BITS: u32>(self, v: V) -> V {
        there!(_mm512_slli_epi32::<BITS>(v))
    }

    #[inline(always)]
    fn all_negative(self, v: V) -> bool {
        there!(_mm512_movepi32_mask(v)) == u16::MAX
    }

    #[inline(always)]
    fn sums_of_quarters(self, v: [V; 4]) -> V {
        let [ab, cd] = [pairs(v[0], v[1]), pairs(v[2], v[3])];
        let [even, odd] = [self.add(ab[0], ab[1]), self.add(cd[0], cd[1])];
        there!(self.add(_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd)))
    }

    #[inline(always)]
    fn add_quarters(self, a: V, b: V) -> V {
        let [a, b] = quarters(a, b);
        self.add(a, b)
    }

    #[inline(always)]
    fn dot(self, acc: V, x: V, w: V) -> V {
        there!(_mm512_dpbusd_epi32(acc, x, w))
    }

    #[inline(always)]
    unsafe fn store_i8(self, v: V, zero_point: i32, bounds: (i8, i8), to: *mut i8) {
        // SAFETY: as in `load`.
        unsafe { _mm_storeu_si128(to.cast(), to_i8(v, zero_point, bounds)) }
    }

    #[inline(always)]
    unsafe fn store_half_i8(self, v: V, zero_point: i32, bounds: (i8, i8), to: *mut i8) {
        // SAFETY: as in `load`.
        unsafe { _mm_storel_epi64(to.cast(), to_i8(v, zero_point, bounds)) }
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
        let to = [to, to.wrapping_add(step), to.wrapping_add(2 * step), to.wrapping_add(3 * step)];
        // SAFETY: as in `load`.
        unsafe {
            match RUNS {
                1 => _mm512_storeu_si512(to[0].cast(), bytes),
                2 => {
                    _mm256_storeu_si256(to[0].cast(), _mm512_castsi512_si256(bytes));
                    _mm256_storeu_si256(to[1].cast(), _mm512_extracti64x4_epi64(bytes, 1));
                }
                _ => {
                    _mm_storeu_si128(to[0].cast(), _mm512_castsi512_si128(bytes));
                    _mm_storeu_si128(to[1].cast(), _mm512_extracti32x4_epi32(bytes, 1));
                    _mm_storeu_si128(to[2].cast(), _mm512_extracti32x4_epi32(bytes, 2));
                    _mm_storeu_si128(to[3].cast(), _mm512_extracti32x4_epi32(bytes, 3));
                }
            }
        }
    }

    #[inline(always)]
    fn with_sign_of(self, v: V, of: V) -> V {
        there!({
            let is_negative = _mm512_movepi32_mask(of);
            _mm512_mask_sub_epi32(v, is_negative, _mm512_setzero_si512(), v)
        })
    }

    #[inline(always)]
    fn divide(self, v: V, by: V) -> V {
        // Rounded to 24 bits, a quotient reaches the next integer only if it is one.
        there!(_mm512_cvttps_epi32(_mm512_div_ps(_mm512_cvtepi32_ps(v), _mm512_cvtepi32_ps(by))))
    }

    #[inline(always)]
    fn mul_add_f32(self, acc: V, a: V, b: V) -> V {
        there!(_mm512_castps_si512(_mm512_fmadd_ps(
            _mm512_castsi512_ps(a),
            _mm512_castsi512_ps(b),
            _mm512_castsi512_ps(acc)
        )))
    }

    #[inline(always)]
    fn clamp_f32(self, v: V, lo: V, hi: V) -> V {
        // Where one is no number, the second operand is taken.
        there!({
            let v = _mm512_max_ps(_mm512_castsi512_ps(lo), _mm512_castsi512_ps(v));
            _mm512_castps_si512(_mm512_min_ps(_mm512_castsi512_ps(hi), v))
        })
    }

    #[inline(always)]
    fn sums_of_quarters_f32(self, v: [V; 4]) -> V {
        let [ab, cd] = [pairs(v[0], v[1]), pairs(v[2], v[3])];
        let [even, odd] = [self.add_f32(ab[0], ab[1]), self.add_f32(cd[0], cd[1])];
        there!(self.add_f32(_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd)))
    }

    #[inline(always)]
    fn add_quarters_f32(self, a: V, b: V) -> V {
        let [a, b] = quarters(a, b);
        self.add_f32(a, b)
    }
}

impl Products for Avx512 {
    methods! {
        splat_64(number: i64) -> V = _mm512_set1_epi64(number);
        add_64(a: V, b: V) -> V = _mm512_add_epi64(a, b);
        shift_left_64(v: V, bits: V) -> V = _mm512_sllv_epi64(v, bits);
        sub_if_negative_64(v: V, number: V, of: V) -> V = _mm512_mask_sub_epi64(v, _mm512_movepi64_mask(of), v, number);
        high(v: V) -> V = _mm512_srli_epi64(v, 32);
        mul_even(a: V, b: V) -> V = _mm512_mul_epi32(a, b);
        alternate(even: V, odd: V) -> V = _mm512_mask_mov_epi32(even, 0xAAAA, odd);
        shift_right(v: V, bits: V) -> V = _mm512_srav_epi32(v, bits);
    }
}

/// 16 bytes as lanes.
///
/// # Safety
/// The machine has the instructions, and the bytes can be read.
#[inline(always)]
unsafe fn bytes(from: *const i8) -> V {
    // SAFETY: as the caller says.
    unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())) }
}

/// Of each quarter the lanes 0 and 1 of `a` and `b` by turns, and the lanes 2 and 3.
#[inline(always)]
fn pairs(a: V, b: V) -> [V; 2] {
    there!([_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b)])
}

/// The even quarters of `a` and `b`, and the odd ones.
#[inline(always)]
fn quarters(a: V, b: V) -> [V; 2] {
    there!([_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD)])
}

/// See [`Cpu::store_i8`].
#[inline(always)]
fn to_i8(v: V, zero_point: i32, (lo, hi): (i8, i8)) -> __m128i {
    there!({
        let q = _mm512_cvtsepi32_epi8(_mm512_add_epi32(v, _mm512_set1_epi32(zero_point)));
        _mm_min_epi8(_mm_max_epi8(q, _mm_set1_epi8(lo)), _mm_set1_epi8(hi))
    })
}

/// See [`Cpu::store_4_i8`]: the bytes of one vector after the other.
#[inline(always)]
fn to_i8s([a, b, c, d]: [V; 4], zero_point: i32, (lo, hi): (i8, i8)) -> V {
    there!({
        let zero_point = _mm512_set1_epi16(zero_point as i16);
        let ab = _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero_point);
        let cd = _mm512_adds_epi16(_mm512_packs_epi32(c, d), zero_point);
        // Word i of quarter q is of quarter q of vector i.
        let places = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
        let q = _mm512_permutexvar_epi32(places, _mm512_packs_epi16(ab, cd));
        _mm512_min_epi8(_mm512_max_epi8(q, _mm512_set1_epi8(lo)), _mm512_set1_epi8(hi))
    })
}
