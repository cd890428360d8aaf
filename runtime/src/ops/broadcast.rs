//! What operators on pairs of elements share: shapes that broadcast as in NumPy, by rows.

use core::ops::Range;

use super::OUTPUT;
use super::window::all_rows;
use crate::kernels::elementwise::{Strided, zip_row};
use crate::mem::{Memory, Rows, View, ViewMut};
use crate::model::{Node, Operand};
use crate::{DType, Element, Error, Shape, TensorType};

/// Type of a function of two operands of the same dtype, f32 or int8, whose shapes broadcast.
pub(super) fn infer(inputs: &[TensorType]) -> Result<TensorType, Error> {
    let &[a, b] = inputs else { return Err(Error::Arity) };
    if a.dtype != b.dtype || !matches!(a.dtype, DType::F32 | DType::I8) {
        return Err(Error::DType);
    }
    Ok(TensorType::new(a.dtype, a.shape.broadcast(&b.shape)?))
}

/// [`infer`] for an operator with factors, which are only and always for int8, where they must pass `check`.
pub(super) fn infer_with<F>(
    inputs: &[TensorType],
    factors: Option<F>,
    check: impl FnOnce(F) -> Result<(), Error>,
) -> Result<TensorType, Error> {
    let out = infer(inputs)?;
    match (out.dtype, factors) {
        (DType::F32, None) => Ok(out),
        (DType::I8, Some(factors)) => check(factors).map(|()| out),
        _ => Err(Error::Parameters),
    }
}

/// Rows of an operand of a pair that row `y` of the output reads.
pub(super) fn rows(input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
    let (Ok(out), Some(operand)) = (infer(inputs), inputs.get(input)) else { return 0..0 };
    let Axes { outer, inner } = Axes::new(&operand.shape, out.shape.rank());
    if outer[0] * outer[1] != out.shape.rows() {
        // Repeated along an outer axis: its rows come round again.
        return all_rows(inputs, input);
    }
    let len = inner[0] * inner[1];
    operand.shape.rows_of(y * len, (y + 1) * len)
}

/// What is taken by rows: the output, and operands whose row `y` belongs to row `y` of it.
pub(super) fn by_rows(inputs: &[TensorType]) -> u16 {
    let Ok(out) = infer(inputs) else { return 0 };
    let in_step = |operand: &TensorType| has_rows_of(&operand.shape, &out.shape);
    inputs.iter().enumerate().fold(OUTPUT, |bits, (i, operand)| bits | (in_step(operand) as u16) << i)
}

/// Whether row `y` of the output reads row `y` of the operand, and no other.
fn has_rows_of(operand: &Shape, out: &Shape) -> bool {
    operand.rank() == out.rank() && operand.rows() == out.rows()
}

/// Operands of a pair on whose bytes the output may stand: those that are not stretched.
pub(super) fn in_place(inputs: &[TensorType]) -> u8 {
    let Ok(out) = infer(inputs) else { return 0 };
    inputs.iter().enumerate().fold(0, |bits, (i, operand)| bits | ((operand.shape == out.shape) as u8) << i)
}

/// Applies `f` to every pair of elements of `rows`.
pub(super) fn zip<T: Element>(node: &Node, mem: &Memory, rows: Range<usize>, f: impl Fn(T, T) -> T) {
    zip_lines(node, mem, rows, |a, b, out| zip_row(a, b, out, &f));
}

/// Applies `line_of` to every pair of lines of `rows`.
pub(super) fn zip_lines<T: Element>(
    node: &Node,
    mem: &Memory,
    rows: Range<usize>,
    line_of: impl Fn(Strided<T>, Strided<T>, ViewMut<T>),
) {
    let (a, b, out) = (node.input(0), node.input(1), node.output(0));
    let shape = out.ty.shape;
    let (a_steps, b_steps) = (Steps::new(&a.ty.shape, &shape), Steps::new(&b.ty.shape, &shape));
    let (a, b, out) = (Source::new(&a, &shape, mem), Source::new(&b, &shape, mem), out.rows_mut(mem));
    let Axes { outer, inner: [lines, len] } = Axes::new(&shape, shape.rank());
    // Both operands are one line if the next line begins where the last one ends.
    let (lines, len) = if a_steps.is_flat(len) && b_steps.is_flat(len) {
        (1, lines.wrapping_mul(len))
    } else {
        (lines, len)
    };
    // All rows are one line if they follow each other, too.
    let joined = match (a.joined(rows.clone()), b.joined(rows.clone()), out.joined(rows.clone())) {
        (Some(a), Some(b), Some(out)) => Some((a, b, out)),
        _ => None,
    };
    let (n_rows, len) = if joined.is_some() { (1, rows.len().wrapping_mul(len)) } else { (rows.len(), len) };
    for y in (rows.start..).take(n_rows) {
        let (a, b, out) =
            joined.unwrap_or_else(|| (a.row(&a_steps, outer, y), b.row(&b_steps, outer, y), out.row(y)));
        for line in 0..lines {
            let (a, b) = (a_steps.line(a, line, len), b_steps.line(b, line, len));
            line_of(a, b, out.slice(line.wrapping_mul(len), len));
        }
    }
}

