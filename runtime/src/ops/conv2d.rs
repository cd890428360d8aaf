//! 2-D convolution with bias and fused activation.
//!
//! Inputs: image `[n, h, w, c_in]`, weights `[c_out, kh, kw, c_in]`, then for f32 optionally the bias
//! `[c_out]`, for int8 the table `[c_out, 3]` of i32 (bias, multiplier, shift). Output `[n, oh, ow, c_out]`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::window::{Geometry, Window, all_rows};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::arithmetic::{F32, I8};
use crate::kernels::conv::{conv_rows_f32, conv_rows_i8, conv_scratch_bytes};
use crate::kernels::requantize::{Channels, Groups, Requantize};
use crate::mem::{Memory, Rows, RowsMut, View};
use crate::model::{Node, Operand};
use crate::{DType, Element, Error, Shape, TensorType};

/// Parameters of a 2-D convolution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv2d {
    /// Stride, dilation, padding.
    pub window: Window,
    /// Fused activation.
    pub bounds: Bounds,
}

impl Operator for Conv2d {
    const CODE: OpCode = OpCode::Conv2d;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let (&[x, w], rest) = inputs.split_first_chunk().ok_or(Error::Arity)?;
        if w.shape.rank() != 4 || x.shape.rank() != 4 || w.shape.dim(3) != x.shape.dim(3) {
            return Err(Error::Shape);
        }
        check_channels(x, w, rest, w.shape.dim(0))?;
        self.bounds.check(x.dtype)?;
        let [oh, ow] = self.window.output(kernel(&w.shape), &x.shape)?;
        one(TensorType::new(x.dtype, Shape::new(&[x.shape.dim(0), oh, ow, w.shape.dim(0)])?))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [x, w, ..]) => self.window.rows(kernel(&w.shape), &x.shape, y),
            _ => all_rows(inputs, input),
        }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        match inputs {
            [x, w, ..] if x.dtype == DType::I8 => {
                let geometry = Geometry::infer(self.window, kernel(&w.shape), &x.shape, w.shape.dim(0));
                geometry.map_or(0, |geometry| conv_scratch_bytes(&geometry))
            }
            _ => 0,
        }
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match (self.infer(inputs).as_deref(), inputs) {
            (Ok([out, ..]), [_, w, ..]) => {
                let per_output = w.shape.dim(1) * w.shape.dim(2) * w.shape.dim(3);
                out.shape.count() as u64 * per_output as u64
            }
            _ => 0,
        }
    }
}

impl Run<f32> for Conv2d {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let arithmetic = f32_arithmetic(node, mem, self.bounds);
        run_layer(self.window, &Operands::of(node), mem, |g, x, w, out| {
            conv_rows_f32(&arithmetic, g, x, w, rows, out);
        });
    }
}

impl Run<i8> for Conv2d {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        check_weights(node, mem)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let operands = Operands::of(node);
        let arithmetic = operands.i8_arithmetic(node, mem, self.bounds);
        let scratch = node.scratch(mem);
        run_layer(self.window, &operands, mem, |g, x, w, out| {
            conv_rows_i8(&arithmetic, g, x, w, rows, out, scratch);
        });
    }
}

/// The tensors of a layer with weights, looked up once.
pub(super) struct Operands {
    pub(super) x: Operand,
    pub(super) w: Operand,
    pub(super) out: Operand,
}

impl Operands {
    pub(super) fn of(node: &Node) -> Operands {
        Operands { x: node.input(0), w: node.input(1), out: node.output(0) }
    }

    /// The arithmetic of a checked int8 layer.
    pub(super) fn i8_arithmetic<'a>(&self, node: &Node, mem: &Memory<'a>, bounds: Bounds) -> I8<'a> {
        let channels = Channels(node.input(2).view(mem));
        let requantize = Requantize { channels, zero_point: self.out.zero_point(), bounds: bounds.i8() };
        I8 { x_offset: -self.x.zero_point(), requantize }
    }
}

/// Calls `layer` with the sizes and tensors (image, weights, output) of a layer whose window slides over an image.
pub(super) fn run_layer<T: Element>(
    window: Window,
    operands: &Operands,
    mem: &Memory,
    layer: impl FnOnce(&Geometry, &Rows<T>, View<T>, &RowsMut<T>),
) {
    let Operands { x, w, out } = operands;
    let geometry = Geometry::new(window, kernel(&w.ty.shape), &x.ty.shape, &out.ty.shape);
    layer(&geometry, &x.rows(mem), w.view(mem), &out.rows_mut(mem));
}

