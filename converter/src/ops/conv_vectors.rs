//! Convolution with weights in vectors: see the runtime's operator of this name.

use dunlin::ops::conv_vectors::{GROUP, Line, VECTOR};
use dunlin::ops::{Conv2d, ConvVectors};

use super::sums::{Channel, normal_folded};
use super::{Backward, HostOperator};
use crate::pack::{Input, Layers, Packed};
use crate::{Data, Node, Result, TensorId};

/// What fills lines up may make a channel's vectors so many times as many as without: a core that reads activations where
/// they are saves more.
const MAX_FILL: usize = 2;

impl HostOperator for ConvVectors {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is made of a convolution that is ready for a core"))
    }
}

/// What an int8 node in device form with the operator `op` becomes, if its channels are fours with factors that kernels
/// take.
pub(super) fn of(layers: &Layers, node: &Node, op: &Conv2d) -> Option<Packed> {
    let [x, w, table] = node.inputs[..] else { return None };
    let [c_out, kh, kw, c_in] = layers.graph.dims(w)[..] else { return None };
    let kernel = [u8::try_from(kh).ok()?, u8::try_from(kw).ok()?];
    if !c_out.is_multiple_of(GROUP) || op.window.dilation[1] != 1 {
        return None;
    }
    let form = |in_lines| ConvVectors { window: op.window, bounds: op.bounds, kernel, in_lines };
    let bytes = [true, false].map(|in_lines| form(in_lines).line(c_in).channel_bytes);
    let op = form(bytes[0] <= MAX_FILL * bytes[1]);
    let line = op.line(c_in);
    let channels = channels(layers, node)?;
    let weights = channels.chunks(GROUP).flat_map(|channels| in_vectors(channels, &line)).collect();
    let weights = Input::Constant { of: w, dims: vec![c_out, line.channel_bytes], data: Data::I8(weights) };
    let entries = channels.chunks(GROUP).flat_map(by_fields).collect();
    let entries = Input::Constant { of: table, dims: vec![c_out, 3], data: Data::I32(entries) };
    Some(Packed { op: op.into(), inputs: vec![Input::Kept(x), weights, entries] })
}

/// Weights and entries of all channels, what the zero point adds in the biases.
fn channels(layers: &Layers, node: &Node) -> Option<Vec<Channel>> {
    let [_, w, table] = node.inputs[..] else { return None };
    let weights = layers.graph.constant_data(w)?.as_i8()?;
    let entries = layers.graph.constant_data(table)?.as_i32()?;
    let given = weights.chunks(weights.len() / (entries.len() / 3)).zip(entries.chunks(3)).enumerate();
    given.map(|(c, channel)| normal_folded(layers, node, c, channel, true)).collect()
}

/// The weights of some channels by vectors.
fn in_vectors(channels: &[Channel], line: &Line) -> Vec<i8> {
    let filled = |(row, _): &Channel| {
        let lines = row.chunks(line.taps).flat_map(|taps| {
            let zeros = std::iter::repeat_n(0, line.bytes - line.taps);
            taps.iter().copied().chain(zeros)
        });
        let mut lines: Vec<i8> = lines.collect();
        lines.resize(line.channel_bytes, 0);
        lines
    };
    let rows: Vec<Vec<i8>> = channels.iter().map(filled).collect();
    let starts = (0..line.channel_bytes).step_by(VECTOR);
    starts.flat_map(|start| rows.iter().flat_map(move |row| row[start..start + VECTOR].to_vec())).collect()
}

/// Biases, then multipliers, then shifts.
fn by_fields(channels: &[Channel]) -> Vec<i32> {
    (0..3).flat_map(|field| channels.iter().map(move |(_, entry)| entry[field])).collect()
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

    /// A layer of 8 channels.
    fn layer(weights: &[i8], table: &[i32], zero_points: [i32; 2], op: Conv2d, c_in: usize) -> Graph {
        testing::layer(op, [[1, 4, 5, c_in], [8, 3, 2, c_in]], weights, table, zero_points)
    }

    const HELIUM: Target = Target { packing: Packing::Helium, by_rows: false };

    proptest! {
        #[test]
        fn vectors_give_the_same_bytes(
            c_in in 1usize..18,
            weights in prop::collection::vec(any::<i8>(), 8 * 6 * 17),
            factors in prop::collection::vec((-70_000i32..70_000, 1 << 30..=i32::MAX, -14i32..0), 8),
            x in prop::collection::vec(any::<i8>(), 20 * 17),
            zero_points in [-128i32..=127, -128i32..=127],
            pads in [0u8..2, 0u8..2, 0u8..2, 0u8..2],
            stride in [1u8..3, 1u8..3],
        ) {
            let window = Window { pads, stride, ..Window::UNIT };
            let table: Vec<i32> = factors.iter().flat_map(|&(b, m, s)| [b, m, s]).collect();
            let op = Conv2d { window, bounds: Bounds::I8 { lo: -100, hi: 90 } };
            let graph = layer(&weights[..48 * c_in], &table, zero_points, op, c_in);
            let mut packed = graph.clone();
            pack(&mut packed, HELIUM, 0).unwrap();
            prop_assert_eq!(packed.nodes()[0].op.name(), "conv_vectors");
            prop_assert_eq!(run(&packed, &x[..20 * c_in]), run(&graph, &x[..20 * c_in]));
        }
    }

    #[test]
    fn other_factors_stay_as_they_are() {
        let usual = [5, 3 << 29, -9];
        let name = |entry: [i32; 3]| {
            let op = Conv2d { window: Window::UNIT, bounds: Bounds::None };
            let table = [usual, usual, entry, usual, usual, usual, usual, usual].concat();
            let mut graph = layer(&[100; 48], &table, [0, 0], op, 1);
            pack(&mut graph, HELIUM, 0).unwrap();
            graph.nodes()[0].op.name()
        };
        assert_eq!(name(usual), "conv_vectors");
        assert_eq!(name([5, 3 << 29, 0]), "conv2d", "no shift to the right");
        assert_eq!(name([5, 3 << 28, -9]), "conv2d", "a short multiplier");
    }
}
