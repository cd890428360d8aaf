//! [`Conv2d`](super::Conv2d) of int8 with weights in pairs of channels, as the converter arranges them for cores with
//! 16-bit products: the same outputs from as many bytes.
//!
//! Inputs: image `[n, h, w, c_in]`, weights `[2 * pairs, taps]`, table `[pairs, 6]` of i32 (see [`Table`]). Output
//! `[n, oh, ow, c_out]`, `c_out` at least 2. Instead of an image, vectors `[n, c_in]` give vectors `[n, c_out]`, for a window
//! of one pixel. The `kh * kw * c_in` taps, with zeros up to the next multiple of 4, come by fours in the order 0, 2, 1, 3.
//! Of two channels each, a tap is a 16-bit number, 256 * second + first; the last pair of an odd `c_out` begins with a
//! channel that the pair before it has as well. The second channel's sum has at most 24 bits, and no weight is -128.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::conv2d::check_constants;
use super::window::{Geometry, Window, all_rows};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
pub use crate::kernels::conv_pairs::{ENTRY_WORDS, LINE_POINT};
use crate::kernels::conv_pairs::{PairTable, Pairs, conv_pair_rows, conv_pairs_scratch_bytes};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// What makes outputs of sums. Each pair of channels has in its table the first one's bias, then 256 times the second one's
/// plus that, and then two words for the first channel and two for the second one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Table {
    /// Multiplier and shift of a [`Factor`](super::Factor), which uses all bits of its multiplier and shifts right.
    Factors,
    /// Multiplier M and addend A. An output is `(x * M >> 32) + A >> 4`, clamped, where x is the sum of a pair's first
    /// channel, or `>> 12` where it is 256 times the sum of its second one. The converter finds numbers with which that
    /// is, for every sum of the channel, what rounding twice gives.
    Lines,
}

/// Parameters of a 2-D convolution with weights in pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvPairs {
    /// Stride, dilation, padding.
    pub window: Window,
    /// Fused activation.
    pub bounds: Bounds,
    /// Taps `[h, w]` of the window.
    pub kernel: [u8; 2],
    /// Channels of the output.
    pub channels: u32,
    /// What makes outputs of sums.
    pub table: Table,
}

impl ConvPairs {
    #[inline(always)]
    fn kernel(&self) -> [usize; 2] {
        self.kernel.map(usize::from)
    }

    /// The sizes for an image, or for vectors as a column of pixels.
    fn geometry(&self, x: &Shape) -> Option<Geometry> {
        let channels = self.channels as usize;
        if x.rank() == 2 {
            let (input, output) = ([x.dim(0), 1, x.dim(1)], [x.dim(0), 1, channels]);
            let is_one = self.kernel == [1, 1] && self.window == Window::UNIT;
            return is_one.then_some(Geometry { window: self.window, kernel: [1, 1], input, output });
        }
        Geometry::infer(self.window, self.kernel(), x, channels)
    }

    /// Bytes of weights of a channel that reads images of `c_in` channels.
    pub fn taps(&self, c_in: usize) -> usize {
        let [kh, kw] = self.kernel();
        kh.wrapping_mul(kw).wrapping_mul(c_in).next_multiple_of(4)
    }
}

impl Operator for ConvPairs {
    const CODE: OpCode = OpCode::ConvPairs;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, w, table] = inputs else { return Err(Error::Arity) };
        if x.dtype != DType::I8 || w.dtype != DType::I8 || table.dtype != DType::I32 {
            return Err(Error::DType);
        }
        let Geometry { input, output: [oh, ow, c_out], .. } = self.geometry(&x.shape).ok_or(Error::Shape)?;
        // As many taps can be counted.
        let [kh, kw] = self.kernel();
        Shape::new(&[c_out, kh, kw, input[2]])?;
        let [w, table] = [w, table].map(|ty| (ty.shape.rank(), ty.shape.dim(0), ty.shape.dim(1)));
        let pairs = c_out.div_ceil(2);
        if w != (2, 2 * pairs, self.taps(input[2])) || table != (2, pairs, ENTRY_WORDS) {
            return Err(Error::Shape);
        }
        self.bounds.check(DType::I8)?;
        if c_out < 2 {
            return Err(Error::Parameters);
        }
        let n = x.shape.dim(0);
        let image = [n, oh, ow, c_out];
        let shape = if x.shape.rank() == 2 { Shape::new(&[n, c_out]) } else { Shape::new(&image) };
        one(TensorType::new(DType::I8, shape?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [x, ..]) if x.shape.rank() == 4 => self.window.rows(self.kernel(), &x.shape, y),
            (0, _) => y..y.wrapping_add(1),
            _ => all_rows(inputs, input),
        }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        let geometry = inputs.first().and_then(|x| self.geometry(&x.shape));
        geometry.map_or(0, |geometry| conv_pairs_scratch_bytes(&geometry))
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match (self.infer(inputs).as_deref(), inputs) {
            (Ok([out, ..]), [x, ..]) => {
                let [kh, kw] = self.kernel();
                out.shape.count() as u64 * (kh * kw * x.shape.channels()) as u64
            }
            _ => 0,
        }
    }
}

impl Run<i8> for ConvPairs {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        check_constants(node, true)?;
        let is_right = self.table == Table::Lines || PairTable(node.input(2).view(mem)).are_normal();
        if is_right { Ok(()) } else { Err(Error::Parameters) }
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0), node.output(0));
        let layer = Pairs {
            x_offset: -x.zero_point(),
            table: PairTable(node.input(2).view(mem)),
            zero_point: out.zero_point(),
            bounds: self.bounds.i8(),
            weights: node.input(1).view(mem),
            has_lines: self.table == Table::Lines,
        };
        // The check has found one.
        let Some(geometry) = self.geometry(&x.ty.shape) else { return };
        let scratch = node.scratch(mem);
        conv_pair_rows(&layer, &geometry, &x.rows(mem), rows, &out.rows_mut(mem), scratch);
    }
}
