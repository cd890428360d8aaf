//! Padding.

use dunlin::ops::{Concat, Pad};

use super::super::Placed;
use super::super::array::filled;
use super::super::operator::Operator;
use super::parts::{Range, Split, in_pieces, joined, range, sliced};
use crate::{Error, Result};

/// Padding with a constant, or with what is near the edge.
pub fn pad(cx: &mut Operator) -> Result<()> {
    let (mut placed, order) = in_pieces(cx)?;
    let rank = placed.view.rank();
    let given = cx.ints_or_input("pads", 1)?.ok_or_else(|| Error::Invalid("has no pads".to_string()))?;
    let axes = match cx.wholes(3)? {
        Some(axes) => axes.iter().map(|&axis| cx.axis(axis, rank)).collect::<Result<Vec<_>>>()?,
        None => (0..rank).collect(),
    };
    if given.len() != 2 * axes.len() {
        return Err(Error::Invalid(format!("has {} pads for {} axes", given.len(), axes.len())));
    }
    let mut pads = vec![[0i64; 2]; rank];
    for (i, &axis) in axes.iter().enumerate() {
        pads[axis] = [given[i], given[i + axes.len()]];
    }
    let mode = cx.text("mode", "constant")?;
    let value = if cx.version() < 11 { cx.float("value", 0.0)? } else { cx.real(2, 0.0)? };
    // Negative ones cut off.
    for (axis, pads) in pads.iter_mut().enumerate().filter(|(_, pads)| pads[0] < 0 || pads[1] < 0) {
        let len = placed.view.dims()[axis];
        let range = range(pads[0].min(0).saturating_neg(), len as i64 + pads[1].min(0), 1, len);
        let range = range.ok_or_else(|| Error::Invalid(format!("cuts off all of {len} indices")))?;
        placed = sliced(cx, &format!("cut{axis}"), (&placed, &order), axis, range)?;
        *pads = pads.map(|pad| pad.max(0));
    }
    if mode == "constant" && value == 0.0 && rank <= 4 {
        return pad_with_zeros(cx, &placed, &order, &pads);
    }
    for (axis, pads) in pads.into_iter().enumerate().filter(|(_, pads)| *pads != [0, 0]) {
        placed = padded_along(cx, &placed, &order, axis, pads, (&mode, value))?;
    }
    cx.emit(0, placed.id, placed.view)
}

fn pad_with_zeros(cx: &mut Operator, placed: &Placed, order: &[usize], pads: &[[i64; 2]]) -> Result<()> {
    let mut dims = placed.view.dims();
    let in_order: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
    let x = cx.shaped(placed.id, &in_order)?;
    let mut op = Pad { pads: [[0; 2]; 4] };
    for (slot, &axis) in op.pads.iter_mut().zip(order) {
        for (slot, pad) in slot.iter_mut().zip(pads[axis]) {
            *slot = u16::try_from(pad).map_err(|_| Error::Invalid(format!("pads by {pad}, beyond 65535")))?;
            dims[axis] += usize::from(*slot);
        }
    }
    let id = cx.apply("", op, &[x])?;
    cx.emit_in_order(id, &dims, order)
}

/// Joins what stands before an axis, the tensor, and what stands behind it.
fn padded_along(
    cx: &mut Operator,
    placed: &Placed,
    order: &[usize],
    axis: usize,
    pads: [i64; 2],
    (mode, value): (&str, f32),
) -> Result<Placed> {
    let mut dims = placed.view.dims();
    let len = dims[axis];
    if pads.iter().any(|&pad| pad > u16::MAX.into()) {
        return Err(Error::Invalid(format!("pads by {pads:?}, beyond 65535")));
    }
    let mut parts = Vec::new();
    for (end, pad) in pads.map(|pad| pad as usize).into_iter().enumerate() {
        let what = format!("{}{axis}", ["before", "behind"][end]);
        let mut part = dims.clone();
        if pad > 0 {
            // The first index, how many, the step, and how often.
            let copied = match mode {
                "constant" => None,
                "reflect" if pad < len => Some(([pad, len.saturating_sub(2)][end], pad, -1, 1)),
                "edge" if pad <= 64 => Some(([0, len - 1][end], 1, 1, pad)),
                "wrap" if pad <= len => Some(([len - pad, 0][end], pad, 1, 1)),
                _ => return Err(Error::Invalid(format!("pads {len} indices by {pad} in the mode {mode}"))),
            };
            part[axis] = copied.map_or(pad, |(_, len, ..)| len);
            let dims = Split::of(&part, order, axis).dims;
            match copied {
                None => parts.push(cx.constant(&what, &dims, filled(&part, value)?)?),
                Some((begin, len, step, n)) => {
                    let made = sliced(cx, &what, (placed, order), axis, Range { begin, len, step })?;
                    parts.extend(vec![cx.shaped(made.id, &dims)?; n]);
                }
            }
        }
        if end == 0 {
            parts.push(cx.shaped(placed.id, &Split::of(&dims, order, axis).dims)?);
        }
    }
    dims[axis] += (pads[0] + pads[1]) as usize;
    let place = Split::of(&dims, order, axis).place as u8;
    let id = joined(cx, &format!("padded{axis}"), Concat { axis: place }, parts)?;
    Ok(Placed::in_order(id, &dims, order))
}
