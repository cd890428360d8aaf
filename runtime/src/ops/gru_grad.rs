//! Gradient of a [`Gru`](super::Gru) with respect to what its gates sum up.
//!
//! Inputs, f32: those of the layer, every hidden state `[n, t, h]` that it made, and the gradient of each of them. Outputs
//! `[n, t, 3h]`: the gradients of `W x + b` and of `U h + c`, from which matrix products make all others.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv2d_input_grad::check_f32;
use super::gru::GATES;
use super::recurrent;
use super::window::all_rows;
use super::{OpCode, Operator, Order, Outputs, Run};
use crate::kernels::conv_grad::add_scaled;
use crate::kernels::gru::{GruF32, gru_step_back};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// The gradient has no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GruGrad {}

impl Operator for GruGrad {
    const CODE: OpCode = OpCode::GruGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, w, u, b, c, h, dh] = inputs else { return Err(Error::Arity) };
        check_f32(inputs)?;
        let states = recurrent::infer([x, w, u], &[b, c], GATES, true)?;
        if states[..] != [h] || dh != h {
            return Err(Error::Shape);
        }
        let arguments = Shape::new(&[x.shape.dim(0), x.shape.dim(1), w.shape.dim(0)])?;
        Ok([TensorType::new(DType::F32, arguments); 2].into_iter().collect())
    }

    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Reduction
    }

    fn rows(&self, input: usize, inputs: &[TensorType], _y: usize) -> Range<usize> {
        all_rows(inputs, input)
    }

    /// The gradient of the hidden state, and a hidden state of zeros.
    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        recurrent::units(inputs) * DType::F32.bytes() * 2
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        2 * recurrent::macs(inputs)
    }
}

impl Run<f32> for GruGrad {
    /// Time runs backwards, so all is done with the last row.
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let x = node.input(0);
        let n_rows = x.ty.shape.rows();
        if rows.end != n_rows {
            return;
        }
        let vector = |i: usize| node.input(i).view::<f32>(mem);
        let gru = GruF32 { w: vector(1), u: vector(2), b: vector(3), c: vector(4) };
        let (len, units) = (x.ty.shape.dim(1), node.input(5).ty.shape.channels());
        let (x, h, dy) = (x.rows(mem), node.input(5).rows(mem), node.input(6).rows(mem));
        let (from_input, from_hidden) = (node.output(0).rows_mut(mem), node.output(1).rows_mut(mem));
        let scratch = node.scratch::<f32>(mem);
        let (dh, zeros) = (scratch.slice(0, units), scratch.slice(units, units));
        zeros.fill(0.0);
        for y in (0..n_rows).rev() {
            let is_first = y.checked_rem(len) == Some(0);
            if y.wrapping_add(1).checked_rem(len) == Some(0) {
                dh.fill(0.0);
            }
            add_scaled(dh, 1.0, dy.row(y));
            let before = if is_first { zeros.view() } else { h.row(y.wrapping_sub(1)) };
            gru_step_back(&gru, (x.row(y), before), dh, from_input.row(y), from_hidden.row(y));
        }
    }
}
