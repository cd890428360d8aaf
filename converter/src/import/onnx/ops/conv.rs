//! Convolutions of series and images.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::window::Window;
use dunlin::ops::{Concat, Conv2d, TransposeConv2d};

use super::super::array::Array;
use super::super::channels_last;
use super::super::operator::Operator;
use super::super::view::View;
use super::parts;
use crate::ops::Op;
use crate::padding::same;
use crate::{Error, Result, TensorId};

/// A series `[n, c, t]` as an image of one row, or an image `[n, c, h, w]`.
pub struct Image {
    /// `[n, h, w, c]`.
    pub id: TensorId,
    /// `[n, h, w, c]`.
    pub dims: [usize; 4],
    /// Dimensions in the file.
    pub rank: usize,
}

/// Input 0 as an image with its channels last.
///
/// # Errors
/// If it has other than 3 or 4 dimensions.
pub fn image(cx: &mut Operator) -> Result<Image> {
    let (dims, rank) = (image_dims(&cx.dims(0)?)?, cx.dims(0)?.len());
    Ok(Image { id: cx.in_order(0, &channels_last(rank), &dims)?, dims, rank })
}

fn image_dims(dims: &[usize]) -> Result<[usize; 4]> {
    match *dims {
        [n, c, t] => Ok([n, 1, t, c]),
        [n, c, h, w] => Ok([n, h, w, c]),
        _ => Err(Error::Invalid(format!(
            "works on {} dimensions ({dims:?}): series [n, c, t] and images [n, c, h, w] are taken",
            dims.len()
        ))),
    }
}

/// Makes an image `[n, h, w, c]` the output, which has the rank of the input.
///
/// # Errors
/// As [`Operator::emit_in_order`].
pub fn emit_image(cx: &mut Operator, id: TensorId, rank: usize) -> Result<()> {
    let dims = cx.graph().dims(id);
    let &[n, h, w, c] = &dims[..] else {
        return Err(Error::Invalid(format!("makes {dims:?} where an image is expected")));
    };
    let dims = if rank == 3 { vec![n, c, h * w] } else { vec![n, c, h, w] };
    cx.emit_in_order(id, &dims, &channels_last(rank))
}

/// A pair `[y, x]` of an attribute that has a number for each dimension of a series or image; each 1 if it is absent.
///
/// # Errors
/// If one is not in 1 to 255.
pub fn pair(cx: &Operator, name: &str, rank: usize) -> Result<[u8; 2]> {
    let given = cx.ints(name)?.unwrap_or_else(|| vec![1; rank - 2]);
    let both = match given[..] {
        [x] if rank == 3 => [1, x],
        [y, x] if rank == 4 => [y, x],
        _ => return Err(Error::Invalid(format!("has {name} {given:?} for {rank} dimensions"))),
    };
    let [Some(y), Some(x)] = both.map(|n| u8::try_from(n).ok().filter(|&n| n > 0)) else {
        return Err(Error::Invalid(format!("has {name} {given:?}: 1 to 255 are taken")));
    };
    Ok([y, x])
}

/// The window that the attributes describe, of `kernel` on an image of `size`.
///
/// # Errors
/// If a number is beyond 255, or the rule of padding is unknown.
pub fn window(cx: &Operator, rank: usize, kernel: [usize; 2], size: [usize; 2]) -> Result<Window> {
    let (stride, dilation) = (pair(cx, "strides", rank)?, pair(cx, "dilations", rank)?);
    let pads = match &cx.text("auto_pad", "NOTSET")?[..] {
        "NOTSET" => explicit_pads(cx, rank)?,
        "VALID" => [0; 4],
        rule @ ("SAME_UPPER" | "SAME_LOWER") => {
            let along = |axis: usize| same(kernel[axis], stride[axis], dilation[axis], size[axis]);
            let ([mut top, mut bottom], [mut left, mut right]) = (along(0)?, along(1)?);
            if rule == "SAME_LOWER" {
                (top, bottom, left, right) = (bottom, top, right, left);
            }
            [top, left, bottom, right]
        }
        other => return Err(Error::Invalid(format!("has the unknown rule of padding {other}"))),
    };
    Ok(Window { stride, dilation, pads })
}

/// `[top, left, bottom, right]`.
///
/// # Errors
/// If one is not in 0 to 255.
pub fn explicit_pads(cx: &Operator, rank: usize) -> Result<[u8; 4]> {
    let given = cx.ints("pads")?.unwrap_or_else(|| vec![0; 2 * (rank - 2)]);
    let all = match given[..] {
        [left, right] if rank == 3 => [0, left, 0, right],
        [top, left, bottom, right] if rank == 4 => [top, left, bottom, right],
        _ => return Err(Error::Invalid(format!("has pads {given:?} for {rank} dimensions"))),
    };
    let mut pads = [0; 4];
    for (slot, pad) in pads.iter_mut().zip(all) {
        *slot = u8::try_from(pad).map_err(|_| {
            Error::Invalid(format!("pads by {pad}: 0 to 255 are taken, by the network's padding"))
        })?;
    }
    Ok(pads)
}

