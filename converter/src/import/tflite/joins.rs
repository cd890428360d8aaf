//! What TensorFlow writes as several operators around one, and is imported as one.
//!
//! A dilated convolution where the batch is open: SPACE_TO_BATCH_ND deals the image's pixels out to several samples, a
//! plain convolution follows, and BATCH_TO_SPACE_ND collects them again. And elements that are repeated, by way of five
//! dimensions: EXPAND_DIMS, TILE and RESHAPE where the batch is open, otherwise RESHAPE and TILE in turns.

use std::collections::HashSet;

use dunlin::ops::window::Window;

use super::file::{File, OperatorRecord};
use super::{schema, shapes};
use crate::{Error, Result};

/// What the two operators around a convolution say: a number for each dimension of its image, paddings and crops two.
pub struct Dilation {
    block: Vec<i32>,
    pads: Vec<i32>,
    crops: Vec<i32>,
}

impl Dilation {
    /// The window on the image before it is dealt out. Of a series, which is an image of one row or one column, the other
    /// dimension is the one along which the kernel has one tap.
    ///
    /// # Errors
    /// If the convolution pads or strides, too, or if more is cropped than was padded.
    pub fn window(&self, kernel: [usize; 2], padding: i8, stride: [u8; 2]) -> Result<Window> {
        if padding != schema::padding::VALID || stride != [1, 1] {
            let what = "pads or strides between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND";
            return Err(Error::Invalid(what.to_string()));
        }
        let first_axis = if self.block.len() == 1 && kernel[0] == 1 { 1 } else { 0 };
        let mut window = Window::UNIT;
        for (i, &block) in self.block.iter().enumerate() {
            let axis = first_axis + i;
            let number = |n: i32| {
                u8::try_from(n)
                    .map_err(|_| Error::Invalid(format!("dilates or pads by {n}: 0 to 255 are taken")))
            };
            let pad = |end: usize| number(self.pads[2 * i + end].saturating_sub(self.crops[2 * i + end]));
            window.dilation[axis] = number(block)?;
            (window.pads[axis], window.pads[axis + 2]) = (pad(0)?, pad(1)?);
        }
        Ok(window)
    }
}

/// What RESHAPEs and TILEs in turns make of an image.
pub struct Repetition {
    /// The image's dimensions.
    pub dims: Vec<usize>,
    /// How often each element follows itself along these.
    pub copies: Vec<usize>,
}

/// Joins every convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND with these, and every TILE between EXPAND_DIMS to
/// five dimensions and RESHAPE, or between RESHAPEs, with those.
///
/// # Errors
/// If the file is damaged.
pub fn join<'a>(
    file: &File,
    mut operators: Vec<OperatorRecord<'a>>,
    outputs: &[usize],
) -> Result<Vec<OperatorRecord<'a>>> {
    let mut joined = HashSet::new();
    for end in 0..operators.len() {
        if let Some([start, tile]) = repetition_before(file, &operators, outputs, end)? {
            joined.extend([start, end]);
            operators[tile].inputs[0] = operators[start].inputs[0];
            operators[tile].outputs = std::mem::take(&mut operators[end].outputs);
            operators[start].outputs.clear();
            continue;
        }
        if let Some((repetition, first, chain)) = repeated_image_before(file, &operators, outputs, end)? {
            operators[first].inputs[0] = operators[chain[0]].inputs[0];
            operators[first].outputs = std::mem::take(&mut operators[end].outputs);
            operators[first].repetition = Some(repetition);
            for i in chain {
                operators[i].outputs.clear();
                joined.insert(i);
            }
            continue;
        }
        let Some([start, conv]) = convolution_before(&operators, outputs, end) else { continue };
        let Some(dilation) = dilation(file, &operators[start], &operators[end])? else { continue };
        let mut each = end;
        while each != start {
            joined.extend((each != conv).then_some(each));
            each = before(&operators, outputs, each).unwrap_or(start);
        }
        joined.insert(start);
        operators[conv].inputs[0] = operators[start].inputs[0];
        operators[conv].outputs = operators[end].outputs.clone();
        operators[conv].dilation = Some(dilation);
        // Nothing is to be found by way of these any more.
        operators[start].outputs.clear();
        operators[end].outputs.clear();
    }
    let mut place = 0..;
    operators.retain(|_| place.next().is_none_or(|i| !joined.contains(&i)));
    Ok(operators)
}

