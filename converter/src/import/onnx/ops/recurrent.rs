//! Recurrent layers on sequences: in the file `[t, n, c]`, or `[n, t, c]` in layout 1.

use std::rc::Rc;

use dunlin::Shape;
use dunlin::ops::{Concat, Gru, Lstm, Slice};

use super::super::array::Array;
use super::super::operator::Operator;
use super::super::schema::{Attribute, attribute};
use super::super::view::View;
use crate::ops::Op;
use crate::{Error, Result, TensorId};

/// The gates of the device's LSTM among ONNX's input, output, forget, new.
const LSTM_GATES: [usize; 4] = [0, 2, 3, 1];
/// The gates of the device's GRU among ONNX's update, reset, new.
const GRU_GATES: [usize; 3] = [1, 0, 2];

pub fn lstm(cx: &mut Operator) -> Result<()> {
    if cx.has_input(7) || cx.int("input_forget", 0)? != 0 {
        return Err(Error::Invalid(
            "has peepholes or joined gates: only plain LSTMs are computed".to_string(),
        ));
    }
    if cx.has_output(2) {
        return Err(Error::Invalid("gives its cells, which stay inside of the layer".to_string()));
    }
    check(cx, &["Sigmoid", "Tanh", "Tanh"], &[5, 6])?;
    layer(
        cx,
        |sequences| Lstm::F32 { sequences, clip: f32::INFINITY, cell_bits: 11 }.into(),
        |cx, direction, hidden| {
            let bias = biases(cx, direction, 4 * hidden)?;
            let sum: Vec<f32> = bias[0].iter().zip(&bias[1]).map(|(w, r)| w + r).collect();
            Ok((LSTM_GATES.to_vec(), vec![("bias", sum)]))
        },
    )
}

pub fn gru(cx: &mut Operator) -> Result<()> {
    if cx.int("linear_before_reset", 0)? == 0 {
        let what = "resets before its product (linear_before_reset = 0): PyTorch and Keras' reset_after do it behind";
        return Err(Error::Invalid(what.to_string()));
    }
    check(cx, &["Sigmoid", "Tanh"], &[5])?;
    layer(
        cx,
        |sequences| Gru { sequences }.into(),
        |cx, direction, hidden| {
            let [w, r] = biases(cx, direction, 3 * hidden)?;
            Ok((GRU_GATES.to_vec(), vec![("bias", w), ("recurrent_bias", r)]))
        },
    )
}

/// Where the bias of a gate is this, it is 1 in f32 whatever else is added; and where it is minus this, 0.
const OPEN: f32 = 30.0;