/// Weights in the file `[c_out, c_in, h, w]`; `[c_out, h, w, c_in]`.
pub fn convolution(cx: &mut Operator) -> Result<()> {
    let Image { id, dims: [_, h, w, channels], rank } = image(cx)?;
    let weights = cx.dims(1)?;
    if weights.len() != rank {
        return Err(Error::Invalid(format!("has weights {weights:?} for {rank} dimensions")));
    }
    let [c_out, kh, kw, taps] = image_dims(&weights)?;
    let groups = cx.int("group", 1)?;
    if usize::try_from(groups).ok().and_then(|groups| taps.checked_mul(groups)) != Some(channels) {
        let what =
            format!("has {groups} groups, weights {weights:?} and {channels} channels, which do not fit");
        return Err(Error::Invalid(what));
    }
    let window = window(cx, rank, [kh, kw], [h, w])?;
    let mut inputs = vec![id, cx.in_order(1, &channels_last(rank), &[c_out, kh, kw, taps])?];
    cx.store_weights(1, inputs[1], 0, 0)?;
    inputs.extend(bias(cx, c_out)?);
    let n_copied = if groups == 1 { 0 } else { c_out * (kh * kw * taps + 1) };
    let made = match cx.parts(n_copied)?.last_node(Conv2d { window, bounds: Bounds::None }, &inputs)? {
        (Op::Concat(joins), of_groups) => parts::joined(cx, "", joins, of_groups)?,
        (op, inputs) => cx.apply("", op, &inputs)?,
    };
    emit_image(cx, made, rank)
}

/// Input 2, if it is there.
fn bias(cx: &mut Operator, c_out: usize) -> Result<Option<TensorId>> {
    if !cx.has_input(2) {
        return Ok(None);
    }
    let dims = cx.dims(2)?;
    if dims != [c_out] {
        return Err(Error::Invalid(format!("has biases {dims:?} for {c_out} channels")));
    }
    cx.in_order(2, &[0], &[c_out]).map(Some)
}

/// Weights in the file `[c_in, c_out / groups, h, w]`.
pub fn transposed(cx: &mut Operator) -> Result<()> {
    let Image { id, dims: [_, h, w, channels], rank } = image(cx)?;
    let weights = cx.dims(1)?;
    let [c_in, kh, kw, c_out] = image_dims(&weights)?;
    let groups = usize::try_from(cx.int("group", 1)?).unwrap_or(0);
    if weights.len() != rank || c_in != channels || groups == 0 || channels % groups != 0 {
        let what = format!("has {groups} groups and weights {weights:?} for {channels} channels");
        return Err(Error::Invalid(what));
    }
    let (window, output) = transposed_window(cx, rank, [kh, kw], [h, w])?;
    let op = TransposeConv2d { window, output, bounds: Bounds::None };
    let order: Vec<usize> = if rank == 3 { vec![1, 2, 0] } else { vec![1, 2, 3, 0] };
    let mut inputs = vec![id];
    if groups == 1 {
        inputs.push(cx.in_order(1, &order, &[c_out, kh, kw, c_in])?);
        cx.store_weights(1, inputs[1], 1, 0)?;
    } else {
        inputs.push(group_weights(cx, [groups, c_in / groups, c_out, kh, kw])?);
    }
    inputs.extend(bias(cx, groups * c_out)?);
    let made = if groups == 1 {
        cx.apply("", op, &inputs)?
    } else {
        let n_copied = groups * c_out * (kh * kw * c_in / groups + 1);
        let of_groups = cx.parts(n_copied)?.of_groups(op, &inputs, groups)?;
        parts::joined(cx, "", Concat { axis: 3 }, of_groups)?
    };
    emit_image(cx, made, rank)
}

/// Weights `[groups, c_in, c_out, kh, kw]` of input 1 as `[groups * c_out, kh, kw, c_in]`.
fn group_weights(cx: &mut Operator, dims: [usize; 5]) -> Result<TensorId> {
    let [groups, c_in, c_out, kh, kw] = dims;
    let array = cx.constant_input(1)?;
    let split = Array { dims: dims.to_vec(), ..(*array).clone() };
    let placed = cx.place(1, &split, &View::in_order(&dims, &[0, 2, 3, 4, 1]))?;
    let weights = cx.shaped(placed.id, &[groups * c_out, kh, kw, c_in])?;
    cx.store_weights(1, weights, 1, 0)?;
    // The same channels of every group have the same scale.
    if let Some(quant) = cx.graph()[weights].quant.as_mut().filter(|quant| quant.axis.is_some()) {
        quant.scales = quant.scales.repeat(groups);
    }
    Ok(weights)
}

/// The window of the convolution that goes the other way, and the size of the output.
fn transposed_window(
    cx: &Operator,
    rank: usize,
    kernel: [usize; 2],
    size: [usize; 2],
) -> Result<(Window, [u16; 2])> {
    let (stride, dilation) = (pair(cx, "strides", rank)?, pair(cx, "dilations", rank)?);
    if cx.text("auto_pad", "NOTSET")? != "NOTSET" || cx.ints("output_shape")?.is_some() {
        let what = "is padded by a rule or to a shape: export it with pads and output_padding";
        return Err(Error::Invalid(what.to_string()));
    }
    let pads = explicit_pads(cx, rank)?;
    let more = cx.ints("output_padding")?.unwrap_or_else(|| vec![0; rank - 2]);
    let more = match more[..] {
        [x] if rank == 3 => [0, x],
        [y, x] if rank == 4 => [y, x],
        _ => return Err(Error::Invalid(format!("has output_padding {more:?} for {rank} dimensions"))),
    };
    let along = |axis: usize| {
        let stride = i64::from(stride[axis]);
        if !(0..stride).contains(&more[axis]) {
            return None;
        }
        let span = (kernel[axis] as i64 - 1) * i64::from(dilation[axis]) + 1;
        let whole = (size[axis] as i64 - 1) * stride + span + more[axis];
        let len = whole - i64::from(pads[axis]) - i64::from(pads[axis + 2]);
        u16::try_from(len).ok().filter(|&len| len > 0)
    };
    match (along(0), along(1)) {
        (Some(h), Some(w)) => Ok((Window { stride, dilation, pads }, [h, w])),
        _ => Err(Error::Invalid(format!("makes no image of {size:?} with output_padding {more:?}"))),
    }
}