/// The most elements of a line with numbers of channels.
const REPEATED: usize = 64;

/// [`zip_lines`] where one operand is an image and the other a number for each of its channels, which are repeated: a line is
/// several pixels. `None` if the operands are others, or the channels too many to gain by it.
// Not in `zip_lines`: most operators never meet it, and have its code.
pub(super) fn zip_channels<T: Element>(
    node: &Node,
    mem: &Memory,
    rows: Range<usize>,
    line_of: impl Fn(Strided<T>, Strided<T>, ViewMut<T>),
) -> Option<()> {
    let (a, b, out) = (node.input(0), node.input(1), node.output(0));
    let channels = out.ty.shape.channels();
    let is_vector =
        |operand: &Operand| [operand.ty.shape.count(), operand.ty.shape.channels()] == [channels; 2];
    let is_first = is_vector(&a);
    let (image, vector) = if is_first { (b, a) } else { (a, b) };
    if !(2..=REPEATED / 2).contains(&channels) || image.ty.shape != out.ty.shape || !is_vector(&vector) {
        return None;
    }
    let image: View<T> = image.rows(mem).joined(rows.clone())?;
    let out = out.rows_mut(mem).joined(rows)?;
    let vector = vector.rows(mem).row(0);
    let mut repeated = [T::default(); REPEATED];
    let repeated = ViewMut::from(&mut repeated[..]);
    let mut most = 0usize;
    while most.wrapping_add(channels) <= REPEATED {
        repeated.slice(most, channels).copy_from(vector.slice(0, channels));
        most = most.wrapping_add(channels);
    }
    let mut start = 0usize;
    while start < out.len() {
        let len = out.len().wrapping_sub(start).min(most);
        let (x, vector) = ((image.slice(start, len), 1), (repeated.slice(0, len).view(), 1));
        let out = out.slice(start, len);
        if is_first {
            line_of(vector, x, out)
        } else {
            line_of(x, vector, out)
        }
        start = start.wrapping_add(len);
    }
    Some(())
}

