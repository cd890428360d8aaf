//! [`DepthwiseConv2d`](super::DepthwiseConv2d) of int8 with a 3x3 window and an activation that cuts at the zero point,
//! as the converter arranges it for cores with 16-bit products: the same outputs from channels whose weights, bias and
//! rounding are ready to be used.
//!
//! Inputs: image `[n, h, w, c]`, records `[c, 8]` of i32, `c` a multiple of 4. Output `[n, oh, ow, c]`. A record has the
//! weights in pairs of 16 bits: rows (0, 2) of columns 0, 1 and 2, then of row 1 columns (0, 1) and (2, none); then
//! bias, multiplier M and addend C. An output is `(sum * M >> 32) + C >> 10`, saturated to int8, then clamped. The converter
//! finds numbers with which that is, for every sum of the channel, what rounding twice gives.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::window::{Geometry, Window, all_rows};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
pub use crate::kernels::depthwise_records::RECORD_WORDS;
use crate::kernels::depthwise_records::{Records, depthwise_record_rows, depthwise_records_scratch_bytes};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a depthwise convolution whose channels are records.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthwiseRecords {
    /// Stride, of at most 2 along rows, and padding, of at most 1 on each side. No dilation.
    pub window: Window,
    /// Fused activation.
    pub bounds: Bounds,
    /// Rows that are computed at a time from an even one on, by cores that gain by it: 1, or 2 with stride 1 on one image.
    /// The second one needs what the first one reads.
    pub at_once: u8,
}

impl DepthwiseRecords {
    /// Taps `[h, w]` of the window.
    pub const KERNEL: [usize; 2] = [3, 3];

    /// Whether there is such a layer for this window and so many channels.
    pub fn takes(window: &Window, channels: usize) -> bool {
        let Window { stride: [_, stride], dilation, pads } = *window;
        channels.is_multiple_of(4)
            && (stride == 1 || stride == 2)
            && dilation == [1, 1]
            && pads.iter().all(|&pad| pad <= 1)
    }

    /// Whether two rows can be computed at a time.
    pub fn takes_pairs(&self, x: &TensorType) -> bool {
        self.window.stride == [1, 1] && x.shape.dim(0) == 1
    }
}

impl Operator for DepthwiseRecords {
    const CODE: OpCode = OpCode::DepthwiseRecords;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, records] = inputs else { return Err(Error::Arity) };
        if x.dtype != DType::I8 || records.dtype != DType::I32 {
            return Err(Error::DType);
        }
        let [oh, ow] = self.window.output(Self::KERNEL, &x.shape)?;
        let channels = x.shape.dim(3);
        let [rank, n, words] = [records.shape.rank(), records.shape.dim(0), records.shape.dim(1)];
        if rank != 2 || n != channels || words != RECORD_WORDS {
            return Err(Error::Shape);
        }
        self.bounds.check(DType::I8)?;
        let in_pairs = self.at_once == 2 && self.takes_pairs(&x);
        if !Self::takes(&self.window, channels) || !(in_pairs || self.at_once == 1) {
            return Err(Error::Parameters);
        }
        one(TensorType::new(DType::I8, Shape::new(&[x.shape.dim(0), oh, ow, channels])?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [x, ..]) => {
                let rows = self.window.rows(Self::KERNEL, &x.shape, y);
                // The row before an odd one begins a row further up, unless that is in the padding.
                rows.start.saturating_sub(y & (self.at_once as usize >> 1))..rows.end
            }
            _ => all_rows(inputs, input),
        }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        let geometry =
            inputs.first().and_then(|x| Geometry::infer(self.window, Self::KERNEL, &x.shape, x.shape.dim(3)));
        geometry.map_or(0, |geometry| depthwise_records_scratch_bytes(&geometry))
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match self.infer(inputs).as_deref() {
            Ok([out, ..]) => 9 * out.shape.count() as u64,
            _ => 0,
        }
    }
}

impl Run<i8> for DepthwiseRecords {
    fn check(&self, node: &Node, _mem: &Memory) -> Result<(), Error> {
        if node.input(1).is_constant() { Ok(()) } else { Err(Error::TensorPlace) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0), node.output(0));
        let geometry = Geometry::new(self.window, Self::KERNEL, &x.ty.shape, &out.ty.shape);
        let DepthwiseRecords { bounds, at_once, .. } = *self;
        let words = node.input(1).view(mem);
        let records = Records { x_offset: -x.zero_point(), words, bounds: bounds.i8(), at_once };
        depthwise_record_rows(&records, &geometry, &x.rows(mem), rows, &out.rows_mut(mem), node.scratch(mem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let x: [i8; 7 * 5 * 4] = core::array::from_fn(|i| (i * 37 % 251) as u8 as i8);
        let pair = |low: i32, high: i32| low & 0xFFFF | high << 16;
        let record = |c: i32| {
            let w = |i: i32| (7 * i + 11 * c) % 61 - 30;
            let pairs =
                [pair(w(0), w(6)), pair(w(1), w(7)), pair(w(2), w(8)), pair(w(3), w(4)), pair(w(5), 0)];
            [pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], 100 * c, 1 << 30, 512]
        };
        let records = [0, 1, 2, 3].map(record);
        for (stride, at_once, pads) in
            [([1, 1], 1, [1; 4]), ([1, 1], 2, [1; 4]), ([1, 1], 2, [0, 1, 1, 0]), ([2, 2], 1, [1, 0, 1, 1])]
        {
            let window = Window { stride, dilation: [1, 1], pads };
            let op = DepthwiseRecords { window, bounds: Bounds::I8 { lo: -90, hi: 99 }, at_once };
            let inputs = [
                Tensor::new(&[1, 7, 5, 4], &x).zero_point(3),
                Tensor::new(&[4, RECORD_WORDS], records.as_flattened()).constant(),
            ];
            Case::new(op, inputs).assert_contract();
        }
    }
}
