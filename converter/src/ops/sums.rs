//! How packed layers make outputs of a channel's sums, as far as these reach: with a factor that all kernels take, or with
//! one multiplication without rounding.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Factor, SCALED_SHIFT};

use crate::Node;
use crate::pack::Layers;

/// How many biases are tried: 255 beginnings of outputs leave a 255th of a step free, or less, and the addend's step may be
/// as long as many of those. (In KWS, VWW and IC nearly all channels need less than 2^18.)
const BIAS_STEPS: i64 = 1 << 22;

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

/// How the sums of a channel become outputs without being scaled: `((sum << bits) * multiplier >> 32) + addend`, shifted
/// right, clamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What the sums begin with.
    pub(super) bias: i32,
    pub(super) multiplier: i32,
    pub(super) addend: i32,
}

impl Scaled {
    /// Every sum is the bias alone, and this the output.
    pub(super) fn constant(q: i8) -> Scaled {
        Scaled { bias: 0, shift: 2, multiplier: 1 << 30, addend: i32::from(q) << SCALED_SHIFT }
    }
}

/// Weights of a channel, and its entry of the table.
pub(super) type Channel = (Vec<i8>, [i32; 3]);

/// Channel `c` for a table whose factors use all bits of their multiplier and shift right, if `fits` says that its sums do.
/// One that does not, but is the same for every input, gets another factor for that, and no weights.
pub(super) fn normal(
    layers: &Layers,
    node: &Node,
    c: usize,
    (row, entry): (&[i8], &[i32]),
    fits: bool,
) -> Option<Channel> {
    let &[bias, multiplier, shift] = entry else { return None };
    if fits && multiplier >> 30 == 1 && (-31..0).contains(&shift) {
        return Some((row.to_vec(), [bias, multiplier, shift]));
    }
    // Four times what is added to the zero point, times a quarter.
    let q = i32::from(layers.constant(node, c)?);
    Some((vec![0; row.len()], [4 * (q - layers.zero_point(node.outputs[0])?), 1 << 30, -1]))
}

/// The same, the bias with what the zero point of the activations adds to the products.
pub(super) fn normal_folded(
    layers: &Layers,
    node: &Node,
    c: usize,
    channel: (&[i8], &[i32]),
    fits: bool,
) -> Option<Channel> {
    let (row, [bias, multiplier, shift]) = normal(layers, node, c, channel, fits)?;
    let sum: i32 = row.iter().map(|&w| i32::from(w)).sum();
    let bias = bias.wrapping_sub(layers.zero_point(node.inputs[0])?.wrapping_mul(sum));
    Some((row, [bias, multiplier, shift]))
}

/// What the outputs of a layer's channels have in common.
pub(super) struct Outputs {
    zero_point: i32,
    bounds: (i8, i8),
}

impl Outputs {
    /// With this stored number for 0.0 and this activation.
    pub(super) fn new(zero_point: i32, bounds: Bounds) -> Outputs {
        Outputs { zero_point, bounds: bounds.i8() }
    }

    /// The same outputs without rounding twice, if there are numbers for it. `ends` are the least and the greatest sum,
    /// `bias` included.
    pub(super) fn scaled(&self, ends: [i64; 2], bias: i32, factor: Factor) -> Option<Scaled> {
        let [Ok(least), Ok(most)] = ends.map(i32::try_from) else { return None };
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
        let (step, addend) = self.fit([least, most], factor, i64::from(multiplier) << shift, SCALED_SHIFT)?;
        scaled(least, step)?;
        scaled(most, step)?;
        let bias = i32::try_from(i64::from(bias) + step).ok()?;
        Some(Scaled { bias, shift, multiplier, addend: i32::try_from(addend).ok()? })
    }

    /// The same of sums that are shifted left by `bits` only, to `point` and as many bits behind the point.
    pub(super) fn line(
        &self,
        ends: [i64; 2],
        bias: i32,
        factor: Factor,
        (point, bits): (u32, u32),
    ) -> Option<Line> {
        let [Ok(least), Ok(most)] = ends.map(i32::try_from) else { return None };
        // multiplier * 2^(shift - 31) = slope * 2^-(32 + point), to nearest.
        let lost = u32::try_from(-i32::from(factor.shift) - 1).ok()?.checked_sub(point)?;
        let rounded = (i64::from(factor.multiplier) + ((1 << lost) >> 1)) >> lost;
        let multiplier = i32::try_from(rounded).ok()?;
        let (step, addend) = self.fit([least, most], factor, rounded << bits, point + bits)?;
        let bias = i32::try_from(i64::from(bias) + step).ok()?;
        Some(Line { bias, multiplier, addend: i32::try_from(addend).ok()? })
    }

    /// What is added to sums, and to their products' high words, so that `(sum * slope >> 32) + addend >> point` is what
    /// rounding twice makes of each sum in `least..=most`.
    ///
    /// Both ways outputs rise with the sum, so they are the same if each output begins at the same sum. With `slope` for one
    /// step of the sum, that limits what is added to the products: each output's beginning from below, and the sum before it
    /// from above. The addend has a step of 2^32, and the bias one of `slope`; together they come near to every number. A
    /// tie is rounded away from zero: only where the activation cuts at the zero point are no negative ones seen.
    fn fit(&self, [least, most]: [i32; 2], factor: Factor, slope: i64, point: u32) -> Option<(i64, i64)> {
        let [lo, hi] = [self.bounds.0, self.bounds.1].map(i64::from);
        let (mut floor, mut ceiling) = (i64::MIN, i64::MAX);
        for q in lo + 1..=hi {
            let begin = first(least, most, |sum| {
                i64::from(factor.requantize(sum, self.zero_point, self.bounds)) >= q
            });
            let start = (q << (32 + point)) - begin * slope;
            if begin <= most.into() {
                floor = floor.max(start);
            }
            if begin > least.into() {
                ceiling = ceiling.min(start + slope);
            }
        }
        if floor >= ceiling || floor == i64::MIN || ceiling == i64::MAX {
            return None; // no line, or a constant
        }
        (0..BIAS_STEPS).find_map(|step| {
            let addend = (ceiling - 1 - step * slope) >> 32;
            (step * slope + (addend << 32) >= floor).then_some((step, addend))
        })
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
