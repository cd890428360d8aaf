//! Operators whose results are known at import: what PyTorch computes of shapes, and of constants.

use std::rc::Rc;

use super::arithmetic::{self, several, unary};
use super::array::{Array, MAX_ELEMENTS, Numbers, count};
use super::operator::Operator;
use super::ops::broadcast::broadcast;
use super::ops::movement::{given_dims, permutation};
use super::ops::parts::ranges;
use super::schema::element;
use crate::{Error, Result};

/// Computes the outputs from input 0 and others that are known; none if that is left to the graph.
type Rule = fn(&mut Operator, &Array) -> Result<Vec<Array>>;

/// How the outputs of an operator follow from known inputs, if they are computed here.
fn rule(kind: &str) -> Option<Rule> {
    Some(match kind {
        "Cast" => |cx, x| one(cast(x, cx.int("to", 0)?)),
        "Concat" => |cx, x| one(concat(cx, x)),
        "ConstantOfShape" => |cx, x| one(filled(cx, x)),
        "CumSum" => |_, x| Ok(running_sum(x).into_iter().collect()),
        "Expand" => |cx, x| one(expanded(cx, x)),
        "Flatten" => |cx, x| one(flattened(cx, x)),
        "Gather" => |cx, x| one(gathered(cx, x)),
        "Identity" => |_, x| Ok(vec![x.clone()]),
        "Range" => |cx, _| one(range(cx)),
        "Reshape" => |cx, x| one(reshaped(cx, x)),
        "Slice" => |cx, x| one(sliced(cx, x)),
        "Split" => split,
        "Squeeze" => |cx, x| one(squeezed(cx, x)),
        "Tile" => |cx, x| one(tiled(cx, x)),
        "Transpose" => |cx, x| one(transposed(cx, x)),
        "Trilu" => |cx, x| one(triangle(cx, x)),
        "Unsqueeze" => |cx, x| one(unsqueezed(cx, x)),
        "Where" => |cx, _| one(choice(cx)),
        "ReduceMax" => |cx, x| reduced(cx, x, |numbers| numbers.fold(f64::NEG_INFINITY, f64::max)),
        "ReduceMin" => |cx, x| reduced(cx, x, |numbers| numbers.fold(f64::INFINITY, f64::min)),
        "ReduceProd" => |cx, x| reduced(cx, x, |numbers| numbers.product()),
        "ReduceSum" => |cx, x| reduced(cx, x, |numbers| numbers.sum()),
        "ReduceMean" => mean,
        other if arithmetic::knows(other) => of_elements,
        _ => return None,
    })
}

/// How the output of an operator follows that reads nothing, or no elements.
fn rule_of_nothing(kind: &str) -> Option<fn(&mut Operator) -> Result<Array>> {
    Some(match kind {
        "Constant" => constant,
        "Shape" => shape,
        "Size" => |cx| Ok(Array::whole(&[], vec![cx.dims(0)?.iter().product::<usize>() as i64])),
        _ => return None,
    })
}

/// Whether an operator may be computed here.
pub fn knows(kind: &str) -> bool {
    rule(kind).is_some() || rule_of_nothing(kind).is_some()
}

fn one(made: Result<Array>) -> Result<Vec<Array>> {
    made.map(|array| vec![array])
}

/// The outputs, if they follow from what is known.
///
/// # Errors
/// If an attribute or a constant does not fit the operator.
pub fn fold(cx: &mut Operator) -> Result<Option<Vec<Array>>> {
    if let Some(rule) = rule_of_nothing(cx.kind()) {
        return rule(cx).map(|array| Some(vec![array]));
    }
    let Some(rule) = rule(cx.kind()) else { return Ok(None) };
    for i in 0..cx.n_inputs() {
        if cx.has_input(i) && cx.known(i)?.is_none() {
            return Ok(None);
        }
    }
    if !cx.has_input(0) {
        return Ok(None);
    }
    let x = cx.constant_input(0)?;
    Ok(Some(rule(cx, &x)?).filter(|arrays| !arrays.is_empty()))
}

fn shape(cx: &mut Operator) -> Result<Array> {
    let dims = cx.dims(0)?;
    let place =
        |i: i64| (if i < 0 { i.saturating_add(dims.len() as i64) } else { i }).clamp(0, dims.len() as i64);
    let (begin, end) = (place(cx.int("start", 0)?), place(cx.int("end", i64::MAX)?));
    let part: Vec<i64> =
        dims[begin as usize..end.max(begin) as usize].iter().map(|&dim| dim as i64).collect();
    Ok(Array::whole(&[part.len()], part))
}

