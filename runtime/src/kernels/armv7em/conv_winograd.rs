//! Output rows of an int8 convolution by Winograd's tiles: groups of four tiles, transformed, times all channels.

use core::ops::Range;
use core::ptr::{null, null_mut};

use super::requantize::clamp_row;
use super::winograd_input::{Pixels, pad, transform};
use super::winograd_products::{Job, Outputs, products};
use crate::kernels::generic::conv_winograd::{GROUP_PIXELS, GROUP_SUMS_BYTES, TILES};
pub use crate::kernels::generic::conv_winograd::{Winograd, winograd_scratch_bytes};
use crate::mem::{Rows, RowsMut, ViewMut};
use crate::ops::window::Geometry;

/// Outputs of a row of a group.
const GROUP_OUTPUTS: usize = 2 * TILES;

/// Rows of a convolution of `x`.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn winograd_rows(
    layer: &Winograd,
    geometry: &Geometry,
    x: &Rows<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i16>,
) {
    let [_, out_w, _] = geometry.output;
    let group = Group { layer, geometry, scratch };
    let (mut pixels, mut job) = (group.pixels(), group.job());
    let mut y = rows.start;
    while y != rows.end {
        let (tile_row, in_tile) = layer.tile_row(y);
        let both = layer.at_once == 2 && in_tile == 0 && y.wrapping_add(1) != rows.end;
        let in_tile = in_tile..in_tile.wrapping_add(1 + both as usize);
        let (lines, outputs) = (group.lines(x, tile_row, &in_tile), group.outputs(out, tile_row, &in_tile));
        let mut ox = 0usize;
        while ox < out_w {
            group.find(&lines, ox, &mut pixels);
            group.place(&outputs, ox, &mut job);
            // SAFETY: the lines are 10 pixels in the image or in the scratch memory, which has room for what is transformed;
            // `w` and the table have what the check has seen, and outputs are those of the group in their rows.
            unsafe {
                transform(&pixels);
                products(&job);
            }
            ox = ox.wrapping_add(GROUP_OUTPUTS);
        }
        y = y.wrapping_add(in_tile.len());
    }
    for y in rows {
        clamp_row(out.row(y), layer.requantize.bounds);
    }
}

/// What all groups have in common.
struct Group<'a> {
    layer: &'a Winograd<'a>,
    geometry: &'a Geometry,
    scratch: ViewMut<'a, i16>,
}

