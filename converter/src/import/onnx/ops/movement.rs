//! Operators that only rename or move dimensions: nothing is computed, the view changes.

use super::super::array::{Array, filled};
use super::super::operator::Operator;
use super::super::view::View;
use super::super::{Placed, fold};
use super::broadcast::broadcast;
use crate::{Error, Result};

pub fn transpose(cx: &mut Operator) -> Result<()> {
    let rank = cx.dims(0)?.len();
    let perm = permutation(cx, rank)?;
    cx.forward(|view| view.transposed(&perm))
}

/// The axes in the order that a transposition gives them: backwards if it does not say.
///
/// # Errors
/// If they are not those of a tensor of `rank` dimensions, each once.
pub fn permutation(cx: &Operator, rank: usize) -> Result<Vec<usize>> {
    let perm = cx.ints("perm")?.unwrap_or_else(|| (0..rank as i64).rev().collect());
    let perm: Vec<usize> = perm.iter().map(|&axis| cx.axis(axis, rank)).collect::<Result<_>>()?;
    if perm.len() != rank || (0..rank).any(|axis| !perm.contains(&axis)) {
        return Err(Error::Invalid(format!("orders {rank} dimensions as {perm:?}")));
    }
    Ok(perm)
}

/// Gives input 0 other dimensions; its elements move into their order if the axes cannot be split and joined where they lie.
fn reshape_to(cx: &mut Operator, dims: &[usize]) -> Result<()> {
    let placed = cx.placed(0)?;
    if let Some(view) = placed.view.reshaped(dims) {
        return cx.emit(0, placed.id, view);
    }
    let plain = View::row_major(&placed.view.dims());
    let id = cx.moved(&placed, &plain, &[plain.count()])?;
    match View::row_major(&[plain.count()]).reshaped(dims) {
        Some(view) => cx.emit(0, id, view),
        None => Err(Error::Invalid(format!("gives {} elements the dimensions {dims:?}", plain.count()))),
    }
}

pub fn reshape(cx: &mut Operator) -> Result<()> {
    let dims = cx.dims(0)?;
    let given = cx.ints_or_input("shape", 1)?.ok_or_else(|| Error::Invalid("has no shape".to_string()))?;
    let wanted = given_dims(&given, &dims, cx.int("allowzero", 0)? != 0)?;
    reshape_to(cx, &wanted)
}

/// Dimensions for the elements of a tensor of `dims`: 0 is that of the tensor, -1 what is left.
pub fn given_dims(given: &[i64], dims: &[usize], allows_zero: bool) -> Result<Vec<usize>> {
    let refuse = || Error::Invalid(format!("reshapes {dims:?} to {given:?}: export it with fixed shapes"));
    let mut open = None;
    let mut wanted = Vec::new();
    for (i, &dim) in given.iter().enumerate() {
        wanted.push(match dim {
            1.. => usize::try_from(dim).map_err(|_| refuse())?,
            0 if !allows_zero => *dims.get(i).ok_or_else(refuse)?,
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            _ => return Err(refuse()),
        });
    }
    let count: usize = dims.iter().product();
    let known =
        wanted.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim)).ok_or_else(refuse)?;
    if let Some(open) = open {
        wanted[open] = count.checked_div(known).ok_or_else(refuse)?;
    }
    let fits = if open.is_some() { count.checked_rem(known) == Some(0) } else { known == count };
    if fits { Ok(wanted) } else { Err(refuse()) }
}

/// A matrix: dimensions before an axis, and those from it on.
pub fn flatten(cx: &mut Operator) -> Result<()> {
    let dims = cx.dims(0)?;
    let axis = cx.int("axis", 1)?;
    let axis = if axis == dims.len() as i64 { dims.len() } else { cx.axis(axis, dims.len())? };
    reshape_to(cx, &[dims[..axis].iter().product(), dims[axis..].iter().product()])
}

/// Drops axes of length 1: all, or those that are named.
pub fn squeeze(cx: &mut Operator) -> Result<()> {
    let dims = cx.dims(0)?;
    let axes = match cx.ints_or_input("axes", 1)? {
        Some(axes) => cx.axes(&axes, dims.len())?,
        None => (0..dims.len()).filter(|&axis| dims[axis] == 1).collect(),
    };
    if axes.iter().any(|&axis| dims[axis] != 1) {
        return Err(Error::Invalid(format!("drops the axes {axes:?} of {dims:?}")));
    }
    cx.forward(|view| axes.iter().rev().fold(view, |view, &axis| view.without_axis(axis)))
}