fn constant(cx: &mut Operator) -> Result<Array> {
    if let Some(tensor) = cx.tensor("value")? {
        return Ok(tensor);
    }
    if let Some(numbers) = cx.ints("value_ints")? {
        return Ok(Array::whole(&[numbers.len()], numbers));
    }
    if let Some(numbers) = cx.floats("value_floats")? {
        return Ok(Array::real(&[numbers.len()], numbers));
    }
    let has = |name: &str| cx.node.attribute.iter().any(|attribute| attribute.name == name);
    if has("value_float") {
        return Ok(Array::real(&[], vec![cx.float("value_float", 0.0)?]));
    }
    if has("value_int") {
        return Ok(Array::whole(&[], vec![cx.int("value_int", 0)?]));
    }
    Err(Error::Invalid("has no value, or text or a sparse one".to_string()))
}

/// The same elements in other dimensions.
fn renamed(x: &Array, dims: Vec<usize>) -> Array {
    let scales = x.scales.as_ref().and_then(|scales| scales.reshaped(&x.dims, &dims)).map(Rc::new);
    Array { dims, scales, ..x.clone() }
}

fn reshaped(cx: &mut Operator, x: &Array) -> Result<Array> {
    let given = cx.ints_or_input("shape", 1)?.unwrap_or_default();
    let dims = match given.contains(&0) && x.numbers.len() == 0 {
        true => vec![0],
        false => given_dims(&given, &x.dims, cx.int("allowzero", 0)? != 0)?,
    };
    Ok(renamed(x, dims))
}

fn flattened(cx: &mut Operator, x: &Array) -> Result<Array> {
    let (axis, rank) = (cx.int("axis", 1)?, x.dims.len());
    let axis = if axis == rank as i64 { rank } else { cx.axis(axis, rank)? };
    Ok(renamed(x, vec![x.dims[..axis].iter().product(), x.dims[axis..].iter().product()]))
}

fn squeezed(cx: &mut Operator, x: &Array) -> Result<Array> {
    let mut dims = x.dims.clone();
    let axes = match cx.ints_or_input("axes", 1)? {
        Some(axes) => cx.axes(&axes, dims.len())?,
        None => (0..dims.len()).filter(|&axis| dims[axis] == 1).collect(),
    };
    for &axis in axes.iter().rev() {
        if dims.remove(axis) != 1 {
            return Err(Error::Invalid(format!("drops the axes {axes:?} of {:?}", x.dims)));
        }
    }
    Ok(renamed(x, dims))
}

fn unsqueezed(cx: &mut Operator, x: &Array) -> Result<Array> {
    let mut dims = x.dims.clone();
    let axes = cx.ints_or_input("axes", 1)?.unwrap_or_default();
    for axis in cx.axes(&axes, dims.len() + axes.len())? {
        dims.insert(axis, 1);
    }
    Ok(renamed(x, dims))
}

/// Elements of another type.
fn cast(x: &Array, to: i64) -> Result<Array> {
    let is_real = [element::F32, element::F16, element::F64].map(i64::from).contains(&to);
    let to = i32::try_from(to).unwrap_or(0);
    let numbers = match (&x.numbers, is_real) {
        (Numbers::Real(x), true) => Numbers::Real(x.clone()),
        (Numbers::Whole(x, _), true) => Numbers::Real(x.iter().map(|&x| x as f32).collect()),
        (Numbers::Real(x), false) if to == element::BOOL => {
            Numbers::Whole(x.iter().map(|&x| i64::from(x != 0.0)).collect(), to)
        }
        (Numbers::Real(x), false) => Numbers::Whole(x.iter().map(|&x| x as i64).collect(), to),
        (Numbers::Whole(x, _), false) if to == element::BOOL => {
            Numbers::Whole(x.iter().map(|&x| i64::from(x != 0)).collect(), to)
        }
        (Numbers::Whole(x, _), false) => Numbers::Whole(x.clone(), to),
    };
    Ok(Array::plain(x.dims.clone(), numbers))
}

