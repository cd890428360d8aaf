//! Transposed 2-D convolution with bias and fused activation: every input pixel lays the kernel, times itself, on the output.
//!
//! It is described by the window of the convolution that goes the other way, from the output to the input. Inputs: image
//! `[n, h, w, c_in]`, weights `[c_out, kh, kw, c_in]`, then for f32 optionally the bias `[c_out]`, for int8 the table
//! `[c_out, 3]` of i32 (bias, multiplier, shift). Output `[n, oh, ow, c_out]`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::conv2d::{Operands, check_channels, check_weights, f32_arithmetic, kernel};
use super::conv2d_input_grad::check_output;
use super::window::{Geometry, Window, all_rows};
use super::{OUTPUT, OpCode, Operator, Outputs, Run, one};
use crate::kernels::transpose_conv::{
    transpose_conv_row, transpose_conv_row_i8, transpose_conv_scratch_bytes,
};
use crate::mem::{Memory, Rows, View, ViewMut};
use crate::model::Node;
use crate::{DType, Element, Error, Shape, TensorType};

/// Parameters of a transposed convolution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransposeConv2d {
    /// Stride, dilation and padding of the convolution from output to input.
    pub window: Window,
    /// Size of the output `[h, w]`, which does not follow from the input's where the stride is not 1.
    pub output: [u16; 2],
    /// Fused activation.
    pub bounds: Bounds,
}

impl TransposeConv2d {
    fn shape(&self, x: &Shape, w: &Shape) -> Result<Shape, Error> {
        let [h, w_out] = self.output.map(usize::from);
        Shape::new(&[x.dim(0), h, w_out, w.dim(0)])
    }
}

impl Operator for TransposeConv2d {
    const CODE: OpCode = OpCode::TransposeConv2d;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let (&[x, w], rest) = inputs.split_first_chunk().ok_or(Error::Arity)?;
        if w.shape.rank() != 4 || x.shape.rank() != 4 || w.shape.dim(3) != x.shape.dim(3) {
            return Err(Error::Shape);
        }
        check_channels(x, w, rest, w.shape.dim(0))?;
        self.bounds.check(x.dtype)?;
        let output = self.shape(&x.shape, &w.shape)?;
        check_output(self.window, kernel(&w.shape), &output, &x.shape)?;
        one(TensorType::new(x.dtype, output))
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        match (input, inputs) {
            (0, [x, w, ..]) => match self.shape(&x.shape, &w.shape) {
                Ok(output) => self.window.reader_rows(kernel(&w.shape), &output, y),
                Err(_) => 0..0,
            },
            _ => all_rows(inputs, input),
        }
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1 | OUTPUT
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        match inputs {
            [x, w, ..] if x.dtype == DType::I8 => {
                let output = self.shape(&x.shape, &w.shape);
                output.map_or(0, |output| {
                    let geometry = Geometry::new(self.window, kernel(&w.shape), &output, &x.shape);
                    transpose_conv_scratch_bytes(&geometry)
                })
            }
            _ => 0,
        }
    }

    fn macs(&self, inputs: &[TensorType]) -> u64 {
        match inputs {
            [x, w, ..] => x.shape.count() as u64 * (w.shape.dim(0) * w.shape.dim(1) * w.shape.dim(2)) as u64,
            _ => 0,
        }
    }
}

impl Run<f32> for TransposeConv2d {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let arithmetic = f32_arithmetic(node, mem, self.bounds);
        each_row(self.window, node, mem, rows, |g, x, w, y, out| {
            transpose_conv_row(&arithmetic, g, x, w, y, out);
        });
    }
}

impl Run<i8> for TransposeConv2d {
    fn check(&self, node: &Node, mem: &Memory) -> Result<(), Error> {
        check_weights(node, mem)
    }

    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let arithmetic = Operands::of(node).i8_arithmetic(node, mem, self.bounds);
        let scratch = node.scratch(mem);
        each_row(self.window, node, mem, rows, |g, x, w, y, out| {
            transpose_conv_row_i8(&arithmetic, g, x, w, y, out, scratch);
        });
    }
}

/// Calls `compute` for each row of the output, with sizes, image and weights.
fn each_row<T: Element>(
    window: Window,
    node: &Node,
    mem: &Memory,
    rows: Range<usize>,
    compute: impl Fn(&Geometry, &Rows<T>, View<T>, usize, ViewMut<T>),
) {
    let Operands { x, w, out } = Operands::of(node);
    let geometry = Geometry::new(window, kernel(&w.ty.shape), &out.ty.shape, &x.ty.shape);
    let (x, w, out) = (x.rows(mem), w.view(mem), out.rows_mut(mem));
    for y in rows {
        compute(&geometry, &x, w, y, out.row(y));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn pixels_lay_the_kernel_on_the_output() {
        let window = Window { stride: [1, 2], ..Window::UNIT };
        let op = TransposeConv2d { window, output: [1, 5], bounds: Bounds::None };
        let x = Tensor::new(&[1, 1, 2, 1], &[1f32, 10.0]);
        let w = Tensor::new(&[1, 1, 3, 1], &[1f32, 2.0, 3.0]);
        let case = Case::new(op, [x, w, Tensor::new(&[1], &[0.5f32])]);
        assert_eq!(case.run::<f32>(), Ok([1.5, 2.5, 13.5, 20.5, 30.5].into()));
        case.assert_contract();
    }

    #[test]
    fn rows_depend_on_nothing_but_the_rows_they_name() {
        let x: [f32; 64] = core::array::from_fn(|i| (i * 7 % 13) as f32 - 6.0);
        let w: [f32; 54] = core::array::from_fn(|i| (i * 5 % 11) as f32 - 5.0);
        for (stride, dilation) in [([1, 1], [1, 1]), ([2, 1], [1, 2]), ([3, 2], [2, 1])] {
            let window = Window { stride, dilation, pads: [1, 0, 1, 1] };
            for h in 4..12 {
                for w_out in 2..9 {
                    let op = TransposeConv2d { window, output: [h, w_out], bounds: Bounds::RELU6 };
                    let inputs = [Tensor::new(&[2, 4, 4, 2], &x), Tensor::new(&[3, 3, 3, 2], &w)];
                    let case = Case::new(op, inputs);
                    if case.check().is_ok() {
                        case.assert_contract();
                    }
                }
            }
        }
    }

    #[test]
    fn outputs_that_the_window_does_not_make_are_refused() {
        let check = |output| {
            let op = TransposeConv2d { window: Window::UNIT, output, bounds: Bounds::None };
            let x = Tensor::new(&[1, 2, 2, 1], &[1f32; 4]);
            Case::new(op, [x, Tensor::new(&[1, 2, 2, 1], &[1f32; 4])]).check()
        };
        assert_eq!(
            [check([3, 3]), check([2, 3]), check([1, 1])],
            [Ok(()), Err(Error::Shape), Err(Error::Shape)]
        );
    }
}
