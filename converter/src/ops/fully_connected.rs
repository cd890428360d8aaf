//! Fully connected layer: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::fully_connected::Weights;
use dunlin::ops::{ConvPairs, FullyConnected, MatMul};

use super::conv2d::weights_role;
use super::reshape::reshape_to;
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
        match self.weights {
            Weights::Rows => Channels::Sums(Layer::new(None, self.bounds)),
            Weights::Quads | Weights::Vectors | Weights::Words => Channels::Opaque,
        }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let c_out = cx.real.dims(node.inputs[1])[0];
        let table = cx.channel_table(node, c_out)?;
        let [x, w] = cx.stored_pair(node)?;
        cx.emit(node, FullyConnected::new(cx.bounds(node, self.bounds)?), &[x, w, table])
    }

    fn pack(&self, layers: &Layers, node: &Node) -> Forms {
        Forms { plain: packed(self, layers, node), expanded: None }
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

/// Whether a layer is so small beside convolutions in pairs that it takes their kernel: it has a few instructions more,
/// and flash does not hold a kernel for it alone.
fn is_small(layers: &Layers, node: &Node) -> bool {
    let inputs: Vec<_> = node.inputs.iter().map(|&id| layers.graph[id].ty).collect();
    25 * node.op.macs(&inputs) <= layers.macs_before(|op| matches!(op, Op::ConvPairs(_)))
}

/// Weights `[c_out, k]` and channel table `[c_out, 3]` as [`Weights::Quads`], if they can be: if no channel's sum, of which
/// least and greatest are given, takes more than 24 bits. What is added up on the way may.
fn pack_quads(weights: &Data, table: &Data, sums: &[[i64; 2]]) -> Option<(Vec<i8>, Vec<i32>)> {
    let (Data::I8(rows), Data::I32(table)) = (weights, table) else { return None };
    let c_out = table.len() / 3;
    let k = rows.len().checked_div(c_out)?;
    let range = -(1i64 << 23)..1 << 23;
    let fits = |((row, channel), ends): ((&[i8], &[i32]), &[i64; 2])| {
        let sum_fits = ends.iter().all(|end| range.contains(end));
        sum_fits && channel[1] >> 30 == 1 && channel[2] < 0 && !row.contains(&i8::MIN)
    };
    if !k.is_multiple_of(8) || k == 0 || c_out < 4 || !rows.chunks(k).zip(table.chunks(3)).zip(sums).all(fits)
    {
        return None;
    }
    let mut packed = Vec::with_capacity(rows.len());
    let quads = rows.chunks_exact(4 * k);
    let rest = quads.remainder();
    for quad in quads {
        for start in (0..k).step_by(8) {
            for pair in quad.chunks(2 * k) {
                for tap in [0, 2, 1, 3, 4, 6, 5, 7] {
                    let [first, second] = [pair[start + tap], pair[k + start + tap]].map(i16::from);
                    packed.extend((256 * second + first).to_le_bytes().map(|byte| byte as i8));
                }
            }
        }
    }
    packed.extend(rest);
    let mut table = table.clone();
    for group in table.chunks_exact_mut(3 * Weights::Quads.table_groups(k).channels) {
        in_fields(group, &[0, 1, 2, 3]);
        group[8..].iter_mut().for_each(|shift| *shift = -*shift);
    }
    Some((packed, table))
}

/// Entries of channels as their biases, multipliers and shifts, each in this order of the channels.
fn in_fields(entries: &mut [i32], order: &[usize]) {
    let channels = entries.to_vec();
    let fields = (0..3).flat_map(|field| order.iter().map(move |c| 3 * c + field));
    entries.iter_mut().zip(fields).for_each(|(to, from)| *to = channels[from]);
}

/// The layer with its weights in the order that the kernels of its cores read.
fn packed(op: &FullyConnected, layers: &Layers, node: &Node) -> Option<Packed> {
    let (graph, packing) = (layers.graph, layers.target.packing);
    let [x, w, table] = node.inputs[..] else { return None };
    let data = (graph.constant_data(w)?, graph.constant_data(table)?);
    let k = graph.dims(w)[1];
    if packing == Packing::Dsp
        && graph[x].ty.shape.rank() == 2
        && k.is_multiple_of(4)
        && is_small(layers, node)
        && let Some(packed) = conv_pairs::of(layers, node, ConvPairs::of_vectors(op.bounds))
    {
        return Some(packed);
    }
    let constant = |of, data| Input::Constant { of, dims: graph.dims(of), data };
    let zero_point = || layers.zero_point(x);
    let both = |weights, (bytes, entries)| {
        (weights, constant(w, Data::I8(bytes)), constant(table, Data::I32(entries)))
    };
    let (weights, w, table) = match packing {
        Packing::Portable => return None,
        Packing::Dsp => both(Weights::Quads, pack_quads(data.0, data.1, layers.sums(node)?)?),
        Packing::Helium => both(Weights::Vectors, pack_vectors(data.0, data.1, zero_point()?)?),
        Packing::Scalar => both(Weights::Words, pack_words(data.0, data.1, zero_point()?)?),
    };
    let op = Op::FullyConnected(FullyConnected { weights, ..*op });
    Some(Packed { op, inputs: vec![Input::Kept(x), w, table] })
}

/// Weights `[c_out, k]` and channel table `[c_out, 3]` as [`Weights::Vectors`], if they can be for activations of this zero
/// point.
fn pack_vectors(weights: &Data, table: &Data, zero_point: i32) -> Option<(Vec<i8>, Vec<i32>)> {
    let (rows, k, mut table) = fold_zero_point(weights, table, zero_point)?;
    let channels = Weights::Vectors.channels(k);
    let order: Vec<usize> = (0..channels).step_by(2).chain((1..channels).step_by(2)).collect();
    for group in table.chunks_exact_mut(3 * channels) {
        in_fields(group, &order);
    }
    Some((in_blocks(rows, k, Weights::Vectors), table))
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

/// Weights `[c_out, k]` and channel table `[c_out, 3]` as [`Weights::Words`], if they can be for activations of this zero
/// point.
fn pack_words(weights: &Data, table: &Data, zero_point: i32) -> Option<(Vec<i8>, Vec<i32>)> {
    let (rows, k, table) = fold_zero_point(weights, table, zero_point)?;
    if !k.is_multiple_of(4) || rows.len() < 4 * k {
        return None;
    }
    Some((in_blocks(rows, k, Weights::Words), table))
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
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        let op = FullyConnected::new(Bounds::None);
        Case::of(op, &[&[3, 4], &[2, 4], &[2]]).check();
        Case::of(op, &[&[2, 3, 2, 2], &[4, 12]]).check();
    }
}
