//! What is known of an int8 layer's sums for every input: how far they reach, and which channels always give the same.

use dunlin::ops::Factor;
use dunlin::ops::bounds::Bounds;

use crate::{Graph, Node};

/// What the channels of a layer with weights have in common.
pub(super) struct Sums {
    x_zero_point: i32,
    pub(super) zero_point: i32,
    pub(super) bounds: (i8, i8),
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
        let (lo, hi) = self.bounds;
        factor.apply(sum).saturating_add(self.zero_point).clamp(lo.into(), hi.into()) as i8
    }
}
