//! Product of two tensors whose shapes broadcast, element by element, with fused activation.
//!
//! Inputs: two tensors, both f32 or both int8. Output: their broadcast shape. int8 rounds once, as
//! TensorFlow Lite Micro.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::elementwise::Elementwise;
use super::{Factor, OpCode, Run, broadcast};
use crate::kernels::arithmetic::clamp_f32;
use crate::kernels::elementwise::Strided;
use crate::kernels::mul::{MulI8, PRODUCT_MAX, mul_row};
use crate::mem::{Memory, ViewMut};
use crate::model::Node;
use crate::{Error, TensorType};

/// Parameters of a product.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mul {
    /// Fused activation.
    pub bounds: Bounds,
    /// Only and always for int8: the product of the operands' scales by the output's scale, below 2^15.
    pub factor: Option<Factor>,
}

impl Elementwise for Mul {
    const CODE: OpCode = OpCode::Mul;
    const OPERANDS: usize = 2;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        let out = broadcast::infer_with(inputs, self.factor, |factor| factor.check_for(PRODUCT_MAX))?;
        self.bounds.check(out.dtype)?;
        Ok(out)
    }
}

impl Run<f32> for Mul {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let bounds = self.bounds.f32();
        broadcast::zip(node, mem, rows, |a: f32, b: f32| clamp_f32(a * b, bounds));
    }
}

impl Run<i8> for Mul {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let Some(output) = self.factor else { return };
        let mul = MulI8 {
            zero_points: [node.input(0).zero_point(), node.input(1).zero_point()],
            output,
            zero_point: node.output(0).zero_point(),
            bounds: self.bounds.i8(),
        };
        let line_of = |a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>| mul_row(&mul, a, b, out);
        if broadcast::zip_channels(node, mem, rows.clone(), line_of).is_none() {
            broadcast::zip_lines(node, mem, rows, line_of);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::ops::testing::{Case, Tensor};

    fn case(factor: f64) -> Case<Mul> {
        let op = Mul { bounds: Bounds::None, factor: Factor::from_real(factor) };
        let a = Tensor::new(&[1, 2, 1, 3], &[127i8, -128, 3, 1, 2, 0]).zero_point(1);
        let b = Tensor::new(&[3], &[127i8, 127, 5]).zero_point(-1);
        Case::new(op, [a, b]).output_zero_point(7)
    }

    #[test]
    fn int8_products_have_no_zero_points() {
        let quotients = case(1.0 / 128.0);
        assert_eq!(quotients.run::<i8>().unwrap(), [127, -122, 7, 7, 8, 7]);
        quotients.assert_contract();
    }

    #[test]
    fn channels_times_a_number_each() {
        let op = Mul { bounds: Bounds::None, factor: Factor::from_real(1.0 / 64.0) };
        let x: [i8; 105] = core::array::from_fn(|i| (i * 37 % 251) as u8 as i8);
        let gates = [127i8, -128, 3];
        let x_of = || Tensor::new(&[1, 5, 7, 3], &x).zero_point(-3);
        let gates_of = || Tensor::new(&[1, 1, 1, 3], &gates).zero_point(2);
        let products: std::vec::Vec<i8> = (0..105)
            .map(|i| (x[i] as i32 + 3) * (gates[i % 3] as i32 - 2))
            .map(|product| Factor::from_real(1.0 / 64.0).unwrap().requantize(product, 7, (-128, 127)))
            .collect();
        for operands in [[x_of(), gates_of()], [gates_of(), x_of()]] {
            let case = Case::new(op, operands).output_zero_point(7);
            assert_eq!(case.run::<i8>().unwrap(), products);
            case.assert_contract();
        }
    }

    #[test]
    fn a_factor_that_overflows_is_refused() {
        assert_eq!(case(32767.0).check(), Ok(()));
        assert_eq!(case(32768.0).check(), Err(Error::Parameters));
        assert_eq!(case(-1.0).check(), Err(Error::Parameters), "no factor at all");
    }
}
