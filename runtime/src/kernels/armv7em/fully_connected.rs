//! One output row of an int8 fully connected layer: a convolution of one position.

use super::requantize::clamp_row;
use super::tile::Group;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::tile::Tile;
use crate::mem::{View, ViewMut};

pub use crate::kernels::generic::fully_connected::{
    blocks_row_i8, fully_connected_row_f32, fully_connected_scratch_bytes,
};

/// [`fully_connected_row`] of int8; see the generic function of this name.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn fully_connected_row_i8(
    arithmetic: &I8,
    quads: usize,
    x: View<i8>,
    w: View<i8>,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let tile = Tile::of_one(x.len(), out.len());
    let group = Group { arithmetic, tile, positions: 1, quads, w, out, scratch };
    group.compute(|taps, block| block.widen(0, 0, x.slice(taps.start, taps.len())));
    clamp_row(out, arithmetic.requantize.bounds);
}
