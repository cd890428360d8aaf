//! Long short-term memory over a sequence (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000). From
//! a hidden state and cells of zeros, each step is
//!
//! ```text
//! i = logistic(W_i x + U_i h + b_i)      input
//! f = logistic(W_f x + U_f h + b_f)      forget
//! g = tanh(W_g x + U_g h + b_g)          new
//! o = logistic(W_o x + U_o h + b_o)      output
//! c = f * c + i * g
//! h = o * tanh(c)
//! ```
//!
//! Inputs: the sequences `[n, t, c]`, `W` `[4h, c]` and `U` `[4h, h]`, the gates in the order i, f, g, o; then for f32 the
//! bias `[4h]`; for int8 tables `[4h, 3]` of i32 (bias, multiplier and shift that take a sum to Q3.12) of `W` and of `U`,
//! and the curve `[256]` of i16: the logistic function at multiples of 1/24 in 65536ths. Output: every hidden state
//! `[n, t, h]`, or the last `[n, h]`. int8 is TensorFlow Lite Micro's `UNIDIRECTIONAL_SEQUENCE_LSTM`, with weights per
//! channel beside those per tensor; cells have 16 bits.
//!
//! Steps are taken one after the other: one sequence may arrive row by row if only the last state is wanted.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::recurrent::{self, Steps};
use super::{Factor, OpCode, Operator, Order, Outputs, Run};
use crate::kernels::lstm::{Curve, LstmF32, LstmI8};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

pub(crate) use crate::kernels::lstm::GATES;

/// Fraction bits that cells of int8 may have.
const CELL_BITS: core::ops::RangeInclusive<u8> = 0..=15;

/// Parameters of a long short-term memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Lstm {
    /// On f32.
    F32 {
        /// Whether the output is every hidden state, and not only the last.
        sequences: bool,
        /// Cells are clamped to it, of both signs; infinite for none.
        clip: f32,
        /// Fraction bits that cells have in int8.
        cell_bits: u8,
    },
    /// On int8.
    I8 {
        /// Whether the output is every hidden state, and not only the last.
        sequences: bool,
        /// Cells are clamped to it, of both signs; 0 for none.
        clip: i16,
        /// Fraction bits of a cell, at most 15.
        cell_bits: u8,
        /// 2^-30 by the output's scale.
        hidden: Factor,
    },
}

impl Lstm {
    /// The scale of an int8 output, unless another is asked for.
    pub const SCALE: f32 = 1.0 / 128.0;
    /// Its zero point.
    pub const ZERO_POINT: i8 = 0;
    /// Entries of the curve.
    pub const CURVE_LEN: usize = Curve::LEN;

    /// Cells in (-16, 16) if it is quantized.
    pub const fn new(sequences: bool) -> Lstm {
        Lstm::F32 { sequences, clip: f32::INFINITY, cell_bits: 11 }
    }

    /// Whether the output is every hidden state.
    pub fn sequences(&self) -> bool {
        match *self {
            Lstm::F32 { sequences, .. } | Lstm::I8 { sequences, .. } => sequences,
        }
    }
}

impl Operator for Lstm {
    const CODE: OpCode = OpCode::Lstm;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let (&[x, w, u], per_gate) = inputs.split_first_chunk().ok_or(Error::Arity)?;
        let (dtype, per_gate) = match (*self, per_gate) {
            (Lstm::F32 { .. }, [_]) => (DType::F32, per_gate),
            (Lstm::I8 { .. }, [tables @ .., curve]) if tables.len() == 2 => {
                if *curve != TensorType::new(DType::I16, Shape::new(&[Curve::LEN])?) {
                    return Err(Error::Shape);
                }
                (DType::I8, tables)
            }
            _ => return Err(Error::Arity),
        };
        if x.dtype != dtype {
            return Err(Error::DType);
        }
        match *self {
            Lstm::F32 { clip, cell_bits, .. } if clip > 0.0 && CELL_BITS.contains(&cell_bits) => {}
            Lstm::I8 { clip, cell_bits, hidden, .. } if clip >= 0 && CELL_BITS.contains(&cell_bits) => {
                hidden.check()?;
            }
            _ => return Err(Error::Parameters),
        }
        recurrent::infer([x, w, u], per_gate, GATES, self.sequences())
    }

    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Reduction
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        recurrent::rows(input, inputs, y)
    }

    fn by_rows(&self, inputs: &[TensorType]) -> u16 {
        recurrent::by_rows(inputs, self.sequences())
    }

    /// Cells, the hidden state before a step and the one after.
    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        let per_unit = match self {
            Lstm::F32 { .. } => 3 * DType::F32.bytes(),
            Lstm::I8 { .. } => DType::I16.bytes() + 2 * DType::I8.bytes(),
        };
        recurrent::units(inputs) * per_unit
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        recurrent::macs(inputs)
    }
}

