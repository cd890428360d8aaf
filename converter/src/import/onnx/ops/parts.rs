//! Tensors in parts: joined, split, cut, looked up.

use dunlin::ops::{Concat, Embedding, Slice};
use dunlin::{DType, Shape};

use super::super::array::Array;
use super::super::operator::Operator;
use super::super::view::View;
use super::super::{Placed, saturated};
use crate::{Error, Result, TensorId};

/// Appends what joins tensors, step by step where there are more than the device takes at once.
///
/// # Errors
/// As [`Operator::apply`].
pub fn joined(cx: &mut Operator, what: &str, op: Concat, inputs: Vec<TensorId>) -> Result<TensorId> {
    let inputs = cx.parts(0)?.join_first(op, inputs)?;
    match inputs[..] {
        [only] => Ok(only),
        _ => cx.apply(what, op, &inputs),
    }
}

/// Inputs lie in the order of the first one that is computed, and are joined along an axis.
pub fn concat(cx: &mut Operator) -> Result<()> {
    let first = cx.dims(0)?;
    let axis = cx.axis(cx.int("axis", 1)?, first.len())?;
    let mut order: Option<Vec<usize>> = None;
    for i in 0..cx.n_inputs() {
        let own = cx.dims(i)?;
        if own.len() != first.len() {
            return Err(Error::Invalid(format!("joins {first:?} and {own:?} along axis {axis}")));
        }
        if order.is_none() && cx.known(i)?.is_none() {
            let placed = cx.placed(i)?;
            order = natural_order(cx, &placed);
        }
    }
    let order = order.unwrap_or_else(|| (0..first.len()).collect());
    let mut dims = first.clone();
    let (mut inputs, mut len) = (Vec::new(), 0usize);
    for i in 0..cx.n_inputs() {
        let own = cx.dims(i)?;
        let fits = |(each, (a, b)): (usize, (&usize, &usize))| each == axis || a == b;
        if !own.iter().zip(&first).enumerate().all(fits) {
            return Err(Error::Invalid(format!("joins {first:?} and {own:?} along axis {axis}")));
        }
        len += own[axis];
        let split = Split::of(&own, &order, axis);
        inputs.push(cx.in_order(i, &order, &split.dims)?);
    }
    dims[axis] = len;
    let axis = Split::of(&first, &order, axis).place as u8;
    let id = joined(cx, "", Concat { axis }, inputs)?;
    cx.emit_in_order(id, &dims, &order)
}

/// Dimensions of the device in which an axis is on its own.
pub struct Split {
    pub dims: Vec<usize>,
    pub place: usize,
}

impl Split {
    /// `dims` in `order`, those before and behind the axis joined if there are more than four.
    pub fn of(dims: &[usize], order: &[usize], axis: usize) -> Split {
        let place = order.iter().position(|&each| each == axis).unwrap_or(0);
        let inner: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
        if inner.len() <= 4 {
            return Split { dims: inner, place };
        }
        let product = |dims: &[usize]| dims.iter().product();
        Split { dims: vec![product(&inner[..place]), inner[place], product(&inner[place + 1..])], place: 1 }
    }
}

/// The order in which the axes of a tensor lie in memory, if each lies there in one piece: that of its tensor's
/// dimensions, where lengths of 1 leave it open.
fn natural_order(cx: &mut Operator, Placed { id, view }: &Placed) -> Option<Vec<usize>> {
    let (dims, of_graph) = (view.dims(), cx.graph().dims(*id));
    let orders = [(0..dims.len()).collect(), super::super::channels_last(dims.len())];
    let fits = |order: &&Vec<usize>| {
        let in_order: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
        in_order == of_graph && *view == View::in_order(&dims, order)
    };
    orders.iter().find(fits).cloned().or_else(|| view.order())
}

