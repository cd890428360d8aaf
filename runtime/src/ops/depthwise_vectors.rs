//! [`DepthwiseConv2d`](super::DepthwiseConv2d) of int8 with a 3x3 window, as the converter arranges it for cores with
//! vectors of 16 bytes: the same outputs from records of 16 channels each.
//!
//! Inputs: image `[n, h, w, c]`, records `[c / 16, 84]` of i32, `c` a multiple of 16. Output `[n, oh, ow, c]`. A record has
//! 9 vectors of weights, one for each tap, then the biases, multipliers and shifts of the 16 channels, each in the order
//! 0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15 ([`place`]), in which vectors of 16 bytes are widened. A bias contains
//! what the zero point of the activations adds, minus it times the sum of the channel's weights: in the padding stands the
//! zero point. No weight is -128, so that two products have 16 bits, and all factors use all bits of their multiplier and
//! shift right.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::window::{Geometry, Window, all_rows};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
pub use crate::kernels::depthwise_vectors::{CHANNELS, Field, RECORD_WORDS, place};
use crate::kernels::depthwise_vectors::{Vectors, depthwise_vector_rows, depthwise_vectors_scratch_bytes};
use crate::mem::{Memory, View};
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a depthwise convolution of 16 channels at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthwiseVectors {
    /// Stride, dilation, padding.
    pub window: Window,
    /// Fused activation.
    pub bounds: Bounds,
}

impl DepthwiseVectors {
    /// Taps `[h, w]` of the window.
    pub const KERNEL: [usize; 2] = [3, 3];
}

impl Operator for DepthwiseVectors {
    const CODE: OpCode = OpCode::DepthwiseVectors;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, records] = inputs else { return Err(Error::Arity) };
        if x.dtype != DType::I8 || records.dtype != DType::I32 {
            return Err(Error::DType);
        }
        let [oh, ow] = self.window.output(Self::KERNEL, &x.shape)?;
        let channels = x.shape.dim(3);
        let [rank, n, words] = [records.shape.rank(), records.shape.dim(0), records.shape.dim(1)];
        if rank != 2 || n != channels / CHANNELS || words != RECORD_WORDS {
            return Err(Error::Shape);
        }
        self.bounds.check(DType::I8)?;
        if !channels.is_multiple_of(CHANNELS) {
            return Err(Error::Parameters);
        }
        one(TensorType::new(DType::I8, Shape::new(&[x.shape.dim(0), oh, ow, channels])?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [x, ..]) => self.window.rows(Self::KERNEL, &x.shape, y),
            _ => all_rows(inputs, input),
        }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        inputs.first().map_or(0, |x| depthwise_vectors_scratch_bytes(x.shape.dim(3)))
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match self.infer(inputs).as_deref() {
            Ok([out, ..]) => 9 * out.shape.count() as u64,
            _ => 0,
        }
    }
}

impl Run<i8> for DepthwiseVectors {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        let records = node.input(1);
        if !records.is_constant() {
            return Err(Error::TensorPlace);
        }
        if are_normal(records.view(mem)) { Ok(()) } else { Err(Error::Parameters) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0), node.output(0));
        let geometry = Geometry::new(self.window, Self::KERNEL, &x.ty.shape, &out.ty.shape);
        let layer = Vectors {
            records: node.input(1).view(mem),
            padding: x.zero_point() as i8,
            zero_point: out.zero_point(),
            bounds: self.bounds.i8(),
        };
        depthwise_vector_rows(&layer, &geometry, &x.rows(mem), rows, &out.rows_mut(mem), node.scratch(mem));
    }
}

/// Whether weights and factors are what kernels take.
fn are_normal(records: View<i32>) -> bool {
    let mut start = 0usize;
    while start < records.len() {
        let record = records.slice(start, RECORD_WORDS);
        for word in record.slice(0, Field::Bias.start()).iter() {
            if word.to_le_bytes().contains(&0x80) {
                return false;
            }
        }
        for i in 0..CHANNELS {
            let field = |field: Field| record.at(field.start().wrapping_add(i));
            if field(Field::Multiplier) >> 30 != 1 || !(-31..0).contains(&field(Field::Shift)) {
                return false;
            }
        }
        start = start.wrapping_add(RECORD_WORDS);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    fn records() -> [i32; 84] {
        core::array::from_fn(|i| match i {
            0..36 => (i as i32).wrapping_mul(0x1357_9BDF) & 0x7F7F_7F7F,
            36..52 => i as i32 * 100 - 4000,
            52..68 => (1 << 30) + i as i32 * 12_345_678,
            _ => -9 - i as i32 % 3,
        })
    }

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let x: [i8; 5 * 4 * 16] = core::array::from_fn(|i| (i * 37 % 251) as u8 as i8);
        for (stride, dilation, pads) in
            [([1, 1], [1, 1], [1; 4]), ([2, 2], [1, 1], [0, 2, 1, 0]), ([1, 2], [2, 1], [2; 4])]
        {
            let op = DepthwiseVectors {
                window: Window { stride, dilation, pads },
                bounds: Bounds::I8 { lo: -90, hi: 99 },
            };
            let x = Tensor::new(&[1, 5, 4, 16], &x).zero_point(3);
            Case::new(op, [x, Tensor::new(&[1, 84], &records()).constant()]).assert_contract();
        }
    }

    #[test]
    fn records_are_checked() {
        let check = |at: usize, word: i32| {
            let mut records = records();
            records[at] = word;
            let op = DepthwiseVectors { window: Window::UNIT, bounds: Bounds::None };
            let x = Tensor::new(&[1, 3, 3, 16], &[0i8; 144]);
            Case::new(op, [x, Tensor::new(&[1, 84], &records).constant()]).check()
        };
        assert_eq!(check(0, 5), Ok(()));
        assert_eq!(check(35, 0x0080_0000), Err(Error::Parameters), "a weight of -128");
        assert_eq!(check(52, (1 << 30) - 1), Err(Error::Parameters), "a short multiplier");
        assert_eq!(check(83, 0), Err(Error::Parameters), "no shift to the right");
    }
}
