//! Convolution by Winograd's algorithm: see the runtime's operator of this name.

use dunlin::ops::{Conv2d, ConvWinograd};

use super::sums::{Channel, normal};
use super::{Backward, HostOperator};
use crate::pack::{Input, Layers, Packed};
use crate::{Data, Node, Result, TensorId};

/// The order of rows and columns of a transformed tile.
const ORDER: [usize; 4] = [1, 2, 0, 3];

impl HostOperator for ConvWinograd {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is made of a convolution that is ready for a core"))
    }
}

/// What an int8 node in device form with the operator `op` becomes.
pub(super) fn of(layers: &Layers, node: &Node, op: &Conv2d) -> Option<Packed> {
    let [x, w, table] = node.inputs[..] else { return None };
    let [n, _, _, c_in] = layers.graph.dims(x)[..] else { return None };
    let [c_out, kh, kw, _] = layers.graph.dims(w)[..] else { return None };
    if [kh, kw] != ConvWinograd::KERNEL || !ConvWinograd::takes(&op.window, [c_in, c_out]) {
        return None;
    }
    let (rows, mut entries) = channels(layers, node)?;
    let zero_point = layers.zero_point(x)?;
    for (row, entry) in rows.iter().zip(entries.chunks_mut(3)) {
        // What the numbers, zero point included, give too much.
        let sum: i32 = row.iter().map(|&w| i32::from(w)).sum();
        entry[0] = i32::try_from(i64::from(entry[0]) - i64::from(zero_point) * i64::from(sum)).ok()?;
    }
    // By rows the second row of a tile is not there yet.
    let at_once = if layers.target.by_rows || n != 1 { 1 } else { 2 };
    let op = ConvWinograd { window: op.window, bounds: op.bounds, at_once };
    let weights =
        rows.chunks_exact(2).flat_map(|pair| transformed([&pair[0], &pair[1]], c_in, at_once)).collect();
    let weights = Input::Constant { of: w, dims: vec![c_out, op.weights(c_in)], data: Data::I16(weights) };
    let entries = Input::Constant { of: table, dims: vec![c_out, 3], data: Data::I32(entries) };
    Some(Packed { op: op.into(), inputs: vec![Input::Kept(x), weights, entries] })
}

/// Weights and entries of the channels of an int8 layer, if they are an even number, all with [`normal`] factors and with
/// sums that fit.
fn channels(layers: &Layers, node: &Node) -> Option<(Vec<Vec<i8>>, Vec<i32>)> {
    let [_, w, table] = node.inputs[..] else { return None };
    let weights = layers.graph.constant_data(w)?.as_i8()?;
    let entries = layers.graph.constant_data(table)?.as_i32()?;
    let (sums, n_channels) = (layers.sums(node)?, entries.len() / 3);
    let given = weights.chunks(weights.len() / n_channels).zip(entries.chunks(3)).enumerate();
    let made = given.map(|(c, channel)| normal(layers, node, c, channel, fits(sums[c])));
    let (rows, entries): (Vec<_>, Vec<_>) = made.collect::<Option<Vec<Channel>>>()?.into_iter().unzip();
    n_channels.is_multiple_of(2).then_some((rows, entries.concat()))
}

/// Whether four times each sum has 32 bits.
fn fits([least, most]: [i64; 2]) -> bool {
    least >= -1 << 29 && most < 1 << 29
}

/// The weights of two channels, `[3, 3, c_in]` each, transformed and in the runtime's order.
fn transformed(pair: [&[i8]; 2], c_in: usize, at_once: u8) -> Vec<i16> {
    let mut weights = Vec::new();
    for j in ORDER {
        for i in &ORDER[..usize::from(at_once) + 2] {
            // Channels (0, 2), then (1, 3), of each four.
            for k in (0..c_in).step_by(4).flat_map(|k| [k, k + 1]) {
                weights.extend(
                    pair.iter().flat_map(|w| [k, k + 2].map(|k| transformed_at(w, c_in, [*i, j], k))),
                );
            }
        }
    }
    weights
}

/// Place (i, j) of G w G^T for input channel `k`.
fn transformed_at(w: &[i8], c_in: usize, [i, j]: [usize; 2], k: usize) -> i16 {
    const G: [[i16; 3]; 4] = [[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]];
    let product = |y: usize, x: usize| G[i][y] * G[j][x] * i16::from(w[(3 * y + x) * c_in + k]);
    (0..3).flat_map(|y| (0..3).map(move |x| (y, x))).map(|(y, x)| product(y, x)).sum()
}