/// Input 0 with each axis in one piece of memory, and the order of the axes.
pub fn in_pieces(cx: &mut Operator) -> Result<(Placed, Vec<usize>)> {
    let placed = cx.placed(0)?;
    in_pieces_of(cx, placed)
}

/// A tensor with each axis in one piece of memory, and the order of the axes.
pub fn in_pieces_of(cx: &mut Operator, placed: Placed) -> Result<(Placed, Vec<usize>)> {
    if let Some(order) = natural_order(cx, &placed) {
        return Ok((placed, order));
    }
    let dims = placed.view.dims();
    let order = match placed.view.has_channels_last() {
        true => super::super::channels_last(dims.len()),
        false => (0..dims.len()).collect(),
    };
    let view = View::in_order(&dims, &order);
    let all = [view.count()];
    let id = cx.moved(&placed, &view, if view.factors().len() <= 4 { view.factors() } else { &all })?;
    Ok((Placed { id, view }, order))
}

/// Indices along an axis: `begin`, `begin + step`, …
#[derive(Clone, Copy)]
pub struct Range {
    pub begin: usize,
    pub len: usize,
    pub step: i64,
}

/// Appends what takes the indices of `range` along an axis of `placed`, whose axes lie in memory in `order`.
///
/// # Errors
/// As [`Operator::apply`].
pub fn sliced(
    cx: &mut Operator,
    what: &str,
    (placed, order): (&Placed, &[usize]),
    axis: usize,
    range: Range,
) -> Result<Placed> {
    let mut dims = placed.view.dims();
    if range.len == dims[axis] && range.step == 1 {
        return Ok(placed.clone());
    }
    let split = Split::of(&dims, order, axis);
    let x = cx.shaped(placed.id, &split.dims)?;
    let shape = Shape::new(&split.dims).map_err(|_| Error::Invalid(format!("cuts {dims:?}")))?;
    let mut op = Slice::all(&shape);
    op.begin[split.place] = range.begin as u32;
    op.len[split.place] = range.len as u32;
    op.stride[split.place] = if range.len > 1 { saturated(range.step) } else { 1 };
    let id = cx.apply(what, op, &[x])?;
    dims[axis] = range.len;
    Ok(Placed::in_order(id, &dims, order))
}

/// Parts along an axis, side by side.
pub fn split(cx: &mut Operator) -> Result<()> {
    let (placed, order) = in_pieces(cx)?;
    let dims = placed.view.dims();
    let axis = cx.axis(cx.int("axis", 0)?, dims.len())?;
    let n_parts = cx.n_outputs().max(1);
    let part = dims[axis].div_ceil(n_parts);
    let lens = match cx.ints_or_input("split", 1)? {
        Some(lens) => lens,
        None => (0..n_parts).map(|i| dims[axis].saturating_sub(i * part).min(part) as i64).collect(),
    };
    let lens: Vec<usize> = lens.iter().map(|&len| usize::try_from(len).unwrap_or(0)).collect();
    let sum = lens.iter().fold(0usize, |sum, &len| sum.saturating_add(len));
    if lens.len() != cx.n_outputs() || sum != dims[axis] || lens.contains(&0) {
        let what = format!("splits {} indices into {lens:?} for {} outputs", dims[axis], cx.n_outputs());
        return Err(Error::Invalid(what));
    }
    let mut begin = 0;
    for (i, len) in lens.into_iter().enumerate() {
        let range = Range { begin, len, step: 1 };
        begin += len;
        if cx.has_output(i) {
            let part = sliced(cx, &format!("part{i}"), (&placed, &order), axis, range)?;
            cx.emit(i, part.id, part.view)?;
        }
    }
    Ok(())
}

/// Ranges along axes, one after the other.
pub fn slice(cx: &mut Operator) -> Result<()> {
    let (mut placed, order) = in_pieces(cx)?;
    let dims = placed.view.dims();
    for (axis, range) in ranges(cx, &dims)? {
        let Some(range) = range else {
            return Err(Error::Invalid(format!("takes none of {} indices along axis {axis}", dims[axis])));
        };
        placed = sliced(cx, &format!("axis{axis}"), (&placed, &order), axis, range)?;
    }
    cx.emit(0, placed.id, placed.view)
}