/// `[kh, kw]` of weights `[_, kh, kw, _]`.
pub(super) fn kernel(weights: &Shape) -> [usize; 2] {
    [weights.dim(1), weights.dim(2)]
}

/// The shape rule that layers with weights share: weights of the image's dtype, then what belongs to each of
/// `c_out` channels.
pub(super) fn check_channels(
    x: TensorType,
    w: TensorType,
    rest: &[TensorType],
    c_out: usize,
) -> Result<(), Error> {
    let (expected, optional) = match x.dtype {
        DType::F32 => (TensorType::new(DType::F32, Shape::new(&[c_out])?), true),
        DType::I8 => (TensorType::new(DType::I32, Shape::new(&[c_out, 3])?), false),
        _ => return Err(Error::DType),
    };
    if w.dtype != x.dtype {
        return Err(Error::DType);
    }
    match rest {
        [] if optional => Ok(()),
        [channels] if *channels == expected => Ok(()),
        [channels] if channels.dtype == expected.dtype => Err(Error::Shape),
        [_] => Err(Error::DType),
        _ => Err(Error::Arity),
    }
}

/// That weights and channel table of an int8 layer are constants with factors that the arithmetic takes.
pub(super) fn check_weights(node: &Node, mem: &Memory) -> Result<(), Error> {
    check_packed_weights(node, mem, None)
}

/// The same; with `groups` weights are packed, entries of the table are in them, and all factors are normal: see
/// [`Channels::are_normal`].
pub(super) fn check_packed_weights(node: &Node, mem: &Memory, groups: Option<Groups>) -> Result<(), Error> {
    check_constants(node, groups.is_some())?;
    let table = Channels(node.input(2).view(mem));
    match groups {
        None => table.check(),
        Some(groups) if table.are_normal(groups) => Ok(()),
        Some(_) => Err(Error::Parameters),
    }
}

/// That weights and channel table are constants; packed weights, which kernels load in words, with an offset for that.
pub(super) fn check_constants(node: &Node, in_words: bool) -> Result<(), Error> {
    let w = node.input(1);
    if !w.is_constant() || !node.input(2).is_constant() {
        return Err(Error::TensorPlace);
    }
    if in_words && !w.offset().is_multiple_of(4) { Err(Error::Alignment) } else { Ok(()) }
}

/// The arithmetic of a checked f32 layer.
pub(super) fn f32_arithmetic<'a>(node: &Node, mem: &Memory<'a>, bounds: Bounds) -> F32<'a> {
    let bias = (node.n_inputs() > 2).then(|| node.input(2).view(mem));
    F32 { bias, bounds: bounds.f32() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let x: [f32; 60] = core::array::from_fn(|i| (i * 7 % 13) as f32 - 6.0);
        let w: [f32; 36] = core::array::from_fn(|i| (i * 5 % 11) as f32 - 5.0);
        for (stride, dilation) in [([1, 1], [1, 1]), ([2, 1], [1, 2]), ([3, 2], [2, 1])] {
            let window = Window { stride, dilation, pads: [2, 1, 0, 1] };
            let inputs = [Tensor::new(&[2, 5, 3, 2], &x), Tensor::new(&[2, 3, 3, 2], &w)];
            Case::new(Conv2d { window, bounds: Bounds::RELU6 }, inputs).assert_contract();
        }
    }

    #[test]
    fn shifts_beyond_the_arithmetic_are_refused() {
        let run = |shift: i32| {
            let w = Tensor::new(&[1, 1, 1, 1], &[2i8]).constant();
            let channels = Tensor::new(&[1, 3], &[0, 1 << 30, shift]).constant();
            let x = Tensor::new(&[1, 1, 1, 1], &[3i8]);
            Case::new(Conv2d { window: Window::UNIT, bounds: Bounds::None }, [x, w, channels]).run::<i8>()
        };
        assert_eq!(run(1), Ok([6].into()));
        assert_eq!(run(31), Err(Error::Parameters));
        assert_eq!(run(-32), Err(Error::Parameters));
    }
}
