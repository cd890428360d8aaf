//! Reductions along axes.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::ops::{ArgMax, MaxPool2d};

use super::super::Placed;
use super::super::operator::Operator;
use super::super::view::View;
use super::elementwise::{DIFFERENCE, PRODUCT, SUM};
use super::parts::{Split, in_pieces, in_pieces_of};
use crate::{Error, Result, TensorId};

/// The axes that are reduced, and whether they stay as dimensions of 1. Axes are an attribute; inputs since version 18, for
/// sums since 13.
fn axes(cx: &mut Operator) -> Result<(Vec<usize>, bool)> {
    let rank = cx.dims(0)?.len();
    let given = cx.ints_or_input("axes", 1)?.unwrap_or_default();
    let keeps = cx.int("keepdims", 1)? != 0;
    if given.is_empty() && cx.int("noop_with_empty_axes", 0)? == 0 {
        return Ok(((0..rank).collect(), keeps));
    }
    Ok((cx.axes(&given, rank)?, keeps))
}

/// The view of what is left when axes are reduced.
fn reduced(view: &View, axes: &[usize], keeps: bool) -> View {
    let view = view.without(|axis| axes.contains(&axis));
    match keeps {
        true => view,
        false => axes.iter().rev().fold(view, |view, &axis| view.without_axis(axis)),
    }
}

/// Appends the mean of `x` along some axes of `view`; `x` has the dimensions of a layout in which they stand apart.
///
/// # Errors
/// If that are more dimensions than the device has.
pub fn mean_of(
    cx: &mut Operator,
    what: &str,
    view: &View,
    x: TensorId,
    is: impl Fn(usize) -> bool,
) -> Result<TensorId> {
    let marked = view.marked(&cx.graph().dims(x), is);
    let axes: Vec<usize> = (0..marked.len()).filter(|&i| marked[i]).collect();
    let name = cx.named(what);
    cx.graph().mean(&name, x, &axes)
}

/// Input 0 in dimensions of which the reduced axes are whole ones.
fn apart(cx: &mut Operator, axes: &[usize]) -> Result<(Placed, TensorId)> {
    let is = |axis: usize| axes.contains(&axis);
    let mut x = cx.placed(0)?;
    let mut layout = x.view.layout(&cx.graph().dims(x.id), is);
    if layout.len() > 4 {
        x = super::dense::innermost(cx, x, is)?;
        layout = x.view.layout(&cx.graph().dims(x.id), is);
    }
    let id = cx.shaped(x.id, &layout)?;
    Ok((x, id))
}

pub fn mean(cx: &mut Operator) -> Result<()> {
    let (axes, keeps) = axes(cx)?;
    let (x, id) = apart(cx, &axes)?;
    let id = mean_of(cx, "", &x.view, id, |axis| axes.contains(&axis))?;
    cx.emit(0, id, reduced(&x.view, &axes, keeps))
}

pub fn sum(cx: &mut Operator) -> Result<()> {
    let (axes, keeps) = axes(cx)?;
    let (x, id) = apart(cx, &axes)?;
    let sum = sum_of(cx, "", &x, id, &axes)?;
    cx.emit(0, sum, reduced(&x.view, &axes, keeps))
}

fn sum_of(cx: &mut Operator, what: &str, x: &Placed, id: TensorId, axes: &[usize]) -> Result<TensorId> {
    let mut dims = cx.graph().dims(id);
    let marked = x.view.marked(&dims, |axis| axes.contains(&axis));
    dims.iter_mut().zip(marked).filter(|(_, is)| *is).for_each(|(dim, _)| *dim = 1);
    let name = cx.named(what);
    cx.graph().sum_to(&name, id, &dims)
}

/// The root of the sum of squares.
pub fn norm(cx: &mut Operator) -> Result<()> {
    let (axes, keeps) = axes(cx)?;
    let (x, id) = apart(cx, &axes)?;
    let squares = cx.apply("squares", PRODUCT, &[id, id])?;
    let sum = sum_of(cx, "sum", &x, squares, &axes)?;
    let name = cx.name();
    let root = cx.graph().sqrt(&name, sum)?;
    cx.emit(0, root, reduced(&x.view, &axes, keeps))
}

