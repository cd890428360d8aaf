//! The inner loops of convolutions and matrix products: blocks of sums in registers.
//!
//! A *view* turns a tensor into the rows of a matrix: row `i` is made of runs of `run` elements, the `s`-th of which
//! starts at `bases[i] + taps[s]`. With one tap it is a plain matrix; with a convolution's taps, the matrix of windows
//! that im2col would write. Every sum runs over its terms one after the other, whatever the block.

use pulp::Simd;

use super::simd::{LANES, load, store, vectorized};

/// A matrix made of runs of a tensor; see the module.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub source: &'a [f32],
    pub bases: &'a [usize],
    pub taps: &'a [usize],
    pub run: usize,
}

/// `b` `[k, ld]`, of whose columns `n` count.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub values: &'a [f32],
    pub ld: usize,
    pub n: usize,
}

/// Rows of a block of sums: as many as leave registers for a row of the other matrix.
const fn block_rows<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 8 } else { 4 }
}

/// Rows of the next block, of those that are left: a power of two, so that few sizes are compiled.
#[inline(always)]
fn next_rows<S: Simd>(left: usize) -> usize {
    if left >= block_rows::<S>() { block_rows::<S>() } else { 1 << left.ilog2() }
}

/// Calls `$f::<S, M, ..>` with `M` as large as `$m` says.
macro_rules! for_rows {
    ($m:expr, $f:ident::<$S:ident, _ $(, $rest:tt)*>($($arg:expr),*)) => {
        match $m {
            1 => $f::<$S, 1 $(, $rest)*>($($arg),*),
            2 => $f::<$S, 2 $(, $rest)*>($($arg),*),
            4 => $f::<$S, 4 $(, $rest)*>($($arg),*),
            _ => $f::<$S, 8 $(, $rest)*>($($arg),*),
        }
    };
}

vectorized! {
    /// `out = clamp(bias + view · b)`: `out` `[rows, n]`, `bias` as long as a row of `b`. Rows of `b` are padded to a
    /// multiple of [`LANES`].
    pub(super) fn multiply[simd: S](view: View<'_>, b: Matrix<'_>, bias: &[f32], bounds: (f32, f32), out: &mut [f32]) {
        assert!(b.ld.is_multiple_of(LANES) && bias.len() == b.ld && b.n <= b.ld);
        let n_rows = view.bases.len();
        let mut row = 0;
        while row < n_rows {
            let m = next_rows::<S>(n_rows - row);
            let (view, out) = (View { bases: &view.bases[row..row + m], ..view }, &mut out[row * b.n..]);
            let mut column = 0;
            while column < b.n {
                let left = b.n - column;
                if left >= 2 * S::F32_LANES {
                    for_rows!(m, multiply_block::<S, _, 2>(simd, view, b, bias, bounds, out, column));
                    column += 2 * S::F32_LANES;
                } else {
                    for_rows!(m, multiply_block::<S, _, 1>(simd, view, b, bias, bounds, out, column));
                    column += S::F32_LANES;
                }
            }
            row += m;
        }
    }

    /// `sums += viewᵀ · b`: `sums` `[taps * run, ld]`, of whose columns `b.n` count.
    pub(super) fn multiply_transposed[simd: S](view: View<'_>, b: Matrix<'_>, sums: &mut [f32], ld: usize) {
        // So many rows of both matrices stay in the fastest cache while all blocks of sums pass over them.
        const BLOCK: usize = 128;
        for first in (0..view.bases.len()).step_by(BLOCK) {
            let n_rows = BLOCK.min(view.bases.len() - first);
            let rows = View { bases: &view.bases[first..first + n_rows], ..view };
            let b = Matrix { values: &b.values[first * b.ld..], ..b };
            for (t, &tap) in view.taps.iter().enumerate() {
                let mut i = 0;
                while i < view.run {
                    let m = next_rows::<S>(view.run - i);
                    let sums = &mut sums[(t * view.run + i) * ld..];
                    let mut column = 0;
                    while column < b.n {
                        let left = b.n - column;
                        if left >= 2 * S::F32_LANES {
                            for_rows!(m, add_block::<S, _, 2, false>(simd, rows, tap + i, b, column, sums, ld));
                            column += 2 * S::F32_LANES;
                        } else if left >= S::F32_LANES {
                            for_rows!(m, add_block::<S, _, 1, false>(simd, rows, tap + i, b, column, sums, ld));
                            column += S::F32_LANES;
                        } else {
                            for_rows!(m, add_block::<S, _, 1, true>(simd, rows, tap + i, b, column, sums, ld));
                            column += S::F32_LANES;
                        }
                    }
                    i += m;
                }
            }
        }
    }
}

