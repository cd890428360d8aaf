//! One output row of a fully connected layer.

use super::arithmetic::{Arithmetic, I8};
use super::tile::Tile;
use crate::mem::{View, ViewMut};

/// `out[c] = x · w[c]` for weights `w` `[out.len(), x.len()]`.
pub fn fully_connected_row<A: Arithmetic>(arithmetic: &A, x: View<A::T>, w: View<A::T>, out: ViewMut<A::T>) {
    let k = x.len();
    for c in 0..out.len() {
        let acc = arithmetic.dot(arithmetic.begin(c), x, w.slice(c.wrapping_mul(k), k));
        out.set(c, arithmetic.finish(acc, c));
    }
}

/// Bytes of scratch memory that [`fully_connected_row_i8`] of some core needs.
pub fn fully_connected_scratch_bytes(k: usize, channels: usize) -> usize {
    Tile::of_one(k, channels).scratch_bytes(1)
}

/// [`fully_connected_row`] of int8, for which a core may have instructions of its own.
#[cfg_attr(all(target_os = "none", not(dunlin_dsp)), allow(dead_code))]
pub fn fully_connected_row_i8(
    arithmetic: &I8,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    _scratch: ViewMut<i32>,
) {
    fully_connected_row(arithmetic, x, w, out);
}