#[cfg(test)]
mod tests {
    use dunlin::ops::bounds::Bounds;
    use dunlin::ops::window::Window;
    use proptest::prelude::*;

    use super::*;
    use crate::ops::testing;
    use crate::pack::{Packing, Target, replace};
    use crate::plan::plan;
    use crate::plan::rows::{self, Options, Style};
    use crate::{Graph, Program};

    /// A layer in device form.
    fn layer(
        dims: [usize; 4],
        weights: &[i8],
        table: &[i32],
        zero_points: [i32; 2],
        window: Window,
    ) -> Graph {
        let op = Conv2d { window, bounds: Bounds::None };
        testing::layer(op, [dims, [table.len() / 3, 3, 3, dims[3]]], weights, table, zero_points)
    }

    /// The layer in tiles, if it can be, whether that saves anything or not.
    fn in_tiles(graph: &Graph, window: Window, by_rows: bool) -> Option<Graph> {
        let target = Target { packing: Packing::Dsp, by_rows };
        let op = Conv2d { window, bounds: Bounds::None };
        let form = of(&Layers::of(graph, target).unwrap(), &graph.nodes()[0], &op)?;
        let mut graph = graph.clone();
        replace(&mut graph, 0, form).unwrap();
        Some(graph)
    }

    fn run(graph: &Graph, by_rows: bool, x: &[i8]) -> Vec<Data> {
        let options = Options { style: Style::Rows, fed: false, effort: 1 };
        let plan = |graph: &Graph| if by_rows { rows::plan(graph, &options) } else { Ok(plan(graph)) };
        Program::of_device(graph.clone(), plan).unwrap().run(&[Data::I8(x.to_vec())]).unwrap()
    }

    proptest! {
        #[test]
        fn tiles_give_the_same_bytes(
            [n, h, w] in [1usize..3, 3usize..8, 3usize..12],
            fours in 1usize..3,
            weights in prop::collection::vec(any::<i8>(), 4 * 9 * 8),
            factors in prop::collection::vec(
                prop_oneof![
                    (-70_000i32..70_000, 1 << 30..=i32::MAX, -14i32..-6),
                    (-1 << 30..1 << 30, 1 << 30..=i32::MAX, -31i32..=-27),
                ],
                4,
            ),
            x in prop::collection::vec(any::<i8>(), 2 * 7 * 11 * 8),
            zero_points in [-128i32..=127, -128i32..=127],
            pads in [0u8..3, 0u8..3, 0u8..3, 0u8..3],
            by_rows: bool,
        ) {
            let window = Window { pads, ..Window::UNIT };
            let c_in = 4 * fours;
            let table: Vec<i32> = factors.iter().flat_map(|&(b, m, s)| [b, m, s]).collect();
            let graph = layer([n, h, w, c_in], &weights[..36 * c_in], &table, zero_points, window);
            let tiles = in_tiles(&graph, window, by_rows);
            // Some channels of long sums are constant.
            let is_usual = factors.iter().all(|factor| factor.0.abs() < 1 << 28);
            prop_assert!(tiles.is_some() || !is_usual);
            let x = &x[..n * h * w * c_in];
            if let Some(tiles) = tiles {
                prop_assert_eq!(run(&tiles, by_rows, x), run(&graph, by_rows, x));
            }
        }
    }

    #[test]
    fn layers_beyond_the_arithmetic_are_not_transformed() {
        let usual = [5, 3 << 29, -9];
        let fits = |window: Window, channels: usize, entry: [i32; 3]| {
            let table = [usual, entry].concat();
            let graph = layer([1, 8, 8, channels], &vec![100; 18 * channels], &table, [0, -128], window);
            in_tiles(&graph, window, false).is_some()
        };
        let padded = Window { pads: [1; 4], ..Window::UNIT };
        assert!(fits(padded, 4, usual));
        assert!(!fits(Window { stride: [2, 2], ..padded }, 4, usual));
        assert!(!fits(Window { dilation: [1, 2], ..padded }, 4, usual));
        assert!(!fits(padded, 3, usual), "fours of channels");
        assert!(!fits(padded, 4, [5, 3 << 29, 0]), "no shift to the right");
        // 36 * 100 * 127 = 457,200, and outputs of 254.2 to 254.6 above the zero point.
        assert!(fits(padded, 4, [(1 << 29) - 457_201, 2_135_671_472, -21]));
        assert!(!fits(padded, 4, [(1 << 29) - 457_200, 2_135_671_472, -21]), "30 bits");
    }
}