/// The ranges of a slice of a tensor of `dims`, `None` where it takes nothing: attributes, since version 10 inputs.
///
/// # Errors
/// If they do not fit, or name an axis twice.
pub fn ranges(cx: &mut Operator, dims: &[usize]) -> Result<Vec<(usize, Option<Range>)>> {
    let (begins, ends) = (cx.ints_or_input("starts", 1)?, cx.ints_or_input("ends", 2)?);
    let (Some(begins), Some(ends)) = (begins, ends) else {
        return Err(Error::Invalid("has no starts or ends".to_string()));
    };
    let axes = cx.ints_or_input("axes", 3)?.unwrap_or_else(|| (0..begins.len() as i64).collect());
    let steps = cx.wholes(4)?.unwrap_or_else(|| vec![1; begins.len()]);
    if [ends.len(), axes.len(), steps.len()] != [begins.len(); 3] {
        return Err(Error::Invalid("has starts, ends, axes and steps of different number".to_string()));
    }
    if steps.contains(&0) {
        return Err(Error::Invalid("has steps of 0".to_string()));
    }
    cx.axes(&axes, dims.len())?;
    let along = |(i, &axis): (usize, &i64)| {
        let axis = cx.axis(axis, dims.len())?;
        Ok((axis, range(begins[i], ends[i], steps[i], dims[axis])))
    };
    axes.iter().enumerate().map(along).collect()
}

/// `begin..end` by `step` of `len` indices, where negative ones count from behind and too large ones end there; `None` if
/// that are none.
pub fn range(begin: i64, end: i64, step: i64, len: usize) -> Option<Range> {
    if len == 0 {
        return None;
    }
    let len = len as i64;
    let from = |i: i64| if i < 0 { i.saturating_add(len) } else { i };
    let (begin, end) = match step {
        1.. => (from(begin).clamp(0, len), from(end).clamp(0, len)),
        0 => return None,
        _ => (from(begin).clamp(0, len - 1), from(end).clamp(-1, len - 1)),
    };
    let span = end - begin;
    let count = if (span > 0) == (step > 0) { span.unsigned_abs().div_ceil(step.unsigned_abs()) } else { 0 };
    (count > 0).then_some(Range { begin: begin as usize, len: count as usize, step })
}

/// The most indices that are gathered.
const MAX_INDICES: usize = 4096;

/// Rows of a constant table by computed numbers, or given indices along an axis.
pub fn gather(cx: &mut Operator) -> Result<()> {
    if cx.known(1)?.is_none() {
        return embedding(cx);
    }
    let indices = cx.constant_input(1)?;
    let Some(numbers) = indices.wholes() else {
        return Err(Error::Invalid("has indices that are no whole numbers".to_string()));
    };
    let (placed, order) = in_pieces(cx)?;
    let dims = placed.view.dims();
    let axis = cx.axis(cx.int("axis", 0)?, dims.len())?;
    if numbers.len() > MAX_INDICES {
        return Err(Error::Invalid(format!("takes {} indices: at most {MAX_INDICES}", numbers.len())));
    }
    let numbers: Vec<usize> = numbers.iter().map(|&i| cx.axis(i, dims[axis])).collect::<Result<_>>()?;
    let mut taken = Vec::new();
    for run in runs(&numbers) {
        taken.push(sliced(cx, &format!("from{}", taken.len()), (&placed, &order), axis, run)?.id);
    }
    let mut joined_dims = dims.clone();
    joined_dims[axis] = numbers.len();
    let mut parts = Vec::new();
    for (id, run) in taken.into_iter().zip(runs(&numbers)) {
        let mut dims = dims.clone();
        dims[axis] = run.len;
        parts.push(cx.shaped(id, &Split::of(&dims, &order, axis).dims)?);
    }
    let place = Split::of(&joined_dims, &order, axis).place as u8;
    let id = joined(cx, "", Concat { axis: place }, parts)?;
    let view = View::in_order(&joined_dims, &order);
    let dims: Vec<usize> = [&dims[..axis], &indices.dims, &dims[axis + 1..]].concat();
    match view.reshaped(&dims) {
        Some(view) => cx.emit(0, id, view),
        None => Err(Error::Invalid(format!("takes indices {:?} out of its axis", indices.dims))),
    }
}

