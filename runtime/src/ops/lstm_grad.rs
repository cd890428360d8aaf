//! Gradient of an [`Lstm`](super::Lstm) with respect to what its gates sum up.
//!
//! Inputs, f32: those of the layer, every hidden state `[n, t, h]` that it made, and the gradient of each of them. Output
//! `[n, t, 4h]`: the gradient of `W x + U h + b`, from which matrix products make all others.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::conv2d_input_grad::check_f32;
use super::lstm::GATES;
use super::recurrent;
use super::window::all_rows;
use super::{OpCode, Operator, Order, Outputs, Run, one};
use crate::kernels::conv_grad::add_scaled;
use crate::kernels::lstm::{LstmF32, lstm_step_back};
use crate::mem::{Memory, View, ViewMut};
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// The gradient has no parameters: cells must not be clamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LstmGrad {}

impl Operator for LstmGrad {
    const CODE: OpCode = OpCode::LstmGrad;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, w, u, b, h, dh] = inputs else { return Err(Error::Arity) };
        check_f32(inputs)?;
        let states = recurrent::infer([x, w, u], &[b], GATES, true)?;
        if states[..] != [h] || dh != h {
            return Err(Error::Shape);
        }
        let arguments = Shape::new(&[x.shape.dim(0), x.shape.dim(1), w.shape.dim(0)])?;
        one(TensorType::new(DType::F32, arguments))
    }

    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Reduction
    }

    fn rows(&self, input: usize, inputs: &[TensorType], _y: usize) -> Range<usize> {
        all_rows(inputs, input)
    }

    /// The gradients of hidden state and cells, zeros, and the cells after every step of a sequence.
    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        let len = inputs.first().map_or(0, |x| x.shape.dim(1));
        recurrent::units(inputs) * DType::F32.bytes() * (3 + len)
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        2 * recurrent::macs(inputs)
    }
}

impl Run<f32> for LstmGrad {
    /// Time runs backwards, so all is done with the last row.
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let x = node.input(0);
        if rows.end != x.ty.shape.rows() {
            return;
        }
        let vector = |i: usize| node.input(i).view::<f32>(mem);
        let lstm = LstmF32 { w: vector(1), u: vector(2), b: vector(3), clip: f32::INFINITY };
        let (len, units) = (x.ty.shape.dim(1), node.input(4).ty.shape.channels());
        let scratch = node.scratch::<f32>(mem);
        let [dh, dcells, zeros] = [0, 1, 2].map(|i: usize| scratch.slice(i.wrapping_mul(units), units));
        zeros.fill(0.0);
        let cells = scratch.slice(units.wrapping_mul(3), units.wrapping_mul(len));
        let (x, h, dy) = (x.rows(mem), node.input(4).rows(mem), node.input(5).rows(mem));
        let arguments = node.output(0).rows_mut(mem);
        for first in (0..rows.end).step_by(len.max(1)) {
            let of_step = |t: usize| cells.slice(t.wrapping_mul(units), units);
            for t in 0..len {
                let y = first.wrapping_add(t);
                let before = if t == 0 { zeros.view() } else { h.row(y.wrapping_sub(1)) };
                let was = if t == 0 { zeros.view() } else { of_step(t.wrapping_sub(1)).view() };
                remember(&lstm, [x.row(y), before, was], arguments.row(y), of_step(t));
            }
            dh.fill(0.0);
            dcells.fill(0.0);
            for t in (0..len).rev() {
                let y = first.wrapping_add(t);
                add_scaled(dh, 1.0, dy.row(y));
                let was = if t == 0 { zeros.view() } else { of_step(t.wrapping_sub(1)).view() };
                lstm_step_back(lstm.u, arguments.row(y), [was, of_step(t).view()], dh, dcells);
            }
        }
    }
}

/// Takes a step forward once more, from input, hidden state and cells before it: its gates and its cells.
fn remember(lstm: &LstmF32, [x, h, was]: [View<f32>; 3], gates: ViewMut<f32>, cells: ViewMut<f32>) {
    let units = h.len();
    for j in 0..units {
        let of_unit = lstm.gates(x, h, j);
        for (gate, value) in of_unit.into_iter().enumerate() {
            gates.set(gate.wrapping_mul(units).wrapping_add(j), value);
        }
        let [i, f, g, _] = of_unit;
        cells.set(j, f * was.at(j) + i * g);
    }
}
