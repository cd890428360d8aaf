//! Depthwise convolution: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{DepthwiseConv2d, DepthwiseConv2dInputGrad, DepthwiseConv2dWeightsGrad};

use super::conv2d::{taps, weights_role};
use super::{Backward, Channels, HostOperator, InputRole, Layer, Op, depthwise_records, depthwise_vectors};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::pack::{Forms, Layers, Packing};
use crate::{Node, Result, TensorId};

impl HostOperator for DepthwiseConv2d {
    const TFLITE: &'static [Rule] = &[Rule::new("DEPTHWISE_CONV_2D", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, w, dy) = (cx.input(0), cx.input(1), cx.grad_before(self.bounds)?);
        let (image, kernel) = (cx.graph.dims(x), cx.graph.dims(w));
        let dx = cx.when_wanted(0, |cx| {
            let image = [image[1], image[2], image[3]].map(|len| len as u32);
            cx.apply("dx", DepthwiseConv2dInputGrad { window: self.window, image }, &[dy, w])
        })?;
        let dw = cx.when_wanted(1, |cx| {
            let op = DepthwiseConv2dWeightsGrad { window: self.window, kernel: taps(&kernel) };
            cx.apply("dw", op, &[dy, x])
        })?;
        let db = cx.when_wanted(2, |cx| cx.sum_to("db", dy, &kernel[3..]))?;
        Ok([dx, dw, db][..cx.node.inputs.len()].to_vec())
    }

    fn input_role(&self, i: usize) -> InputRole {
        weights_role(i, 3)
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.bounds == Bounds::None).then_some(Op::DepthwiseConv2d(DepthwiseConv2d { bounds, ..*self }))
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::SumsOfOne(Layer::new(Some(self.window), self.bounds))
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let c_out = cx.real.dims(node.inputs[1])[3];
        let table = cx.channel_table(node, c_out)?;
        let [x, w] = cx.stored_pair(node)?;
        let op = DepthwiseConv2d { bounds: cx.bounds(node, self.bounds)?, ..*self };
        cx.emit(node, op, &[x, w, table])
    }

    fn pack(&self, layers: &Layers, node: &Node) -> Forms {
        let plain = match layers.target.packing {
            Packing::Dsp => depthwise_records::of(self, layers, node),
            Packing::Helium => depthwise_vectors::of(self, layers, node),
            Packing::Portable | Packing::Scalar => None,
        };
        Forms { plain, expanded: None }
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        use schema::depthwise_conv2d::*;
        let (image, kernel) = (cx.graph.dims(node.inputs[0]), cx.graph.dims(node.inputs[1]));
        let (x, padding) = cx.padded(node, &self.window, [kernel[1], kernel[2]])?;
        let [weights, bias] = cx.weights(node)?;
        let (activation, output) = cx.activation(node, self.bounds)?;
        let [stride, dilation] = [self.window.stride, self.window.dilation].map(|pair| pair.map(i32::from));
        let options = Table::new()
            .with(PADDING, padding)
            .with(STRIDE_W, stride[1])
            .with(STRIDE_H, stride[0])
            .with(MULTIPLIER, (kernel[3] / image[3]) as i32)
            .with(ACTIVATION, activation)
            .with(DILATION_W, dilation[1])
            .with(DILATION_H, dilation[0]);
        let options = Some((schema::options::DEPTHWISE_CONV_2D, options));
        cx.operator(("DEPTHWISE_CONV_2D", 3), &[x, weights, bias], &[output], options);
        Ok(())
    }
}

/// The multiplier follows from the shapes.
fn import(cx: &mut Operator) -> Result<()> {
    use schema::depthwise_conv2d::*;
    let inputs = cx.layer_inputs()?;
    let weights = cx.dims(1)?;
    let kernel = [weights.get(1).copied().unwrap_or(0), weights.get(2).copied().unwrap_or(0)];
    let stride = cx.pair("stride", [STRIDE_H, STRIDE_W])?;
    let dilation = cx.pair("dilation", [DILATION_H, DILATION_W])?;
    let window = cx.window(kernel, PADDING, stride, dilation)?;
    cx.emit_layer(DepthwiseConv2d { window, bounds: cx.activation(ACTIVATION)? }, &inputs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::differences::{Case, reaches_image, windows};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn gradient(window in windows(), [kh, kw] in [1usize..4, 1usize..4], multiplier in 1usize..4) {
            let c_out = 2 * multiplier;
            let dims: [&[usize]; 3] = [&[2, 5, 4, 2], &[1, kh, kw, c_out], &[c_out]];
            let op = DepthwiseConv2d { window, bounds: Bounds::None };
            let image = dunlin::Shape::new(dims[0]).unwrap();
            prop_assume!(window.output([kh, kw], &image).is_ok() && reaches_image(&window, kh, kw));
            Case::of(op, &dims).check();
        }
    }
}