/// The first vectors of `values`.
#[inline(always)]
pub(super) fn vectors<S: Simd, const V: usize>(values: &[f32]) -> &[S::f32s; V] {
    S::as_simd_f32s(values).0.first_chunk().expect("rows are as long as their blocks")
}

/// The first vectors of `values`, to write.
#[inline(always)]
pub(super) fn vectors_mut<S: Simd, const V: usize>(values: &mut [f32]) -> &mut [S::f32s; V] {
    S::as_mut_simd_f32s(values).0.first_chunk_mut().expect("rows are as long as their blocks")
}

#[inline(always)]
fn multiply_block<S: Simd, const M: usize, const V: usize>(
    simd: S,
    view: View,
    b: Matrix,
    bias: &[f32],
    (lo, hi): (f32, f32),
    out: &mut [f32],
    column: usize,
) {
    let mut sums = [*vectors::<S, V>(&bias[column..]); M];
    let bases: &[usize; M] = view.bases.first_chunk().expect("a base for each row of the block");
    let mut rows_of_b = &b.values[column..];
    for (t, &tap) in view.taps.iter().enumerate() {
        let mut rows: [&[f32]; M] = [&[]; M];
        for i in 0..M {
            rows[i] = &view.source[bases[i] + tap..][..view.run];
        }
        for p in 0..view.run {
            let b = vectors::<S, V>(&rows_of_b[p * b.ld..]);
            for i in 0..M {
                let a = simd.splat_f32s(rows[i][p]);
                for j in 0..V {
                    sums[i][j] = simd.mul_add_f32s(a, b[j], sums[i][j]);
                }
            }
        }
        if t + 1 < view.taps.len() {
            rows_of_b = &rows_of_b[view.run * b.ld..];
        }
    }
    let (lo, hi) = (simd.splat_f32s(lo), simd.splat_f32s(hi));
    let width = (V * S::F32_LANES).min(b.n - column);
    for i in 0..M {
        let out = &mut out[i * b.n + column..][..width];
        for (j, out) in out.chunks_mut(S::F32_LANES).enumerate() {
            store(simd, out, simd.min_f32s(hi, simd.max_f32s(lo, sums[i][j])));
        }
    }
}

#[inline(always)]
fn add_block<S: Simd, const M: usize, const V: usize, const PARTIAL: bool>(
    simd: S,
    view: View,
    offset: usize,
    b: Matrix,
    column: usize,
    sums: &mut [f32],
    ld: usize,
) {
    let left = b.n - column;
    let mut block = [[simd.splat_f32s(0.0); V]; M];
    for i in 0..M {
        let row = &sums[i * ld + column..];
        block[i] = if PARTIAL { [load(simd, &row[..left]); V] } else { *vectors::<S, V>(row) };
    }
    for (p, &base) in view.bases.iter().enumerate() {
        let a: &[f32; M] =
            view.source[base + offset..].first_chunk().expect("runs are as long as their blocks");
        let row = &b.values[p * b.ld + column..];
        let b = if PARTIAL { [load(simd, &row[..left]); V] } else { *vectors::<S, V>(row) };
        for i in 0..M {
            let a = simd.splat_f32s(a[i]);
            for j in 0..V {
                block[i][j] = simd.mul_add_f32s(a, b[j], block[i][j]);
            }
        }
    }
    for i in 0..M {
        let row = &mut sums[i * ld + column..];
        if PARTIAL {
            store(simd, &mut row[..left], block[i][0]);
        } else {
            *vectors_mut::<S, V>(row) = block[i];
        }
    }
}
