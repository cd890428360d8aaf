//! Layer normalization over the innermost dimension (Ba et al. 2016): `(x - mean) / sqrt(variance + epsilon) * gamma +
//! beta`, mean and variance those of each vector.
//!
//! Inputs: `x` of any shape whose innermost dimension is `c`; then for f32 gamma and beta `[c]`, for int8 a table `[c, 2]`
//! of i32 with both as the arithmetic takes them (`tests/cases/README.md`). Output as `x`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::each_vector;
use super::window::all_rows;
use super::{Factor, OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::layer_norm::{LayerNormI8, MAX_LEN_I8, layer_norm_f32};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

pub use crate::kernels::layer_norm::{GAMMA_MAX, NORMALIZED_BITS};

/// Parameters of a layer normalization.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum LayerNorm {
    /// On f32.
    F32 {
        /// Added to the variance; not negative.
        epsilon: f32,
    },
    /// On int8, with at most 4096 elements in the last axis.
    I8 {
        /// `epsilon * c² / scale²` of the input's scale, rounded.
        epsilon: u64,
        /// What a stored gamma stands for, by `2^10` and the output's scale.
        factor: Factor,
    },
}

impl Operator for LayerNorm {
    const CODE: OpCode = OpCode::LayerNorm;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let (&x, parameters) = inputs.split_first().ok_or(Error::Arity)?;
        let c = x.shape.channels();
        let (dtype, expected, n) = match *self {
            LayerNorm::F32 { .. } => (DType::F32, TensorType::new(DType::F32, Shape::new(&[c])?), 2),
            LayerNorm::I8 { .. } => (DType::I8, TensorType::new(DType::I32, Shape::new(&[c, 2])?), 1),
        };
        if parameters.len() != n {
            return Err(Error::Arity);
        }
        if x.dtype != dtype || parameters.iter().any(|ty| ty.dtype != expected.dtype) {
            return Err(Error::DType);
        }
        if x.shape.rank() == 0 || parameters.iter().any(|ty| *ty != expected) {
            return Err(Error::Shape);
        }
        match *self {
            LayerNorm::F32 { epsilon } if !(epsilon >= 0.0 && epsilon.is_finite()) => Err(Error::Parameters),
            LayerNorm::I8 { .. } if c > MAX_LEN_I8 => Err(Error::Shape),
            LayerNorm::I8 { factor, .. } => factor.check().and_then(|()| one(x)),
            LayerNorm::F32 { .. } => one(x),
        }
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        if input == 0 { y..y + 1 } else { all_rows(inputs, input) }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        1
    }
}

impl Run<f32> for LayerNorm {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let LayerNorm::F32 { epsilon } = *self else { return };
        let (gamma, beta) = (node.input(1).view(mem), node.input(2).view(mem));
        each_vector(node, mem, rows, |x, out| layer_norm_f32(x, gamma, beta, epsilon, out));
    }
}

impl Run<i8> for LayerNorm {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        if node.input(1).is_constant() { Ok(()) } else { Err(Error::TensorPlace) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let LayerNorm::I8 { epsilon, factor } = *self else { return };
        let (table, zero_point) = (node.input(1).view(mem), node.output(0).zero_point());
        let norm = LayerNormI8 { table, epsilon, factor, zero_point };
        each_vector(node, mem, rows, |x, out| norm.apply(x, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn vectors_are_normalized_each_on_its_own() {
        let x = Tensor::new(&[1, 1, 2, 2], &[1f32, 3.0, 10.0, 10.0]);
        let (gamma, beta) = (Tensor::new(&[2], &[2f32, 1.0]), Tensor::new(&[2], &[0.5f32, 0.0]));
        let case = Case::new(LayerNorm::F32 { epsilon: 0.0 }, [x.clone(), gamma.clone(), beta.clone()]);
        let y = case.run::<f32>().unwrap();
        assert_eq!(&y[..2], [-1.5, 1.0]);
        let case = Case::new(LayerNorm::F32 { epsilon: 1.0 }, [x.clone(), gamma.clone(), beta.clone()]);
        assert_eq!(&case.run::<f32>().unwrap()[2..], [0.5, 0.0]);
        case.assert_contract();
        let error = Case::new(LayerNorm::F32 { epsilon: -1.0 }, [x, gamma, beta]).check();
        assert_eq!(error, Err(Error::Parameters));
    }

    #[test]
    fn int8_needs_no_zero_point_and_takes_equal_numbers() {
        let table = Tensor::new(&[3, 2], &[GAMMA_MAX, 0, GAMMA_MAX, 0, -GAMMA_MAX, 1 << 23]).constant();
        // Outputs in 32nds.
        let factor = Factor::from_real(32.0 / f64::from(GAMMA_MAX) / 1024.0).unwrap();
        let run = |x: &[i8], epsilon| {
            let x = Tensor::new(&[1, 3], x).zero_point(100);
            let case = Case::new(LayerNorm::I8 { epsilon, factor }, [x, table.clone()]).output_zero_point(-4);
            case.assert_contract();
            case.run::<i8>().unwrap()
        };
        // (-1.2247, 0, 1.2247), of which the last is turned around and has 1 added.
        assert_eq!(run(&[-10, 0, 10], 0), [-43, -4, -11]);
        assert_eq!(run(&[-128, -128, -128], 0), [-4, -4, 28]);
        assert_eq!(run(&[5, 5, 5], 1000), [-4, -4, 28]);
    }
}
