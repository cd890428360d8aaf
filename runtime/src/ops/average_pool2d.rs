//! Mean over windows of an image, with fused activation.
//!
//! Input `[n, h, w, c]`, output `[n, oh, ow, c]`. Padding does not count. int8 takes the mean of the stored
//! integers, rounded to nearest with ties away from zero as TensorFlow Lite Micro does, so input and output
//! have the same quantization.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::pooling::Pooling;
use super::{OUTPUT, OpCode, Operator, Order, Outputs, Run, check_same_zero_points};
use crate::kernels::pool::{AverageF32, AverageI8};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// Average pooling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AveragePool2d(pub Pooling);

impl Operator for AveragePool2d {
    const CODE: OpCode = OpCode::AveragePool2d;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        self.0.infer(inputs)
    }

    fn order(&self, inputs: &[TensorType]) -> Order {
        self.0.order(inputs)
    }

    fn rows(&self, _input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        self.0.rows(inputs, y)
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        self.0.scratch_bytes(inputs, DType::I32.bytes())
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }
}

impl Run<f32> for AveragePool2d {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.0.run(&AverageF32(self.0.bounds.f32()), node, mem, rows);
    }
}

impl Run<i8> for AveragePool2d {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        check_same_zero_points(node)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.0.run(&AverageI8(self.0.bounds.i8()), node, mem, rows);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::bounds::Bounds;
    use super::super::testing::{Case, Tensor};
    use super::super::window::Window;
    use super::*;

    fn pairs(pads: [u8; 4]) -> AveragePool2d {
        let window = Window { pads, ..Window::UNIT };
        AveragePool2d(Pooling { kernel: [1, 2], window, bounds: Bounds::None })
    }

    #[test]
    fn ties_go_away_from_zero_and_padding_does_not_count() {
        let x = Tensor::new(&[1, 1, 4, 1], &[-4i8, -1, 2, 3]).zero_point(9);
        let case = Case::new(pairs([0, 1, 0, 1]), [x]).output_zero_point(9);
        assert_eq!(case.run::<i8>(), Ok([-4, -3, 1, 3, 3].into()));
        assert_eq!(case.output_zero_point(8).check(), Err(Error::Parameters));
    }

    #[test]
    fn a_window_in_the_padding_alone_is_refused() {
        let case = |pads| Case::new(pairs(pads), [Tensor::new(&[1, 1, 3, 1], &[1f32, 2.0, 3.0])]);
        assert_eq!(case([0, 1, 0, 0]).run::<f32>(), Ok([1.0, 1.5, 2.5].into()));
        assert_eq!(case([0, 2, 0, 0]).check(), Err(Error::Parameters));
        assert_eq!(case([1, 0, 0, 0]).check(), Err(Error::Parameters));
    }

    #[test]
    fn one_row_is_gathered_from_the_rows_of_the_image() {
        let x: [i8; 40] = core::array::from_fn(|i| (i as i8).wrapping_mul(31));
        for (kernel, pads) in
            [([5, 4], [0; 4]), ([3, 2], [0; 4]), ([6, 3], [1, 1, 1, 1]), ([4, 4], [0, 1, 0, 2])]
        {
            let window = Window { stride: [7, 1], pads, ..Window::UNIT };
            let op = Pooling { kernel, window, bounds: Bounds::I8 { lo: -60, hi: 50 } };
            let one = |n: usize| Tensor::new(&[n, 5, 4, 2], &x.repeat(n));
            let case = Case::new(AveragePool2d(op), [one(1)]);
            let row = case.run::<i8>().unwrap();
            case.assert_contract();
            // Two images are two rows, each computed at once.
            let two = Case::new(AveragePool2d(op), [one(2)]);
            assert_eq!(two.run::<i8>().unwrap(), row.repeat(2));
        }
    }

    proptest::proptest! {
        #[test]
        fn keeps_the_contract(
            [kh, kw] in [1u8..4, 1u8..4],
            stride in [1u8..4, 1u8..4],
            pads in [0u8..3, 0u8..3, 0u8..3, 0u8..3],
            seed: i8,
        ) {
            let x: [i8; 80] = core::array::from_fn(|i| (i as i8).wrapping_mul(37).wrapping_add(seed));
            let window = Window { stride, pads, ..Window::UNIT };
            let op = Pooling { kernel: [kh, kw], window, bounds: Bounds::I8 { lo: -100, hi: 90 } };
            let case = Case::new(AveragePool2d(op), [Tensor::new(&[2, 5, 4, 2], &x)]);
            if case.check().is_ok() {
                case.assert_contract();
            }
        }
    }
}