/// An array of `dims` whose element at an index is the one of `x` at the place that `from` tells.
pub fn picked(x: &Array, dims: Vec<usize>, from: impl Fn(&[usize]) -> usize) -> Result<Array> {
    let count = count(&dims)?;
    let mut index = vec![0; dims.len()];
    let mut places = Vec::with_capacity(count);
    for _ in 0..count {
        places.push(from(&index));
        for (i, dim) in index.iter_mut().zip(&dims).rev() {
            *i += 1;
            if *i < *dim {
                break;
            }
            *i = 0;
        }
    }
    Ok(Array::plain(dims, x.numbers.at(&places)))
}

/// From one element to the next along each dimension; 0 along those of length 1, which stretch.
pub fn steps(dims: &[usize]) -> Vec<usize> {
    let mut step = 1;
    let mut steps: Vec<usize> = dims
        .iter()
        .rev()
        .map(|&dim| {
            let own = if dim == 1 { 0 } else { step };
            step *= dim;
            own
        })
        .collect();
    steps.reverse();
    steps
}

/// The place of an index, from behind where there are fewer steps.
pub fn place(index: &[usize], steps: &[usize]) -> usize {
    index.iter().rev().zip(steps.iter().rev()).map(|(i, step)| i * step).sum()
}

fn transposed(cx: &mut Operator, x: &Array) -> Result<Array> {
    let (perm, steps) = (permutation(cx, x.dims.len())?, steps(&x.dims));
    let dims = perm.iter().map(|&axis| x.dims[axis]).collect();
    let from = |index: &[usize]| index.iter().zip(&perm).map(|(i, &axis)| i * steps[axis]).sum();
    let scales = x.scales.as_ref().map(|scales| Rc::new(scales.transposed(&perm)));
    Ok(Array { scales, ..picked(x, dims, from)? })
}

fn sliced(cx: &mut Operator, x: &Array) -> Result<Array> {
    let (mut dims, steps) = (x.dims.clone(), steps(&x.dims));
    let ranges = ranges(cx, &x.dims)?;
    // Parts of shapes may be empty.
    ranges.iter().for_each(|&(axis, range)| dims[axis] = range.map_or(0, |range| range.len));
    picked(x, dims, |index| {
        let mut index: Vec<i64> = index.iter().map(|&i| i as i64).collect();
        for (axis, range) in ranges.iter().filter_map(|&(axis, range)| Some((axis, range?))) {
            index[axis] = range.begin as i64 + index[axis] * range.step;
        }
        index.iter().zip(&steps).map(|(&i, step)| i as usize * step).sum()
    })
}

fn gathered(cx: &mut Operator, x: &Array) -> Result<Array> {
    let (axis, indices) = (cx.axis(cx.int("axis", 0)?, x.dims.len())?, cx.constant_input(1)?);
    let numbers = cx.wholes(1)?.unwrap_or_default();
    let numbers: Vec<usize> = numbers.iter().map(|&i| cx.axis(i, x.dims[axis])).collect::<Result<_>>()?;
    let dims = [&x.dims[..axis], &indices.dims, &x.dims[axis + 1..]].concat();
    let (steps, of_indices, behind) = (steps(&x.dims), self::steps(&indices.dims), axis + indices.dims.len());
    picked(x, dims, |index| {
        let i = numbers[place(&index[axis..behind], &of_indices)];
        let outer = place(&index[..axis], &steps[..axis]);
        outer + i * steps[axis] + place(&index[behind..], &steps[axis + 1..])
    })
}

fn tiled(cx: &mut Operator, x: &Array) -> Result<Array> {
    let (steps, copies) = (steps(&x.dims), cx.wholes(1)?.unwrap_or_default());
    if copies.len() != x.dims.len() {
        return Err(Error::Invalid(format!("makes {copies:?} copies of {:?}", x.dims)));
    }
    let copied = |(&dim, &n): (&usize, &i64)| dim.saturating_mul(usize::try_from(n).unwrap_or(0));
    let dims = x.dims.iter().zip(&copies).map(copied).collect();
    picked(x, dims, |index| {
        index.iter().zip(&x.dims).zip(&steps).map(|((i, dim), step)| i % dim * step).sum()
    })
}

fn expanded(cx: &mut Operator, x: &Array) -> Result<Array> {
    let (steps, wanted) = (steps(&x.dims), cx.wholes(1)?.unwrap_or_default());
    let wanted: Vec<usize> = wanted.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
    picked(x, broadcast(&x.dims, &wanted)?, |index| place(index, &steps))
}

