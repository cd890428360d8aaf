//! Parametric ReLU: negative elements times a slope that is a tensor.
//!
//! Inputs: x and the slopes, which broadcast to it, both f32 or both int8. Output: as x. int8 rounds as
//! TensorFlow Lite Micro does, once on either side of zero.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::Elementwise;
use super::{Factor, OpCode, Run, broadcast};
use crate::kernels::mul::{MulI8, PRODUCT_MAX};
use crate::kernels::requantize::{DIFFERENCE_MAX, Rescale};
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of a parametric ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prelu {
    /// Only and always for int8.
    pub factors: Option<PreluFactors>,
}

/// Ratios of scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreluFactors {
    /// The scale of x by the output's.
    pub positive: Factor,
    /// The product of the operands' scales by the output's.
    pub negative: Factor,
}

impl Elementwise for Prelu {
    const CODE: OpCode = OpCode::Prelu;
    const OPERANDS: usize = 2;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        let out = broadcast::infer_with(inputs, self.factors, |PreluFactors { positive, negative }| {
            positive.check_for(DIFFERENCE_MAX)?;
            negative.check_for(PRODUCT_MAX)
        })?;
        if inputs.first() == Some(&out) { Ok(out) } else { Err(Error::Shape) }
    }
}

impl Run<f32> for Prelu {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        broadcast::zip(node, mem, rows, |x: f32, slope: f32| if x >= 0.0 { x } else { x * slope });
    }
}

impl Run<i8> for Prelu {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let Some(PreluFactors { positive, negative }) = self.factors else { return };
        let (x_zero_point, zero_point) = (node.input(0).zero_point(), node.output(0).zero_point());
        let zero_points = [x_zero_point, node.input(1).zero_point()];
        let bounds = (i8::MIN, i8::MAX);
        let positive = Rescale { x_zero_point, factor: positive, zero_point, bounds };
        let negative = MulI8 { zero_points, output: negative, zero_point, bounds };
        broadcast::zip(node, mem, rows, |x: i8, slope: i8| {
            if x as i32 >= x_zero_point { positive.apply(x) } else { negative.apply(x, slope) }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn each_channel_has_its_slope() {
        let x = Tensor::new(&[2, 2], &[-4.0f32, -4.0, 0.0, 3.0]);
        let case = Case::new(Prelu { factors: None }, [x.clone(), Tensor::new(&[2], &[0.25f32, -1.0])]);
        assert_eq!(case.run::<f32>(), Ok([-1.0, 4.0, 0.0, 3.0].into()));
        case.assert_contract();
        let stretched = Case::new(Prelu { factors: None }, [Tensor::new(&[1, 2], &[1.0f32, 2.0]), x]);
        assert_eq!(stretched.check(), Err(Error::Shape));
    }
}
