//! Convolution with weights in pairs of channels: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::conv_pairs::{ENTRY_WORDS, LINE_POINT, Table};
use dunlin::ops::window::Window;
use dunlin::ops::{ConvPairs, Factor};

use super::sums::{Channel, Outputs, normal};
use super::{Backward, HostOperator};
use crate::pack::{Input, Layers, Packed};
use crate::{Data, Node, Result, TensorId};

impl HostOperator for ConvPairs {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is made of a convolution that is ready for a core"))
    }
}

/// Whether rows of `width` positions waste little of groups of four.
pub(super) fn fills_groups(width: usize) -> bool {
    5 * width.next_multiple_of(4) <= 6 * width
}

/// How a layer's window goes over its input, and its activation.
pub(super) struct Sliding {
    pub(super) window: Window,
    /// Taps `[h, w]` of the window.
    pub(super) kernel: [u8; 2],
    pub(super) bounds: Bounds,
}

impl Sliding {
    /// The window of a layer of vectors.
    pub(super) fn over_vectors(bounds: Bounds) -> Sliding {
        Sliding { window: Window::UNIT, kernel: [1, 1], bounds }
    }
}

/// What an int8 node in device form becomes, whose operator's weights are `[c_out, taps]`.
pub(super) fn of(layers: &Layers, node: &Node, sliding: Sliding) -> Option<Packed> {
    let weights = layers.graph.constant_data(*node.inputs.get(1)?)?.as_i8()?;
    of_weights(layers, node, sliding, weights)
}

/// The same with other `weights` `[c_out, taps]`, which give the same sums.
pub(super) fn of_weights(layers: &Layers, node: &Node, sliding: Sliding, weights: &[i8]) -> Option<Packed> {
    let Sliding { window, kernel, bounds } = sliding;
    let graph = layers.graph;
    let [x, w, old_table] = node.inputs[..] else { return None };
    let entries = graph.constant_data(old_table)?.as_i32()?;
    let sums = Sums { layers, node, outputs: Outputs::new(layers.zero_point(node.outputs[0])?, bounds) };
    let n_channels = entries.len() / 3;
    if n_channels < 2 {
        return None;
    }
    let rows: Vec<&[i8]> = weights.chunks(weights.len() / n_channels).collect();
    // Of an odd number the last but one is in two pairs, the second channel of one and the first of the other.
    let channel_at = |place: usize| if place + 1 < n_channels { place } else { n_channels - 2 + place % 2 };
    let places = n_channels.next_multiple_of(2);
    let with_table = |table, channel: ChannelAt| {
        let channels = (0..places).map(|place| {
            let c = channel_at(place);
            channel(&sums, c, place % 2 != 0, (rows[c], &entries[3 * c..][..3]))
        });
        Some((table, channels.collect::<Option<Vec<Channel>>>()?))
    };
    let (table, channels) =
        with_table(Table::Lines, with_line).or_else(|| with_table(Table::Factors, with_factor))?;
    let pairs = channels.chunks(2).flat_map(|pair| in_pairs(&pair[0].0, &pair[1].0)).collect();
    let dims = vec![places, rows[0].len().next_multiple_of(4)];
    let pairs = Input::Constant { of: w, dims, data: Data::I8(pairs) };
    let entries = channels.chunks(2).flat_map(|pair| entry(&pair[0].1, &pair[1].1)).collect();
    let entries =
        Input::Constant { of: old_table, dims: vec![places / 2, ENTRY_WORDS], data: Data::I32(entries) };
    let op = ConvPairs { window, bounds, kernel, channels: n_channels.try_into().ok()?, table };
    Some(Packed { op: op.into(), inputs: vec![Input::Kept(x), pairs, entries] })
}

/// What is known of a layer's channels.
struct Sums<'l> {
    layers: &'l Layers<'l>,
    node: &'l Node,
    outputs: Outputs,
}

/// Makes channel `c`, of these weights and this entry, ready to be the first or the second of a pair.
type ChannelAt = fn(&Sums, usize, bool, (&[i8], &[i32])) -> Option<Channel>;

/// A channel for a table of factors.
fn with_factor(sums: &Sums, c: usize, _is_second: bool, channel: (&[i8], &[i32])) -> Option<Channel> {
    let fits = fits(channel.0, sums.layers.sums(sums.node)?[c]);
    normal(sums.layers, sums.node, c, channel, fits)
}

/// A channel for a table of lines.
fn with_line(sums: &Sums, c: usize, is_second: bool, (row, entry): (&[i8], &[i32])) -> Option<Channel> {
    // Of the second one there is 256 times the sum.
    let bits = if is_second { 8 } else { 0 };
    if let Some(q) = sums.layers.constant(sums.node, c) {
        return Some((vec![0; row.len()], [0, 0, i32::from(q) << (LINE_POINT + bits)]));
    }
    let factor = Factor { multiplier: entry[1], shift: i8::try_from(entry[2]).ok()? };
    let ends = sums.layers.sums(sums.node)?[c];
    let line = sums.outputs.line(ends, entry[0], factor, (LINE_POINT, bits))?;
    // The sums begin with another bias than before.
    let moved = i64::from(line.bias) - i64::from(entry[0]);
    fits(row, ends.map(|end| end + moved))
        .then_some((row.to_vec(), [line.bias, line.multiplier, line.addend]))
}

