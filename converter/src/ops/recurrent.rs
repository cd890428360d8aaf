//! What recurrent layers share: gradients made of matrix products over all steps, and their int8 form.

use dunlin::ops::{MatMul, Pad, Slice};

use super::{Backward, InputRole, Op};
use crate::lower::Lowering;
use crate::{Node, Quant, Result, TensorId};

/// Every hidden state and the gradient of each: of a layer that gives only the last, the states are computed again.
pub(super) fn states(cx: &mut Backward, every: Option<Op>) -> Result<[TensorId; 2]> {
    let dy = cx.grad()?;
    let Some(every) = every else { return Ok([cx.output(0), dy]) };
    let inputs = cx.node.inputs.clone();
    let h = cx.apply("states", every, &inputs)?;
    let [n, t, units] = cx.graph.dims(h)[..] else { unreachable!("states are sequences") };
    let before =
        u16::try_from(t - 1).map_err(|_| cx.none("sequences of more than 65,536 steps are not padded"))?;
    let last = cx.reshape("last", dy, &[n, 1, units])?;
    let dh = cx.apply("dstates", Pad { pads: [[0, 0], [before, 0], [0, 0], [0, 0]] }, &[last])?;
    Ok([h, dh])
}

/// The gradients of sequences, both matrices and the biases behind them, from those of the arguments that the input
/// makes and of those that the hidden state makes, `[n, t, rows]`.
pub(super) fn gradients(
    cx: &mut Backward,
    h: TensorId,
    [from_input, from_hidden]: [TensorId; 2],
) -> Result<Vec<Option<TensorId>>> {
    let (x, w) = (cx.input(0), cx.input(1));
    let [n, t, c] = cx.graph.dims(x)[..] else { unreachable!("the shape rule asks for sequences") };
    let [rows, units] = [cx.graph.dims(w)[0], cx.graph.dims(h)[2]];
    let flat = |cx: &mut Backward, id, columns| cx.reshape("flat", id, &[n * t, columns]);
    let [da, dg] = [flat(cx, from_input, rows)?, flat(cx, from_hidden, rows)?];
    let dx = cx.when_wanted(0, |cx| {
        let dx = cx.apply("dx", MatMul::PLAIN, &[da, w])?;
        cx.reshape("dx", dx, &[n, t, c])
    })?;
    let dw = cx.when_wanted(1, |cx| {
        let x = flat(cx, x, c)?;
        cx.apply("dw", MatMul::TRANSPOSED_A, &[da, x])
    })?;
    let du = cx.when_wanted(2, |cx| {
        let before = states_before(cx, h)?;
        let before = flat(cx, before, units)?;
        cx.apply("du", MatMul::TRANSPOSED_A, &[dg, before])
    })?;
    let db = cx.when_wanted(3, |cx| cx.sum_to("db", da, &[rows]))?;
    let dc = cx.when_wanted(4, |cx| cx.sum_to("dc", dg, &[rows]))?;
    Ok([dx, dw, du, db, dc][..cx.node.inputs.len()].to_vec())
}

/// The hidden state before each step: zeros, then all but the last.
fn states_before(cx: &mut Backward, h: TensorId) -> Result<TensorId> {
    let [n, t, units] = cx.graph.dims(h)[..] else { unreachable!("states are sequences") };
    if t == 1 {
        return cx.filled("before", &[n, t, units], 0.0);
    }
    let len = [n as u32, t as u32 - 1, units as u32, 1];
    let but_last = cx.apply("but_last", Slice { begin: [0; 4], len, stride: [1; 4] }, &[h])?;
    cx.apply("before", Pad { pads: [[0, 0], [1, 0], [0, 0], [0, 0]] }, &[but_last])
}

/// What the inputs of a layer are to quantization: sequences, two matrices, biases.
pub(super) fn input_role(i: usize) -> InputRole {
    match i {
        0 => InputRole::Activation,
        1 | 2 => InputRole::Weights { axis: 0 },
        _ => InputRole::Parameter,
    }
}

/// The stored inputs of a layer whose gates take their arguments in Q3.12: sequences, both matrices, and a table of each in
/// place of the biases. `biases` are the inputs with those of the first and the second; a layer with one bias has it only in
/// the first table.
pub(super) fn stored_inputs(
    cx: &mut Lowering,
    node: &Node,
    biases: [usize; 2],
    hidden: &Quant,
) -> Result<Vec<TensorId>> {
    const STEP: f64 = 1.0 / 4096.0;
    let x = cx.quant(node, node.inputs[0])?;
    let from_input = cx.table_of_reals(node, [1, biases[0]], x, STEP)?;
    let from_hidden = if biases[0] == biases[1] {
        let rows = cx.real.dims(node.inputs[2])[0];
        cx.table(node, 2, hidden, &vec![0; rows], STEP)?
    } else {
        cx.table_of_reals(node, [2, biases[1]], hidden, STEP)?
    };
    let [x, w] = cx.stored_pair(node)?;
    let u = cx.stored(node.inputs[2])?;
    Ok(vec![x, w, u, from_input, from_hidden])
}
