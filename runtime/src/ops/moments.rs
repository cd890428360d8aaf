//! Mean and variance of each channel: the statistics of batch normalization while training.
//!
//! Input: `x`, f32 of any shape whose innermost dimension is the `c` channels. Outputs `[c]`: the mean, and
//! the biased variance `sum((x - mean)^2) / n`. A reduction that accumulates in its outputs.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::batch_norm::check_per_channel;
use super::{OpCode, Operator, Order, Outputs, Run};
use crate::kernels::moments;
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Mean and variance; no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moments;

impl Operator for Moments {
    const CODE: OpCode = OpCode::Moments;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x] = inputs else { return Err(Error::Arity) };
        check_per_channel(x, &[])?;
        let channels = TensorType::new(DType::F32, Shape::new(&[x.shape.channels()])?);
        Ok([channels; 2].into_iter().collect())
    }

    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Reduction
    }

    fn rows(&self, _input: usize, _inputs: &[TensorType], y: usize) -> Range<usize> {
        y..y + 1
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        inputs.first().map_or(0, |x| x.shape.channels() * DType::F32.bytes())
    }
}

impl Run<f32> for Moments {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let shape = node.input(0).ty.shape;
        let (channels, n_rows) = (shape.channels(), shape.rows());
        let shift = node.scratch::<f32>(mem);
        let (sum, sum_of_squares) = (node.output(0).view_mut(mem), node.output(1).view_mut(mem));
        let moments = moments::Moments { shift: shift.view(), sum, sum_of_squares };
        let x = node.input(0).rows::<f32>(mem);
        for y in rows {
            if y == 0 {
                shift.copy_from(x.row(0).slice(0, channels));
                sum.fill(0.0);
                sum_of_squares.fill(0.0);
            }
            moments.add_row(x.row(y));
            if y.wrapping_add(1) == n_rows {
                moments.finish(shape.count().checked_div(channels).unwrap_or(1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn keeps_the_digits_of_a_small_variance_beside_a_large_mean() {
        let x: [f32; 16] =
            core::array::from_fn(|i| 1e4 + (i / 2 % 2) as f32 * if i % 2 == 0 { 1.0 } else { 2.0 });
        let case = Case::new(Moments, [Tensor::new(&[2, 2, 2, 2], &x)]);
        assert_eq!(case.run::<f32>(), Ok([10000.5, 10001.0].into()));
        assert_eq!(case.run_output::<f32>(1), Ok([0.25, 1.0].into()));
        case.assert_contract();
    }
}
