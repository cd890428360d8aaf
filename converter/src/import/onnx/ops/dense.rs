//! Products of matrices: fully connected layers where one of them is constant.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{FullyConnected, MatMul};

use super::super::Placed;
use super::super::operator::Operator;
use super::super::view::View;
use super::elementwise::SUM;
use crate::{Error, Result, TensorId};

/// `placed` with some axes innermost in memory, whatever the order of their factors.
///
/// # Errors
/// As [`Operator::apply`].
pub fn innermost(cx: &mut Operator, placed: Placed, of: impl Fn(usize) -> bool) -> Result<Placed> {
    if placed.view.has_innermost(&of) {
        return Ok(placed);
    }
    let dims = placed.view.dims();
    let order = placed.view.order().unwrap_or_else(|| (0..dims.len()).collect());
    let (inner, outer): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|&axis| of(axis));
    let order = [outer, inner].concat();
    let view = View::in_order(&dims, &order);
    let id = cx.moved(&placed, &view, &order.iter().map(|&axis| dims[axis]).collect::<Vec<_>>());
    match id {
        Ok(id) => Ok(Placed { id, view }),
        // More dimensions than the device has.
        Err(_) => Ok(Placed { id: cx.moved(&placed, &view, &[view.count()])?, view }),
    }
}

/// Weights of a layer, made of constant input 1.
struct Weights {
    /// `[n, k]`.
    rows: Vec<f32>,
    n: usize,
    /// The axis of the input that has length `n`, if these are its numbers: else they have scales of their own.
    from: Option<usize>,
}

/// Appends a layer on the last axis of `x`.
fn layer(cx: &mut Operator, x: Placed, weights: &Weights, bias: Option<Vec<f32>>) -> Result<Placed> {
    let Weights { rows, n, from } = weights;
    let n = *n;
    let last = x.view.rank() - 1;
    let x = innermost(cx, x, |axis| axis == last)?;
    let places = x.view.without(|axis| axis != last).places();
    if places.len() * n != rows.len() || rows.is_empty() {
        let what = format!("multiplies {} numbers with {n} x {}", places.len(), rows.len() / n.max(1));
        return Err(Error::Invalid(what));
    }
    let in_memory = |row: &[f32]| places.iter().map(|&place| row[place]).collect::<Vec<f32>>();
    let rows = rows.chunks_exact(places.len()).flat_map(in_memory).collect();
    let mut inputs = vec![x.id, cx.constant("weights", &[n, places.len()], rows)?];
    if let Some(from) = *from {
        cx.store_weights(1, inputs[1], from, 0)?;
    }
    if let Some(bias) = bias {
        inputs.push(cx.constant("bias", &[n], bias)?);
    }
    let id = cx.apply("", FullyConnected::new(Bounds::None), &inputs)?;
    Ok(Placed { id, view: x.view.without(|axis| axis == last).with_innermost(last, n) })
}

/// `[n, k]` from `[k, n]`.
fn turned(numbers: &[f32], [k, n]: [usize; 2]) -> Vec<f32> {
    (0..n).flat_map(|column| (0..k).map(move |row| numbers[row * n + column])).collect()
}

/// `alpha * a * b + beta * c`, either matrix transposed first.
pub fn gemm(cx: &mut Operator) -> Result<()> {
    let (alpha, beta) = (cx.float("alpha", 1.0)?, cx.float("beta", 1.0)?);
    let mut a = cx.placed(0)?;
    let b = cx.dims(1)?;
    if a.view.rank() != 2 || b.len() != 2 {
        return Err(Error::Invalid(format!("multiplies {:?} with {b:?}, not matrices", a.view.dims())));
    }
    if cx.int("transA", 0)? != 0 {
        a.view = a.view.transposed(&[1, 0]);
    }
    let is_turned = cx.int("transB", 0)? != 0;
    let (n, k) = if is_turned { (b[0], b[1]) } else { (b[1], b[0]) };
    if a.view.dims()[1] != k {
        return Err(Error::Invalid(format!("multiplies {:?} with {b:?}", a.view.dims())));
    }
    if cx.known(1)?.is_none() {
        return general_gemm(cx, a, is_turned, (alpha, beta));
    }
    let mut rows = cx.reals(1)?;
    if !is_turned {
        rows = turned(&rows, [k, n]);
    }
    rows.iter_mut().for_each(|w| *w *= alpha);
    let from = (alpha == 1.0).then_some(if is_turned { 0 } else { 1 });
    let mut bias = None;
    if cx.has_input(2) {
        let dims = cx.dims(2)?;
        let is_row = dims.iter().rev().skip(1).all(|&dim| dim == 1)
            && matches!(dims.last(), Some(&len) if len == n || len == 1);
        if !is_row {
            return Err(Error::Invalid(format!("adds {dims:?}, which is no bias of {n} channels")));
        }
        let numbers = cx.reals(2)?;
        bias = Some((0..n).map(|i| beta * numbers[i % numbers.len()]).collect());
    }
    let made = layer(cx, a, &Weights { rows, n, from }, bias)?;
    cx.emit(0, made.id, made.view)
}