/// Given indices along the outermost axis, as PyTorch's newer exporter writes `x[:, [0, 3]]` of the transposed.
pub fn gather_nd(cx: &mut Operator) -> Result<()> {
    let indices = cx.constant_input(1)?;
    match (indices.wholes(), &indices.dims[..]) {
        (Some(numbers), [dims @ .., 1]) if cx.int("batch_dims", 0)? == 0 => {
            let indices = cx.known_as("indices", Array::whole(dims, numbers.to_vec()));
            cx.become_part("Gather", &[cx.input_name(0), indices])
        }
        _ => Err(Error::Invalid(format!("takes indices {:?}: of one axis they are taken", indices.dims))),
    }
}

/// Neighbours with one distance, as long as there are.
fn runs(numbers: &[usize]) -> Vec<Range> {
    let mut runs: Vec<Range> = Vec::new();
    for &number in numbers {
        if let Some(run) = runs.last_mut() {
            let step = number as i64 - (run.begin as i64 + (run.len as i64 - 1) * run.step);
            if step != 0 && (run.len == 1 || run.step == step) {
                (run.len, run.step) = (run.len + 1, step);
                continue;
            }
        }
        runs.push(Range { begin: number, len: 1, step: 1 });
    }
    runs
}

fn embedding(cx: &mut Operator) -> Result<()> {
    let (table, indices) = (cx.dims(0)?, cx.dims(1)?);
    let axis = cx.axis(cx.int("axis", 0)?, table.len())?;
    if table.len() != 2 || axis != 0 || indices.is_empty() || indices.len() > 3 {
        let what = format!("looks up {indices:?} along axis {axis} of {table:?}: only rows of a table are");
        return Err(Error::Invalid(what));
    }
    let order: Vec<usize> = (0..indices.len()).collect();
    let inputs = [cx.in_order(0, &[0, 1], &table)?, cx.in_order(1, &order, &indices)?];
    if cx.graph()[inputs[1]].ty.dtype != DType::I32 {
        return Err(Error::Invalid("is indexed by what the network computes".to_string()));
    }
    let id = cx.apply("", Embedding {}, &inputs)?;
    let dims = [&indices[..], &table[1..]].concat();
    cx.emit(0, id, View::row_major(&dims))
}

/// Copies side by side.
pub fn tile(cx: &mut Operator) -> Result<()> {
    let (mut placed, order) = in_pieces(cx)?;
    let copies = cx.wholes(1)?.unwrap_or_default();
    if copies.len() != placed.view.rank() || copies.iter().any(|&n| !(1..=64).contains(&n)) {
        return Err(Error::Invalid(format!("makes {copies:?} copies: 1 to 64 along each axis")));
    }
    for (axis, &n) in copies.iter().enumerate().filter(|&(_, &n)| n > 1) {
        let mut dims = placed.view.dims();
        let split = Split::of(&dims, &order, axis);
        let x = cx.shaped(placed.id, &split.dims)?;
        dims[axis] *= n as usize;
        let op = Concat { axis: split.place as u8 };
        placed =
            Placed::in_order(joined(cx, &format!("copies{axis}"), op, vec![x; n as usize])?, &dims, &order);
    }
    cx.emit(0, placed.id, placed.view)
}
