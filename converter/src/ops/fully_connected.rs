//! Fully connected layer: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::fully_connected::Weights;
use dunlin::ops::{FullyConnected, MatMul};

use super::conv_pairs::Sliding;
use super::conv2d::weights_role;
use super::reshape::reshape_to;
use super::sums::{Channel, normal};
use super::{Backward, Channels, HostOperator, InputRole, Layer, Op, conv_pairs};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::pack::{Forms, Input, Layers, Packed, Packing};
use crate::{Data, Error, Node, Result, TensorId};

impl HostOperator for FullyConnected {
    const TFLITE: &'static [Rule] = &[Rule::new("FULLY_CONNECTED", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, w, dy) = (cx.input(0), cx.input(1), cx.grad_before(self.bounds)?);
        let (x_dims, [c_out, k]) = (cx.graph.dims(x), [0, 1].map(|i| cx.graph[w].ty.shape.dim(i)));
        let n = cx.graph.dims(dy)[0];
        let dx = cx.when_wanted(0, |cx| {
            let dx = cx.apply("dx", MatMul::PLAIN, &[dy, w])?;
            cx.reshape("dx", dx, &x_dims)
        })?;
        let dw = cx.when_wanted(1, |cx| {
            let x = cx.reshape("x", x, &[n, k])?;
            cx.apply("dw", MatMul::TRANSPOSED_A, &[dy, x])
        })?;
        let db = cx.when_wanted(2, |cx| cx.sum_to("db", dy, &[c_out]))?;
        Ok([dx, dw, db][..cx.node.inputs.len()].to_vec())
    }

    fn input_role(&self, i: usize) -> InputRole {
        weights_role(i, 0)
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.bounds == Bounds::None).then_some(Op::FullyConnected(FullyConnected::new(bounds)))
    }

    fn channels(&self, _rank: usize) -> Channels {
        if self.weights == Weights::ROWS {
            Channels::Sums(Layer::new(None, self.bounds))
        } else {
            Channels::Opaque
        }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let c_out = cx.real.dims(node.inputs[1])[0];
        let table = cx.channel_table(node, c_out)?;
        let [x, w] = cx.stored_pair(node)?;
        cx.emit(node, FullyConnected::new(cx.bounds(node, self.bounds)?), &[x, w, table])
    }

    fn pack(&self, layers: &Layers, node: &Node) -> Forms {
        let plain = |plain| Forms { plain, expanded: None };
        match layers.target.packing {
            Packing::Portable => Forms::default(),
            Packing::Dsp => match small(self, layers, node) {
                Some(small) => plain(Some(small)),
                None => in_quads(self, layers, node),
            },
            Packing::Helium => plain(packed(self, layers, node, Weights::VECTORS)),
            Packing::Scalar => plain(packed(self, layers, node, Weights::WORDS)),
        }
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let x = cx.tensor(node.inputs[0])?;
        let [weights, bias] = cx.weights(node)?;
        let (activation, output) = cx.activation(node, self.bounds)?;
        let options = Table::new().with(schema::fully_connected::ACTIVATION, activation);
        let quant = cx.graph[node.inputs[1]].quant.as_ref();
        let per_channel = quant.is_some_and(|quant| quant.scales.len() > 1);
        let code = ("FULLY_CONNECTED", if per_channel { 12 } else { 4 });
        cx.operator(code, &[x, weights, bias], &[output], Some((schema::options::FULLY_CONNECTED, options)));
        Ok(())
    }
}

/// A layer that is so small beside convolutions in pairs that it takes their kernel: it has a few instructions more, and
/// flash does not hold a kernel for it alone.
fn small(op: &FullyConnected, layers: &Layers, node: &Node) -> Option<Packed> {
    let types: Vec<_> = node.inputs.iter().map(|&id| layers.graph[id].ty).collect();
    let macs_before = layers.macs_before(|op| matches!(op, Op::ConvPairs(_)));
    let is_small = 25 * node.op.macs(&types) <= macs_before;
    let fits = types[0].shape.rank() == 2 && types[1].shape.dim(1).is_multiple_of(4);
    if is_small && fits { conv_pairs::of(layers, node, Sliding::over_vectors(op.bounds)) } else { None }
}

/// Of the weights' bytes the part that may be padding without being asked for.
const FREE_PADDING: usize = 8;