/// `max + ln(sum(e^(x - max)))`, which does not overflow.
pub fn log_of_sum(cx: &mut Operator) -> Result<()> {
    let (axes, keeps) = axes(cx)?;
    let (x, id) = apart(cx, &axes)?;
    let mut dims = cx.graph().dims(id);
    let marked = x.view.marked(&dims, |axis| axes.contains(&axis));
    dims.iter_mut().zip(marked).filter(|(_, is)| *is).for_each(|(dim, _)| *dim = 1);
    let greatest = greatest_along(cx, "greatest", &x.view, id, &axes)?;
    let greatest = cx.shaped(greatest, &dims)?;
    let below = cx.apply("below", DIFFERENCE, &[id, greatest])?;
    let name = cx.named("exp");
    let exp = cx.graph().exp(&name, below)?;
    let sum = sum_of(cx, "sum", &x, exp, &axes)?;
    let name = cx.named("ln");
    let ln = cx.graph().ln(&name, sum)?;
    let id = cx.apply("", SUM, &[ln, greatest])?;
    cx.emit(0, id, reduced(&x.view, &axes, keeps))
}

/// The sum of magnitudes.
pub fn sum_of_distances(cx: &mut Operator) -> Result<()> {
    let (axes, keeps) = axes(cx)?;
    let (x, id) = apart(cx, &axes)?;
    let name = cx.named("distances");
    let distances = cx.graph().abs(&name, id)?;
    let sum = sum_of(cx, "", &x, distances, &axes)?;
    cx.emit(0, sum, reduced(&x.view, &axes, keeps))
}

/// The sum of squares.
pub fn sum_of_squares(cx: &mut Operator) -> Result<()> {
    let (axes, keeps) = axes(cx)?;
    let (x, id) = apart(cx, &axes)?;
    let squares = cx.apply("squares", PRODUCT, &[id, id])?;
    let sum = sum_of(cx, "", &x, squares, &axes)?;
    cx.emit(0, sum, reduced(&x.view, &axes, keeps))
}

pub fn max(cx: &mut Operator) -> Result<()> {
    let (axes, keeps) = axes(cx)?;
    let axes: Vec<i64> = axes.into_iter().map(|axis| axis as i64).collect();
    greatest(cx, &axes, keeps)
}

/// The least is minus the greatest of the negative.
pub fn min(cx: &mut Operator) -> Result<()> {
    let (axes, keeps) = axes(cx)?;
    let (x, id) = apart(cx, &axes)?;
    let name = cx.name();
    let negative = cx.graph().scale(&format!("{name}/negative"), id, -1.0)?;
    let greatest = greatest_along(cx, "greatest", &x.view, negative, &axes)?;
    let id = cx.graph().scale(&name, greatest, -1.0)?;
    cx.emit(0, id, reduced(&x.view, &axes, keeps))
}

/// The greatest of input 0 along axes.
///
/// # Errors
/// If they are not side by side, or too many elements for the windows of the device.
pub fn greatest(cx: &mut Operator, axes: &[i64], keeps: bool) -> Result<()> {
    let rank = cx.dims(0)?.len();
    let axes = cx.axes(axes, rank)?;
    let (x, id) = apart(cx, &axes)?;
    let id = greatest_along(cx, "", &x.view, id, &axes)?;
    cx.emit(0, id, reduced(&x.view, &axes, keeps))
}

fn greatest_along(
    cx: &mut Operator,
    what: &str,
    view: &View,
    x: TensorId,
    axes: &[usize],
) -> Result<TensorId> {
    let dims = cx.graph().dims(x);
    let marked = view.marked(&dims, |axis| axes.contains(&axis));
    let (Some(first), Some(last)) = (marked.iter().position(|&is| is), marked.iter().rposition(|&is| is))
    else {
        return Ok(x);
    };
    if !marked[first..=last].iter().all(|&is| is) {
        return Err(Error::Invalid(format!("takes the greatest along {axes:?}, which are not side by side")));
    }
    let product = |dims: &[usize]| dims.iter().product();
    greatest_of(
        cx,
        what,
        x,
        [product(&dims[..first]), product(&dims[first..=last]), product(&dims[last + 1..])],
    )
}