impl Group<'_> {
    /// Bytes of a place of the transformed tiles.
    fn place_bytes(&self) -> usize {
        self.geometry.input[2].wrapping_mul(2 * TILES)
    }

    /// The scratch memory behind the transformed tiles.
    fn sums(&self) -> *mut i32 {
        let places = self.layer.lines().wrapping_mul(4);
        self.scratch.as_ptr().wrapping_byte_add(self.place_bytes().wrapping_mul(places)).cast()
    }

    fn pixels(&self) -> Pixels {
        let (c_in, line) = (self.geometry.input[2], self.place_bytes());
        let lines = self.layer.lines();
        Pixels {
            rows: [null(); 4],
            step: c_in,
            columns: self.sums(),
            columns_end: self.sums().wrapping_add(lines.wrapping_mul(2 * GROUP_PIXELS)),
            to: self.scratch.as_ptr().cast(),
            column_distance: line.wrapping_mul(lines),
            line_distance: line,
        }
    }

    fn job(&self) -> Job {
        let Winograd { requantize, w, at_once, .. } = self.layer;
        let (c_in, c_out) = (self.geometry.input[2], self.geometry.output[2]);
        let table = requantize.channels.0.as_ptr();
        // Three lines add up without a stop where there is but one row of outputs.
        let runs = if *at_once == 2 { 1 } else { 3 };
        Job {
            x: self.scratch.as_ptr().cast(),
            w: w.as_ptr(),
            sums: self.sums(),
            run_bytes: self.place_bytes().wrapping_mul(runs),
            skipped: (c_in / 2).wrapping_mul(runs).wrapping_neg() & 7,
            is_single: (*at_once == 1) as usize,
            table,
            table_end: table.wrapping_add(c_out.wrapping_mul(3)),
            zero_point: requantize.zero_point,
            stride: c_out,
            outputs: [[Outputs { first: null_mut(), positions: 0 }; 2]; 2],
        }
    }

    /// Where the lines of a row of tiles begin in the image, of which the rows `in_tile` need some: null for the others, and
    /// in the padding.
    fn lines(&self, x: &Rows<i8>, tile_row: usize, in_tile: &Range<usize>) -> [*const i8; 4] {
        let (image, taps) = self.geometry.row_taps(tile_row);
        let needed = in_tile.start..in_tile.end.wrapping_add(2);
        let mut lines = [null(); 4];
        for (i, line) in lines.iter_mut().enumerate() {
            let row = taps.index(i);
            if needed.contains(&i) && row < self.geometry.input[0] {
                *line = x.row(image.wrapping_add(row)).as_ptr();
            }
        }
        lines
    }

    /// Where the rows of a row of tiles go: null for those that are not asked for.
    fn outputs(&self, out: &RowsMut<i8>, tile_row: usize, in_tile: &Range<usize>) -> [*mut i8; 2] {
        let mut outputs = [null_mut(); 2];
        for (i, output) in outputs.iter_mut().enumerate() {
            if in_tile.contains(&i) {
                *output = out.row(tile_row.wrapping_add(i)).as_ptr();
            }
        }
        outputs
    }

    /// Looks up the pixels of the group whose outputs begin at column `ox`. Those of a line that are not all in the image are
    /// copied, with padding.
    fn find(&self, lines: &[*const i8; 4], ox: usize, pixels: &mut Pixels) {
        let Group { layer, geometry, .. } = self;
        let [_, w, c_in] = geometry.input;
        let start = (ox as isize).wrapping_sub(geometry.window.pads[1] as isize);
        // Columns in the padding on the left, and those in the image behind them.
        let (left, from) = (start.wrapping_neg().max(0) as usize, start.max(0) as usize);
        let inside = GROUP_PIXELS.wrapping_sub(left).min(w.saturating_sub(from));
        let words = |columns: usize| columns.wrapping_mul(c_in) / 4;
        let padding = i32::from_ne_bytes([layer.padding as u8; 4]);
        let mut copy: *mut i32 = self.sums().wrapping_byte_add(GROUP_SUMS_BYTES);
        for (line, row) in lines.iter().zip(&mut pixels.rows).take(layer.lines()) {
            let first = line.wrapping_add(from.wrapping_mul(c_in));
            if !line.is_null() && inside == GROUP_PIXELS {
                *row = first;
                continue;
            }
            let inside = if line.is_null() { 0 } else { inside };
            let right = GROUP_PIXELS.wrapping_sub(left).wrapping_sub(inside);
            // SAFETY: the scratch memory has room for these pixels of all lines, and the image has those inside of it.
            unsafe { pad(copy, words(left), first.cast(), words(inside), words(right), padding) };
            *row = copy.cast_const().cast();
            copy = copy.wrapping_add(words(GROUP_PIXELS));
        }
        if layer.lines() == 3 {
            // It is transformed, and not used.
            pixels.rows[3] = pixels.rows[2];
        }
    }

    /// Looks up the outputs of a group.
    fn place(&self, rows: &[*mut i8; 2], ox: usize, job: &mut Job) {
        let [_, out_w, c_out] = self.geometry.output;
        for (outputs, row) in job.outputs.iter_mut().zip(rows) {
            for (outputs, ox) in outputs.iter_mut().zip([ox, ox.wrapping_add(4)]) {
                let is_there = !row.is_null() && ox < out_w;
                let first = row.wrapping_add(ox.wrapping_mul(c_out));
                outputs.first = if is_there { first } else { null_mut() };
                outputs.positions = out_w.wrapping_sub(ox).min(4);
            }
        }
    }
}
