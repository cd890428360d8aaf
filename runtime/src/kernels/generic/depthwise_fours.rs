//! One output row of an int8 depthwise convolution with any window, four neighbouring outputs of a channel at a time: each
//! weight is read once for them, and the zero point is multiplied with the sum of the weights.

use super::arithmetic::{Arithmetic, I8};
use super::depthwise::depthwise_part;
use crate::mem::{Rows, View, ViewMut};
use crate::ops::window::{Geometry, Taps};

/// Outputs that are computed at a time.
const OUTPUTS: usize = 4;

/// [`super::depthwise::depthwise_row`] of int8; `finish` makes an output of a channel's sum. What it does not clamp stays so.
#[inline(always)]
pub fn depthwise_row_by_fours(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    finish: impl Fn(usize, i32) -> i8,
) {
    let ([_, kw], [_, out_w, c_out]) = (geometry.kernel, geometry.output);
    let (image, rows) = geometry.row_taps(y);
    let is_whole = |ox: usize| geometry.column_taps(ox).valid == (0..kw);
    let mut ox = 0usize;
    while ox < out_w {
        let last = ox.wrapping_add(OUTPUTS - 1);
        if last < out_w && is_whole(ox) && is_whole(last) {
            let first = geometry.column_taps(ox).index(0);
            let four = Four { arithmetic, geometry, x, w, image, rows: &rows, first };
            four.compute(out.slice(ox.wrapping_mul(c_out), OUTPUTS.wrapping_mul(c_out)), &finish);
            ox = ox.wrapping_add(OUTPUTS);
        } else {
            let columns = ox..ox.wrapping_add(1);
            depthwise_part(arithmetic, geometry, x, w, y, [columns, 0..c_out], out);
            ox = ox.wrapping_add(1);
        }
    }
}

/// Neighbouring outputs whose windows have all their columns in the image.
struct Four<'a> {
    arithmetic: &'a I8<'a>,
    geometry: &'a Geometry,
    x: &'a Rows<'a, i8>,
    w: View<'a, i8>,
    /// First row of the image, and the taps along the rows.
    image: usize,
    rows: &'a Taps,
    /// The first column that the first output reads.
    first: usize,
}

impl Four<'_> {
    #[inline(always)]
    fn compute(&self, out: ViewMut<i8>, finish: &impl Fn(usize, i32) -> i8) {
        let ([_, _, c_in], [_, _, c_out]) = (self.geometry.input, self.geometry.output);
        let multiplier = c_out.checked_div(c_in).unwrap_or(0);
        let (mut ic, mut readers) = (0usize, 0usize);
        for c in 0..c_out {
            let sums = self.sums(ic, c);
            let mut at = c;
            for sum in sums {
                out.set(at, finish(c, sum));
                at = at.wrapping_add(c_out);
            }
            readers = readers.wrapping_add(1);
            if readers == multiplier {
                (ic, readers) = (ic.wrapping_add(1), 0);
            }
        }
    }

    /// The sums of output channel `c`, which reads channel `ic`.
    #[inline(always)]
    fn sums(&self, ic: usize, c: usize) -> [i32; OUTPUTS] {
        let Four { arithmetic, geometry, x, w, image, rows, first } = *self;
        let ([_, kw], [_, _, c_in], [_, _, c_out]) = (geometry.kernel, geometry.input, geometry.output);
        let [step, dilation] = [geometry.window.stride, geometry.window.dilation]
            .map(|pair| (pair[1] as usize).wrapping_mul(c_in));
        let (second, third) = (step.wrapping_mul(2), step.wrapping_mul(3));
        // Four variables: of an array compilers that spare bytes make a loop on memory.
        let ([mut p, mut q, mut r, mut s], mut weights) = ([0i32; OUTPUTS], 0i32);
        for ky in rows.valid.clone() {
            let row = x.row(image.wrapping_add(rows.index(ky)));
            let mut wi = ky.wrapping_mul(kw).wrapping_mul(c_out).wrapping_add(c);
            let mut start = first.wrapping_mul(c_in).wrapping_add(ic);
            for _ in 0..kw {
                let w = w.at(wi) as i32;
                let product = |at: usize| (row.at(start.wrapping_add(at)) as i32).wrapping_mul(w);
                p = p.wrapping_add(product(0));
                q = q.wrapping_add(product(step));
                r = r.wrapping_add(product(second));
                s = s.wrapping_add(product(third));
                weights = weights.wrapping_add(w);
                wi = wi.wrapping_add(c_out);
                start = start.wrapping_add(dilation);
            }
        }
        let begin = arithmetic.begin(c).wrapping_add(arithmetic.x_offset.wrapping_mul(weights));
        [p, q, r, s].map(|sum| sum.wrapping_add(begin))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::generic::depthwise::depthwise_row;
    use crate::kernels::testing::{Layer, Operands, layers};

    proptest! {
        #[test]
        fn four_outputs_are_the_generic_ones(
            layer in layers([1usize..6, 1usize..6]),
            multiplier in 1usize..4,
        ) {
            let layer = Layer { channels: layer.image[2] * multiplier, ..layer };
            let rows = |o: &Operands, row: &dyn Fn(usize)| (0..o.geometry.output[0]).for_each(row);
            let fours = |o: &Operands| rows(o, &|y| {
                let finish = |c: usize, sum: i32| o.arithmetic.finish(sum, c);
                depthwise_row_by_fours(&o.arithmetic, &o.geometry, &o.x, o.w, y, o.out.row(y), finish);
            });
            let generic = |o: &Operands| rows(o, &|y| {
                depthwise_row(&o.arithmetic, &o.geometry, &o.x, o.w, y, o.out.row(y));
            });
            let outputs = layer.outputs(1, |_| 0, [&fours, &generic as &dyn Fn(&Operands)]);
            prop_assert!(outputs.is_none_or(|[found, expected]| found == expected));
        }
    }
}
