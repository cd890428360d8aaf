//! Functions of pairs of elements, whose tensors broadcast as in NumPy.

use super::super::Placed;
use super::super::array::Array;
use super::super::operator::Operator;
use super::super::view::View;
use crate::ops::Op;
use crate::{Error, Result, TensorId};

/// A pair whose tensors of the graph broadcast to one of `dims`, of which `view` is the file's.
pub struct Pair {
    pub inputs: [TensorId; 2],
    pub view: View,
}

/// Inputs 0 and 1 as a pair.
///
/// # Errors
/// If they do not broadcast, or by too many dimensions for the device.
pub fn pair(cx: &mut Operator) -> Result<Pair> {
    let dims = broadcast(&cx.dims(0)?, &cx.dims(1)?)?;
    let view = lead(cx, &dims)?;
    let first = operand(cx, 0, &dims, &view)?;
    let second = operand(cx, 1, &dims, &view)?;
    let layout = layout(cx, &view, [&first, &second])?;
    let mut inputs = Vec::new();
    for operand in [first, second] {
        inputs.push(cx.shaped(operand.id, &operand.dims(&view, &layout))?);
    }
    Ok(Pair { inputs: [inputs[0], inputs[1]], view })
}

/// Appends `op` on inputs 0 and 1 and makes it the output.
///
/// # Errors
/// As [`pair`].
pub fn import(cx: &mut Operator, op: impl Into<Op>) -> Result<()> {
    let Pair { inputs, view } = pair(cx)?;
    let id = cx.apply("", op, &inputs)?;
    cx.emit(0, id, view)
}

/// The dimensions that both stretch to.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |dims: &[usize], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |i| dims[i]);
    let both = |axis| match (dim(a, axis), dim(b, axis)) {
        (a, b) if a == b || b == 1 => Ok(a),
        (1, b) => Ok(b),
        _ => Err(Error::Invalid(format!("takes {a:?} and {b:?}, which do not broadcast"))),
    };
    (0..rank).map(both).collect()
}

/// The view of an input that has all of `dims`, rather one with the channels innermost; else their own order.
fn lead(cx: &mut Operator, dims: &[usize]) -> Result<View> {
    let plain = View::row_major(dims);
    for i in 0..2 {
        let is_known = cx.known(i)?.is_some();
        if !is_known && cx.dims(i)? == dims {
            let view = cx.placed(i)?.view;
            if view != plain {
                return Ok(view);
            }
        }
    }
    Ok(plain)
}

/// One of the two: its elements in the order of the pair's view.
struct Operand {
    id: TensorId,
    /// Axes of the pair along which it has length 1.
    is_stretched: Vec<bool>,
}

impl Operand {
    /// Its dimensions where those of the whole are `layout`.
    fn dims(&self, view: &View, layout: &[usize]) -> Vec<usize> {
        let is_stretched = view.marked(layout, |axis| self.is_stretched[axis]);
        let dims: Vec<usize> =
            is_stretched.iter().zip(layout).map(|(&is, &dim)| if is { 1 } else { dim }).collect();
        // A constant along the innermost dimension, as a bias is, needs no more.
        match dims.iter().position(|&dim| dim != 1) {
            Some(first) if self.is_stretched.contains(&true) => dims[first..].to_vec(),
            None if !dims.is_empty() => vec![1],
            _ => dims,
        }
    }
}

fn operand(cx: &mut Operator, i: usize, dims: &[usize], view: &View) -> Result<Operand> {
    let own = cx.dims(i)?;
    let mut padded = vec![1; dims.len() - own.len()];
    padded.extend(&own);
    let is_stretched: Vec<bool> = padded.iter().zip(dims).map(|(own, dim)| own != dim).collect();
    let wanted = view.without(|axis| is_stretched[axis]);
    let aligned = |view: View| (own.len()..dims.len()).fold(view, |view, _| view.with_axis(0));
    let id = match cx.known(i)? {
        Some(array) => {
            let array = Array { dims: padded, ..(*array).clone() };
            cx.place(i, &array, &wanted)?.id
        }
        None => {
            let placed = cx.placed(i)?;
            let placed = Placed { id: placed.id, view: aligned(placed.view) };
            let name = cx.name();
            placed.view.moved(cx.graph(), &name, placed.id, &wanted)?
        }
    };
    Ok(Operand { id, is_stretched })
}

/// The dimensions of the result: those of an operand that is there in them already, rather of one that is no constant, if each of
/// them is stretched as a whole or not at all; else as few as it takes.
fn layout(cx: &mut Operator, view: &View, operands: [&Operand; 2]) -> Result<Vec<usize>> {
    let is_stretched = |axis: usize| operands.iter().any(|operand| operand.is_stretched[axis]);
    let mut ready: Vec<&Operand> =
        operands.into_iter().filter(|operand| !operand.is_stretched.contains(&true)).collect();
    ready.sort_by_key(|operand| cx.graph().constant_data(operand.id).is_some());
    let dims = ready.first().map(|operand| cx.graph().dims(operand.id)).unwrap_or_default();
    let mut dims = view.layout(&dims, is_stretched);
    if operands.iter().all(|operand| operand.is_stretched.contains(&true)) {
        // Each is stretched along other axes.
        dims = view.factors().to_vec();
    }
    if dims.len() > dunlin::shape::MAX_RANK {
        return Err(Error::Invalid(format!("broadcasts along {} dimensions: at most 4", dims.len())));
    }
    Ok(if dims.is_empty() { vec![1] } else { dims })
}
