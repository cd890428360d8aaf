//! Transposed convolution: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::window::Window;
use dunlin::ops::{Conv2d, Conv2dWeightsGrad, Transpose, TransposeConv2d};

use super::conv2d::{taps, weights_role};
use super::{Backward, HostOperator, InputRole, Op};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::padding::same;
use crate::{Error, Node, Result, TensorId};

/// From weights `[c_out, kh, kw, c_in]` to those of the convolution that goes the other way, and back.
const EXCHANGE: Transpose = Transpose { perm: [3, 1, 2, 0] };

impl HostOperator for TransposeConv2d {
    const TFLITE: &'static [Rule] = &[Rule { name: "TRANSPOSE_CONV", data_inputs: 1..4, import }];

    /// Back goes the convolution from output to input.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, w, dy) = (cx.input(0), cx.input(1), cx.grad_before(self.bounds)?);
        let kernel = cx.graph.dims(w);
        let dx = cx.when_wanted(0, |cx| {
            let w = cx.apply("w", EXCHANGE, &[w])?;
            cx.apply("dx", Conv2d { window: self.window, bounds: Bounds::None }, &[dy, w])
        })?;
        let dw = cx.when_wanted(1, |cx| {
            let op = Conv2dWeightsGrad { window: self.window, kernel: taps(&kernel) };
            let dw = cx.apply("dw", op, &[x, dy])?;
            cx.apply("dw", EXCHANGE, &[dw])
        })?;
        let db = cx.when_wanted(2, |cx| cx.sum_to("db", dy, &kernel[..1]))?;
        Ok([dx, dw, db][..cx.node.inputs.len()].to_vec())
    }

    fn input_role(&self, i: usize) -> InputRole {
        weights_role(i, 0)
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.bounds == Bounds::None).then_some(Op::TransposeConv2d(TransposeConv2d { bounds, ..*self }))
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let c_out = cx.real.dims(node.inputs[1])[0];
        let table = cx.channel_table(node, c_out)?;
        let [x, w] = cx.stored_pair(node)?;
        let op = TransposeConv2d { bounds: cx.bounds(node, self.bounds)?, ..*self };
        cx.emit(node, op, &[x, w, table])
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        use schema::transpose_conv::*;
        let (kernel, dims) = (cx.graph.dims(node.inputs[1]), cx.graph.dims(node.outputs[0]));
        let padding = match padding_rules(self, &kernel, &dims)? {
            [true, _] => schema::padding::SAME,
            [_, true] => schema::padding::VALID,
            _ => {
                let what = "TensorFlow Lite has no transposed convolution with this padding or dilation";
                return Err(Error::graph(&node.name, what));
            }
        };
        let x = cx.tensor(node.inputs[0])?;
        let [weights, bias] = cx.weights(node)?;
        let (activation, output) = cx.activation(node, self.bounds)?;
        let shape: Vec<i32> = dims.iter().map(|&dim| dim as i32).collect();
        let shape = cx.ints(node, "shape", &[4], &shape)?;
        let options = Table::new()
            .with(PADDING, padding)
            .with(STRIDE_W, i32::from(self.window.stride[1]))
            .with(STRIDE_H, i32::from(self.window.stride[0]))
            .with(ACTIVATION, activation);
        let options = Some((schema::options::TRANSPOSE_CONV, options));
        cx.operator(("TRANSPOSE_CONV", 4), &[shape, weights, x, bias], &[output], options);
        Ok(())
    }
}

/// Whether the padding is what TensorFlow calls "same", and whether it is none.
fn padding_rules(op: &TransposeConv2d, kernel: &[usize], output: &[usize]) -> Result<[bool; 2]> {
    let Window { stride, dilation, pads } = op.window;
    let [top, bottom] = same(kernel[1], stride[0], 1, output[1])?;
    let [left, right] = same(kernel[2], stride[1], 1, output[2])?;
    let plain = dilation == [1, 1];
    Ok([plain && pads == [top, left, bottom, right], plain && pads == [0; 4]])
}

/// Inputs are the output's shape, which the file declares, weights, image and perhaps a bias.
fn import(cx: &mut Operator) -> Result<()> {
    use schema::transpose_conv::*;
    let (weights, output) = (cx.dims(1)?, cx.output_dims(0)?);
    let ([_, kh, kw, _], [_, h, w, _]) = (&weights[..], &output[..]) else {
        return Err(Error::Invalid("its weights and output do not have 4 dimensions".to_string()));
    };
    let stride = cx.pair("stride", [STRIDE_H, STRIDE_W])?;
    let pads = match cx.option(PADDING, schema::padding::SAME)? {
        schema::padding::SAME => {
            let ([top, bottom], [left, right]) = (same(*kh, stride[0], 1, *h)?, same(*kw, stride[1], 1, *w)?);
            [top, left, bottom, right]
        }
        _ => [0; 4],
    };
    let [Ok(out_h), Ok(out_w)] = [h, w].map(|&len| u16::try_from(len)) else {
        return Err(Error::Invalid(format!("its output {output:?} is larger than 65535")));
    };
    let op = TransposeConv2d {
        window: Window { stride, dilation: [1, 1], pads },
        output: [out_h, out_w],
        bounds: cx.activation(ACTIVATION)?,
    };
    let inputs = cx.layer_inputs_at([2, 1, 3])?;
    cx.emit(op, &inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for (stride, dilation, output) in
            [([1, 1], [1, 1], [5, 4]), ([2, 3], [1, 1], [7, 8]), ([2, 1], [2, 1], [9, 4])]
        {
            let window = Window { stride, dilation, pads: [0, 1, 0, 0] };
            let op = TransposeConv2d { window, output, bounds: Bounds::None };
            Case::of(op, &[&[2, 3, 3, 2], &[3, 3, 3, 2], &[3]]).check();
        }
    }
}