/// A plain recurrent layer: a GRU that resets nothing and updates everything. It takes three times the products, and no operator
/// of its own on the device.
pub fn rnn(cx: &mut Operator) -> Result<()> {
    check(cx, &["Tanh"], &[5])?;
    let (w, r) = (cx.dims(1)?, cx.dims(2)?);
    let (&[d, hidden, c], &[d_too, rows, columns]) = (&w[..], &r[..]) else {
        return Err(Error::Invalid(format!("has weights {w:?} and {r:?}")));
    };
    if [d_too, rows, columns] != [d, hidden, hidden] || d * hidden * c == 0 {
        return Err(Error::Invalid(format!("has weights {w:?} and {r:?}")));
    }
    // ONNX's gates are update, reset, new.
    let behind = |numbers: Vec<f32>, len: usize| -> Vec<f32> {
        numbers
            .chunks_exact(hidden * len)
            .flat_map(|rows| [&vec![0.0; 2 * rows.len()], rows].concat())
            .collect()
    };
    let (weights, recurrent) = (behind(cx.reals(1)?, c), behind(cx.reals(2)?, hidden));
    let mut all = Vec::new();
    for direction in 0..d {
        let [own, recurrent] = biases(cx, direction, hidden)?;
        let gates = [vec![-OPEN; hidden], vec![OPEN; hidden], own, vec![0.0; 2 * hidden], recurrent];
        all.extend(gates.concat());
    }
    let inputs = [
        cx.input_name(0),
        cx.known_as("weights", Array::real(&[d, 3 * hidden, c], weights)),
        cx.known_as("recurrent", Array::real(&[d, 3 * hidden, hidden], recurrent)),
        cx.known_as("biases", Array::real(&[d, 6 * hidden], all)),
    ];
    cx.node.input = inputs.to_vec();
    cx.node.attribute.retain(|attribute| ["direction", "layout"].contains(&&attribute.name[..]));
    let (name, r#type) = ("linear_before_reset".to_string(), attribute::INT);
    cx.node.attribute.push(Attribute { name, r#type, i: 1, ..Attribute::default() });
    gru(cx)
}

/// Refuses what the device does not compute; `states` are inputs with the states to begin with.
fn check(cx: &mut Operator, activations: &[&str], states: &[usize]) -> Result<()> {
    let given = cx.texts("activations")?.unwrap_or_default();
    let is_usual = given.iter().zip(activations.iter().cycle()).all(|(have, want)| have == want);
    if !is_usual || cx.float("clip", 0.0)? != 0.0 {
        return Err(Error::Invalid(format!("has other activations than {activations:?}, or clips them")));
    }
    let &[a, b, _] = &cx.dims(0)?[..] else {
        return Err(Error::Invalid(format!("takes sequences [t, n, c], and is given {:?}", cx.dims(0)?)));
    };
    let times = if cx.int("layout", 0)? == 0 { a } else { b } as i64;
    if cx.wholes(4)?.is_some_and(|lens| lens.iter().any(|&len| len != times)) {
        return Err(Error::Invalid("has sequences of different lengths".to_string()));
    }
    for &i in states {
        let is_zero = |array: Rc<Array>| array.reals().is_some_and(|x| x.iter().all(|&x| x == 0.0));
        if cx.has_input(i) && !cx.known(i)?.is_some_and(is_zero) {
            let what =
                "begins with a given state: only zeros are taken, which is what PyTorch has without one";
            return Err(Error::Invalid(what.to_string()));
        }
    }
    Ok(())
}

/// The two biases of one direction; zeros if there are none.
fn biases(cx: &mut Operator, direction: usize, len: usize) -> Result<[Vec<f32>; 2]> {
    if !cx.has_input(3) {
        return Ok([vec![0.0; len], vec![0.0; len]]);
    }
    let all = cx.reals(3)?;
    let of =
        |i: usize| all.get((2 * direction + i) * len..(2 * direction + i + 1) * len).map(<[f32]>::to_vec);
    of(0).zip(of(1)).map(|(w, r)| [w, r]).ok_or_else(|| Error::Invalid(format!("has {} biases", all.len())))
}

/// Rows of each gate in another order.
fn in_order(rows: &[f32], gates: &[usize]) -> Vec<f32> {
    let of_gate = rows.len() / gates.len();
    gates.iter().flat_map(|&gate| &rows[gate * of_gate..(gate + 1) * of_gate]).copied().collect()
}

/// Gates in their order, and the vectors that each gate has its part of.
type Gates = (Vec<usize>, Vec<(&'static str, Vec<f32>)>);

fn layer(
    cx: &mut Operator,
    op: impl Fn(bool) -> Op,
    gates: impl Fn(&mut Operator, usize, usize) -> Result<Gates>,
) -> Result<()> {
    let is_batch_first = cx.int("layout", 0)? != 0;
    let (dims, w, r) = (cx.dims(0)?, cx.dims(1)?, cx.dims(2)?);
    let (&[a, b, c], &[n_directions, rows, columns], &[_, _, hidden]) = (&dims[..], &w[..], &r[..]) else {
        return Err(Error::Invalid(format!("takes sequences {dims:?} and weights {w:?}, {r:?}")));
    };
    let ([t, n], order) = if is_batch_first { ([b, a], [0, 1, 2]) } else { ([a, b], [1, 0, 2]) };
    let directions: &[bool] = match &cx.text("direction", "forward")?[..] {
        "forward" => &[false],
        "reverse" => &[true],
        _ => &[false, true],
    };
    if columns != c || n_directions != directions.len() || r[..2] != w[..2] || hidden == 0 {
        return Err(Error::Invalid(format!("has weights {w:?} and {r:?} for sequences {dims:?}")));
    }
    let x = cx.in_order(0, &order, &[n, t, c])?;
    let (weights, recurrent) = (cx.reals(1)?, cx.reals(2)?);
    let (mut all, mut last) = (Vec::new(), Vec::new());
    for (direction, &is_reversed) in directions.iter().enumerate() {
        let what = |what: &str| {
            format!("{what}{}", if directions.len() > 1 { direction.to_string() } else { String::new() })
        };
        let (order, vectors) = gates(cx, direction, hidden)?;
        if rows != order.len() * hidden {
            return Err(Error::Invalid(format!("has weights {w:?} for {hidden} units")));
        }
        let x = if is_reversed { reversed(cx, &what("reversed"), x)? } else { x };
        let part = |all: &[f32], len: usize| {
            in_order(&all[direction * rows * len..(direction + 1) * rows * len], &order)
        };
        let mut inputs = vec![x, cx.constant(&what("weights"), &[rows, c], part(&weights, c))?];
        inputs.push(cx.constant(&what("recurrent"), &[rows, hidden], part(&recurrent, hidden))?);
        for (name, numbers) in vectors {
            inputs.push(cx.constant(&what(name), &[rows], in_order(&numbers, &order))?);
        }
        let is_all = cx.has_output(0);
        let states = cx.apply(
            &if directions.len() > 1 { what("direction") } else { String::new() },
            op(is_all),
            &inputs,
        )?;
        if is_all && cx.has_output(1) {
            last.push(step(cx, &what("last"), states, t - 1)?);
        } else if !is_all {
            last.push(states);
        }
        if is_all {
            all.push(if is_reversed { reversed(cx, &what("in_time"), states)? } else { states });
        }
    }
    emit(cx, all, last, [t, n, hidden], is_batch_first)
}

/// Makes the states of all directions the outputs: every one, and the last.
fn emit(
    cx: &mut Operator,
    all: Vec<TensorId>,
    last: Vec<TensorId>,
    [t, n, hidden]: [usize; 3],
    is_batch_first: bool,
) -> Result<()> {
    let d = all.len().max(last.len());
    if cx.has_output(0) {
        let id = super::parts::joined(cx, "both", Concat { axis: 2 }, all)?;
        let view = match is_batch_first {
            false => View::in_order(&[t, d, n, hidden], &[2, 0, 1, 3]),
            true => View::row_major(&[n, t, d, hidden]),
        };
        cx.emit(0, id, view)?;
    }
    if cx.has_output(1) {
        let id = super::parts::joined(cx, "both_last", Concat { axis: 1 }, last)?;
        let view = match is_batch_first {
            false => View::in_order(&[d, n, hidden], &[1, 0, 2]),
            true => View::row_major(&[n, d, hidden]),
        };
        cx.emit(1, id, view)?;
    }
    Ok(())
}

/// A sequence `[n, t, c]` backwards.
fn reversed(cx: &mut Operator, what: &str, x: TensorId) -> Result<TensorId> {
    let mut op = Slice::all(&shape(cx, x));
    if op.len[1] > 1 {
        (op.begin[1], op.stride[1]) = (op.len[1] - 1, -1);
    }
    cx.apply(what, op, &[x])
}

/// One step of a sequence `[n, t, c]`: `[n, c]`.
fn step(cx: &mut Operator, what: &str, x: TensorId, t: usize) -> Result<TensorId> {
    let mut op = Slice::all(&shape(cx, x));
    (op.begin[1], op.len[1]) = (t as u32, 1);
    let dims = cx.graph().dims(x);
    let part = cx.apply(what, op, &[x])?;
    cx.shaped(part, &[dims[0], dims[2]])
}

fn shape(cx: &mut Operator, x: TensorId) -> Shape {
    cx.graph()[x].ty.shape
}
