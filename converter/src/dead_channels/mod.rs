//! Channels whose numbers are the same for every input, found by interval arithmetic and removed. No byte of an output
//! changes.
//!
//! [`Intervals`] bounds the numbers of every channel of a graph in int8 and device form, with the runtime's own
//! arithmetic at both ends. Where the ends are equal, the channel is a constant: what it adds to a layer's sums goes into
//! the biases, and the weights that read it go. Channels that nobody reads any more are removed from the layers that
//! make them, through depthwise layers, sums and pools up to where all of a channel's readers can do without it.

mod intervals;
mod needed;
mod report;
mod rewrite;

pub use intervals::{Interval, Intervals};
pub use report::{DeadChannels, DeadLayer, Proof};

use dunlin::DType;

use crate::{Graph, Result};

/// No core has the memory for larger tensors, and a damaged file may say any size.
pub const MAX_ELEMENTS: usize = 1 << 24;

/// Removes dead channels from a graph in device form whose constants are in their plain order, and says what was found.
/// Where there were whole groups of `group` channels, there are whole groups afterwards: kernels take so many at once, and
/// are slower with the rest of one than with a whole one. A graph with a tensor of more than [`MAX_ELEMENTS`] stays as it is.
///
/// # Errors
/// If the graph contradicts itself.
pub fn remove(graph: &mut Graph, group: usize) -> Result<DeadChannels> {
    let too_large = graph.tensors().any(|(_, tensor)| tensor.ty.shape.count() > MAX_ELEMENTS);
    if too_large || graph.tensors().all(|(_, tensor)| tensor.ty.dtype != DType::I8) {
        return Ok(DeadChannels::default());
    }
    let intervals = Intervals::of(graph)?;
    let needed = needed::needed(graph, &intervals, group);
    let mut report = DeadChannels::found(graph, &intervals, &needed);
    rewrite::keep_needed(graph, &intervals, &needed)?;
    graph.verify()?;
    report.removed_from(graph);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use dunlin::ops::bounds::Bounds;
    use dunlin::ops::window::Window;
    use dunlin::ops::{Add, Conv2d};
    use proptest::prelude::*;

    use super::*;
    use crate::ops::Op;
    use crate::plan::whole;
    use crate::program::{Lowered, Rewrite};
    use crate::{Data, Kind, Program, Quant, TensorId};

    const ZERO_POINT: i32 = -7;

    /// A network on an image of 3×3 and two channels, built layer by layer in int8.
    struct Net(Graph);

    impl Net {
        fn new() -> (Net, TensorId) {
            let mut graph = Graph::new("net");
            let x = graph.input("x", &[1, 3, 3, 2]).unwrap();
            graph[x].quant = Some(Quant::i8(0.5, ZERO_POINT));
            (Net(graph), x)
        }

        fn apply(&mut self, op: impl Into<Op>, inputs: &[TensorId]) -> TensorId {
            let y = self.0.apply("y", op, inputs).unwrap();
            self.0[y].quant = Some(Quant::i8(0.5, ZERO_POINT));
            y
        }

        /// A convolution of `kernel`² with such weights, all the same in an output channel, and biases.
        fn conv(&mut self, x: TensorId, kernel: usize, padded: bool, channels: &[(i8, i32)]) -> TensorId {
            let c_in = self.0[x].ty.shape.channels();
            let n = kernel * kernel * c_in;
            let weights: Vec<i8> = channels.iter().flat_map(|&(w, _)| std::iter::repeat_n(w, n)).collect();
            let biases = channels.iter().map(|&(_, bias)| bias).collect();
            let dims = [channels.len(), kernel, kernel, c_in];
            let w = self.0.constant("w", &dims, Data::I8(weights)).unwrap();
            let b = self.0.constant("b", &[channels.len()], Data::I32(biases)).unwrap();
            let scales = vec![1.0 / 16.0; channels.len()];
            self.0[w].quant = Some(Quant { scales, axis: Some(0), ..Quant::i8(1.0, 0) });
            self.0[b].quant = Some(Quant { dtype: DType::I32, ..Quant::i8(1.0, 0) });
            for id in [w, b] {
                self.0[id].ty = self.0[id].ty.with_dtype(DType::F32);
            }
            let pads = [if padded { kernel as u8 / 2 } else { 0 }; 4];
            self.apply(Conv2d { window: Window { pads, ..Window::UNIT }, bounds: Bounds::None }, &[x, w, b])
        }

        /// What is removed when `y` is the output; compares some runs.
        fn removed(&mut self, y: TensorId) -> DeadChannels {
            self.0.mark_output(y);
            let kept = Program::compile_with(&self.0, Rewrite::NONE, |graph| Ok(whole(graph))).unwrap();
            let pruned = Program::compile(&self.0).unwrap();
            for seed in 0..8 {
                let mut rng = fastrand::Rng::with_seed(seed);
                let x = [Data::I8((0..18).map(|_| rng.i8(..)).collect())];
                assert_eq!(pruned.run(&x).unwrap(), kept.run(&x).unwrap());
            }
            pruned.dead_channels
        }
    }

    /// A constant 20 · 16 / 16 above the zero point, a constant at the zero point, and a channel that lives.
    const THREE: [(i8, i32); 3] = [(0, 320), (0, 0), (3, 5)];

    #[test]
    fn constants_go_into_biases_where_that_is_exact() {
        let removed = |kernel, padded| {
            let (mut net, x) = Net::new();
            let y = net.conv(x, 1, false, &THREE);
            let z = net.conv(y, kernel, padded, &[(2, 9), (-1, 100)]);
            let dead = net.removed(z);
            assert_eq!(dead.layers[0].proofs[0].value, (20 + ZERO_POINT) as i8);
            assert_eq!(dead.layers[0].proofs[0].sums, Some([320; 2]));
            dead.n_removed()
        };
        assert_eq!(removed(1, false), 2);
        assert_eq!(removed(3, false), 2, "a window that stays in the image sees the constant everywhere");
        assert_eq!(removed(3, true), 1, "beyond the image is the zero point, and not the other constant");
    }

    #[test]
    fn what_another_reader_needs_stays() {
        let (mut net, x) = Net::new();
        let y = net.conv(x, 1, false, &THREE);
        let padded = net.conv(y, 3, true, &[(1, 0), (2, 0), (3, 0)]);
        let plain = net.conv(y, 1, false, &[(1, 0), (2, 0), (3, 0)]);
        let sum = net.apply(Add { bounds: Bounds::None, factors: None }, &[padded, plain]);
        assert_eq!(
            net.removed(sum).n_removed(),
            1,
            "the zero point; the other one is read in a padded window"
        );

        let (mut net, x) = Net::new();
        let y = net.conv(x, 1, false, &THREE);
        let z = net.conv(y, 1, false, &[(1, 0)]);
        net.0.mark_output(y);
        assert_eq!(net.removed(z).n_removed(), 0, "the caller reads it");
    }

    #[test]
    fn sums_lose_a_channel_in_both_operands_or_in_none() {
        let (mut net, x) = Net::new();
        let (a, b) = (net.conv(x, 1, false, &THREE), net.conv(x, 3, true, &THREE));
        let sum = net.apply(Add { bounds: Bounds::None, factors: None }, &[a, b]);
        let z = net.conv(sum, 1, false, &[(1, 0), (2, 0)]);
        assert_eq!(net.removed(z).layers.iter().map(|layer| layer.removed).collect::<Vec<_>>(), [2, 2, 2]);

        let (mut net, x) = Net::new();
        let a = net.conv(x, 1, false, &[(0, 320), (3, 5)]);
        let sum = net.apply(Add { bounds: Bounds::None, factors: None }, &[a, x]);
        let z = net.conv(sum, 1, false, &[(1, 0), (2, 0)]);
        assert_eq!(net.removed(z).n_removed(), 0, "the input of the network has two channels");
    }

    #[test]
    fn a_tensor_keeps_one_channel() {
        let (mut net, x) = Net::new();
        let y = net.conv(x, 1, false, &[(0, 320), (0, 160), (0, 16)]);
        let z = net.conv(y, 1, false, &[(1, 0), (2, 0)]);
        assert_eq!(net.removed(z).n_removed(), 2);
    }

    #[test]
    fn groups_stay_whole() {
        let left = |n_dead: usize| {
            let (mut net, x) = Net::new();
            let channels: Vec<(i8, i32)> =
                (0..8).map(|c| if c < n_dead { (0, 320) } else { (3, 5) }).collect();
            let y = net.conv(x, 1, false, &channels);
            let z = net.conv(y, 1, false, &[(1, 0), (2, 0)]);
            8 - net.removed(z).n_removed()
        };
        assert_eq!([3, 4, 5, 8].map(left), [8, 4, 4, 4]);
    }

    #[test]
    fn biases_do_not_overflow() {
        let (mut net, x) = Net::new();
        let y = net.conv(x, 1, false, &THREE);
        let z = net.conv(y, 1, false, &[(100, 0), (0, 0)]);
        net.0.mark_output(z);
        // As no network is lowered: its sums wrap.
        let mut graph = Lowered::of(&net.0, Rewrite::NONE).unwrap().graph;
        let table = graph.nodes()[1].inputs[2];
        let Kind::Constant(Data::I32(values)) = &mut graph[table].kind else { panic!("no table") };
        values[0] = i32::MAX - 10;
        let dead = remove(&mut graph, 1).unwrap();
        assert_eq!(dead.layers[0].removed, 0, "{dead}");
        assert_eq!(graph[table].kind, graph[graph.nodes()[1].inputs[2]].kind);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Both ends are sums of some image, and no image has others.
        #[test]
        fn sums_stay_in_their_interval_and_reach_its_ends(
            weights in prop::collection::vec(any::<i8>(), 18),
            bias in -5000..5000i32,
            image in prop::collection::vec(any::<i8>(), 18),
        ) {
            let (mut net, x) = Net::new();
            let y = net.conv(x, 3, false, &[(1, bias)]);
            let w = net.0.nodes()[0].inputs[1];
            net.0[w].kind = Kind::Constant(Data::I8(weights.clone()));
            net.0.mark_output(y);
            let graph = Lowered::of(&net.0, Rewrite::default()).unwrap().graph;
            let [lo, hi] = Intervals::of(&graph).unwrap().sums(graph.outputs()[0]).unwrap()[0];
            let sum = |image: &dyn Fn(usize) -> i8| -> i64 {
                let product = |(i, &w): (usize, &i8)| (i64::from(image(i)) - i64::from(ZERO_POINT)) * i64::from(w);
                i64::from(bias) + weights.iter().enumerate().map(product).sum::<i64>()
            };
            let here = sum(&|i| image[i]);
            prop_assert!(lo <= here && here <= hi);
            prop_assert_eq!(lo, sum(&|i| if weights[i] < 0 { i8::MAX } else { i8::MIN }));
            prop_assert_eq!(hi, sum(&|i| if weights[i] < 0 { i8::MIN } else { i8::MAX }));
        }
    }
}
