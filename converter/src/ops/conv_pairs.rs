//! Convolution with weights in pairs of channels: see the runtime's operator of this name.

use dunlin::ops::conv_pairs::Table;
use dunlin::ops::{ConvPairs, Factor};

use super::sums::{Channel, Outputs, Scaled, normal};
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

/// What an int8 node in device form becomes, whose operator's weights are `[c_out, taps]` and whose outputs are bounded.
pub(super) fn of(layers: &Layers, node: &Node, op: ConvPairs) -> Option<Packed> {
    let graph = layers.graph;
    let [x, w, old_table] = node.inputs[..] else { return None };
    let (Data::I8(weights), Data::I32(entries)) = (graph.constant_data(w)?, graph.constant_data(old_table)?)
    else {
        return None;
    };
    let sums = Sums { layers, node, outputs: Outputs::new(layers.zero_point(node.outputs[0])?, op.bounds) };
    let channels = entries.len() / 3;
    if channels < 2 {
        return None;
    }
    let rows: Vec<Vec<i8>> = weights.chunks(weights.len() / channels).map(<[i8]>::to_vec).collect();
    let with_table = |table, channel: fn(&Sums, usize, &[i8], &[i32]) -> Option<Channel>| {
        let channels = rows.iter().zip(entries.chunks(3)).enumerate();
        let channels = channels.map(|(c, (row, entry))| channel(&sums, c, row, entry));
        Some((table, channels.collect::<Option<Vec<Channel>>>()?))
    };
    // Of an odd number the last but one is in two pairs, the second channel of one and the first of the other.
    let with_scaled = if channels % 2 == 0 { with_table(Table::Scaled, scaled) } else { None };
    let (table, channels) = with_scaled.or_else(|| with_table(Table::Factors, with_factor))?;
    let (mut rows, entries): (Vec<Vec<i8>>, Vec<[i32; 3]>) = channels.into_iter().unzip();
    if rows.len() % 2 == 1 {
        rows.insert(rows.len() - 1, rows[rows.len() - 2].clone());
    }
    let pairs = rows.chunks(2).flat_map(|pair| in_pairs(&pair[0], &pair[1])).collect();
    let dims = vec![rows.len(), rows[0].len().next_multiple_of(4)];
    let pairs = Input::Constant { of: w, dims, data: Data::I8(pairs) };
    let entries =
        Input::Constant { of: old_table, dims: graph.dims(old_table), data: Data::I32(entries.concat()) };
    Some(Packed { op: ConvPairs { table, ..op }.into(), inputs: vec![Input::Kept(x), pairs, entries] })
}

/// What is known of a layer's channels.
struct Sums<'l> {
    layers: &'l Layers<'l>,
    node: &'l Node,
    outputs: Outputs,
}

/// Channel `c` for a table of factors.
fn with_factor(sums: &Sums, c: usize, row: &[i8], entry: &[i32]) -> Option<Channel> {
    let fits = fits(row, sums.layers.sums(sums.node)?[c]);
    normal(sums.layers, sums.node, c, (row, entry), fits)
}

/// Channel `c` for a table of scaled channels.
fn scaled(sums: &Sums, c: usize, row: &[i8], entry: &[i32]) -> Option<Channel> {
    let factor = Factor { multiplier: entry[1], shift: i8::try_from(entry[2]).ok()? };
    let ends = sums.layers.sums(sums.node)?[c];
    let (row, scaled) = match sums.layers.constant(sums.node, c) {
        Some(q) => (vec![0; row.len()], Scaled::constant(q)),
        None => (row.to_vec(), sums.outputs.scaled(ends, entry[0], factor)?),
    };
    // A constant channel's sums are its bias, and the others' begin with another one than before.
    let moved = i64::from(scaled.bias) - i64::from(entry[0]);
    let ends =
        if row.iter().all(|&w| w == 0) { [scaled.bias.into(); 2] } else { ends.map(|end| end + moved) };
    // Of the second channel of a pair there is 256 times the sum.
    let shift = if c.is_multiple_of(2) { scaled.shift } else { 8 - scaled.shift } as i32;
    let addend = scaled.addend.checked_mul(256)?;
    fits(&row, ends).then_some((row, [scaled.bias, scaled.multiplier, addend | shift]))
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
                let are_usual = factors.iter().all(|f| (-14..=-3).contains(&f.2));
                prop_assert!(cut.is_none() || !are_usual || factors.len() % 2 == 1);
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