/// The upper or lower triangle of each matrix; 0 elsewhere.
pub fn triangle(cx: &mut Operator, x: &Array) -> Result<Array> {
    let k = cx.wholes(1)?.map_or(0, |k| k.first().copied().unwrap_or(0));
    let is_upper = cx.int("upper", 1)? != 0;
    let &[.., rows, columns] = &x.dims[..] else {
        return Err(Error::Invalid(format!("takes matrices, and is given {:?}", x.dims)));
    };
    let mut made = Array { scales: None, ..x.clone() };
    for i in 0..made.numbers.len() {
        let distance = (i % columns) as i64 - (i / columns % rows) as i64;
        let is_kept = if is_upper { distance >= k } else { distance <= k };
        match &mut made.numbers {
            Numbers::Real(x) if !is_kept => x[i] = 0.0,
            Numbers::Whole(x, _) if !is_kept => x[i] = 0,
            _ => {}
        }
    }
    Ok(made)
}

/// All inputs, which are known.
fn arrays(cx: &mut Operator) -> Result<Vec<Rc<Array>>> {
    let there: Vec<usize> = (0..cx.n_inputs()).filter(|&i| cx.has_input(i)).collect();
    there.into_iter().map(|i| cx.constant_input(i)).collect()
}

/// A function of each element, or of several.
fn of_elements(cx: &mut Operator, x: &Array) -> Result<Vec<Array>> {
    let kind = match cx.kind() {
        "Mod" if cx.int("fmod", 0)? != 0 => "Fmod".to_string(),
        kind => kind.to_string(),
    };
    let made = match cx.n_inputs() {
        1 => unary(&kind, x),
        _ => several(&kind, &arrays(cx)?)?,
    };
    Ok(made.into_iter().collect())
}

fn concat(cx: &mut Operator, first: &Array) -> Result<Array> {
    let axis = cx.axis(cx.int("axis", 0)?, first.dims.len())?;
    let (arrays, mut dims) = (arrays(cx)?, first.dims.clone());
    let outer: usize = dims[..axis].iter().product();
    let is_real = arrays.iter().any(|array| array.reals().is_some());
    let (mut reals, mut wholes) = (Vec::new(), Vec::new());
    dims[axis] = 0;
    for array in &arrays {
        let rest = |dims: &[usize]| [&dims[..axis], &dims[axis + 1..]].concat();
        if array.dims.len() != dims.len()
            || rest(&array.dims) != rest(&dims)
            || array.reals().is_some() != is_real
        {
            return Err(Error::Invalid(format!("joins {:?} and {:?}", first.dims, array.dims)));
        }
        dims[axis] += array.dims[axis];
    }
    for i in 0..outer {
        for array in &arrays {
            let len = array.numbers.len() / outer;
            match &array.numbers {
                Numbers::Real(x) => reals.extend(&x[i * len..(i + 1) * len]),
                Numbers::Whole(x, _) => wholes.extend(&x[i * len..(i + 1) * len]),
            }
        }
    }
    Ok(if is_real { Array::real(&dims, reals) } else { Array::whole(&dims, wholes) })
}

fn filled(cx: &mut Operator, shape: &Array) -> Result<Array> {
    let value = cx.tensor("value")?.unwrap_or_else(|| Array::real(&[1], vec![0.0]));
    let dims = shape.wholes().unwrap_or_default().iter().map(|&dim| usize::try_from(dim).unwrap_or(0));
    if value.numbers.len() != 1 {
        return Err(Error::Invalid("is filled with more than one number".to_string()));
    }
    picked(&value, dims.collect(), |_| 0)
}

fn range(cx: &mut Operator) -> Result<Array> {
    let both = |cx: &mut Operator, i: usize| Ok::<_, Error>(at(&*cx.constant_input(i)?, 0));
    let is_whole = cx.constant_input(0)?.wholes().is_some();
    let (begin, end, step) = (both(cx, 0)?, both(cx, 1)?, both(cx, 2)?);
    let count = ((end - begin) / step).ceil();
    if !(0.0..=MAX_ELEMENTS as f64).contains(&count) {
        return Err(Error::Invalid(format!("ranges from {begin} to {end} by {step}")));
    }
    let numbers = (0..count as usize).map(|i| begin + i as f64 * step);
    let dims = [count as usize];
    Ok(match is_whole {
        true => Array::whole(&dims, numbers.map(|x| x as i64).collect()),
        false => Array::real(&dims, numbers.map(|x| x as f32).collect()),
    })
}