/// A pair's entry of the table.
fn entry(first: &[i32; 3], second: &[i32; 3]) -> [i32; ENTRY_WORDS] {
    let both = first[0].wrapping_add(second[0] << 8);
    [first[0], both, first[1], first[2], second[1], second[2]]
}

/// Whether a channel's sum, between these ends, has at most 24 bits, and its weights leave room for another channel's.
fn fits(row: &[i8], ends: [i64; 2]) -> bool {
    ends.iter().all(|end| (-1 << 23..1 << 23).contains(end)) && !row.contains(&i8::MIN)
}

/// The weights of two channels as 256 * second + first, by fours in the order 0, 2, 1, 3.
fn in_pairs(first: &[i8], second: &[i8]) -> Vec<i8> {
    let at = |row: &[i8], tap: usize| row.get(tap).map_or(0, |&w| i16::from(w));
    let four = |start: usize| [0, 2, 1, 3].map(|tap| 256 * at(second, start + tap) + at(first, start + tap));
    let words = (0..first.len()).step_by(4).flat_map(four);
    words.flat_map(|word| word.to_le_bytes().map(|byte| byte as i8)).collect()
}

#[cfg(test)]
mod tests {
    use dunlin::ops::Conv2d;
    use dunlin::ops::bounds::Bounds;
    use dunlin::ops::window::Window;
    use proptest::prelude::*;

    use super::*;
    use crate::Graph;
    use crate::ops::Op;
    use crate::ops::testing::{self, run};
    use crate::pack::{Packing, Target, pack};

    /// A layer of as many channels as the table has.
    fn layer(weights: &[i8], table: &[i32], zero_points: [i32; 2], op: Conv2d, c_in: usize) -> Graph {
        testing::layer(op, [[1, 4, 5, c_in], [table.len() / 3, 3, 2, c_in]], weights, table, zero_points)
    }

    proptest! {
        #[test]
        fn pairs_give_the_same_bytes(
            c_in in 1usize..6,
            weights in prop::collection::vec(-127i8..=127, 5 * 6 * 5),
            factors in prop::collection::vec(
                prop_oneof![
                    (-70_000i32..70_000, 1 << 30..=i32::MAX, -14i32..0),
                    (-1 << 30..1 << 30, 1 << 30..=i32::MAX, -31i32..=-27),
                ],
                2..6,
            ),
            x in prop::collection::vec(any::<i8>(), 20 * 5),
            zero_points in [-128i32..=127, -128i32..=127],
            pads in [0u8..2, 0u8..2, 0u8..2, 0u8..2],
            above in prop::option::of(0i32..40),
        ) {
            let window = Window { pads, ..Window::UNIT };
            let table: Vec<i32> = factors.iter().flat_map(|&(b, m, s)| [b, m, s]).collect();
            let cut = above.map(|above| (zero_points[1] + above).min(127) as i8);
            let bounds = cut.map_or(Bounds::None, |lo| Bounds::I8 { lo, hi: lo.max(100) });
            let op = Conv2d { window, bounds };
            let graph = layer(&weights[..table.len() / 3 * 6 * c_in], &table, zero_points, op, c_in);
            let mut packed = graph.clone();
            pack(&mut packed, Target { packing: Packing::Dsp, by_rows: false }, 0).unwrap();
            // Some channels of long sums are constant.
            prop_assert!(packed.nodes()[0].op.name() == "conv_pairs" || factors.iter().any(|f| f.2 < -14));
            if let Op::ConvPairs(ConvPairs { table: Table::Factors, .. }) = packed.nodes()[0].op {
                let are_usual = factors.iter().all(|f| (-8..=-5).contains(&f.2));
                prop_assert!(cut.is_none() || !are_usual);
            }
            prop_assert_eq!(run(&packed, &x[..20 * c_in]), run(&graph, &x[..20 * c_in]));
        }
    }

    #[test]
    fn layers_beyond_the_arithmetic_stay_as_they_are() {
        let usual = [5, 3 << 29, -9];
        let name = |weight: i8, entry: [i32; 3]| {
            let table = [usual, usual, entry, usual].concat();
            let mut graph = layer(
                &[weight; 24],
                &table,
                [0, 0],
                Conv2d { window: Window::UNIT, bounds: Bounds::None },
                1,
            );
            pack(&mut graph, Target { packing: Packing::Dsp, by_rows: false }, 0).unwrap();
            graph.nodes()[0].op.name()
        };
        assert_eq!(name(100, usual), "conv_pairs");
        assert_eq!(name(-128, usual), "conv2d");
        assert_eq!(name(100, [5, 3 << 29, 0]), "conv2d", "no shift to the right");
        assert_eq!(name(100, [1 << 29, 3 << 29, -30]), "conv_pairs", "the same for every input");
        assert_eq!(name(100, [5, 3 << 28, -9]), "conv2d", "a short multiplier");
        // 6 * 100 * 127 = 76,200, and 6 * 100 * 128 = 76,800.
        assert_eq!(name(100, [(1 << 23) - 76_201, 3 << 29, -16]), "conv_pairs");
        assert_eq!(name(100, [(1 << 23) - 76_200, 3 << 29, -16]), "conv2d", "24 bits");
        assert_eq!(name(100, [(-1 << 23) + 76_800, 3 << 29, -16]), "conv_pairs");
        assert_eq!(name(100, [(-1 << 23) + 76_799, 3 << 29, -16]), "conv2d", "24 bits");
    }
}
