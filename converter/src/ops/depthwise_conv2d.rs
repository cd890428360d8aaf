//! Depthwise convolution: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Conv2d, DepthwiseConv2d, DepthwiseConv2dInputGrad, DepthwiseConv2dWeightsGrad};

use super::conv_pairs::Sliding;
use super::conv2d::{taps, weights_role};
use super::{
    Backward, Channels, HostOperator, InputRole, Layer, Op, conv_pairs, depthwise_records, depthwise_vectors,
};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::pack::{Forms, Layers, Packed, Packing};
use crate::{Data, Node, Result, TensorId};

/// Layers of at most so many channels have fewer instructions on cores with the DSP extension as convolutions of all channels,
/// most of whose weights are 0: its kernels of depthwise convolutions take four channels at a time.
const MAX_CHANNELS_OF_PAIRS: usize = 3;

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
        let (c_in, dims) = (cx.real[node.inputs[0]].ty.shape.channels(), cx.real.dims(node.inputs[1]));
        let table = cx.channel_table(node, dims[3])?;
        let bounds = cx.bounds(node, self.bounds)?;
        // Of one channel it is a convolution, for which kernels are faster.
        if c_in == 1
            && let Some(Data::I8(weights)) = cx.real.constant_data(node.inputs[1])
        {
            let (x, name) = (cx.stored(node.inputs[0])?, &cx.real[node.inputs[1]].name);
            let weights = Data::I8(across_channels(weights, c_in, dims[3]));
            let w = cx.constant(name, &[dims[3], dims[1], dims[2], c_in], weights)?;
            return cx.emit(node, Conv2d { window: self.window, bounds }, &[x, w, table]);
        }
        let [x, w] = cx.stored_pair(node)?;
        cx.emit(node, DepthwiseConv2d { bounds, ..*self }, &[x, w, table])
    }

    fn pack(&self, layers: &Layers, node: &Node) -> Forms {
        let plain = match layers.target.packing {
            Packing::Dsp => {
                depthwise_records::of(self, layers, node).or_else(|| as_pairs(self, layers, node))
            }
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

/// The weights `[c_out, taps, c_in]` of a convolution that computes what weights `[taps, c_out]` of a depthwise one do: those of
/// channels that an output channel does not read are 0.
fn across_channels(weights: &[i8], c_in: usize, c_out: usize) -> Vec<i8> {
    let multiplier = c_out / c_in;
    let of_channel = |c: usize| {
        let taps = weights.chunks_exact(c_out).map(move |tap| tap[c]);
        taps.flat_map(move |w| (0..c_in).map(move |ic| if ic == c / multiplier { w } else { 0 }))
    };
    (0..c_out).flat_map(of_channel).collect()
}

/// An int8 layer of few channels as a convolution in pairs.
fn as_pairs(op: &DepthwiseConv2d, layers: &Layers, node: &Node) -> Option<Packed> {
    let (x, w) = (layers.graph.dims(node.inputs[0]), layers.graph.dims(*node.inputs.get(1)?));
    if x[3] > MAX_CHANNELS_OF_PAIRS {
        return None;
    }
    let weights = across_channels(layers.graph.constant_data(node.inputs[1])?.as_i8()?, x[3], w[3]);
    let kernel = [u8::try_from(w[1]).ok()?, u8::try_from(w[2]).ok()?];
    let sliding = Sliding { window: op.window, kernel, bounds: op.bounds };
    conv_pairs::of_weights(layers, node, sliding, &weights)
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
    use dunlin::ops::window::Window;
    use proptest::prelude::*;

    use super::*;
    use crate::differences::{Case, reaches_image, windows};
    use crate::ops::testing::{layer, run};
    use crate::pack::{Target, pack};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn convolutions_of_few_channels_give_the_same_bytes(
            c_in in 1usize..4,
            multiplier in 1usize..4,
            weights in prop::collection::vec(-127i8..=127, 6 * 9),
            table in prop::collection::vec((-70_000i32..70_000, 1 << 30..=i32::MAX, -14i32..=-3), 9),
            x in prop::collection::vec(any::<i8>(), 20 * 3),
            zero_points in [-128i32..=127, -128i32..=127],
            pads in [0u8..2, 0u8..2, 0u8..2, 0u8..2],
        ) {
            let c_out = c_in * multiplier;
            let (weights, x) = (&weights[..6 * c_out], &x[..20 * c_in]);
            let table: Vec<i32> = table[..c_out].iter().flat_map(|&(b, m, s)| [b, m, s]).collect();
            let (window, bounds) = (Window { pads, ..Window::UNIT }, Bounds::I8 { lo: -100, hi: 90 });
            let op = DepthwiseConv2d { window, bounds };
            let graph = layer(op, [[1, 4, 5, c_in], [1, 3, 2, c_out]], weights, &table, zero_points);
            let dense = across_channels(weights, c_in, c_out);
            let op = Conv2d { window, bounds };
            let conv = layer(op, [[1, 4, 5, c_in], [c_out, 3, 2, c_in]], &dense, &table, zero_points);
            prop_assert_eq!(run(&conv, x), run(&graph, x));
            let mut packed = graph.clone();
            pack(&mut packed, Target { packing: Packing::Dsp, by_rows: false }, 0).unwrap();
            let name = if c_out == 1 { "depthwise_conv2d" } else { "conv_pairs" };
            prop_assert_eq!(packed.nodes()[0].op.name(), name);
            prop_assert_eq!(run(&packed, x), run(&graph, x));
        }

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