/// An element as a real number; NaN if there is none.
pub fn at(array: &Array, i: usize) -> f64 {
    match &array.numbers {
        Numbers::Real(x) => x.get(i).copied().unwrap_or(f32::NAN).into(),
        Numbers::Whole(x, _) => x.get(i).map_or(f64::NAN, |&x| x as f64),
    }
}

fn choice(cx: &mut Operator) -> Result<Array> {
    let (condition, a, b) = (cx.constant_input(0)?, cx.constant_input(1)?, cx.constant_input(2)?);
    let dims = broadcast(&broadcast(&condition.dims, &a.dims)?, &b.dims)?;
    let stretched = |x: &Array| {
        let steps = steps(&x.dims);
        picked(x, dims.clone(), |index| place(index, &steps))
    };
    let (condition, a, b) = (stretched(&condition)?, stretched(&a)?, stretched(&b)?);
    let is = |i: usize| at(&condition, i) != 0.0;
    Ok(match (&a.numbers, &b.numbers) {
        (Numbers::Whole(a, ty), Numbers::Whole(b, _)) => {
            let numbers = (0..a.len()).map(|i| if is(i) { a[i] } else { b[i] }).collect();
            Array::plain(dims, Numbers::Whole(numbers, *ty))
        }
        _ => {
            let n = a.numbers.len();
            Array::real(&dims, (0..n).map(|i| (if is(i) { at(&a, i) } else { at(&b, i) }) as f32).collect())
        }
    })
}

fn split(cx: &mut Operator, x: &Array) -> Result<Vec<Array>> {
    let axis = cx.axis(cx.int("axis", 0)?, x.dims.len())?;
    let n = cx.n_outputs().max(1);
    let even = x.dims[axis].div_ceil(n) as i64;
    let lens = cx.ints_or_input("split", 1)?;
    let lens =
        lens.unwrap_or_else(|| (0..n as i64).map(|i| (x.dims[axis] as i64 - i * even).min(even)).collect());
    let steps = steps(&x.dims);
    let (mut begin, mut parts) = (0, Vec::new());
    for len in lens {
        let len = usize::try_from(len).unwrap_or(0);
        if begin + len > x.dims[axis] {
            return Err(Error::Invalid(format!("splits {:?} further than it is long", x.dims)));
        }
        let mut dims = x.dims.clone();
        dims[axis] = len;
        parts.push(picked(x, dims, |index| place(index, &steps) + begin * steps[axis])?);
        begin += len;
    }
    Ok(parts)
}

/// Of whole numbers in one dimension.
fn running_sum(x: &Array) -> Option<Array> {
    let numbers = x.wholes().filter(|_| x.dims.len() == 1)?;
    let sums = numbers.iter().scan(0i64, |sum, &x| {
        *sum = sum.saturating_add(x);
        Some(*sum)
    });
    Some(Array::whole(&x.dims, sums.collect()))
}

/// A reduction of all elements; along some axes it is left to the graph.
fn reduced(
    cx: &mut Operator,
    x: &Array,
    all: impl FnOnce(&mut dyn Iterator<Item = f64>) -> f64,
) -> Result<Vec<Array>> {
    let rank = x.dims.len();
    let axes = cx.ints_or_input("axes", 1)?.unwrap_or_else(|| (0..rank as i64).collect());
    if cx.axes(&axes, rank)?.len() != rank {
        return Ok(Vec::new());
    }
    let dims = if cx.int("keepdims", 1)? != 0 { vec![1; rank] } else { Vec::new() };
    let made = all(&mut (0..x.numbers.len()).map(|i| at(x, i)));
    Ok(vec![match x.wholes() {
        Some(_) => Array::whole(&dims, vec![made as i64]),
        None => Array::real(&dims, vec![made as f32]),
    }])
}

/// Of real numbers.
fn mean(cx: &mut Operator, x: &Array) -> Result<Vec<Array>> {
    let n = x.numbers.len() as f64;
    match x.wholes() {
        Some(_) => Ok(Vec::new()),
        None => reduced(cx, x, |numbers| numbers.sum::<f64>() / n),
    }
}