/// Leaves out what Keras writes around the indices of an embedding: SELECT_V2, which takes those below 0 counted from behind.
/// A table on the device has no such rows.
///
/// # Errors
/// If the file is damaged.
pub fn skip_negative_indices<'a>(
    file: &File,
    mut operators: Vec<OperatorRecord<'a>>,
) -> Result<Vec<OperatorRecord<'a>>> {
    for i in 0..operators.len() {
        let &[Some(condition), _, Some(index)] = &operators[i].inputs[..] else { continue };
        if operators[i].name != "SELECT_V2" {
            continue;
        }
        let less = operators[..i].iter().find(|each| each.outputs == [condition] && each.name == "LESS");
        let is_below_0 = match less {
            Some(less) => less.inputs.first() == Some(&Some(index)) && ints(file, less, 1)? == Some(vec![0]),
            None => false,
        };
        let &[output] = &operators[i].outputs[..] else { continue };
        for input in operators[i + 1..].iter_mut().flat_map(|each| &mut each.inputs).filter(|_| is_below_0) {
            *input = if *input == Some(output) { Some(index) } else { *input };
        }
    }
    Ok(operators)
}

/// The SPACE_TO_BATCH_ND and the convolution whose results BATCH_TO_SPACE_ND number `end` collects.
fn convolution_before(operators: &[OperatorRecord], outputs: &[usize], end: usize) -> Option<[usize; 2]> {
    if operators[end].name != "BATCH_TO_SPACE_ND" {
        return None;
    }
    let skip_views = |mut i: usize| {
        while matches!(operators[i].name, "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS") {
            i = before(operators, outputs, i)?;
        }
        Some(i)
    };
    let conv = skip_views(before(operators, outputs, end)?)?;
    if !matches!(operators[conv].name, "CONV_2D" | "DEPTHWISE_CONV_2D") {
        return None;
    }
    let start = skip_views(before(operators, outputs, conv)?)?;
    (operators[start].name == "SPACE_TO_BATCH_ND").then_some([start, conv])
}

/// The EXPAND_DIMS and the TILE whose results RESHAPE number `end` brings back to at most four dimensions, if there are
/// copies along the new dimension alone.
fn repetition_before(
    file: &File,
    operators: &[OperatorRecord],
    outputs: &[usize],
    end: usize,
) -> Result<Option<[usize; 2]>> {
    let chain = || {
        let tile = (operators[end].name == "RESHAPE").then(|| before(operators, outputs, end))??;
        let start = (operators[tile].name == "TILE").then(|| before(operators, outputs, tile))??;
        (operators[start].name == "EXPAND_DIMS").then_some([start, tile])
    };
    let Some([start, tile]) = chain() else { return Ok(None) };
    let (Some(axis), Some(copies)) = (ints(file, &operators[start], 1)?, ints(file, &operators[tile], 1)?)
    else {
        return Ok(None);
    };
    let axis = match axis[..] {
        [axis] if axis < 0 => usize::try_from(i64::from(axis) + copies.len() as i64),
        [axis] => usize::try_from(axis),
        _ => return Ok(None),
    };
    let is_alone = |(i, &n): (usize, &i32)| n == 1 || Ok(i) == axis;
    let fits = copies.len() == 5 && copies.iter().enumerate().all(is_alone);
    Ok(fits.then_some([start, tile]))
}

/// Of RESHAPE and TILE in turns, which RESHAPE number `end` brings back to at most four dimensions: what they do, the first
/// TILE, and all the others from the first RESHAPE to `end`.
fn repeated_image_before(
    file: &File,
    operators: &[OperatorRecord],
    outputs: &[usize],
    end: usize,
) -> Result<Option<(Repetition, usize, Vec<usize>)>> {
    let is_end = match operators[end].outputs[..] {
        [output] => operators[end].name == "RESHAPE" && file.tensor(output)?.dims.len() <= 4,
        _ => false,
    };
    let (mut chain, mut copies, mut later) = (vec![end], vec![1; 4], None);
    while let Some([start, tile]) = tile_before(operators, outputs, chain[0]).filter(|_| is_end) {
        let Some((dims, axis, n)) = repeated_axis(file, &operators[start], &operators[tile])? else { break };
        let mut larger = dims.clone();
        larger[axis] = larger[axis].saturating_mul(n);
        // What RESHAPE makes of one TILE must be the image of the next.
        if later.is_some_and(|later| later != larger) {
            return Ok(None);
        }
        copies[axis] = n.saturating_mul(copies[axis]);
        later = Some(dims);
        chain.splice(0..0, [start, tile]);
    }
    Ok(later.map(|dims| {
        let first = chain.remove(1);
        (Repetition { dims, copies }, first, chain)
    }))
}

