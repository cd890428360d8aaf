//! One output row of an int8 convolution: groups of positions, their patches widened, times all channels.

use core::ops::Range;

use super::block::Block;
use super::requantize::clamp_row;
use super::tile::{self, Group};
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::generic::tile::Tile;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::{Geometry, Taps};

pub use crate::kernels::generic::conv::{conv_row, conv_scratch_bytes};

/// [`conv_row`] of int8.
pub fn conv_row_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let ([kh, kw], [_, out_w, c_out]) = (geometry.kernel, geometry.output);
    let line_len = kw.wrapping_mul(geometry.input[2]);
    let n_taps = kh.wrapping_mul(line_len);
    // Pieces of a line that dilation tears apart are too short to gain.
    if n_taps < 4 || (geometry.window.dilation[1] != 1 && kw != 1) {
        return generic::conv::conv_row_i8(arithmetic, geometry, x, w, y, out, scratch);
    }
    let tile = Tile::new(n_taps, c_out);
    let (image, rows) = geometry.row_taps(y);
    let patch =
        Patch { geometry, x, image, rows, line_len, padding: arithmetic.x_offset.wrapping_neg() as i8 };
    let mut ox = 0;
    while ox < out_w {
        let positions = Tile::positions(out_w.wrapping_sub(ox));
        let start = ox.wrapping_mul(c_out);
        let group = Group { positions, w, out: out.slice(start, positions.wrapping_mul(c_out)) };
        tile::compute(arithmetic, tile, scratch, group, |taps, block| {
            for position in 0..positions {
                patch.widen(taps.clone(), ox.wrapping_add(position), position, &block);
            }
        });
        ox = ox.wrapping_add(positions);
    }
    clamp_row(out, arithmetic.requantize.bounds);
}

/// What the positions of an output row read: `kh` lines of `kw * c_in` taps.
struct Patch<'a> {
    geometry: &'a Geometry,
    x: &'a Rows<'a, i8>,
    /// First row of the image.
    image: usize,
    rows: Taps,
    line_len: usize,
    /// The stored number that stands for 0.
    padding: i8,
}

impl Patch<'_> {
    /// Widens `taps` of output column `ox`.
    #[inline(never)]
    fn widen(&self, taps: Range<usize>, ox: usize, position: usize, block: &Block) {
        let c_in = self.geometry.input[2];
        if self.line_len == c_in && self.geometry.window.pads == [0; 4] && self.geometry.kernel[0] == 1 {
            let stride = self.geometry.window.stride[1] as usize;
            let row = self.x.row(self.image.wrapping_add(self.rows.index(0)));
            let start = ox.wrapping_mul(stride).wrapping_mul(c_in).wrapping_add(taps.start);
            return block.widen(position, 0, row.slice(start, taps.len()));
        }
        if c_in.is_multiple_of(4) {
            self.pieces(taps, ox, |at, len, source| match source {
                Some(x) => block.widen(position, at, x),
                None => block.clear(position, at, len),
            });
            return;
        }
        // Pieces that begin anywhere are put together first.
        let mut bytes = [0i8; generic::tile::MAX_CHUNK];
        let together = ViewMut::from(&mut bytes[..]);
        let n = taps.len();
        self.pieces(taps, ox, |at, len, source| match source {
            Some(x) => together.slice(at, len).copy_from(x),
            None => together.slice(at, len).fill(self.padding),
        });
        block.widen(position, 0, together.slice(0, n).view());
    }

    /// Calls `piece` with where it begins among `taps`, its length, and the elements, or `None` in the padding.
    #[inline(always)]
    fn pieces(&self, taps: Range<usize>, ox: usize, mut piece: impl FnMut(usize, usize, Option<View<i8>>)) {
        let c_in = self.geometry.input[2];
        let columns = self.geometry.column_taps(ox);
        let inside = [columns.valid.start, columns.valid.end].map(|column| column.wrapping_mul(c_in));
        let row_start = (columns.start as usize).wrapping_mul(c_in);
        let mut at = taps.start;
        while at < taps.end {
            let ky = at.checked_div(self.line_len).unwrap_or(0);
            let line = ky.wrapping_mul(self.line_len);
            let end = taps.end.min(line.wrapping_add(self.line_len));
            let valid = if self.rows.valid.contains(&ky) { inside } else { [0, 0] };
            let [start, stop] = valid.map(|tap| line.wrapping_add(tap).max(at).min(end));
            if at < start {
                piece(at.wrapping_sub(taps.start), start.wrapping_sub(at), None);
            }
            if start < stop {
                let row = self.x.row(self.image.wrapping_add(self.rows.index(ky)));
                let from = row_start.wrapping_add(start.wrapping_sub(line));
                let len = stop.wrapping_sub(start);
                piece(start.wrapping_sub(taps.start), len, Some(row.slice(from, len)));
            }
            if stop < end {
                piece(stop.wrapping_sub(taps.start), end.wrapping_sub(stop), None);
            }
            at = end;
        }
    }
}