/// Adds axes of length 1.
pub fn unsqueeze(cx: &mut Operator) -> Result<()> {
    let rank = cx.dims(0)?.len();
    let axes = cx.ints_or_input("axes", 1)?.ok_or_else(|| Error::Invalid("has no axes".to_string()))?;
    let axes = cx.axes(&axes, rank + axes.len())?;
    cx.forward(|view| axes.iter().fold(view, |view, &axis| view.with_axis(axis)))
}

/// Copies along axes of length 1: a sum with zeros.
pub fn expand(cx: &mut Operator) -> Result<()> {
    let (dims, wanted) = (cx.dims(0)?, cx.wholes(1)?.unwrap_or_default());
    let wanted: Vec<usize> = wanted.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
    let whole = broadcast(&dims, &wanted)?;
    if whole == dims {
        return cx.forward(|view| view);
    }
    let zeros = cx.known_as("zeros", Array::real(&whole, filled(&whole, 0.0)?));
    cx.become_part("Add", &[cx.input_name(0), zeros])
}

/// The upper or lower triangle of each matrix: a product with ones and zeros.
pub fn triangle(cx: &mut Operator) -> Result<()> {
    let dims = cx.dims(0)?;
    let dims = &dims[dims.len().saturating_sub(2)..];
    let ones = fold::triangle(cx, &Array::real(dims, filled(dims, 1.0)?))?;
    let ones = cx.known_as("ones", ones);
    cx.become_part("Mul", &[cx.input_name(0), ones])
}

/// Blocks of pixels from channels.
pub fn depth_to_space(cx: &mut Operator) -> Result<()> {
    let (dims, b) = (cx.dims(0)?, block(cx)?);
    let &[n, c, h, w] = &dims[..] else { return Err(no_image(&dims)) };
    let is_columns_first = cx.text("mode", "DCR")? == "CRD";
    let refuse = || Error::Invalid(format!("makes blocks of {b} pixels of {c} channels"));
    let inner = c / (b * b);
    let split = if is_columns_first { [n, inner, b, b, h, w] } else { [n, b, b, inner, h, w] };
    let perm = if is_columns_first { [0, 1, 4, 2, 5, 3] } else { [0, 3, 4, 1, 5, 2] };
    let Placed { id, view } = whole_axes(cx)?;
    let view = view.reshaped(&split).ok_or_else(refuse)?.transposed(&perm);
    joined_axes(cx, Placed { id, view }, &[n, inner, h * b, w * b])
}

/// Channels from blocks of pixels.
pub fn space_to_depth(cx: &mut Operator) -> Result<()> {
    let (dims, b) = (cx.dims(0)?, block(cx)?);
    let &[n, c, h, w] = &dims[..] else { return Err(no_image(&dims)) };
    let refuse = || Error::Invalid(format!("makes channels of blocks of {b} pixels of {dims:?}"));
    let Placed { id, view } = whole_axes(cx)?;
    let split = view.reshaped(&[n, c, h / b, b, w / b, b]).ok_or_else(refuse)?;
    joined_axes(cx, Placed { id, view: split.transposed(&[0, 3, 5, 1, 2, 4]) }, &[n, c * b * b, h / b, w / b])
}

fn block(cx: &Operator) -> Result<usize> {
    let size = cx.int("blocksize", 0)?;
    let block = usize::try_from(size).ok().filter(|b| (1..=255).contains(b));
    block.ok_or_else(|| Error::Invalid(format!("has blocks of {size} pixels: 1 to 255 are taken")))
}

fn no_image(dims: &[usize]) -> Error {
    Error::Invalid(format!("takes images [n, c, h, w], and is given {dims:?}"))
}

/// Input 0 with each axis in one piece, which can be split in any way.
fn whole_axes(cx: &mut Operator) -> Result<Placed> {
    Ok(super::parts::in_pieces(cx)?.0)
}

/// Makes neighbouring axes that were split one again.
fn joined_axes(cx: &mut Operator, placed: Placed, dims: &[usize]) -> Result<()> {
    match placed.view.reshaped(dims) {
        Some(view) => cx.emit(0, placed.id, view),
        None => Err(Error::Invalid(format!("makes {dims:?} of {:?}", placed.view.dims()))),
    }
}