/// The RESHAPE and the TILE before RESHAPE number `end`.
fn tile_before(operators: &[OperatorRecord], outputs: &[usize], end: usize) -> Option<[usize; 2]> {
    let tile = before(operators, outputs, end)?;
    let start = (operators[tile].name == "TILE").then(|| before(operators, outputs, tile))??;
    (operators[start].name == "RESHAPE").then_some([start, tile])
}

/// Of a RESHAPE to five dimensions and a TILE along one of them, which has one element: the other four, and which of these
/// gets each element how often.
fn repeated_axis(
    file: &File,
    start: &OperatorRecord,
    tile: &OperatorRecord,
) -> Result<Option<(Vec<usize>, usize, usize)>> {
    let (Some(dims), Some(copies)) = (ints(file, start, 1)?, ints(file, tile, 1)?) else { return Ok(None) };
    let numbers =
        |ints: Vec<i32>| ints.into_iter().map(|n| usize::try_from(n).ok().filter(|&n| n > 0)).collect();
    let (Some(mut dims), Some(copies)): (Option<Vec<usize>>, Option<Vec<usize>>) =
        (numbers(dims), numbers(copies))
    else {
        return Ok(None);
    };
    let mut repeated = (0..copies.len()).filter(|&axis| copies[axis] > 1);
    match (repeated.next(), repeated.next()) {
        (Some(axis), None) if axis > 0 && copies.len() == 5 && dims.len() == 5 && dims[axis] == 1 => {
            dims.remove(axis);
            Ok(Some((dims, axis - 1, copies[axis])))
        }
        _ => Ok(None),
    }
}

/// The integers of constant input `i`.
fn ints(file: &File, record: &OperatorRecord, i: usize) -> Result<Option<Vec<i32>>> {
    match record.inputs.get(i) {
        Some(&Some(tensor)) => shapes::constant(file, tensor),
        _ => Ok(None),
    }
}

/// The operator that computes input 0 of operator `i`, if nothing else reads what it computes.
fn before(operators: &[OperatorRecord], outputs: &[usize], i: usize) -> Option<usize> {
    let input = (*operators[i].inputs.first()?)?;
    let n_readers =
        operators.iter().flat_map(|each| each.inputs.iter().flatten()).filter(|&&x| x == input).count();
    let producer = operators[..i].iter().position(|each| each.outputs == [input]);
    producer.filter(|_| n_readers == 1 && !outputs.contains(&input))
}

/// What both say, if it belongs together.
fn dilation(file: &File, start: &OperatorRecord, end: &OperatorRecord) -> Result<Option<Dilation>> {
    let both = |i: usize| Ok::<_, Error>([ints(file, start, i)?, ints(file, end, i)?]);
    let (blocks, paddings) = (both(1)?, both(2)?);
    let ([Some(block), Some(other)], [Some(pads), Some(crops)]) = (blocks, paddings) else { return Ok(None) };
    let n = block.len();
    let fits = (1..=2).contains(&n) && block == other && [pads.len(), crops.len()] == [2 * n; 2];
    Ok(fits.then_some(Dilation { block, pads, crops }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paddings_lose_what_is_cropped() {
        let image = Dilation { block: vec![2, 3], pads: vec![2, 3, 3, 5], crops: vec![0, 1, 0, 2] };
        let window = image.window([3, 3], schema::padding::VALID, [1, 1]).unwrap();
        assert_eq!((window.dilation, window.pads), ([2, 3], [2, 3, 2, 3]));
        assert!(image.window([3, 3], schema::padding::SAME, [1, 1]).is_err());
        assert!(image.window([3, 3], schema::padding::VALID, [2, 1]).is_err());
        let series = Dilation { block: vec![4], pads: vec![8, 1], crops: vec![0, 1] };
        let window = |kernel| series.window(kernel, schema::padding::VALID, [1, 1]).unwrap();
        assert_eq!((window([1, 3]).dilation, window([1, 3]).pads), ([1, 4], [0, 8, 0, 0]));
        assert_eq!((window([3, 1]).dilation, window([3, 1]).pads), ([4, 1], [8, 0, 0, 0]));
        let cropped = Dilation { crops: vec![9, 0], ..series };
        assert!(cropped.window([1, 3], schema::padding::VALID, [1, 1]).is_err());
    }
}