/// An operand.
enum Source<'a, T> {
    /// Of the output's shape.
    Same(Rows<'a, T>),
    /// Stretched inside its rows only.
    Rows(Rows<'a, T>),
    /// All of it, where it is stretched along an outer axis.
    Whole(View<'a, T>),
}

impl<'a, T: Element> Source<'a, T> {
    fn new(operand: &Operand, out: &Shape, mem: &Memory<'a>) -> Source<'a, T> {
        if operand.ty.shape == *out {
            Source::Same(operand.rows(mem))
        } else if has_rows_of(&operand.ty.shape, out) {
            Source::Rows(operand.rows(mem))
        } else {
            Source::Whole(operand.view(mem))
        }
    }

    /// What these rows of the output read, if that is one line.
    fn joined(&self, rows: Range<usize>) -> Option<View<'a, T>> {
        match self {
            Source::Same(same) => same.joined(rows),
            Source::Whole(one) if one.len() == 1 => Some(*one),
            _ => None,
        }
    }

    /// What row `y` of the output, whose outer axes are `outer`, reads: from its first element on.
    fn row(&self, steps: &Steps, outer: [usize; 2], y: usize) -> View<'a, T> {
        match self {
            Source::Same(rows) | Source::Rows(rows) => rows.row(y),
            Source::Whole(view) => {
                let start = steps.row(outer, y);
                view.slice(start, view.len().wrapping_sub(start))
            }
        }
    }
}

/// The axes of a shape as rows see them: those that count rows, then those inside a row.
struct Axes {
    outer: [usize; 2],
    inner: [usize; 2],
}

impl Axes {
    /// The axes of an operand as those of an output of `rank`: `[n, h]` and `[w, c]` if that is 4, else the
    /// last alone is inside a row.
    fn new(shape: &Shape, rank: usize) -> Axes {
        Axes::split(shape.padded(), rank, 1)
    }

    fn split([a, b, c, d]: [usize; 4], rank: usize, absent: usize) -> Axes {
        if rank == 4 {
            Axes { outer: [a, b], inner: [c, d] }
        } else {
            Axes { outer: [b, c], inner: [absent, d] }
        }
    }
}

/// Distances of neighbouring elements of an operand along the axes of the output; 0 where it is stretched.
struct Steps(Axes);

impl Steps {
    fn new(operand: &Shape, out: &Shape) -> Steps {
        let ([a, b, c, d], [out_a, out_b, out_c, out_d]) = (operand.padded(), out.padded());
        let cd = c.wrapping_mul(d);
        let is_one = operand.count() == 1;
        let step = |len, out_len, elements| if len == out_len && !is_one { elements } else { 0 };
        let steps =
            [step(a, out_a, b.wrapping_mul(cd)), step(b, out_b, cd), step(c, out_c, d), step(d, out_d, 1)];
        Steps(Axes::split(steps, out.rank(), 0))
    }

    /// Whether lines of `len` elements follow each other without a gap, or are all one and the same element.
    fn is_flat(&self, len: usize) -> bool {
        let [line, element] = self.0.inner;
        line == len.wrapping_mul(element)
    }

    /// First element of row `y` of the output, whose outer axes are `outer`.
    fn row(&self, outer: [usize; 2], y: usize) -> usize {
        let (i, j) = (y.checked_div(outer[1]).unwrap_or(0), y.checked_rem(outer[1]).unwrap_or(0));
        let [i_step, j_step] = self.0.outer;
        i.wrapping_mul(i_step).wrapping_add(j.wrapping_mul(j_step))
    }

    /// The elements for one line of `row`, and their step.
    fn line<'a, T: Element>(&self, row: View<'a, T>, line: usize, len: usize) -> Strided<'a, T> {
        let [line_step, step] = self.0.inner;
        let start = line.wrapping_mul(line_step);
        (row.slice(start, len.wrapping_sub(1).wrapping_mul(step).wrapping_add(1)), step)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use proptest::prelude::*;

    use crate::ops::Add;
    use crate::ops::bounds::Bounds;
    use crate::ops::testing::{Case, Tensor};
    use crate::{Error, Shape};

    const ADD: Add = Add { bounds: Bounds::None, factors: None };

    /// Two shapes that broadcast: an output's dims, and for each operand which of them are 1 and how many of
    /// the outer ones are missing.
    fn shapes() -> impl Strategy<Value = [Vec<usize>; 2]> {
        let operand = || (0u8..16, 0usize..4);
        (prop::collection::vec(1usize..4, 1..=4), operand(), operand()).prop_map(|(dims, a, b)| {
            [a, b].map(|(ones, missing)| {
                let stretch = |(i, &len): (usize, &usize)| if ones & (1 << i) != 0 { 1 } else { len };
                dims.iter().enumerate().map(stretch).skip(missing.min(dims.len())).collect()
            })
        })
    }

    fn numbers(dims: &[usize], first: f32) -> Tensor {
        let elements: Vec<f32> = (0..dims.iter().product()).map(|i: usize| first + i as f32).collect();
        Tensor::new(dims, &elements)
    }

    /// The element of an operand that meets element `i` of the output, by its definition.
    fn source(mut i: usize, dims: &[usize], out: &Shape) -> usize {
        let (dims, out) = (Shape::new(dims).unwrap().padded(), out.padded());
        let (mut source, mut step) = (0, 1);
        for (len, out_len) in dims.into_iter().zip(out).rev() {
            source += i % out_len % len * step;
            (i, step) = (i / out_len, step * len);
        }
        source
    }

    proptest! {
        #[test]
        fn pairs_meet_as_in_numpy([a, b] in shapes()) {
            let out = Shape::new(&a).unwrap().broadcast(&Shape::new(&b).unwrap()).unwrap();
            let case = Case::new(ADD, [numbers(&a, 0.0), numbers(&b, 1000.0)]);
            case.assert_contract();
            let sums: Vec<f32> =
                (0..out.count()).map(|i| 1000.0 + (source(i, &a, &out) + source(i, &b, &out)) as f32).collect();
            prop_assert_eq!(case.run::<f32>().unwrap(), sums);
        }
    }

    #[test]
    fn pairs_that_cannot_meet_are_refused() {
        let refused = |a: Tensor, b: Tensor| Case::new(ADD, [a, b]).check();
        assert_eq!(refused(numbers(&[3], 0.0), numbers(&[4], 0.0)), Err(Error::Shape));
        assert_eq!(refused(numbers(&[3], 0.0), Tensor::new(&[3], &[0i8; 3])), Err(Error::DType));
        assert_eq!(Case::new(ADD, [numbers(&[3], 0.0)]).check(), Err(Error::Arity));
    }
}
