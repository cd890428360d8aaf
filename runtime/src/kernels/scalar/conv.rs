//! One output row of an int8 convolution: four positions at a time while there are so many, then one at a time.

use core::ops::Range;

use super::group::{Blocks, Group, widen};
use super::requantize::clamp_row;
use crate::kernels::generic;
use crate::kernels::generic::arithmetic::I8;
use crate::kernels::sums::QUAD_WORDS;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::{Geometry, Taps};

pub use crate::kernels::generic::conv::{conv_rows_f32, conv_rows_i8, conv_scratch_bytes};

/// [`generic::conv::conv_row`] of int8.
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
    let four = if out_w < 4 { None } else { Blocks::of_four(taps, channels, scratch.len()) };
    // Lines that dilation tears apart are left to the generic kernel, as is a block without room.
    let is_torn = geometry.window.dilation[1] != 1 && kw != 1;
    let Some(one) = Blocks::of_one(taps, channels, scratch.len()).filter(|_| !is_torn) else {
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
        group.compute(positions, |taps, words| patch.fill(positions, ox, taps, words));
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
    #[inline(never)]
    fn line(&self, ox: usize) -> (usize, Range<usize>) {
        let ([_, width, c_in], kw) = (self.geometry.input, self.geometry.kernel[1]);
        let stride = self.geometry.window.stride[1] as usize;
        let column = ox.wrapping_mul(stride).wrapping_sub(self.geometry.window.pads[1] as usize) as isize;
        let tap = |column: isize| (column.max(0) as usize).min(kw).wrapping_mul(c_in);
        ((column as usize).wrapping_mul(c_in), tap(-column)..tap(width as isize - column))
    }

    /// The taps of a group from output column `ox` on: of four positions two to a word, of one without its zero point.
    #[inline(never)]
    fn fill(&self, positions: usize, ox: usize, taps: Range<usize>, words: ViewMut<i32>) {
        let is_four = positions == 4;
        let (n_pairs, offset) = if is_four { (QUAD_WORDS, 0) } else { (1, self.padding.wrapping_neg()) };
        for pair in 0..n_pairs {
            let column = ox.wrapping_add(2 * pair);
            let (a, a_inside) = self.line(column);
            let (b, b_inside) = self.line(if is_four { column.wrapping_add(1) } else { column });
            let is_inner = a_inside.len() == self.line_len && b_inside.len() == self.line_len;
            self.lines(taps.clone(), |row, taps, at| {
                let len = n_pairs.wrapping_mul(taps.len()).wrapping_sub(pair);
                let words = words.slice(n_pairs.wrapping_mul(at).wrapping_add(pair), len);
                let of =
                    |row: View<'a, i8>, start: usize| row.slice(start.wrapping_add(taps.start), taps.len());
                match row {
                    Some(row) if is_inner && is_four => pack(of(row, a), of(row, b), words),
                    Some(row) if is_inner => widen(of(row, a), offset, words),
                    _ => {
                        let lower = Place { words, step: n_pairs, shift: 0, kept: 0, offset };
                        self.put(row, a, &a_inside, &taps, lower);
                        if is_four {
                            self.put(row, b, &b_inside, &taps, Place { shift: 16, kept: -1, ..lower });
                        }
                    }
                }
            });
        }
    }

    /// Writes each of a line's `taps`, of which `inside` are in the image.
    #[inline(never)]
    fn put(
        &self,
        row: Option<View<i8>>,
        start: usize,
        inside: &Range<usize>,
        taps: &Range<usize>,
        place: Place,
    ) {
        let Place { words, step, shift, kept, offset } = place;
        let mut at = 0usize;
        let mut set = |x: i32| {
            words.set(at, (words.at(at) & kept).wrapping_add((x + offset) << shift));
            at = at.wrapping_add(step);
        };
        let within = |tap: usize| tap.max(taps.start).min(taps.end);
        let (first, end) = (within(inside.start), within(inside.end));
        let (left, len) = match row {
            Some(_) if first < end => (first.wrapping_sub(taps.start), end.wrapping_sub(first)),
            _ => (taps.len(), 0),
        };
        for _ in 0..left {
            set(self.padding);
        }
        if let (Some(row), 1..) = (row, len) {
            let x = row.slice(start.wrapping_add(first), len);
            for i in 0..len {
                set(x.at(i) as i32);
            }
        }
        for _ in left.wrapping_add(len)..taps.len() {
            set(self.padding);
        }
    }
}

/// Where the taps of a line go: added to the bits of each word that are kept.
#[derive(Clone, Copy)]
struct Place<'a> {
    words: ViewMut<'a, i32>,
    /// Words from tap to tap.
    step: usize,
    shift: u32,
    kept: i32,
    offset: i32,
}

/// Writes pairs of elements to every second word.
#[inline(always)]
fn pack(a: View<i8>, b: View<i8>, words: ViewMut<i32>) {
    for i in 0..a.len() {
        words.set(QUAD_WORDS * i, a.at(i) as i32 + ((b.at(i) as i32) << 16));
    }
}
