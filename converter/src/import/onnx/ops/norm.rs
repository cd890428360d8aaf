//! Normalizations, and softmax.

use dunlin::ops::pointwise::Function;
use dunlin::ops::{BatchNorm, LayerNorm, Pointwise, Softmax};

use super::super::Placed;
use super::super::operator::Operator;
use super::dense::innermost;
use super::elementwise::{DIFFERENCE, PRODUCT, SUM};
use super::reduce;
use crate::{Error, Result, TensorId};

/// Of each channel, with given statistics.
pub fn batch(cx: &mut Operator) -> Result<()> {
    if cx.has_output(1) || cx.int("training_mode", 0)? != 0 {
        return Err(Error::Invalid("is in training: export the model after model.eval()".to_string()));
    }
    let dims = cx.dims(0)?;
    if dims.len() < 2 {
        return Err(Error::Invalid(format!("normalizes {dims:?}, which has no channels")));
    }
    let x = cx.placed(0)?;
    let x = innermost(cx, x, |axis| axis == 1)?;
    let places = x.view.without(|axis| axis != 1).places();
    let mut inputs = vec![channels_of(cx, &x, places.len())?];
    for (i, what) in (1..).zip(["gamma", "beta", "mean", "variance"]) {
        let numbers = numbers_at(cx, i, &places)?;
        inputs.push(cx.constant(what, &[places.len()], numbers)?);
    }
    let epsilon = cx.float("epsilon", 1e-5)?;
    let id = cx.apply("", BatchNorm { epsilon }, &inputs)?;
    cx.emit(0, id, x.view)
}

/// The real numbers of input `i`, one for each of `places`, in their order in memory.
fn numbers_at(cx: &mut Operator, i: usize, places: &[usize]) -> Result<Vec<f32>> {
    let numbers = cx.reals(i)?;
    if numbers.len() != places.len() {
        let what = format!("has {} numbers in input {i} for {} channels", numbers.len(), places.len());
        return Err(Error::Invalid(what));
    }
    Ok(places.iter().map(|&place| numbers[place]).collect())
}

/// The tensor with `len` elements as its last dimension.
fn channels_of(cx: &mut Operator, x: &Placed, len: usize) -> Result<TensorId> {
    let dims = cx.graph().dims(x.id);
    if dims.last() == Some(&len) {
        return Ok(x.id);
    }
    cx.shaped(x.id, &[x.view.count() / len, len])
}

/// Of each vector along the last axes.
pub fn layer(cx: &mut Operator) -> Result<()> {
    if cx.has_output(1) {
        return Err(Error::Invalid("gives its statistics, too: export the model for inference".to_string()));
    }
    let x = cx.placed(0)?;
    let first = cx.axis(cx.int("axis", -1)?, x.view.rank())?;
    let x = innermost(cx, x, |axis| axis >= first)?;
    let places = x.view.without(|axis| axis < first).places();
    let mut inputs = vec![channels_of(cx, &x, places.len())?];
    let gamma = numbers_at(cx, 1, &places)?;
    let beta = if cx.has_input(2) { numbers_at(cx, 2, &places)? } else { vec![0.0; places.len()] };
    for (what, numbers) in [("gamma", gamma), ("beta", beta)] {
        inputs.push(cx.constant(what, &[places.len()], numbers)?);
    }
    let epsilon = cx.float("epsilon", 1e-5)?;
    let id = cx.apply("", LayerNorm::F32 { epsilon }, &inputs)?;
    cx.emit(0, id, x.view)
}

/// Of each channel of each sample, with its own statistics: what group normalization is made of, too.
pub fn instance(cx: &mut Operator) -> Result<()> {
    let (x, epsilon) = (cx.placed(0)?, cx.float("epsilon", 1e-5)?);
    let spatial = |axis: usize| axis > 1;
    let layout = x.view.layout(&cx.graph().dims(x.id), spatial);
    let id = cx.shaped(x.id, &layout)?;
    let mean = reduce::mean_of(cx, "mean", &x.view, id, spatial)?;
    let centred = cx.apply("centred", DIFFERENCE, &[id, mean])?;
    let square = cx.apply("square", PRODUCT, &[centred, centred])?;
    let variance = reduce::mean_of(cx, "variance", &x.view, square, spatial)?;
    let epsilon = cx.constant("epsilon", &[1], vec![epsilon])?;
    let variance = cx.apply("positive", SUM, &[variance, epsilon])?;
    let inverse = cx.apply("inverse", Pointwise { function: Function::Rsqrt }, &[variance])?;
    let channels = x.view.without(|axis| axis != 1);
    let (places, of_channels) = (channels.places(), x.view.marked(&layout, |axis| axis == 1));
    let dims: Vec<usize> =
        layout.iter().zip(&of_channels).map(|(&dim, &is)| if is { dim } else { 1 }).collect();
    let mut factors = Vec::new();
    for (i, what) in [(1, "gamma"), (2, "beta")] {
        let numbers = numbers_at(cx, i, &places)?;
        factors.push(cx.constant(what, &dims, numbers)?);
    }
    let scale = cx.apply("scale", PRODUCT, &[inverse, factors[0]])?;
    let scaled = cx.apply("scaled", PRODUCT, &[centred, scale])?;
    let id = cx.apply("", SUM, &[scaled, factors[1]])?;
    cx.emit(0, id, x.view)
}

/// Along an axis; before version 13 along it and all behind it.
pub fn softmax(cx: &mut Operator) -> Result<()> {
    let (x, len) = softmax_input(cx)?;
    let id = channels_of(cx, &x, len)?;
    let id = cx.apply("", Softmax::F32 { beta: 1.0 }, &[id])?;
    cx.emit(0, id, x.view)
}

fn softmax_input(cx: &mut Operator) -> Result<(Placed, usize)> {
    let x = cx.placed(0)?;
    let is_newer = cx.version() >= 13;
    let first = cx.axis(cx.int("axis", if is_newer { -1 } else { 1 })?, x.view.rank())?;
    let is_along = |axis: usize| axis == first || axis > first && !is_newer;
    let x = innermost(cx, x, is_along)?;
    let len = x.view.without(|axis| !is_along(axis)).count();
    Ok((x, len))
}

/// `x - max - ln(sum(e^(x - max)))`, which neither overflows nor is infinite where the softmax is 0.
pub fn log_softmax(cx: &mut Operator) -> Result<()> {
    let (x, len) = softmax_input(cx)?;
    let rows = x.view.count() / len;
    let id = cx.shaped(x.id, &[rows, len])?;
    let greatest = reduce::greatest_of(cx, "greatest", id, [rows, len, 1])?;
    let greatest = cx.shaped(greatest, &[rows, 1])?;
    let below = cx.apply("below", DIFFERENCE, &[id, greatest])?;
    let exp = cx.apply("exp", Pointwise { function: Function::Exp }, &[below])?;
    let name = cx.name();
    let sum = cx.graph().sum_to(&format!("{name}/sum"), exp, &[rows, 1])?;
    let ln = cx.apply("ln", Pointwise { function: Function::Ln }, &[sum])?;
    let id = cx.apply("", DIFFERENCE, &[below, ln])?;
    cx.emit(0, id, x.view)
}
