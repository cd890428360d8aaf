//! Depthwise convolution from records: see the runtime's operator of this name.

use dunlin::ops::depthwise_records::RECORD_WORDS;
use dunlin::ops::{DepthwiseConv2d, DepthwiseRecords, Factor};

use super::sums::{Outputs, Scaled};
use super::{Backward, HostOperator};
use crate::pack::{Input, Layers, Packed};
use crate::{Data, Node, Result, TensorId};

impl HostOperator for DepthwiseRecords {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is made of a depthwise convolution that is ready for a core"))
    }
}

/// What an int8 `node` in device form with the operator `op` becomes: records `[c, 8]`, if there are some.
pub(super) fn of(op: &DepthwiseConv2d, layers: &Layers, node: &Node) -> Option<Packed> {
    let graph = layers.graph;
    let [x, w, old_table] = node.inputs[..] else { return None };
    let (Data::I8(weights), Data::I32(table)) = (graph.constant_data(w)?, graph.constant_data(old_table)?)
    else {
        return None;
    };
    let dims = graph.dims(w);
    let channels = dims[3];
    let outputs = Outputs::new(layers.zero_point(node.outputs[0])?, op.bounds);
    let sums = layers.sums(node)?;
    let is_one = dims[1..3] == DepthwiseRecords::KERNEL
        && graph.dims(x)[3] == channels
        && DepthwiseRecords::takes(&op.window, channels);
    if !is_one {
        return None;
    }
    let mut records = Vec::with_capacity(RECORD_WORDS * channels);
    for (c, entry) in table.chunks_exact(3).enumerate() {
        let weights: [i8; 9] = std::array::from_fn(|i| weights[i * channels + c]);
        let factor = Factor { multiplier: entry[1], shift: i8::try_from(entry[2]).ok()? };
        // A channel that is the same for every input needs no weights.
        records.extend(match layers.constant(node, c) {
            Some(q) => record(&[0; 9], Scaled::constant(q)),
            None => record(&weights, outputs.scaled(sums[c], entry[0], factor)?),
        });
    }
    let op = DepthwiseRecords { window: op.window, bounds: op.bounds, at_once: 1 };
    let in_pairs = !layers.target.by_rows && op.takes_pairs(&graph[x].ty);
    let op = DepthwiseRecords { at_once: if in_pairs { 2 } else { 1 }, ..op };
    let records =
        Input::Constant { of: old_table, dims: vec![channels, RECORD_WORDS], data: Data::I32(records) };
    Some(Packed { op: op.into(), inputs: vec![Input::Kept(x), records] })
}

/// The record of a channel, whose sums have room for the bits that are shifted out.
fn record(weights: &[i8; 9], scaled: Scaled) -> [i32; RECORD_WORDS] {
    // A weight has 8 bits, and the shift at most 8.
    let weight = |i: usize| i32::from(weights[i]) << scaled.shift;
    let pair = |low: i32, high: i32| low & 0xFFFF | high << 16;
    [
        pair(weight(0), weight(6)),
        pair(weight(1), weight(7)),
        pair(weight(2), weight(8)),
        pair(weight(3), weight(4)),
        pair(weight(5), 0),
        scaled.bias << scaled.shift,
        scaled.multiplier,
        scaled.addend,
    ]
}

#[cfg(test)]
mod tests {
    use dunlin::ops::bounds::Bounds;
    use dunlin::ops::window::Window;
    use proptest::prelude::*;

    use super::*;
    use crate::Graph;
    use crate::ops::testing::{self, run};
    use crate::pack::{Packing, Target, pack};

    fn layer(op: DepthwiseConv2d, weights: &[i8], table: &[i32], zero_points: [i32; 2]) -> Graph {
        let channels = table.len() / 3;
        testing::layer(op, [[1, 5, 6, channels], [1, 3, 3, channels]], weights, table, zero_points)
    }

    proptest! {
        #[test]
        fn records_give_the_same_bytes(
            weights in prop::collection::vec(-127i8..=127, 36),
            factors in prop::collection::vec((-70_000i32..70_000, 1 << 30..=i32::MAX, -18i32..=-3), 4),
            x in prop::collection::vec(any::<i8>(), 120),
            zero_points in [-128i32..=127, -128i32..=127],
            above in 0i32..40,
            stride in [1u8..3, 1u8..3],
            pads in [0u8..2, 0u8..2, 0u8..2, 0u8..2],
        ) {
            let lo = (zero_points[1] + above).min(127) as i8;
            let window = Window { stride, dilation: [1, 1], pads };
            let op = DepthwiseConv2d { window, bounds: Bounds::I8 { lo, hi: lo.max(100) } };
            let table: Vec<i32> = factors.iter().flat_map(|&(b, m, s)| [b, m, s]).collect();
            let graph = layer(op, &weights, &table, zero_points);
            for by_rows in [false, true] {
                let mut packed = graph.clone();
                pack(&mut packed, Target { packing: Packing::Dsp, by_rows }, 0).unwrap();
                // Of some factors no single multiplication begins each output at the same sum.
                prop_assume!(packed.nodes()[0].op.name() == "depthwise_records");
                prop_assert_eq!(run(&packed, &x), run(&graph, &x));
            }
        }
    }

    #[test]
    fn channels_that_are_constant_or_beyond_the_arithmetic() {
        let op = DepthwiseConv2d { window: Window::UNIT, bounds: Bounds::I8 { lo: -3, hi: 127 } };
        let packed = |table: &[i32], zero_points: [i32; 2]| {
            let mut graph = layer(op, &[100; 36], table, zero_points);
            pack(&mut graph, Target { packing: Packing::Dsp, by_rows: false }, 0).unwrap();
            graph
        };
        let usual = [5, 3 << 29, -9];
        let name = |table: [i32; 3], zero_points| {
            packed(&[usual, usual, usual, table].concat(), zero_points).nodes()[0].op.name()
        };
        assert_eq!(name(usual, [-128, -3]), "depthwise_records");
        assert_eq!(name(usual, [-128, 100]), "depthwise_records", "no sum is negative");
        assert_eq!(name(usual, [0, 100]), "depthwise_conv2d", "negative sums are seen");
        assert_eq!(name([5, 3 << 29, -2], [-128, -3]), "depthwise_conv2d", "weights beyond 16 bits");
        // 25 bits for a sum of 18 bits and a bias of 26.
        let constant = [1 << 26, 1 << 30, -25];
        assert_eq!(name(constant, [-128, -3]), "depthwise_records");
        let outputs = run(&packed(&[usual, usual, usual, constant].concat(), [-128, -3]), &[7; 120]);
        assert_eq!(outputs[0].as_i8().unwrap()[3], -3 + 1);
    }
}
