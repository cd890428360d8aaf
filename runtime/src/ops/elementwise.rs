//! What operators share whose elements follow from single ones of their operands: rows and shape rules.

use core::fmt::Debug;
use core::ops::Range;

use serde::{Serialize, de::DeserializeOwned};

use super::window::all_rows;
use super::{OUTPUT, OpCode, Operator, Outputs, broadcast, one};
use crate::kernels::elementwise::map_row;
use crate::mem::{Memory, Rows, RowsMut, View, ViewMut};
use crate::model::Node;
use crate::{DType, Element, Error, TensorType};

/// An [`Operator`] each of whose elements follows from one element of an operand, or of two whose shapes broadcast: what it
/// has of its own.
pub trait Elementwise: Copy + Debug + PartialEq + Serialize + DeserializeOwned {
    /// See [`Operator::CODE`].
    const CODE: OpCode;
    /// One or two; they are the first inputs, and all others are read as a whole.
    const OPERANDS: usize;

    /// Type of the output; see [`Operator::infer`].
    ///
    /// # Errors
    /// As [`Operator::infer`].
    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error>;
}

impl<O: Elementwise> Operator for O {
    const CODE: OpCode = O::CODE;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        one(self.output(inputs)?)
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match O::OPERANDS {
            1 if input == 0 => y..y + 1,
            1 => all_rows(inputs, input),
            _ => broadcast::rows(input, inputs, y),
        }
    }

    fn by_rows(&self, inputs: &[TensorType]) -> u16 {
        if O::OPERANDS == 1 { 1 | OUTPUT } else { broadcast::by_rows(inputs) }
    }

    fn in_place(&self, inputs: &[TensorType]) -> u8 {
        if O::OPERANDS == 1 { 1 } else { broadcast::in_place(inputs) }
    }
}

/// The one input of a function of single elements.
pub(super) fn unary(inputs: &[TensorType]) -> Result<TensorType, Error> {
    match inputs {
        [x] => Ok(*x),
        _ => Err(Error::Arity),
    }
}

/// The one input, of f32, of an operator that is a [`Table`](super::Table) in int8.
pub(super) fn unary_f32(inputs: &[TensorType]) -> Result<TensorType, Error> {
    let x = unary(inputs)?;
    if x.dtype == DType::F32 { Ok(x) } else { Err(Error::DType) }
}

/// Applies `f` to every element of `rows`.
pub(super) fn map<X: Element, Y: Element>(node: &Node, mem: &Memory, rows: Range<usize>, f: impl Fn(X) -> Y) {
    let (x, out) = (node.input(0).rows(mem), node.output(0).rows_mut(mem));
    each_row(x, out, rows, |x, out| map_row(x, out, &f));
}

/// Calls `f` for every vector along the last axis of `rows`, and with the output's vector.
pub(super) fn each_vector<T: Element>(
    node: &Node,
    mem: &Memory,
    rows: Range<usize>,
    f: impl Fn(View<T>, ViewMut<T>),
) {
    let (x, out) = (node.input(0), node.output(0));
    let len = x.ty.shape.channels();
    let n_vectors = x.ty.shape.row_len().checked_div(len).unwrap_or(0);
    let (x, out) = (x.rows(mem), out.rows_mut(mem));
    for y in rows {
        for i in 0..n_vectors {
            let start = i.wrapping_mul(len);
            f(x.row(y).slice(start, len), out.row(y).slice(start, len));
        }
    }
}

/// Each of `rows`; those that follow each other in both tensors are one.
pub(super) fn each_row<'a, X: Element, Y: Element>(
    x: Rows<'a, X>,
    out: RowsMut<'a, Y>,
    rows: Range<usize>,
    row: impl Fn(View<'a, X>, ViewMut<'a, Y>),
) {
    let joined = x.joined(rows.clone()).zip(out.joined(rows.clone()));
    let n_rows = if joined.is_some() { 1 } else { rows.len() };
    for y in (rows.start..).take(n_rows) {
        let (x, out) = joined.unwrap_or_else(|| (x.row(y), out.row(y)));
        row(x, out);
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Case, Tensor};
    use crate::ops::{Logistic, Tanh};
    use crate::{Error, math};

    #[test]
    fn tables_are_within_one_step_of_f32() {
        let scale = 0.043;
        let logistic = Logistic::table(scale, 11).unwrap();
        let tanh = Tanh::table(scale, 11).unwrap();
        for (x, (logistic, tanh)) in (-128..128).zip(logistic.into_iter().zip(tanh)) {
            let x = scale * (x - 11) as f32;
            assert!(((logistic as f32 + 128.0) - 256.0 * math::logistic(x)).abs() < 1.0, "logistic {x}");
            assert!((tanh as f32 - 128.0 * math::tanh(x)).abs() < 1.01, "tanh {x}");
        }
    }

    #[test]
    fn functions_of_f32_have_one_input() {
        let x = Tensor::new(&[2, 3], &[-2.0f32, -1.0, 0.0, 1.0, 2.0, 3.0]);
        let case = Case::new(Tanh {}, [x.clone()]);
        assert_eq!(case.run::<f32>().unwrap()[2..4], [0.0, math::tanh(1.0)]);
        case.assert_contract();
        assert_eq!(Case::new(Tanh {}, [x.clone(), x]).check(), Err(Error::Arity));
        assert_eq!(Case::new(Tanh {}, [Tensor::new(&[1], &[0i8])]).check(), Err(Error::DType));
    }
}
