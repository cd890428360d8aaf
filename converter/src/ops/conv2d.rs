//! Convolution: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Conv2d, Conv2dInputGrad, Conv2dWeightsGrad};

use super::{
    Backward, Channels, HostOperator, InputRole, Layer, Op, conv_pairs, conv_vectors, conv_winograd,
};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::pack::{Forms, Layers, Packing};
use crate::{Node, Result, TensorId};

impl HostOperator for Conv2d {
    const TFLITE: &'static [Rule] = &[Rule::new("CONV_2D", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, w, dy) = (cx.input(0), cx.input(1), cx.grad_before(self.bounds)?);
        let (image, kernel) = (cx.graph.dims(x), cx.graph.dims(w));
        let dx = cx.when_wanted(0, |cx| {
            let op = Conv2dInputGrad { window: self.window, image: [image[1] as u32, image[2] as u32] };
            cx.apply("dx", op, &[dy, w])
        })?;
        let dw = cx.when_wanted(1, |cx| {
            let op = Conv2dWeightsGrad { window: self.window, kernel: taps(&kernel) };
            cx.apply("dw", op, &[dy, x])
        })?;
        let db = cx.when_wanted(2, |cx| cx.sum_to("db", dy, &kernel[..1]))?;
        Ok([dx, dw, db][..cx.node.inputs.len()].to_vec())
    }

    fn input_role(&self, i: usize) -> InputRole {
        weights_role(i, 0)
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.bounds == Bounds::None).then_some(Op::Conv2d(Conv2d { bounds, ..*self }))
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Sums(Layer::new(Some(self.window), self.bounds))
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let c_out = cx.real.dims(node.inputs[1])[0];
        let table = cx.channel_table(node, c_out)?;
        let [x, w] = cx.stored_pair(node)?;
        let op = Conv2d { bounds: cx.bounds(node, self.bounds)?, ..*self };
        cx.emit(node, op, &[x, w, table])
    }

    fn pack(&self, layers: &Layers, node: &Node) -> Forms {
        match layers.target.packing {
            Packing::Dsp => {}
            Packing::Helium => return Forms { plain: conv_vectors::of(layers, node, self), expanded: None },
            Packing::Portable | Packing::Scalar => return Forms::default(),
        }
        let width = layers.graph[node.outputs[0]].ty.shape.dim(2);
        let is_worth_it = !layers.target.by_rows || conv_pairs::fills_groups(width);
        let in_pairs = || {
            let dims = layers.graph.dims(*node.inputs.get(1)?);
            let kernel = [u8::try_from(dims[1]).ok()?, u8::try_from(dims[2]).ok()?];
            conv_pairs::of(
                layers,
                node,
                conv_pairs::Sliding { window: self.window, kernel, bounds: self.bounds },
            )
        };
        Forms {
            plain: if is_worth_it { in_pairs() } else { None },
            expanded: conv_winograd::of(layers, node, self),
        }
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        use schema::conv2d::*;
        let kernel = cx.graph.dims(node.inputs[1]);
        let (x, padding) = cx.padded(node, &self.window, [kernel[1], kernel[2]])?;
        let [weights, bias] = cx.weights(node)?;
        let (activation, output) = cx.activation(node, self.bounds)?;
        let [stride, dilation] = [self.window.stride, self.window.dilation].map(|pair| pair.map(i32::from));
        let options = Table::new()
            .with(PADDING, padding)
            .with(STRIDE_W, stride[1])
            .with(STRIDE_H, stride[0])
            .with(ACTIVATION, activation)
            .with(DILATION_W, dilation[1])
            .with(DILATION_H, dilation[0]);
        cx.operator(
            ("CONV_2D", 3),
            &[x, weights, bias],
            &[output],
            Some((schema::options::CONV_2D, options)),
        );
        Ok(())
    }
}

/// Roles of the inputs of a layer: activations, weights whose output channels run along `axis`, bias.
pub(super) fn weights_role(i: usize, axis: usize) -> InputRole {
    match i {
        0 => InputRole::Activation,
        1 => InputRole::Weights { axis },
        _ => InputRole::Bias,
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    use schema::conv2d::*;
    let inputs = cx.layer_inputs()?;
    let weights = cx.dims(1)?;
    let kernel = [weights.get(1).copied().unwrap_or(0), weights.get(2).copied().unwrap_or(0)];
    let stride = cx.pair("stride", [STRIDE_H, STRIDE_W])?;
    let dilation = cx.pair("dilation", [DILATION_H, DILATION_W])?;
    let window = cx.window(kernel, PADDING, stride, dilation)?;
    cx.emit_convolution(Conv2d { window, bounds: cx.activation(ACTIVATION)? }, &inputs)
}

/// Taps `[kh, kw]` of weights `[_, kh, kw, _]`: the window's check keeps them below 2^15.
pub(super) fn taps(weights: &[usize]) -> [u16; 2] {
    [weights[1] as u16, weights[2] as u16]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::differences::{Case, reaches_image, windows};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn gradient(window in windows(), [kh, kw] in [1usize..4, 1usize..4], bias: bool) {
            let dims: [&[usize]; 3] = [&[2, 5, 4, 2], &[3, kh, kw, 2], &[3]];
            let op = Conv2d { window, bounds: Bounds::None };
            let image = dunlin::Shape::new(dims[0]).unwrap();
            prop_assume!(window.output([kh, kw], &image).is_ok() && reaches_image(&window, kh, kw));
            Case::of(op, &dims[..2 + bias as usize]).check();
        }
    }
}
