//! What operators share whose elements follow from single ones of their operands: rows, shape rules, tables.

use core::fmt::Debug;
use core::ops::Range;

use serde::{Serialize, de::DeserializeOwned};

use super::window::all_rows;
use super::{OUTPUT, OpCode, Operator, Outputs, broadcast, one};
use crate::kernels::elementwise::map_row;
use crate::kernels::table::{TABLE_LEN, look_up_row};
use crate::mem::{Memory, Rows, RowsMut, View, ViewMut};
use crate::model::Node;
use crate::{DType, Element, Error, Shape, TensorType};

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

/// The shape rule of a function of f32, and of int8 with a table of its values as the second input.
pub(super) fn infer_table(inputs: &[TensorType]) -> Result<TensorType, Error> {
    let &[x, ref rest @ ..] = inputs else { return Err(Error::Arity) };
    let table = TensorType::new(DType::I8, Shape::new(&[TABLE_LEN])?);
    match (x.dtype, rest) {
        (DType::F32, []) => Ok(x),
        (DType::I8, [given]) if *given == table => Ok(x),
        (DType::I8, [given]) if given.dtype == table.dtype => Err(Error::Shape),
        (DType::F32, _) | (DType::I8, [] | [_, _, ..]) => Err(Error::Arity),
        _ => Err(Error::DType),
    }
}

/// Applies `f` to every element of `rows`.
pub(super) fn map<X: Element, Y: Element>(node: &Node, mem: &Memory, rows: Range<usize>, f: impl Fn(X) -> Y) {
    let (x, out) = (node.input(0).rows(mem), node.output(0).rows_mut(mem));
    each_row(x, out, rows, |x, out| map_row(x, out, &f));
}

/// Looks up every element of `rows` in the table.
pub(super) fn look_up(node: &Node, mem: &Memory, rows: Range<usize>) {
    let (x, table, out) = (node.input(0).rows(mem), node.input(1).view(mem), node.output(0).rows_mut(mem));
    each_row(x, out, rows, |x, out| look_up_row(x, table, out));
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
fn each_row<'a, X: Element, Y: Element>(
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
    extern crate std;
    use std::vec::Vec;

    use crate::ops::testing::{Case, Tensor};
    use crate::ops::{Logistic, Tanh};
    use crate::{Error, math};

    fn every_int8() -> Tensor {
        let all: Vec<i8> = (i8::MIN..=i8::MAX).collect();
        Tensor::new(&[1, 4, 8, 8], &all).zero_point(11)
    }

    #[test]
    fn tables_are_within_one_step_of_f32() {
        let scale = 0.043;
        let logistic = Tensor::new(&[256], &Logistic::table(scale, 11).unwrap()).constant();
        let tanh = Tensor::new(&[256], &Tanh::table(scale, 11).unwrap()).constant();
        let logistic =
            Case::new(Logistic {}, [every_int8(), logistic]).output_zero_point(Logistic::ZERO_POINT);
        let tanh = Case::new(Tanh {}, [every_int8(), tanh]);
        logistic.assert_contract();
        tanh.assert_contract();
        let pairs = logistic.run::<i8>().unwrap().into_iter().zip(tanh.run::<i8>().unwrap());
        for (x, (logistic, tanh)) in (-128..128).zip(pairs) {
            let x = scale * (x - 11) as f32;
            assert!(((logistic as f32 + 128.0) - 256.0 * math::logistic(x)).abs() < 1.0, "logistic {x}");
            assert!((tanh as f32 - 128.0 * math::tanh(x)).abs() < 1.01, "tanh {x}");
        }
    }

    #[test]
    fn int8_needs_its_table() {
        let check = |inputs: &[Tensor]| Case::new(Tanh {}, inputs.iter().cloned()).check();
        let x = every_int8();
        assert_eq!(check(core::slice::from_ref(&x)), Err(Error::Arity));
        assert_eq!(check(&[x.clone(), Tensor::new(&[255], &[0i8; 255])]), Err(Error::Shape));
        assert_eq!(check(&[x.clone(), Tensor::new(&[256], &[0.0f32; 256])]), Err(Error::DType));
        assert_eq!(check(&[Tensor::new(&[1], &[0i16])]), Err(Error::DType));
        assert_eq!(check(&[Tensor::new(&[1], &[0.0f32]), x]), Err(Error::Arity));
    }
}