impl Run<f32> for Lstm {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let Lstm::F32 { sequences, clip, .. } = *self else { return };
        let vector = |i: usize| node.input(i).view::<f32>(mem);
        let lstm = LstmF32 { w: vector(1), u: vector(2), b: vector(3), clip };
        let steps = Steps::of(node, mem, sequences);
        let (scratch, units) = (node.scratch::<f32>(mem), steps.units);
        let [cells, h, next] = [0, 1, 2].map(|i: usize| scratch.slice(i.wrapping_mul(units), units));
        for y in rows {
            if steps.is_first(y) {
                cells.fill(0.0);
                h.fill(0.0);
            }
            lstm.step(steps.x.row(y), h.view(), cells, next);
            h.copy_from(next.view());
            steps.give(y, h.view());
        }
    }
}

impl Run<i8> for Lstm {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        recurrent::check_i8(node, mem)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let Lstm::I8 { sequences, clip, cell_bits, hidden } = *self else { return };
        let zero_point = node.output(0).zero_point();
        let [input, recurrent] = recurrent::projections(node, mem, zero_point);
        let lstm = LstmI8 {
            input,
            recurrent,
            curve: Curve(node.input(5).view(mem)),
            cell_bits: cell_bits as i32,
            clip: clip as i32,
            hidden,
            zero_point,
        };
        let steps = Steps::of(node, mem, sequences);
        let units = steps.units;
        let cells = node.scratch::<i16>(mem).slice(0, units);
        let [h, next] = [2, 3].map(|i: usize| node.scratch::<i8>(mem).slice(i.wrapping_mul(units), units));
        for y in rows {
            if steps.is_first(y) {
                cells.fill(0);
                h.fill(zero_point as i8);
            }
            lstm.step(steps.x.row(y), cells, h, next);
            steps.give(y, h.view());
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    fn numbers<const N: usize>(step: f32) -> [f32; N] {
        core::array::from_fn(|i| ((i * 37 % 23) as f32 - 11.0) * step)
    }

    #[test]
    fn steps_depend_on_the_steps_before_only() {
        for sequences in [false, true] {
            for (n, x) in [(1, &numbers::<24>(0.1)[..12]), (2, &numbers::<24>(0.1)[..])] {
                let inputs = [
                    Tensor::new(&[n, 4, 3], x),
                    Tensor::new(&[8, 3], &numbers::<24>(0.05)),
                    Tensor::new(&[8, 2], &numbers::<16>(0.07)),
                    Tensor::new(&[8], &numbers::<8>(0.02)),
                ];
                Case::new(Lstm::new(sequences), inputs).assert_contract();
            }
        }
    }

    #[test]
    fn int8_steps_keep_their_contract_and_parameters_are_checked() {
        let curve: std::vec::Vec<i16> = (0..256)
            .map(|i| (65536.0 / (1.0 + libm::exp(f64::from(-i) / 24.0)) + 0.5).min(65535.0) as u16 as i16)
            .collect();
        let case = |sequences, cell_bits, clip, curve_len: usize| {
            let hidden = Factor::from_real(128.0 / f64::from(1 << 30)).unwrap();
            let op = Lstm::I8 { sequences, clip, cell_bits, hidden };
            let table = Tensor::new(&[8, 3], &[500, 1 << 30, -2].repeat(8)).constant();
            let weights: [i8; 24] = core::array::from_fn(|i| (i * 37 % 251) as i8);
            let x: [i8; 12] = core::array::from_fn(|i| (i * 91 % 251) as i8);
            let inputs = [
                Tensor::new(&[1, 4, 3], &x).zero_point(3),
                Tensor::new(&[8, 3], &weights).constant(),
                Tensor::new(&[8, 2], &weights[..16]).constant(),
                table.clone(),
                table,
                Tensor::new(&[curve_len], &curve[..curve_len]).constant(),
            ];
            Case::new(op, inputs).output_zero_point(-5)
        };
        for sequences in [false, true] {
            case(sequences, 11, 0, 256).assert_contract();
            case(sequences, 13, 1000, 256).assert_contract();
        }
        assert_eq!(case(true, 16, 0, 256).check(), Err(Error::Parameters));
        assert_eq!(case(true, 11, -1, 256).check(), Err(Error::Parameters));
        assert_eq!(case(true, 11, 0, 255).check(), Err(Error::Shape));
    }
}