fn general_gemm(cx: &mut Operator, a: Placed, is_turned: bool, (alpha, beta): (f32, f32)) -> Result<()> {
    if (alpha, beta) != (1.0, 1.0) {
        return Err(Error::Invalid(format!("has alpha {alpha} and beta {beta} for computed matrices")));
    }
    let mut b = cx.placed(1)?;
    if is_turned {
        b.view = b.view.transposed(&[1, 0]);
    }
    let product = product(cx, if cx.has_input(2) { "product" } else { "" }, a, b)?;
    if !cx.has_input(2) {
        return cx.emit(0, product.id, product.view);
    }
    let c = cx.dims(2)?;
    let order: Vec<usize> = (0..c.len()).collect();
    let c = cx.in_order(2, &order, &c)?;
    let dims = product.view.dims();
    let sum = cx.apply("", SUM, &[product.id, c])?;
    if cx.graph().dims(sum) != dims {
        return Err(Error::Invalid("adds a matrix that is larger than the product".to_string()));
    }
    cx.emit(0, sum, View::row_major(&dims))
}

/// A product of matrices, one for each index of the dimensions before the last two.
pub fn matmul(cx: &mut Operator) -> Result<()> {
    let (mut a, b) = (cx.dims(0)?, cx.dims(1)?);
    let is_vector = a.len() == 1;
    if is_vector {
        a.insert(0, 1);
    }
    if a.len() < 2 || b.len() < 2 || a[a.len() - 1] != b[b.len() - 2] {
        return Err(Error::Invalid(format!("multiplies {a:?} with {b:?}, which are no matrices that fit")));
    }
    let [k, n] = [b[b.len() - 2], b[b.len() - 1]];
    if b.len() == 2 && cx.known(1)?.is_some() {
        let (x, rows) = (rows_of(cx, is_vector)?, turned(&cx.reals(1)?, [k, n]));
        let made = layer(cx, x, &Weights { rows, n, from: Some(1) }, None)?;
        let view = if is_vector { made.view.without_axis(0) } else { made.view };
        return cx.emit(0, made.id, view);
    }
    if is_vector {
        return Err(Error::Invalid("multiplies a vector with a matrix that is computed".to_string()));
    }
    let (a, b) = (cx.placed(0)?, cx.placed(1)?);
    let made = product(cx, "", a, b)?;
    cx.emit(0, made.id, made.view)
}

/// Input 0; a vector as a matrix of one row.
fn rows_of(cx: &mut Operator, is_vector: bool) -> Result<Placed> {
    let Placed { id, view } = cx.placed(0)?;
    if !is_vector {
        return Ok(Placed { id, view });
    }
    let dims = [1, view.count()];
    Ok(Placed { id: cx.shaped(id, &dims)?, view: View::row_major(&dims) })
}

/// Appends the product of matrices that are both computed.
pub fn product(cx: &mut Operator, what: &str, a: Placed, b: Placed) -> Result<Placed> {
    let (mut of_a, of_b) = (a.view.dims(), b.view.dims());
    let outer = of_a.len() - 2;
    let all: Vec<usize> = of_a[..outer].to_vec();
    let is_one = of_b.len() == 2 && of_b.len() < of_a.len();
    if is_one {
        // The same matrix for all: rows of all are rows of one.
        of_a = vec![of_a[..=outer].iter().product(), of_a[outer + 1]];
    }
    let lead = of_a.len() - 2;
    if of_b.len() != of_a.len() || of_a[..lead] != of_b[..lead] {
        let what =
            format!("multiplies {:?} with {of_b:?}: as many matrices on both sides are", a.view.dims());
        return Err(Error::Invalid(what));
    }
    let n_outer: usize = of_a[..lead].iter().product();
    let (m, k, n) = (of_a[lead], of_a[lead + 1], of_b[lead + 1]);
    let (a_id, transpose_a) = if is_one {
        (cx.moved(&a, &View::row_major(&a.view.dims()), &[m, k])?, false)
    } else {
        matrices(cx, &a, n_outer)?
    };
    let (b_id, transpose_b) = matrices(cx, &b, n_outer)?;
    let op = MatMul { transpose_a, transpose_b, factor: None };
    let id = cx.apply(what, op, &[a_id, b_id])?;
    let rows =
        if is_one { [&all[..], &a.view.dims()[outer..=outer]].concat() } else { of_a[..=lead].to_vec() };
    let dims = [&rows[..], &[n]].concat();
    Ok(Placed { id, view: View::row_major(&dims) })
}

/// Matrices one behind another, `[m, k]` or `[outer, m, k]`, or transposed if they lie so.
fn matrices(cx: &mut Operator, x: &Placed, n_outer: usize) -> Result<(TensorId, bool)> {
    let dims = x.view.dims();
    let rank = dims.len();
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 1, rank - 2);
    let is_turned = x.view == View::in_order(&dims, &order) && x.view != View::row_major(&dims);
    if !is_turned {
        order.swap(rank - 1, rank - 2);
    }
    let inner = [dims[order[rank - 2]], dims[order[rank - 1]]];
    let wanted = if n_outer == 1 { inner.to_vec() } else { vec![n_outer, inner[0], inner[1]] };
    Ok((cx.moved(x, &View::in_order(&dims, &order), &wanted)?, is_turned))
}
