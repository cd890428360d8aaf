//! Sum along any axes.
//!
//! Input of rank 1 to 4, f32. Output without the axes or with 1 in their place. Rows are taken as they come: the accumulators
//! are scratch. In int8 a sum is a [`Mean`] whose factor has no division in it.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Mean, OpCode, Operator, Order, Outputs, Run};
use crate::kernels::pool::Pixels;
use crate::kernels::reduce::add_pixels;
use crate::mem::{Memory, ViewMut};
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of a sum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    /// The axes, as a bit set: bit i is dimension i.
    pub axes: u8,
    /// Whether the output keeps the axes, as dimensions of 1.
    pub keep_dims: bool,
}

impl Sum {
    /// The mean of the same elements, whose rules are those of the sum.
    pub fn mean(&self) -> Mean {
        Mean { axes: self.axes, keep_dims: self.keep_dims, factor: None }
    }
}

impl Operator for Sum {
    const CODE: OpCode = OpCode::Sum;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        self.mean().infer(inputs)
    }

    fn order(&self, inputs: &[TensorType]) -> Order {
        self.mean().order(inputs)
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        self.mean().rows(input, inputs, y)
    }

    fn by_rows(&self, inputs: &[TensorType]) -> u16 {
        self.mean().by_rows(inputs)
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        self.mean().scratch_bytes(inputs)
    }
}

impl Run<f32> for Sum {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let add = |acc: ViewMut<f32>, x: Pixels<f32>| add_pixels(acc, x, |acc, x| acc + x);
        self.mean().reduce(node, mem, rows, add, |acc| acc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn adds_along_the_axes() {
        let x = Tensor::new(&[2, 3], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let sum = |axes, keep_dims| {
            let case = Case::new(Sum { axes, keep_dims }, [x.clone()]);
            case.assert_contract();
            case.run::<f32>().unwrap()
        };
        assert_eq!(sum(0b01, false), [5.0, 7.0, 9.0]);
        assert_eq!(sum(0b10, true), [6.0, 15.0]);
        assert_eq!(sum(0b11, false), [21.0]);
    }

    #[test]
    fn int8_is_a_mean() {
        let x = Tensor::new(&[2, 3], &[0i8; 6]);
        assert_eq!(Case::new(Sum { axes: 1, keep_dims: false }, [x]).check(), Err(Error::Parameters));
    }
}
