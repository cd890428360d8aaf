//! Sum of two tensors with a weight each: see the runtime's operator of this name.

use dunlin::ops::add::{AddFactors, LEFT_SHIFT};
use dunlin::ops::bounds::Bounds;
use dunlin::ops::weighted_sum::{SHIFT, WEIGHT_BITS};
use dunlin::ops::{Factor, WeightedSum};

use super::{Backward, HostOperator};
use crate::pack::{Input, Packed};
use crate::program::run_alone;
use crate::{Graph, Node, Result, TensorId};

impl HostOperator for WeightedSum {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is made of a sum that is ready for a core"))
    }
}

/// By how many units weights are changed at first.
const STEPS: i32 = 64;
/// What weights are preferably multiples of: some cores then need no product of more than 32 bits.
const WHOLE: i32 = 1 << WEIGHT_BITS;

/// What a sum (`sign` 1) or a difference (-1) in device form becomes, if there are weights that give its bytes for each of
/// the 65,536 pairs of numbers: that is tried on all of them.
pub(super) fn of(
    graph: &Graph,
    node: &Node,
    bounds: Bounds,
    factors: AddFactors,
    sign: i32,
) -> Option<Packed> {
    let every = || (i8::MIN..=i8::MAX).collect::<Vec<i8>>();
    let outputs = run_alone(graph, node, vec![(vec![256, 1], every()), (vec![1, 256], every())]).ok()?;
    let real = |factor: Factor| f64::from(factor.multiplier) * f64::from(i32::from(factor.shift) - 31).exp2();
    let one = real(factors.output) * f64::from(SHIFT + WEIGHT_BITS + LEFT_SHIFT).exp2();
    let [a, b] = factors.operands.map(|factor| (real(factor) * one).round());
    if a.max(b) > f64::from(i32::MAX) {
        return None;
    }
    let [a, b] = [a as i32, b as i32];
    let search = |unit| search([a, sign * b], unit, |weights| offsets(weights, &outputs, bounds.i8()));
    let (weights, offset) = search(WHOLE).or_else(|| search(1))?;
    let op = WeightedSum { bounds, weights, offset: i32::try_from(offset).ok()? };
    let inputs = node.inputs.iter().map(|&id| Input::Kept(id)).collect();
    op.fits().then_some(Packed { op: op.into(), inputs })
}

/// Multiples of `unit` near to such weights for which there is an offset, and this. `offsets` tells the least and the most that weights
/// may have; the one exceeds the other by a convex function, which is descended.
fn search(near: [i32; 2], unit: i32, offsets: impl Fn([i32; 2]) -> [i64; 2]) -> Option<([i32; 2], i64)> {
    let near = near.map(|weight| weight / unit * unit);
    let excess = |weights: [i32; 2]| {
        let [least, most] = offsets(weights);
        (least - most, weights)
    };
    let (mut best, mut step) = (excess(near), STEPS * unit);
    while best.0 > 0 && step >= unit {
        let around = [-1, 0, 1].into_iter().flat_map(|a| [-1, 0, 1].map(|b| [a * step, b * step]));
        let moved = |[a, b]: [i32; 2]| Some([best.1[0].checked_add(a)?, best.1[1].checked_add(b)?]);
        let next = around.filter_map(moved).map(excess).min()?;
        if next.0 < best.0 {
            best = next;
        } else {
            step /= 2;
        }
    }
    let [least, most] = offsets(best.1);
    (least <= most).then(|| (best.1, least + (most - least) / 2))
}

