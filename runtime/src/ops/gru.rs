//! Gated recurrent unit over a sequence (Cho et al. 2014, with the reset gate behind the product, as in cuDNN, PyTorch and
//! Keras' `reset_after`). From a hidden state of zeros, each step is
//!
//! ```text
//! r = logistic(W_r x + b_r + U_r h + c_r)         reset
//! z = logistic(W_z x + b_z + U_z h + c_z)         update
//! n = tanh(W_n x + b_n + r * (U_n h + c_n))       new
//! h = (1 - z) * n + z * h
//! ```
//!
//! Inputs: the sequences `[n, t, c]`, `W` `[3h, c]` and `U` `[3h, h]`, the gates in the order r, z, n; then for f32 the
//! biases `b` and `c` `[3h]`, for int8 tables `[3h, 3]` of i32 in their place: bias, multiplier and shift that take a sum
//! to Q3.12. Output: every hidden state `[n, t, h]`, or the last `[n, h]`; in int8 it counts 128ths and its zero point
//! is 0. The int8 arithmetic keeps the hidden state in 16 bits, of which the products see the upper 8
//! (`tests/cases/README.md`).
//!
//! Steps are taken one after the other: one sequence may arrive row by row if only the last state is wanted.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::recurrent::{self, Steps};
use super::{OpCode, Operator, Order, Outputs, Run};
use crate::kernels::gru::{GruF32, GruI8};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// Gates of a unit.
pub(crate) const GATES: usize = 3;

/// Parameters of a gated recurrent unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gru {
    /// Whether the output is every hidden state, and not only the last.
    pub sequences: bool,
}

impl Gru {
    /// The scale of an int8 output.
    pub const SCALE: f32 = 1.0 / 128.0;
    /// The zero point of an int8 output.
    pub const ZERO_POINT: i8 = 0;
}

impl Operator for Gru {
    const CODE: OpCode = OpCode::Gru;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, w, u, b, c] = inputs else { return Err(Error::Arity) };
        recurrent::infer([x, w, u], &[b, c], GATES, self.sequences)
    }

    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Reduction
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        recurrent::rows(input, inputs, y)
    }

    fn by_rows(&self, inputs: &[TensorType]) -> u16 {
        recurrent::by_rows(inputs, self.sequences)
    }

    /// The hidden state: in f32 the one before a step and the one after, in int8 in 16 bits and in 8.
    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        let per_unit = match inputs {
            [x, ..] if x.dtype == DType::I8 => DType::I16.bytes() + DType::I8.bytes(),
            _ => 2 * DType::F32.bytes(),
        };
        recurrent::units(inputs) * per_unit
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        recurrent::macs(inputs)
    }
}

impl Run<f32> for Gru {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let vector = |i: usize| node.input(i).view::<f32>(mem);
        let gru = GruF32 { w: vector(1), u: vector(2), b: vector(3), c: vector(4) };
        let steps = Steps::of(node, mem, self.sequences);
        let scratch = node.scratch::<f32>(mem);
        let units = steps.units;
        let (h, next) = (scratch.slice(0, units), scratch.slice(units, units));
        for y in rows {
            if steps.is_first(y) {
                h.fill(0.0);
            }
            gru.step(steps.x.row(y), h.view(), next);
            h.copy_from(next.view());
            steps.give(y, h.view());
        }
    }
}

impl Run<i8> for Gru {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        if node.output(0).zero_point() != Self::ZERO_POINT as i32 {
            return Err(Error::Parameters);
        }
        recurrent::check_i8(node, mem)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let [input, recurrent] = recurrent::projections(node, mem, Self::ZERO_POINT as i32);
        let gru = GruI8 { input, recurrent };
        let steps = Steps::of(node, mem, self.sequences);
        let units = steps.units;
        let state = node.scratch::<i16>(mem).slice(0, units);
        let h = node.scratch::<i8>(mem).slice(units.wrapping_mul(2), units);
        for y in rows {
            if steps.is_first(y) {
                state.fill(0);
                h.fill(0);
            }
            gru.step(steps.x.row(y), state, h);
            steps.give(y, h.view());
        }
    }
}

#[cfg(test)]
mod tests {
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
                    Tensor::new(&[6, 3], &numbers::<18>(0.05)),
                    Tensor::new(&[6, 2], &numbers::<12>(0.07)),
                    Tensor::new(&[6], &numbers::<6>(0.02)),
                    Tensor::new(&[6], &numbers::<6>(0.03)),
                ];
                Case::new(Gru { sequences }, inputs).assert_contract();
            }
        }
    }

    #[test]
    fn int8_is_near_f32() {
        let (x, w, u) = ([100i8, -100, 50, 25, 0, -128], [64i8, -127, 30, 100, -50, 80], [90i8, -90, 127]);
        let real = |q: &[i8], scale: f32| q.iter().map(|&q| q as f32 * scale).collect::<std::vec::Vec<f32>>();
        let scales = (0.02f32, 0.01f32, 0.008f32);
        let exact = Case::new(
            Gru { sequences: true },
            [
                Tensor::new(&[1, 3, 2], &real(&x, scales.0)),
                Tensor::new(&[3, 2], &real(&w, scales.1)),
                Tensor::new(&[3, 1], &real(&u, scales.2)),
                Tensor::new(&[3], &[0.0f32; 3]),
                Tensor::new(&[3], &[0.0f32; 3]),
            ],
        );
        let table = |scale: f32| {
            let factor = crate::ops::Factor::from_real(scale as f64 * 4096.0).unwrap();
            Tensor::new(&[3, 3], &[0, factor.multiplier, factor.shift as i32].repeat(3)).constant()
        };
        let inputs = |x: &[i8]| {
            [
                Tensor::new(&[1, 3, 2], x),
                Tensor::new(&[3, 2], &w).constant(),
                Tensor::new(&[3, 1], &u).constant(),
                table(scales.0 * scales.1),
                table(scales.2 / 128.0),
            ]
        };
        let quantized = Case::new(Gru { sequences: true }, inputs(&x));
        quantized.assert_contract();
        Case::new(Gru { sequences: false }, inputs(&x)).assert_contract();
        for (q, real) in quantized.run::<i8>().unwrap().iter().zip(exact.run::<f32>().unwrap()) {
            assert!((*q as f32 / 128.0 - real).abs() < 0.01, "{q} {real}");
        }
    }

    #[test]
    fn shapes_must_agree() {
        let check = |w: &[usize], u: &[usize], b: &[usize]| {
            let zeros = |dims: &[usize]| Tensor::new(dims, &std::vec![0.0f32; dims.iter().product()]);
            let inputs = [zeros(&[1, 4, 3]), zeros(w), zeros(u), zeros(b), zeros(&[6])];
            Case::new(Gru { sequences: false }, inputs).check()
        };
        assert_eq!(check(&[6, 3], &[6, 2], &[6]), Ok(()));
        assert_eq!(check(&[6, 2], &[6, 2], &[6]), Err(Error::Shape));
        assert_eq!(check(&[6, 3], &[6, 3], &[6]), Err(Error::Shape));
        assert_eq!(check(&[4, 3], &[4, 2], &[4]), Err(Error::Shape));
        assert_eq!(check(&[6, 3], &[6, 2], &[3]), Err(Error::Shape));
    }
    extern crate std;
}