/// The layer with its weights as [`Weights::quads`], if they can be: what there is of them in bytes decides whether that is
/// a plain form.
fn in_quads(op: &FullyConnected, layers: &Layers, node: &Node) -> Forms {
    let Some((packed, more_bytes)) = pack_quads(op, layers, node) else { return Forms::default() };
    let bytes: usize = layers.graph.dims(node.inputs[1]).iter().product();
    if FREE_PADDING * more_bytes <= bytes {
        Forms { plain: Some(packed), expanded: None }
    } else {
        Forms { plain: None, expanded: Some(packed) }
    }
}

/// Of more than 24 bits are the sums where no proof says that they are not. What is added up on the way may be in any case.
/// Besides the layer, how many bytes of padding it has.
fn pack_quads(op: &FullyConnected, layers: &Layers, node: &Node) -> Option<(Packed, usize)> {
    let [x, w, entries] = node.inputs[..] else { return None };
    let (graph, sums) = (layers.graph, layers.sums(node)?);
    let (Data::I8(rows), Data::I32(table)) = (graph.constant_data(w)?, graph.constant_data(entries)?) else {
        return None;
    };
    let [c_out, k] = [0, 1].map(|axis| graph.dims(w)[axis]);
    if k == 0 || c_out < 4 {
        return None;
    }
    let channel = |(c, (row, entry)): (usize, (&[i8], &[i32]))| {
        normal(layers, node, c, (row, entry), !row.contains(&i8::MIN))
    };
    let channels: Option<Vec<Channel>> =
        rows.chunks(k).zip(table.chunks(3)).enumerate().map(channel).collect();
    let (rows, table): (Vec<Vec<i8>>, Vec<[i32; 3]>) = channels?.into_iter().unzip();
    // A constant channel has another bias than was looked at.
    let has_24_bits = |(c, ends): (usize, &[i64; 2])| {
        let is_constant = rows[c].iter().all(|&w| w == 0);
        let ends = if is_constant { [i64::from(table[c][0]); 2] } else { *ends };
        ends.iter().all(|end| (-1i64 << 23..1 << 23).contains(end))
    };
    let wide = !sums.iter().enumerate().take(c_out & !3).skip(1).step_by(2).all(has_24_bits);
    let columns = k.next_multiple_of(8);
    let mut bytes: Vec<i8> = rows.chunks(4).flat_map(in_quad).collect();
    bytes.resize(c_out * columns, 0);
    let mut table = table.concat();
    let weights = Weights::quads((columns - k) as u8, wide);
    for group in table.chunks_exact_mut(3 * weights.channels(k)) {
        in_fields(group, &[0, 1, 2, 3]);
        group[8..].iter_mut().for_each(|shift| *shift = -*shift);
    }
    let constant = |of, dims, data| Input::Constant { of, dims, data };
    let w = constant(w, vec![c_out, columns], Data::I8(bytes));
    let table = constant(entries, vec![c_out, 3], Data::I32(table));
    let packed =
        Packed { op: FullyConnected { weights, ..*op }.into(), inputs: vec![Input::Kept(x), w, table] };
    Some((packed, c_out * (columns - k)))
}

/// The weights of four channels, zeros behind the taps; fewer channels stay rows.
fn in_quad(rows: &[Vec<i8>]) -> Vec<i8> {
    if rows.len() < 4 {
        return rows.concat();
    }
    let eights =
        (0..rows[0].len()).step_by(8).flat_map(|start| rows.chunks(2).map(move |pair| (start, pair)));
    let lanes = eights.flat_map(|(start, pair)| {
        [0, 2, 1, 3, 4, 6, 5, 7].map(|tap| {
            let [first, second] = [0, 1].map(|c| pair[c].get(start + tap).map_or(0, |&w| i16::from(w)));
            256 * second + first
        })
    });
    lanes.flat_map(|lane| lane.to_le_bytes().map(|byte| byte as i8)).collect()
}

/// Entries of channels as their biases, multipliers and shifts, each in this order of the channels.
fn in_fields(entries: &mut [i32], order: &[usize]) {
    let channels = entries.to_vec();
    let fields = (0..3).flat_map(|field| order.iter().map(move |c| 3 * c + field));
    entries.iter_mut().zip(fields).for_each(|(to, from)| *to = channels[from]);
}

