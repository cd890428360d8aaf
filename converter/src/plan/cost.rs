//! What a run costs in instructions on a Cortex-M4F, estimated before anything is built.
//!
//! The rates are fits to the counts of the MLPerf Tiny networks in int8 (`tests/instructions.tsv`, and
//! `streaming_on_boards` for calls): whole networks come out within a tenth, single layers within a third.
//! `dunlin bench` counts exactly.

use dunlin::ops::fully_connected::Weights;
use dunlin::{DType, Shape, TensorType};

use super::{Plan, input_types};
use crate::Graph;
use crate::ops::Op;

/// Instructions of a call beyond the first of its node: what is looked up anew.
const CALL: f64 = 1300.0;

/// Estimated instructions of one run; `None` if a node does not compute in int8, for which no rates were measured.
pub(super) fn instructions(graph: &Graph, plan: &Plan) -> Option<u64> {
    let mut sum = plan.calls.len().saturating_sub(graph.nodes().len()) as f64 * CALL;
    for (i, node) in graph.nodes().iter().enumerate() {
        sum += node_instructions(&node.op, &input_types(graph, i), graph[node.outputs[0]].ty)?;
    }
    Some(sum as u64)
}

/// Those of one node in one call.
pub(crate) fn node_instructions(op: &Op, inputs: &[TensorType], output: TensorType) -> Option<f64> {
    if output.dtype != DType::I8 || inputs.first().is_none_or(|x| x.dtype != DType::I8) {
        return None;
    }
    let (macs, outputs) = (op.macs(inputs) as f64, output.shape.count() as f64);
    let read = inputs[0].shape.count() as f64;
    Some(match op {
        Op::Conv2d(_) => 0.95 * macs + 17.0 * outputs,
        Op::TransposeConv2d(_) => 1.5 * macs + 20.0 * outputs,
        Op::DepthwiseConv2d(_) => 3.6 * macs,
        Op::ConvPairs(op) => 0.72 * macs + if op.kernel == [1, 1] { 9.0 } else { 18.0 } * outputs,
        Op::ConvVectors(_) => 0.72 * macs + 9.0 * outputs,
        // Of tiles of one row a third more products.
        Op::ConvWinograd(op) if op.at_once == 2 => 0.31 * macs + 35.0 * outputs,
        Op::ConvWinograd(_) => 0.43 * macs + 55.0 * outputs,
        Op::DepthwiseRecords(_) | Op::DepthwiseVectors(_) => 2.4 * macs,
        Op::FullyConnected(layer) if layer.weights == Weights::ROWS => 2.25 * macs + 14.0 * outputs + 1600.0,
        Op::FullyConnected(layer) if layer.weights.are_quads() => {
            quads(layer.weights.is_wide(), inputs.get(1)?.shape, outputs)
        }
        Op::FullyConnected(_) => 0.87 * macs + 11.0 * outputs + 1000.0,
        Op::Add(_) | Op::Sub(_) | Op::SquaredDifference(_) => 17.6 * outputs,
        Op::WeightedSum(_) => 6.0 * outputs,
        Op::MaxPool2d(pool) => (1.5 + 3.4 * max_passes(pool)) * outputs,
        Op::AveragePool2d(_) | Op::Mean(_) => 1.2 * read + 25.0 * outputs,
        Op::ResizeBilinear(_) => 22.0 * outputs,
        Op::ResizeNearest(_) | Op::Pad(_) | Op::Concat(_) | Op::Slice(_) | Op::Transpose(_) => 4.0 * outputs,
        Op::Softmax(_) => 230.0 * outputs,
        Op::L2Normalize(_) => 40.0 * outputs,
        Op::Reshape(_) => 700.0,
        _ => 8.0 * read.max(outputs),
    })
}

/// Of a fully connected layer with weights in quads; behind the last quad are rows. What is padding is multiplied, too.
fn quads(wide: bool, w: Shape, outputs: f64) -> f64 {
    let rest = (w.dim(0) % 4) as f64 / w.dim(0) as f64;
    let products = outputs * w.dim(1) as f64;
    let rate = if wide { 0.9 } else { 0.86 };
    let in_quads = (1.0 - rest) * (rate * products + 13.0 * outputs) + 1000.0;
    in_quads + if rest > 0.0 { rest * (2.25 * products + 14.0 * outputs) + 600.0 } else { 0.0 }
}

/// How often a kernel that takes four elements at a time goes over the outputs: from the second time on, one of the four is
/// the maximum so far.
fn max_passes(pool: &dunlin::ops::MaxPool2d) -> f64 {
    let taps: usize = pool.0.kernel.iter().map(|&taps| taps as usize).product();
    taps.saturating_sub(1).div_ceil(3).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import;
    use crate::pack::Packing;
    use crate::program::{Lowered, Rewrite};

    const DSP: Rewrite = Rewrite { packing: Packing::Dsp, keep_dead_channels: false, ..Rewrite::NONE };
    const KEEP: Rewrite = Rewrite { keep_dead_channels: true, ..DSP };

    /// Networks with the counts of one run (`dunlin bench mlperf_X_int8.tflite --core cortex-m4`, with
    /// `--keep-dead-channels`, with `--flash 256k`, and of a file with plain weights).
    const COUNTED: [(&str, Rewrite, u64); 7] = [
        ("mlperf_kws_int8", DSP, 2_727_999),
        ("mlperf_vww_int8", DSP, 4_894_854),
        ("mlperf_vww_int8", KEEP, 8_204_027),
        ("mlperf_ic_int8", DSP, 10_737_462),
        ("mlperf_ic_int8", Rewrite::EXPANDED, 7_398_607),
        ("mlperf_ad_int8", DSP, 260_126),
        ("mlperf_ad_int8", Rewrite::NONE, 632_635),
    ];

    #[test]
    fn networks_are_within_a_tenth_of_what_was_counted() {
        let Some(folder) = std::env::var_os("DUNLIN_ASSETS").map(std::path::PathBuf::from) else {
            return println!("skipped: DUNLIN_ASSETS does not name the folder of reference models");
        };
        for (name, rewrite, counted) in COUNTED {
            let real =
                import::load_simplified(&folder.join("models").join(format!("{name}.tflite"))).unwrap();
            let graph = Lowered::of(&real, rewrite).unwrap().graph;
            let estimate = instructions(&graph, &super::super::whole(&graph)).unwrap() as f64;
            let ratio = estimate / counted as f64;
            assert!((0.9..1.1).contains(&ratio), "{name}: {estimate} for {counted}");
        }
    }

    #[test]
    fn no_rate_is_made_up() {
        let mut graph = Graph::new("f32");
        let x = graph.input("x", &[1, 4]).unwrap();
        let y = graph.apply("y", dunlin::ops::Softmax::F32 { beta: 1.0 }, &[x]).unwrap();
        graph.mark_output(y);
        assert_eq!(instructions(&graph, &super::super::whole(&graph)), None);
    }
}
