//! Maximum over windows of an image, with fused activation.
//!
//! Input `[n, h, w, c]`, output `[n, oh, ow, c]`. Padding does not count. int8 takes the maximum of the
//! stored integers, so input and output have the same quantization.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::pooling::Pooling;
use super::{OUTPUT, OpCode, Operator, Order, Outputs, Run, check_same_zero_points};
use crate::kernels::pool::{MaxF32, MaxI8};
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// Max pooling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxPool2d(pub Pooling);

impl Operator for MaxPool2d {
    const CODE: OpCode = OpCode::MaxPool2d;

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
        self.0.scratch_bytes(inputs, inputs.first().map_or(0, |x| x.dtype.bytes()))
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }
}

impl Run<f32> for MaxPool2d {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.0.run(&MaxF32(self.0.bounds.f32()), node, mem, rows);
    }
}

impl Run<i8> for MaxPool2d {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        check_same_zero_points(node)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        self.0.run(&MaxI8(self.0.bounds.i8()), node, mem, rows);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::super::bounds::Bounds;
    use super::super::testing::{Case, Tensor};
    use super::super::window::Window;
    use super::*;

    #[test]
    fn takes_the_largest_of_each_channel() {
        let window = Window { stride: [2, 2], pads: [0, 0, 1, 0], ..Window::UNIT };
        let op = MaxPool2d(Pooling { kernel: [2, 2], window, bounds: Bounds::I8 { lo: -7, hi: 8 } });
        let x = [1i8, -5, 2, -6, 3, -7, 4, -8, 9, -9, 5, -10];
        let case = Case::new(op, [Tensor::new(&[1, 3, 2, 2], &x)]);
        assert_eq!(case.run::<i8>(), Ok([4, -5, 8, -7].into()));
        case.assert_contract();
    }

    proptest::proptest! {
        #[test]
        fn each_value_is_the_largest_of_its_window(
            [kh, kw] in [1u8..5, 1u8..5],
            stride in [1u8..4, 1u8..4],
            pads in [0u8..3, 0u8..3, 0u8..3, 0u8..3],
            (w, c) in (1usize..9, 1usize..7),
            bounds in proptest::prop_oneof![
                proptest::prelude::Just(Bounds::None),
                proptest::prelude::Just(Bounds::I8 { lo: -100, hi: 90 }),
            ],
            x in proptest::collection::vec(proptest::prelude::any::<i8>(), 2 * 5 * 8 * 6),
        ) {
            let window = Window { stride, pads, ..Window::UNIT };
            let op = MaxPool2d(Pooling { kernel: [kh, kw], window, bounds });
            for n in [1, 2] {
                let x = &x[..n * 5 * w * c];
                let case = Case::new(op, [Tensor::new(&[n, 5, w, c], x)]);
                if case.check().is_err() {
                    continue;
                }
                case.assert_contract();
                let [oh, ow] = window.output([kh as usize, kw as usize], &crate::Shape::new(&[n, 5, w, c]).unwrap()).unwrap();
                let value = |i: usize| {
                    let (ch, ox, oy, image) = (i % c, i / c % ow, i / c / ow % oh, i / c / ow / oh);
                    let at = |o: usize, axis: usize, tap: u8| (o * stride[axis] as usize + tap as usize).wrapping_sub(pads[axis] as usize);
                    let taps = (0..kh).flat_map(|ky| (0..kw).map(move |kx| (at(oy, 0, ky), at(ox, 1, kx))));
                    let inside = taps.filter(|&(iy, ix)| iy < 5 && ix < w);
                    let max = inside.map(|(iy, ix)| x[((image * 5 + iy) * w + ix) * c + ch]).max().unwrap();
                    max.clamp(bounds.i8().0, bounds.i8().1)
                };
                let expected: Vec<i8> = (0..n * oh * ow * c).map(value).collect();
                proptest::prop_assert_eq!(case.run::<i8>().unwrap(), expected);
            }
        }
    }

    #[test]
    fn other_quantizations_are_refused() {
        let op = MaxPool2d(Pooling { kernel: [1, 1], window: Window::UNIT, bounds: Bounds::None });
        let case = |zero_point| Case::new(op, [Tensor::new(&[1, 1, 1, 1], &[5i8]).zero_point(zero_point)]);
        assert_eq!(case(0).run::<i8>(), Ok([5].into()));
        assert_eq!(case(1).check(), Err(Error::Parameters));
    }
}