/// The layer with its weights in the order that the kernels of its cores read, of as many bytes.
fn packed(op: &FullyConnected, layers: &Layers, node: &Node, weights: Weights) -> Option<Packed> {
    let graph = layers.graph;
    let [x, w, table] = node.inputs[..] else { return None };
    let data = (graph.constant_data(w)?, graph.constant_data(table)?);
    let pack = if weights == Weights::WORDS { pack_words } else { pack_vectors };
    let (bytes, entries) = pack(data.0, data.1, layers.zero_point(x)?)?;
    let constant = |of, data| Input::Constant { of, dims: graph.dims(of), data };
    let inputs = vec![Input::Kept(x), constant(w, Data::I8(bytes)), constant(table, Data::I32(entries))];
    Some(Packed { op: FullyConnected { weights, ..*op }.into(), inputs })
}

/// Weights `[c_out, k]` and channel table `[c_out, 3]` as [`Weights::VECTORS`], if they can be for activations of this zero
/// point.
fn pack_vectors(weights: &Data, table: &Data, zero_point: i32) -> Option<(Vec<i8>, Vec<i32>)> {
    let (rows, k, mut table) = fold_zero_point(weights, table, zero_point)?;
    let channels = Weights::VECTORS.channels(k);
    let order: Vec<usize> = (0..channels).step_by(2).chain((1..channels).step_by(2)).collect();
    for group in table.chunks_exact_mut(3 * channels) {
        in_fields(group, &order);
    }
    Some((in_blocks(rows, k, Weights::VECTORS), table))
}

/// Weights in rows, their taps, and the channel table with biases that contain what the zero point adds; `None` if a factor
/// is less common.
fn fold_zero_point<'a>(
    weights: &'a Data,
    table: &Data,
    zero_point: i32,
) -> Option<(&'a [i8], usize, Vec<i32>)> {
    let (Data::I8(rows), Data::I32(table)) = (weights, table) else { return None };
    let k = rows.len().checked_div(table.len() / 3)?;
    let is_usual = |channel: &[i32]| channel[1] >> 30 == 1 && channel[2] < 0;
    if k == 0 || !table.chunks(3).all(is_usual) {
        return None;
    }
    let mut table = table.clone();
    for (channel, row) in table.chunks_mut(3).zip(rows.chunks(k)) {
        let sum: i32 = row.iter().map(|&w| i32::from(w)).sum();
        channel[0] = channel[0].wrapping_sub(zero_point.wrapping_mul(sum));
    }
    Some((rows, k, table))
}

/// Weights `[c_out, k]` and channel table `[c_out, 3]` as [`Weights::WORDS`], if they can be for activations of this zero
/// point.
fn pack_words(weights: &Data, table: &Data, zero_point: i32) -> Option<(Vec<i8>, Vec<i32>)> {
    let (rows, k, table) = fold_zero_point(weights, table, zero_point)?;
    if !k.is_multiple_of(4) || rows.len() < 4 * k {
        return None;
    }
    Some((in_blocks(rows, k, Weights::WORDS), table))
}

/// Rows of `k` taps in the order of vectors or words.
fn in_blocks(rows: &[i8], k: usize, order: Weights) -> Vec<i8> {
    let (channels, taps) = (order.channels(k), order.block_taps());
    let groups = rows.chunks_exact(channels * k);
    let rest = groups.remainder();
    let blocks = |group: &[i8]| -> Vec<i8> {
        // The first block is the one that may be shorter.
        let ends = ((k - 1) % taps + 1..=k).step_by(taps);
        ends.flat_map(|end| group.chunks(k).flat_map(move |row| &row[end.saturating_sub(taps)..end]))
            .map(|w| w ^ order.flipped())
            .collect()
    };
    groups.flat_map(blocks).chain(rest.iter().copied()).collect()
}

