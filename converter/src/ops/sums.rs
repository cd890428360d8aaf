//! What is known of an int8 layer's sums for every input: how far they reach, which channels always give the same, and
//! whether one multiplication without rounding makes the same outputs of them.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Factor, SCALED_SHIFT};

use crate::{Graph, Node};

/// How many biases are tried: 255 beginnings of outputs leave a 255th of a step free, or less.
const BIAS_STEPS: i64 = 1 << 14;

/// What the channels of a layer with weights have in common.
pub(super) struct Sums {
    x_zero_point: i32,
    pub(super) zero_point: i32,
    pub(super) bounds: (i8, i8),
}

/// How the sums of a channel become outputs: `((sum << shift) * multiplier >> 32) + addend >> SCALED_SHIFT`, clamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scaled {
    /// What the sums begin with.
    pub(super) bias: i32,
    /// In `2..=8`.
    pub(super) shift: u32,
    pub(super) multiplier: i32,
    pub(super) addend: i32,
}

impl Scaled {
    /// Every sum is the bias alone, and this the output.
    pub(super) fn constant(q: i8) -> Scaled {
        Scaled { bias: 0, shift: 2, multiplier: 1 << 30, addend: i32::from(q) << SCALED_SHIFT }
    }
}

impl Sums {
    /// Of a node in device form, if it is quantized.
    pub(super) fn of(graph: &Graph, node: &Node, bounds: Bounds) -> Option<Sums> {
        let zero_point = |id| graph[id].quant.as_ref().map(|quant| quant.zero_point);
        let (x_zero_point, zero_point) = (zero_point(node.inputs[0])?, zero_point(node.outputs[0])?);
        Some(Sums { x_zero_point, zero_point, bounds: bounds.i8() })
    }

    /// The least and the greatest sum, padding considered, if no sum on the way leaves 32 bits.
    pub(super) fn range(&self, weights: &[i8], bias: i32) -> Option<[i32; 2]> {
        let [low, high] = [i8::MIN, i8::MAX].map(|x| i32::from(x) - self.x_zero_point);
        let ends = |w: &i8| [low * i32::from(*w), high * i32::from(*w)].map(i64::from);
        let bias = i64::from(bias);
        let least: i64 = weights.iter().map(|w| ends(w).into_iter().fold(0, i64::min)).sum();
        let most: i64 = weights.iter().map(|w| ends(w).into_iter().fold(0, i64::max)).sum();
        Some([i32::try_from(bias + least).ok()?, i32::try_from(bias + most).ok()?])
    }

    /// The output of a channel that gives the same for every input.
    pub(super) fn constant(&self, weights: &[i8], bias: i32, factor: Factor) -> Option<i8> {
        let ends = self.range(weights, bias)?.map(|sum| self.output(factor, sum));
        // Where the sum rises, the output does not fall, as long as no bit is shifted out to the left.
        (factor.shift <= 0 && ends[0] == ends[1]).then_some(ends[0])
    }

    /// What becomes of a sum.
    pub(super) fn output(&self, factor: Factor, sum: i32) -> i8 {
        factor.requantize(sum, self.zero_point, self.bounds)
    }

    /// The same outputs without rounding twice, if there are numbers for it.
    ///
    /// Both ways outputs rise with the sum, so they are the same if each output begins at the same sum. With `slope` for one
    /// step of the sum, that limits what is added to the products: each output's beginning from below, and the sum before it
    /// from above. The addend has a step of 2^32, and the bias one of `slope`; together they come near to every number. A
    /// tie is rounded away from zero: only where the activation cuts at the zero point are no negative ones seen.
    pub(super) fn scaled(&self, weights: &[i8], bias: i32, factor: Factor) -> Option<Scaled> {
        let [least, most] = self.range(weights, bias)?;
        let exact_shift = SCALED_SHIFT as i32 + 1 + i32::from(factor.shift);
        if factor.multiplier >> 30 != 1 || !(-14..=8).contains(&exact_shift) {
            return None;
        }
        // Of long shifts a part goes to the multiplier, which loses bits.
        let lost = (2 - exact_shift).max(0);
        let (shift, multiplier) = ((exact_shift + lost) as u32, factor.multiplier >> lost);
        let scaled = |sum: i32, step: i64| i32::try_from((i64::from(sum) + step) << shift).ok();
        scaled(least, 0)?;
        scaled(most, 0)?;
        let slope = i64::from(multiplier) << shift;
        let [lo, hi] = [self.bounds.0, self.bounds.1].map(i64::from);
        let (mut floor, mut ceiling) = (i64::MIN, i64::MAX);
        for q in lo + 1..=hi {
            let begin = first(least, most, |sum| i64::from(self.output(factor, sum)) >= q);
            let start = (q << (32 + SCALED_SHIFT)) - begin * slope;
            if begin <= most.into() {
                floor = floor.max(start);
            }
            if begin > least.into() {
                ceiling = ceiling.min(start + slope);
            }
        }
        if floor == i64::MIN || ceiling == i64::MAX {
            return None; // a constant
        }
        let (step, addend) = (0..BIAS_STEPS).find_map(|step| {
            let addend = (ceiling - 1 - step * slope) >> 32;
            (step * slope + (addend << 32) >= floor).then_some((step, addend))
        })?;
        scaled(least, step)?;
        scaled(most, step)?;
        let bias = i32::try_from(i64::from(bias) + step).ok()?;
        Some(Scaled { bias, shift, multiplier, addend: i32::try_from(addend).ok()? })
    }
}

/// The first number in `least..=most` with a property that all behind it have; the one behind `most` if none has.
fn first(least: i32, most: i32, has: impl Fn(i32) -> bool) -> i64 {
    let (mut begin, mut end) = (i64::from(least), i64::from(most) + 1);
    while begin < end {
        let middle = begin + (end - begin) / 2;
        if has(middle as i32) { end = middle } else { begin = middle + 1 }
    }
    begin
}
