//! What recurrent layers share: sequences `[n, t, c]`, weights `[gates * h, c]` and `[gates * h, h]`, a hidden state.

use core::ops::Range;

use super::window::all_rows;
use super::{Outputs, one};
use crate::kernels::gates::Projection;
use crate::kernels::requantize::Channels;
use crate::mem::{Memory, Rows, View, ViewMut};
use crate::model::Node;
use crate::{DType, Element, Error, Shape, TensorType};

/// The shape rule: sequences, weights of inputs and of the hidden state, then what belongs to each gate of each unit.
pub(super) fn infer(
    [x, w, u]: [TensorType; 3],
    per_gate: &[TensorType],
    gates: usize,
    sequences: bool,
) -> Result<Outputs, Error> {
    let units = u.shape.dim(1);
    let rows = units.checked_mul(gates).ok_or(Error::Shape)?;
    let matrix = |columns: usize| Shape::new(&[rows, columns]);
    if x.shape.rank() != 3 || w.shape != matrix(x.shape.dim(2))? || u.shape != matrix(units)? {
        return Err(Error::Shape);
    }
    let expected = match x.dtype {
        DType::F32 => TensorType::new(DType::F32, Shape::new(&[rows])?),
        DType::I8 => TensorType::new(DType::I32, matrix(3)?),
        _ => return Err(Error::DType),
    };
    if w.dtype != x.dtype || u.dtype != x.dtype || per_gate.iter().any(|ty| ty.dtype != expected.dtype) {
        return Err(Error::DType);
    }
    if per_gate.iter().any(|ty| *ty != expected) {
        return Err(Error::Shape);
    }
    let (n, t) = (x.shape.dim(0), x.shape.dim(1));
    let shape = if sequences { Shape::new(&[n, t, units])? } else { Shape::new(&[n, units])? };
    one(TensorType::new(x.dtype, shape))
}

/// A step reads its own row of the sequences, and all weights.
pub(super) fn rows(input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
    if input == 0 { y..y + 1 } else { all_rows(inputs, input) }
}

/// One sequence may arrive by rows if nothing is written before its end.
pub(super) fn by_rows(inputs: &[TensorType], sequences: bool) -> u16 {
    let is_one = inputs.first().is_some_and(|x| x.shape.dim(0) == 1);
    (is_one && !sequences) as u16
}

/// Numbers of hidden state.
pub(super) fn units(inputs: &[TensorType]) -> usize {
    inputs.get(2).map_or(0, |u| u.shape.dim(1))
}

/// Products with both matrices, for each step.
pub(super) fn macs(inputs: &[TensorType]) -> u64 {
    match inputs {
        [x, w, u, ..] => x.shape.rows() as u64 * (w.shape.count() + u.shape.count()) as u64,
        _ => 0,
    }
}

/// That weights and tables of an int8 layer are constants with factors that the arithmetic takes.
pub(super) fn check_i8(node: &Node, mem: &Memory) -> Result<(), Error> {
    if !(1..node.n_inputs()).all(|i| node.input(i).is_constant()) {
        return Err(Error::TensorPlace);
    }
    (3..5).try_for_each(|i| Channels(node.input(i).view(mem)).check())
}

/// The projections of an int8 layer's input and of its hidden state with this zero point.
pub(super) fn projections<'a>(node: &Node, mem: &Memory<'a>, zero_point: i32) -> [Projection<'a>; 2] {
    let projection = |w: usize, table: usize, offset: i32| {
        let (w, channels) = (node.input(w).view(mem), Channels(node.input(table).view(mem)));
        Projection { w, channels, offset }
    };
    [projection(1, 3, -node.input(0).zero_point()), projection(2, 4, -zero_point)]
}

/// Where the steps of a layer read and write.
pub(super) struct Steps<'a, T> {
    pub x: Rows<'a, T>,
    out: ViewMut<'a, T>,
    /// Steps of a sequence.
    len: usize,
    pub units: usize,
    sequences: bool,
}

impl<'a, T: Element> Steps<'a, T> {
    pub fn of(node: &Node, mem: &Memory<'a>, sequences: bool) -> Steps<'a, T> {
        let (x, out) = (node.input(0), node.output(0));
        let (len, units) = (x.ty.shape.dim(1), out.ty.shape.channels());
        Steps { x: x.rows(mem), out: out.view_mut(mem), len, units, sequences }
    }

    /// Whether step `y` of all is the first of a sequence.
    pub fn is_first(&self, y: usize) -> bool {
        y.checked_rem(self.len).unwrap_or(0) == 0
    }

    /// Writes the hidden state after step `y`, if it is wanted.
    pub fn give(&self, y: usize, h: View<T>) {
        let row = match self.sequences {
            true => y,
            false if self.is_first(y.wrapping_add(1)) => y.checked_div(self.len).unwrap_or(0),
            false => return,
        };
        self.out.slice(row.wrapping_mul(self.units), self.units).copy_from(h);
    }
}