/// The output has two dimensions, or as many as the input: a reshape follows where the file wants that.
fn import(cx: &mut Operator) -> Result<()> {
    use schema::fully_connected::*;
    if cx.option(WEIGHTS_FORMAT, 0i8)? != 0 {
        return Err(Error::Invalid("has shuffled weights: convert the model anew".to_string()));
    }
    let inputs = cx.layer_inputs()?;
    let op = FullyConnected::new(cx.activation(ACTIVATION)?);
    let dims = cx.output_dims(0)?;
    if dims.len() == 2 {
        return cx.emit(op, &inputs);
    }
    let quant = cx.output_quant(0)?;
    let flat = cx.apply("flat", op, &inputs, quant)?;
    cx.emit(reshape_to(&dims)?, &[flat])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::differences::Case;
    use crate::graph::Form;
    use crate::ops::testing::run;
    use crate::pack::{Target, pack};
    use crate::{Graph, Quant};

    /// A layer of `c_out` channels in device form for vectors `[n, k]`.
    fn layer([n, k, c_out]: [usize; 3], zero_point: i32, weights: &[i8], table: &[i32]) -> Graph {
        let mut graph = Graph::new("layer");
        graph.form = Form::Device;
        let x = graph.input_of("x", dunlin::DType::I8, &[n, k]).unwrap();
        let w = graph.constant("w", &[c_out, k], Data::I8(weights.to_vec())).unwrap();
        let table = graph.constant("table", &[c_out, 3], Data::I32(table.to_vec())).unwrap();
        let y = graph.apply("y", FullyConnected::new(Bounds::None), &[x, w, table]).unwrap();
        graph[x].quant = Some(Quant::i8(1.0, zero_point));
        graph[y].quant = Some(Quant::i8(1.0, 3));
        graph.mark_output(y);
        graph
    }

    /// The same for DSP cores, and how its weights lie.
    fn for_dsp(graph: &Graph, more_bytes: usize) -> (Graph, Weights) {
        let mut packed = graph.clone();
        pack(&mut packed, Target { packing: Packing::Dsp, by_rows: false }, more_bytes).unwrap();
        let Op::FullyConnected(op) = packed.nodes()[0].op else { panic!("{:?}", packed.nodes()[0].op) };
        (packed, op.weights)
    }

    proptest! {
        #[test]
        fn quads_give_the_same_bytes(
            n in 1usize..3,
            k in prop_oneof![1usize..20, 250usize..264, 500usize..530, 1020usize..1030],
            c_out in 4usize..11,
            zero_point in -128i32..=127,
            seed: u64,
        ) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let most = rng.choice([20, 127]).unwrap_or(1);
            let mut signed = |len: usize, most: i8| (0..len).map(|_| rng.i8(-most..=most)).collect::<Vec<i8>>();
            let (weights, x) = (signed(c_out * k, most), signed(n * k, 127));
            let shift = -(k.ilog2() as i32 / 2) - 6;
            let table: Vec<i32> =
                (0..c_out).flat_map(|_| [rng.i32(-9999..9999), rng.i32(1 << 30..), shift]).collect();
            let graph = layer([n, k, c_out], zero_point, &weights, &table);
            let (packed, weights) = for_dsp(&graph, usize::MAX);
            // Of a few taps padding may take more than quads save.
            prop_assert!(weights.are_quads() || k < 20);
            let columns = if weights.are_quads() { k.next_multiple_of(8) } else { k };
            prop_assert_eq!(k + weights.padding(), columns);
            // Of 255 taps every sum may have 24 bits, but for the bias.
            prop_assert!(!weights.is_wide() || k > 250);
            prop_assert_eq!(run(&packed, &x), run(&graph, &x));
        }
    }

    #[test]
    fn sums_that_may_be_longer_are_wide() {
        let table = [0, 1 << 30, -12].repeat(4);
        let weights_of = |w: i8| for_dsp(&layer([1, 1000, 4], -128, &[w; 4000], &table), 0).1;
        assert_eq!(weights_of(32), Weights::quads(0, false));
        assert_eq!(weights_of(33), Weights::quads(0, true));
    }

    #[test]
    fn much_padding_has_its_price() {
        let table = [0, 1 << 30, -12].repeat(40);
        let weights_of = |k: usize, bytes| for_dsp(&layer([1, k, 40], 0, &vec![1; 40 * k], &table), bytes).1;
        assert_eq!(weights_of(10, 239), Weights::ROWS);
        assert_eq!(weights_of(10, 240), Weights::quads(6, false));
        assert_eq!(weights_of(44, 0), Weights::quads(4, false));
    }

    #[test]
    fn gradient() {
        let op = FullyConnected::new(Bounds::None);
        Case::of(op, &[&[3, 4], &[2, 4], &[2]]).check();
        Case::of(op, &[&[2, 3, 2, 2], &[4, 12]]).check();
    }
}
