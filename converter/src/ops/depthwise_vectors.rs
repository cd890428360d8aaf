//! Depthwise convolution of 16 channels at a time: see the runtime's operator of this name.

use dunlin::ops::depthwise_vectors::{CHANNELS, Field, RECORD_WORDS, place};
use dunlin::ops::{DepthwiseConv2d, DepthwiseVectors};

use super::sums::{Channel, normal_folded};
use super::{Backward, HostOperator};
use crate::pack::{Input, Layers, Packed};
use crate::{Data, Node, Result, TensorId};

impl HostOperator for DepthwiseVectors {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is made of a depthwise convolution that is ready for a core"))
    }
}

/// What an int8 `node` in device form with the operator `op` becomes, if its channels are sixteens with weights and factors
/// that kernels take.
pub(super) fn of(op: &DepthwiseConv2d, layers: &Layers, node: &Node) -> Option<Packed> {
    let graph = layers.graph;
    let [x, w, table] = node.inputs[..] else { return None };
    let (weights, entries) = (graph.constant_data(w)?.as_i8()?, graph.constant_data(table)?.as_i32()?);
    let dims = graph.dims(w);
    let channels = dims[3];
    if dims[1..3] != DepthwiseVectors::KERNEL
        || graph.dims(x)[3] != channels
        || !channels.is_multiple_of(CHANNELS)
    {
        return None;
    }
    let channel = |(c, entry): (usize, &[i32])| -> Option<Channel> {
        let row: Vec<i8> = (0..9).map(|tap| weights[tap * channels + c]).collect();
        normal_folded(layers, node, c, (&row, entry), !row.contains(&i8::MIN))
    };
    let made: Vec<Channel> = entries.chunks_exact(3).enumerate().map(channel).collect::<Option<_>>()?;
    let records = made.chunks(CHANNELS).flat_map(record).collect();
    let dims = vec![channels / CHANNELS, RECORD_WORDS];
    let records = Input::Constant { of: table, dims, data: Data::I32(records) };
    let op = DepthwiseVectors { window: op.window, bounds: op.bounds };
    Some(Packed { op: op.into(), inputs: vec![Input::Kept(x), records] })
}

fn record(channels: &[Channel]) -> [i32; RECORD_WORDS] {
    let mut record = [0; RECORD_WORDS];
    let weights: Vec<u8> =
        (0..9).flat_map(|tap| channels.iter().map(move |(row, _)| row[tap] as u8)).collect();
    for (word, bytes) in record.iter_mut().zip(weights.chunks_exact(4)) {
        *word = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for (c, (_, entry)) in channels.iter().enumerate() {
        for (field, number) in [Field::Bias, Field::Multiplier, Field::Shift].into_iter().zip(entry) {
            record[field.start() + place(c)] = *number;
        }
    }
    record
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
        testing::layer(op, [[1, 4, 5, channels], [1, 3, 3, channels]], weights, table, zero_points)
    }

    const HELIUM: Target = Target { packing: Packing::Helium, by_rows: false };

    proptest! {
        #[test]
        fn records_give_the_same_bytes(
            weights in prop::collection::vec(-127i8..=127, 9 * 32),
            factors in prop::collection::vec((-70_000i32..70_000, 1 << 30..=i32::MAX, -14i32..0), 32),
            x in prop::collection::vec(any::<i8>(), 20 * 32),
            zero_points in [-128i32..=127, -128i32..=127],
            stride in [1u8..3, 1u8..3],
            pads in [0u8..3, 0u8..3, 0u8..3, 0u8..3],
        ) {
            let op = DepthwiseConv2d {
                window: Window { stride, dilation: [1, 1], pads },
                bounds: Bounds::I8 { lo: -100, hi: 90 },
            };
            let table: Vec<i32> = factors.iter().flat_map(|&(b, m, s)| [b, m, s]).collect();
            let graph = layer(op, &weights, &table, zero_points);
            let mut packed = graph.clone();
            pack(&mut packed, HELIUM, 0).unwrap();
            prop_assert_eq!(packed.nodes()[0].op.name(), "depthwise_vectors");
            prop_assert_eq!(run(&packed, &x), run(&graph, &x));
        }
    }

    #[test]
    fn other_layers_stay_as_they_are() {
        let name = |channels: usize, weight: i8, shift: i32| {
            let op = DepthwiseConv2d { window: Window::UNIT, bounds: Bounds::None };
            let mut table = [5, 3 << 29, -9].repeat(channels);
            table[5] = shift;
            let mut graph = layer(op, &vec![weight; 9 * channels], &table, [0, 0]);
            pack(&mut graph, HELIUM, 0).unwrap();
            graph.nodes()[0].op.name()
        };
        assert_eq!(name(16, -127, -1), "depthwise_vectors");
        assert_eq!(name(16, -128, -1), "depthwise_conv2d", "two products of 17 bits");
        assert_eq!(name(16, -127, 0), "depthwise_conv2d", "no shift to the right");
        assert_eq!(name(24, -127, -1), "depthwise_conv2d", "eight channels more");
    }
}