/// The least and the most of the offsets with which weights give `outputs`, those of all numbers `[a, b]`; there are none if
/// the least is greater.
fn offsets([a_weight, b_weight]: [i32; 2], outputs: &[i8], (lo, hi): (i8, i8)) -> [i64; 2] {
    let product = |x: i8, weight: i32| (i64::from(x) * i64::from(weight)) >> WEIGHT_BITS;
    let (mut least, mut most) = (i64::from(i32::MIN), i64::from(i32::MAX));
    for (a, outputs) in (i8::MIN..=i8::MAX).zip(outputs.chunks(256)) {
        for (b, &output) in (i8::MIN..=i8::MAX).zip(outputs) {
            let begin = (i64::from(output) << SHIFT) - product(a, a_weight) - product(b, b_weight);
            // What is clamped may lie anywhere beyond the bound.
            if output > lo {
                least = least.max(begin);
            }
            if output < hi {
                most = most.min(begin + (1 << SHIFT) - 1);
            }
        }
    }
    [least, most]
}

#[cfg(test)]
mod tests {
    use dunlin::DType;
    use dunlin::ops::{Add, Sub};

    use super::*;
    use crate::graph::Form;
    use crate::pack::{Packing, Target, pack};
    use crate::{Quant, ops::Op};

    /// A sum or a difference of other scales and zero points for each seed, in device form.
    fn sum(seed: u64) -> Graph {
        let mut rng = fastrand::Rng::with_seed(seed);
        let scales = [0.02 + rng.f64(), 0.02 + rng.f64()];
        let common = 2.0 * scales[0].max(scales[1]);
        let out = (scales[0] + scales[1]) * (0.4 + rng.f64());
        let factor = |real: f64| Factor::from_real(real).unwrap();
        let factors = AddFactors {
            operands: scales.map(|scale| factor(scale / common)),
            output: factor(common / out / f64::from(1 << LEFT_SHIFT)),
        };
        let bounds =
            if rng.bool() { Bounds::I8 { lo: rng.i8(-128..0), hi: rng.i8(0..) } } else { Bounds::None };
        let op = match rng.bool() {
            true => Op::Add(Add { bounds, factors: Some(factors) }),
            false => Op::Sub(Sub { bounds, factors: Some(factors) }),
        };
        let mut graph = Graph::new("sum");
        graph.form = Form::Device;
        let inputs = ["a", "b"].map(|name| graph.input_of(name, DType::I8, &[1, 256]).unwrap());
        let y = graph.apply("y", op, &inputs).unwrap();
        for id in [inputs[0], inputs[1], y] {
            graph[id].quant = Some(Quant::i8(1.0, rng.i32(-128..128)));
        }
        graph.mark_output(y);
        graph
    }

    #[test]
    fn nearly_all_sums_have_weights_and_no_pair_of_numbers_another_output() {
        let every = || (i8::MIN..=i8::MAX).collect::<Vec<i8>>();
        let mut n_packed = 0;
        for seed in 0..40 {
            let graph = sum(seed);
            let mut packed = graph.clone();
            pack(&mut packed, Target { packing: Packing::Dsp, by_rows: false }, 0).unwrap();
            n_packed += usize::from(packed.nodes()[0].op.name() == "weighted_sum");
            let [outputs, expected] = [&packed, &graph].map(|graph| {
                let pairs = vec![(vec![256, 1], every()), (vec![1, 256], every())];
                run_alone(graph, &graph.nodes()[0], pairs).unwrap()
            });
            assert_eq!(outputs, expected, "{seed}");
        }
        assert!(n_packed >= 38, "{n_packed} of 40");
    }

    #[test]
    fn sums_beyond_the_arithmetic_stay_as_they_are() {
        let mut graph = sum(0);
        let factor = |real: f64| Factor::from_real(real).unwrap();
        // Four times either operand.
        let factors =
            AddFactors { operands: [factor(0.5); 2], output: factor(8.0 / f64::from(1 << LEFT_SHIFT)) };
        graph.nodes_mut()[0].op = Op::Add(Add { bounds: Bounds::None, factors: Some(factors) });
        pack(&mut graph, Target { packing: Packing::Dsp, by_rows: false }, 0).unwrap();
        assert_eq!(graph.nodes()[0].op.name(), "add");
    }
}