/// Appends the greatest along the middle of three dimensions `[outer, n, inner]` of `x`: `[outer, 1, 1, inner]`.
///
/// # Errors
/// If `n` is no product of two numbers up to 255.
pub fn greatest_of(
    cx: &mut Operator,
    what: &str,
    x: TensorId,
    [outer, n, inner]: [usize; 3],
) -> Result<TensorId> {
    let h = (n.div_ceil(255)..=n.min(255)).find(|&h| h > 0 && n % h == 0);
    let Some(h) = h else {
        let what = format!("takes the greatest of {n} numbers, which is no product of two up to 255");
        return Err(Error::Invalid(what));
    };
    let image = cx.shaped(x, &[outer, h, n / h, inner])?;
    let kernel = [h as u8, (n / h) as u8];
    cx.apply(what, MaxPool2d(Pooling { kernel, window: Window::UNIT, bounds: Bounds::None }), &[image])
}

/// The index of the greatest along an axis; of several, the first.
pub fn arg_max(cx: &mut Operator) -> Result<()> {
    let placed = cx.placed(0)?;
    index_of_greatest(cx, placed)
}

/// The index of the least, the greatest of the negative.
pub fn arg_min(cx: &mut Operator) -> Result<()> {
    let Placed { id, view } = cx.placed(0)?;
    let name = cx.named("negative");
    let id = cx.graph().scale(&name, id, -1.0)?;
    index_of_greatest(cx, Placed { id, view })
}

fn index_of_greatest(cx: &mut Operator, placed: Placed) -> Result<()> {
    if cx.int("select_last_index", 0)? != 0 {
        return Err(Error::Invalid("gives the last of several, and the first is computed".to_string()));
    }
    let (placed, order) = in_pieces_of(cx, placed)?;
    let dims = placed.view.dims();
    let axis = cx.axis(cx.int("axis", 0)?, dims.len())?;
    let place = order.iter().position(|&each| each == axis).unwrap_or(0);
    let in_order: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
    let x = cx.shaped(placed.id, &in_order)?;
    let id = cx.apply("", ArgMax { axis: place as u8 }, &[x])?;
    let keeps = cx.int("keepdims", 1)? != 0;
    cx.emit(0, id, reduced(&placed.view, &[axis], keeps))
}

/// The most numbers of a running sum, whose matrix has the square of it.
const MAX_RUN: usize = 256;

/// Sums up to each index along an axis: the product with a triangle of ones.
pub fn running_sum(cx: &mut Operator) -> Result<()> {
    let (placed, order) = in_pieces(cx)?;
    let dims = placed.view.dims();
    let given = cx.wholes(1)?.and_then(|axes| axes.first().copied()).unwrap_or(0);
    let axis = cx.axis(given, dims.len())?;
    let n = dims[axis];
    if n > MAX_RUN {
        return Err(Error::Invalid(format!("sums {n} numbers step by step: at most {MAX_RUN}")));
    }
    let (is_backwards, is_exclusive) = (cx.int("reverse", 0)? != 0, cx.int("exclusive", 0)? != 0);
    let counts = |(from, to): (usize, usize)| {
        let (first, last) = if is_backwards { (to, from) } else { (from, to) };
        f32::from(u8::from(first < last || first == last && !is_exclusive))
    };
    let ones = (0..n * n).map(|i| counts((i / n, i % n))).collect();
    let matrix = cx.constant("ones", &[n, n], ones)?;
    let split = Split::of(&dims, &order, axis);
    let (x, name) = (cx.shaped(placed.id, &split.dims)?, cx.name());
    let id = cx.graph().along(&name, x, split.place, matrix)?;
    cx.emit_in_order(id, &dims, &order)
}
