//! One output row of an int8 convolution: four positions at a time while there are so many, then one at a time.

use core::ops::Range;

use super::group::{Blocks, Group};
use super::requantize::clamp_row;
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::sums::QUAD_WORDS;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::{Geometry, Taps};

pub use crate::kernels::generic::conv::{conv_row, conv_scratch_bytes};

/// [`conv_row`] of int8.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn conv_row_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let ([kh, kw], [_, _, c_in], [_, out_w, channels]) = (geometry.kernel, geometry.input, geometry.output);
    let line_len = kw.wrapping_mul(c_in);
    let taps = kh.wrapping_mul(line_len);
    let blocks = |positions: usize| match positions {
        4 => Blocks::of_four(taps, channels, scratch.len()),
        _ => Blocks::of_one(taps, channels, scratch.len()),
    };
    let (four, one) = if out_w < 4 { (None, blocks(1)) } else { (blocks(4), blocks(1)) };
    // Lines that dilation tears apart are left to the generic kernel, as is a block without room.
    let Some(one) = one.filter(|_| geometry.window.dilation[1] == 1 || kw == 1) else {
        return generic::conv::conv_row_i8(arithmetic, geometry, x, w, y, out, scratch);
    };
    let (image, rows) = geometry.row_taps(y);
    let padding = arithmetic.x_offset.wrapping_neg();
    let patch = Patch { geometry, x, image, rows, line_len, padding };
    let mut ox = 0;
    while ox < out_w {
        let (positions, blocks): (usize, Blocks) = match four {
            Some(four) if out_w.wrapping_sub(ox) >= 4 => (4, four),
            _ => (1, one),
        };
        let outputs = out.slice(ox.wrapping_mul(channels), positions.wrapping_mul(channels));
        let group = Group { arithmetic, blocks, w, out: outputs, channels, words: scratch, sums: scratch };
        if positions == 4 {
            group.compute_four(|taps, words| patch.fill_four(ox, taps, words));
        } else {
            group.compute_one(|taps, words| patch.fill_one(ox, taps, words));
        }
        ox = ox.wrapping_add(positions);
    }
    clamp_row(out, arithmetic.requantize.bounds);
}

/// What the positions of an output row read: `kh` lines of `line_len` taps.
struct Patch<'a> {
    geometry: &'a Geometry,
    x: &'a Rows<'a, i8>,
    /// First row of the image.
    image: usize,
    /// The rows of the lines.
    rows: Taps,
    line_len: usize,
    /// The stored number that stands for 0.
    padding: i32,
}

impl<'a> Patch<'a> {
    /// Runs `part` for the taps of every line: the row if it is in the image, the taps within the line, and the first of
    /// them within `taps`.
    #[inline(always)]
    fn lines(&self, taps: Range<usize>, mut part: impl FnMut(Option<View<'a, i8>>, Range<usize>, usize)) {
        let mut ky = taps.start.checked_div(self.line_len).unwrap_or(0);
        let mut from = taps.start.wrapping_sub(ky.wrapping_mul(self.line_len));
        let mut at = 0usize;
        while at < taps.len() {
            let to = self.line_len.min(from.wrapping_add(taps.len().wrapping_sub(at)));
            let inside = self.rows.valid.contains(&ky);
            let row = inside.then(|| self.x.row(self.image.wrapping_add(self.rows.index(ky))));
            part(row, from..to, at);
            (at, ky, from) = (at.wrapping_add(to.wrapping_sub(from)), ky.wrapping_add(1), 0);
        }
    }

    /// Of a line of output column `ox`, the element of its first tap, which wraps in the padding, and the taps inside
    /// the image.
    #[inline(always)]
    fn line(&self, ox: usize) -> (usize, Range<usize>) {
        let ([_, width, c_in], kw) = (self.geometry.input, self.geometry.kernel[1]);
        let stride = self.geometry.window.stride[1] as usize;
        let column = ox.wrapping_mul(stride).wrapping_sub(self.geometry.window.pads[1] as usize) as isize;
        let tap = |column: isize| (column.max(0) as usize).min(kw).wrapping_mul(c_in);
        ((column as usize).wrapping_mul(c_in), tap(-column)..tap(width as isize - column))
    }

    /// Four positions from output column `ox` on, two to a word.
    #[inline(never)]
    fn fill_four(&self, ox: usize, taps: Range<usize>, words: ViewMut<i32>) {
        for pair in 0..QUAD_WORDS {
            let column = ox.wrapping_add(2 * pair);
            let ((a, a_inside), (b, b_inside)) = (self.line(column), self.line(column.wrapping_add(1)));
            let all = 0..self.line_len;
            let is_inner = a_inside == all && b_inside == all;
            self.lines(taps.clone(), |row, taps, at| {
                let start = QUAD_WORDS.wrapping_mul(at).wrapping_add(pair);
                let words = words.slice(start, QUAD_WORDS.wrapping_mul(taps.len()).wrapping_sub(pair));
                match row {
                    Some(row) if is_inner => {
                        let of = |start: usize| row.slice(start.wrapping_add(taps.start), taps.len());
                        pack(of(a), of(b), words);
                    }
                    _ => {
                        self.each_tap(row, a, &a_inside, &taps, |i, x| words.set(QUAD_WORDS * i, x));
                        self.each_tap(row, b, &b_inside, &taps, |i, x| {
                            words.set(QUAD_WORDS * i, words.at(QUAD_WORDS * i) + (x << 16));
                        });
                    }
                }
            });
        }
    }

    /// One position, without its zero point.
    #[inline(never)]
    fn fill_one(&self, ox: usize, taps: Range<usize>, words: ViewMut<i32>) {
        let (start, inside) = self.line(ox);
        self.lines(taps, |row, taps, at| {
            let words = words.slice(at, taps.len());
            self.each_tap(row, start, &inside, &taps, |i, x| words.set(i, x - self.padding));
        });
    }

    /// Runs `set` with the number and the value of each of a line's `taps`, of which `inside` are in the image.
    #[inline(always)]
    fn each_tap(
        &self,
        row: Option<View<i8>>,
        start: usize,
        inside: &Range<usize>,
        taps: &Range<usize>,
        mut set: impl FnMut(usize, i32),
    ) {
        let (first, end) = match row {
            Some(_) => (inside.start.clamp(taps.start, taps.end), inside.end.clamp(taps.start, taps.end)),
            None => (taps.end, taps.end),
        };
        let mut i = 0usize;
        while i < first.wrapping_sub(taps.start) {
            set(i, self.padding);
            i += 1;
        }
        if let (Some(row), len @ 1..) = (row, end.saturating_sub(first)) {
            let x = row.slice(start.wrapping_add(first), len);
            for k in 0..len {
                set(i, x.at(k) as i32);
                i += 1;
            }
        }
        while i < taps.len() {
            set(i, self.padding);
            i += 1;
        }
    }
}

/// Writes pairs of elements to every second word.
#[inline(always)]
fn pack(a: View<i8>, b: View<i8>, words: ViewMut<i32>) {
    for i in 0..a.len() {
        words.set(QUAD_WORDS * i, a.at(i) as i32 + ((b.at(i) as i32) << 16));
    }
}
