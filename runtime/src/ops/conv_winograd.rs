//! [`Conv2d`](super::Conv2d) of int8 with a 3x3 window and stride 1 by Winograd's algorithm F(2x2, 3x3), exactly: the same
//! outputs from 4 products in place of 9, and from weights of about 3.6 times the bytes. (Lavin, Gray: Fast Algorithms for
//! Convolutional Neural Networks, 2015; here in integers, and for cores with 16-bit products.)
//!
//! Inputs: image `[n, h, w, c_in]`, weights `[c_out, 4 * (at_once + 2) * c_in]` of i16, channel table `[c_out, 3]` of i32
//! (bias, multiplier, shift); `c_in` a multiple of 4, `c_out` of 2. Output `[n, oh, ow, c_out]`.
//!
//! A tile of 2x2 outputs reads 4x4 inputs d, the stored numbers, with the zero point in the padding. With
//!
//! ```text
//!       ⎡1  0 -1  0⎤        ⎡2  0  0⎤
//! Bᵀ =  ⎢0  1  1  0⎥   G =  ⎢1  1  1⎥   Aᵀ = ⎡1  1  1  0⎤
//!       ⎢0 -1  1  0⎥        ⎢1 -1  1⎥        ⎣0  1 -1  1⎦
//!       ⎣0 -1  0  1⎦        ⎣0  0  2⎦
//! ```
//!
//! the weights w of a channel become U = G w Gᵀ, |U| ≤ 1152, and the inputs V = Bᵀ d B, |V| ≤ 512. What Aᵀ Σ(U ∘ V) A, the
//! sum over the channels of products place by place, leaves is 4 times the sums of the convolution, whatever wraps on the
//! way. So a bias, in which the zero point is folded, is added 4 times, and all of it divided by 4, rounded down. These
//! sums must fit 32 bits, and all factors use all bits of their multiplier and shift right.
//!
//! Tiles of one row, `at_once` 1, have Aᵀ and Bᵀ without the last row along the image's columns: a third more products.
//! The weights of two channels come together, `[c_out / 2, 4, at_once + 2, c_in / 2, 2, 2]`: by columns and rows of U in the
//! order 1, 2, 0, 3, then the input channels (0, 2) and (1, 3) of each four, first of the one channel and then of the other.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::conv2d::check_packed_weights;
use super::window::{Geometry, Window, all_rows};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::conv_winograd::{Winograd, winograd_rows, winograd_scratch_bytes};
use crate::kernels::requantize::{Channels, Groups, Requantize};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a convolution by Winograd's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvWinograd {
    /// Stride 1, no dilation; padding, of at most 2 on each side.
    pub window: Window,
    /// Fused activation.
    pub bounds: Bounds,
    /// Rows of a tile: 1, or 2 on one image, from an even row on. The second one needs what the first one reads.
    pub at_once: u8,
}

impl ConvWinograd {
    /// Taps `[h, w]` of the window.
    pub const KERNEL: [usize; 2] = [3, 3];

    /// Whether there is such a layer for this window and so many channels.
    pub fn takes(window: &Window, [c_in, c_out]: [usize; 2]) -> bool {
        window.stride == [1, 1]
            && window.dilation == [1, 1]
            && window.pads.iter().all(|&pad| pad <= 2)
            && c_in.is_multiple_of(4)
            && c_in <= MAX_CHANNELS
            && c_out.is_multiple_of(2)
    }

    /// Weights of an output channel.
    pub fn weights(&self, c_in: usize) -> usize {
        (self.at_once as usize).wrapping_add(2).wrapping_mul(4).wrapping_mul(c_in)
    }
}

/// The most channels of an image: bytes of weights and scratch memory then have 32 bits.
const MAX_CHANNELS: usize = 1 << 16;

impl Operator for ConvWinograd {
    const CODE: OpCode = OpCode::ConvWinograd;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, w, table] = inputs else { return Err(Error::Arity) };
        if x.dtype != DType::I8 || w.dtype != DType::I16 || table.dtype != DType::I32 {
            return Err(Error::DType);
        }
        let [oh, ow] = self.window.output(Self::KERNEL, &x.shape)?;
        let (c_in, c_out) = (x.shape.dim(3), w.shape.dim(0));
        self.bounds.check(DType::I8)?;
        let tile_fits = self.at_once == 1 || self.at_once == 2 && x.shape.dim(0) == 1;
        if !Self::takes(&self.window, [c_in, c_out]) || !tile_fits {
            return Err(Error::Parameters);
        }
        let [w, table] = [w, table].map(|ty| (ty.shape.rank(), ty.shape.dim(0), ty.shape.dim(1)));
        if w != (2, c_out, self.weights(c_in)) || table != (2, c_out, 3) {
            return Err(Error::Shape);
        }
        one(TensorType::new(DType::I8, Shape::new(&[x.shape.dim(0), oh, ow, c_out])?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [x, ..]) => {
                let rows = |y| self.window.rows(Self::KERNEL, &x.shape, y);
                // That of an odd row begins with the row before.
                let first = y & !(self.at_once as usize >> 1);
                rows(first).start..rows(y).end
            }
            _ => all_rows(inputs, input),
        }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        let geometry = match inputs {
            [x, w, ..] => Geometry::infer(self.window, Self::KERNEL, &x.shape, w.shape.dim(0)),
            _ => None,
        };
        geometry.map_or(0, |geometry| winograd_scratch_bytes(&geometry, self.at_once as usize))
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match (self.infer(inputs).as_deref(), inputs) {
            (Ok([out, ..]), [x, ..]) => out.shape.count() as u64 * 9 * x.shape.channels() as u64,
            _ => 0,
        }
    }
}

impl Run<i8> for ConvWinograd {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        check_packed_weights(node, mem, Some(Groups::NONE))?;
        // Of pixels, which have four channels or more, kernels load words, too.
        if node.input(0).offset().is_multiple_of(4) { Ok(()) } else { Err(Error::Alignment) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, w, out) = (node.input(0), node.input(1), node.output(0));
        let geometry = Geometry::new(self.window, Self::KERNEL, &x.ty.shape, &out.ty.shape);
        let channels = Channels(node.input(2).view(mem));
        let requantize = Requantize { channels, zero_point: out.zero_point(), bounds: self.bounds.i8() };
        let (padding, at_once) = (x.zero_point() as i8, self.at_once as usize);
        let layer = Winograd { requantize, padding, w: w.view(mem), at_once };
        winograd_rows(&layer, &geometry, &x.rows(mem), rows, &out.rows_mut(mem), node.scratch(mem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let x: [i8; 7 * 5 * 4] = core::array::from_fn(|i| (i * 37 % 251) as u8 as i8);
        let w: [i16; 2 * 16 * 4] = core::array::from_fn(|i| (i * 611 % 2305) as i16 - 1152);
        let table = [50, 1 << 30, -12, -70, 3 << 29, -11];
        for (at_once, pads) in [(1, [1; 4]), (2, [1; 4]), (2, [0, 1, 2, 0]), (2, [2, 0, 1, 2])] {
            let op = ConvWinograd {
                window: Window { pads, ..Window::UNIT },
                bounds: Bounds::I8 { lo: -90, hi: 99 },
                at_once,
            };
            let weights = op.weights(4);
            let inputs = [
                Tensor::new(&[1, 7, 5, 4], &x).zero_point(3),
                Tensor::new(&[2, weights], &w[..2 * weights]).constant(),
                Tensor::new(&[2, 3], &table).constant(),
            ];
            Case::new(op, inputs).assert_contract();
        }
    }
}
