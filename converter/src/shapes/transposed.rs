//! Transposed convolutions as convolutions.
//!
//! With a stride of `s`, output `s * q + j` reads input `q + d` with tap `j + pad - s * d`. So all outputs with the same `j` are
//! those of a convolution, along rows and along columns. Neighbours of a row are computed at a time, as channels of one;
//! rows with different `j` by convolutions of their own, whose outputs are joined.

use core::ops::Range;

use dunlin::ops::window::Window;
use dunlin::ops::{Concat, Conv2d, TransposeConv2d};

use super::{reshape, shaped};
use crate::ops::Op;
use crate::{Data, Graph, Node, Result};

/// The most convolutions: as many tensors can be joined.
const MAX_ROWS: usize = 8;
/// So many bytes of an output may be there twice, or as many as the input has, which is needed before that.
const MAX_TWICE_BYTES: usize = 1024;

/// A transposed convolution along one axis.
#[derive(Clone, Copy)]
struct Axis {
    stride: usize,
    pad: usize,
    taps: usize,
    /// Lengths of input and output.
    len: usize,
    out_len: usize,
}

/// A window along one axis, which computes outputs `j` of every stride.
struct Part {
    axis: Axis,
    outputs: Range<usize>,
    /// Padding in front of the input and behind it.
    pads: [u8; 2],
    taps: usize,
}

impl Axis {
    /// The window that computes these outputs of every stride.
    fn part(self, outputs: Range<usize>) -> Option<Part> {
        let Axis { stride, pad, taps, len, out_len } = self;
        // The least `d`, negated, and the greatest one.
        let before = (taps - 1).checked_sub(pad + outputs.start).map_or(0, |reach| reach / stride);
        let after = (pad + outputs.end - 1) / stride;
        let width = before + after + 1;
        let behind = (out_len / stride + width).checked_sub(1 + len + before)?;
        let pads = [u8::try_from(before).ok()?, u8::try_from(behind).ok()?];
        Some(Part { axis: self, outputs, pads, taps: width })
    }
}

impl Part {
    /// The tap of the transposed convolution with which output `j` reads what is at tap `at` of the window.
    fn tap(&self, j: usize, at: usize) -> Option<usize> {
        let Axis { stride, pad, taps, .. } = self.axis;
        let tap = (j + pad + stride * usize::from(self.pads[0])).checked_sub(stride * at)?;
        (tap < taps).then_some(tap)
    }
}

/// The convolutions that together compute a transposed one.
struct Parts {
    rows: Vec<Part>,
    columns: Part,
}

impl Parts {
    fn of(op: &TransposeConv2d, weights: &[usize], [x, y]: [&[usize]; 2]) -> Option<Parts> {
        let Window { stride, dilation, pads } = op.window;
        let axis = |i: usize| Axis {
            stride: stride[i].into(),
            pad: pads[i].into(),
            taps: weights[1 + i],
            len: x[1 + i],
            out_len: y[1 + i],
        };
        let axes = [axis(0), axis(1)];
        let are_whole = axes.iter().all(|axis| axis.out_len.is_multiple_of(axis.stride));
        let n_rows = axes[0].stride;
        let bytes = |dims: &[usize]| dims.iter().product::<usize>();
        let is_small = n_rows == 1 || bytes(y) <= bytes(x).max(MAX_TWICE_BYTES);
        if !are_whole || !is_small || n_rows > MAX_ROWS || dilation != [1, 1] {
            return None;
        }
        let columns = axes[1].part(0..axes[1].stride)?;
        // Weights that no tap has are 0, and should be few.
        let are_few = columns.taps * axes[1].stride <= 2 * axes[1].taps;
        let rows = (0..n_rows).map(|j| axes[0].part(j..j + 1)).collect::<Option<_>>()?;
        are_few.then_some(Parts { rows, columns })
    }

    /// The weights `[stride * c_out, kh, kw, c_in]` of one of the convolutions, of those of the transposed one.
    fn weights(&self, rows: &Part, weights: &[i8], dims: &[usize]) -> Vec<i8> {
        let [c_out, _, kw, c_in] = dims[..] else { return Vec::new() };
        let kh = rows.axis.taps;
        let mut made = Vec::new();
        for (j, c) in self.columns.outputs.clone().flat_map(|j| (0..c_out).map(move |c| (j, c))) {
            for (y, x) in (0..rows.taps).flat_map(|y| (0..self.columns.taps).map(move |x| (y, x))) {
                match (rows.tap(rows.outputs.start, y), self.columns.tap(j, x)) {
                    (Some(y), Some(x)) => {
                        let at = ((c * kh + y) * kw + x) * c_in;
                        made.extend_from_slice(&weights[at..at + c_in]);
                    }
                    _ => made.resize(made.len() + c_in, 0),
                }
            }
        }
        made
    }
}

/// What computes the same as a transposed convolution of int8.
pub(super) fn as_convolutions(graph: &mut Graph, node: &Node) -> Result<Option<Vec<Node>>> {
    let (Op::TransposeConv2d(op), &[x, w, table]) = (node.op, &node.inputs[..]) else { return Ok(None) };
    let (y, [x_dims, w_dims]) = (node.outputs[0], [x, w].map(|id| graph.dims(id)));
    let y_dims = graph.dims(y);
    let (Some(Data::I8(weights)), Some(Data::I32(entries))) =
        (graph.constant_data(w).cloned(), graph.constant_data(table).cloned())
    else {
        return Ok(None);
    };
    let Some(parts) = Parts::of(&op, &w_dims, [&x_dims, &y_dims]) else { return Ok(None) };
    let (s, n_rows) = (parts.columns.axis.stride, parts.rows.len());
    let channels = s * w_dims[0];
    let names = [w, table].map(|id| graph[id].name.clone());
    let table = graph.constant(&names[1], &[channels, 3], Data::I32(entries.repeat(s)))?;
    let [n, h, len] = [y_dims[0], y_dims[1] / n_rows, y_dims[2]];
    let row = len * w_dims[0];
    let (mut nodes, mut lines) = (Vec::new(), Vec::new());
    for rows in &parts.rows {
        let dims = [channels, rows.taps, parts.columns.taps, w_dims[3]];
        let w = graph.constant(&names[0], &dims, Data::I8(parts.weights(rows, &weights, &w_dims)))?;
        let ([top, bottom], [left, right]) = (rows.pads, parts.columns.pads);
        let window = Window { pads: [top, left, bottom, right], ..Window::UNIT };
        let op = Conv2d { window, bounds: op.bounds }.into();
        let made = shaped(graph, y, &[n, h, len / s, channels])?;
        nodes.push(Node { name: node.name.clone(), op, inputs: vec![x, w, table], outputs: vec![made] });
        let line = if n_rows == 1 { y } else { shaped(graph, y, &[n, h, 1, row])? };
        nodes.push(reshape(graph, node, made, line, "shaped")?);
        lines.push(line);
    }
    if n_rows == 1 {
        return Ok(Some(nodes));
    }
    let joined = shaped(graph, y, &[n, h, n_rows, row])?;
    let name = format!("{}/joined", node.name);
    nodes.push(Node { name, op: Concat { axis: 2 }.into(), inputs: lines, outputs: vec![joined] });
    nodes.push(reshape(graph, node, joined, y, "shaped")?);
    Ok(Some(nodes))
}

#[cfg(test)]
mod tests {
    use dunlin::ops::bounds::Bounds;
    use proptest::prelude::*;

    use super::super::tests::{TABLE, names, shaped as rearranged};
    use super::*;
    use crate::ops::testing::{layer, run};

    proptest! {
        #[test]
        fn transposed_convolutions_give_the_same_bytes(
            len in [1usize..5, 1usize..9],
            taps in [1usize..6, 1usize..6],
            stride in [1u8..4, 1u8..4],
            before in [0u8..5, 0u8..5],
            more in [0usize..3, 0usize..3],
            weights in prop::collection::vec(any::<i8>(), 3 * 5 * 5 * 2),
            x in prop::collection::vec(any::<i8>(), 2 * 4 * 8 * 2),
            zero_point in -128i32..=127,
        ) {
            // As long as the convolution from the output gives the image.
            let long = [0, 1].map(|i| {
                let s = usize::from(stride[i]);
                ((len[i] - 1) * s + taps[i] + more[i] % s).saturating_sub(before[i].into())
            });
            prop_assume!((0..2).all(|i| usize::from(before[i]) < taps[i] && long[i] > 0));
            let window = Window { stride, pads: [before[0], before[1], 0, 0], ..Window::UNIT };
            let op = TransposeConv2d {
                window,
                output: long.map(|len| len as u16),
                bounds: Bounds::I8 { lo: -100, hi: 90 },
            };
            let dims = [[2, len[0], len[1], 2], [3, taps[0], taps[1], 2]];
            let weights = &weights[..6 * taps[0] * taps[1]];
            let graph = layer(op, dims, weights, &TABLE, [zero_point, 5]);
            let x = &x[..4 * len[0] * len[1]];
            prop_assert_eq!(run(&rearranged(&graph), x), run(&graph, x));
        }
    }

    #[test]
    fn outputs_of_a_stride_are_channels() {
        let window = Window { stride: [1, 2], pads: [0, 1, 0, 2], ..Window::UNIT };
        let op = TransposeConv2d { window, output: [1, 8], bounds: Bounds::None };
        let graph = layer(op, [[1, 1, 4, 2], [3, 1, 5, 2]], &[1; 30], &TABLE, [0, 0]);
        let after = rearranged(&graph);
        assert_eq!(names(&after), ["conv2d", "reshape"]);
        assert_eq!(after.dims(after.nodes()[0].outputs[0]), [1, 1, 4, 6]);
    }

    #[test]
    fn rows_are_joined_where_that_takes_little_memory() {
        let joined = |side: usize, [c_in, c_out]: [usize; 2]| {
            let window = Window { stride: [2, 2], ..Window::UNIT };
            let output = [2 * side as u16; 2];
            let op = TransposeConv2d { window, output, bounds: Bounds::None };
            let weights = vec![1; 4 * c_in * c_out];
            let dims = [[1, side, side, c_in], [c_out, 2, 2, c_in]];
            names(&rearranged(&layer(op, dims, &weights, &TABLE[..3 * c_out], [0, 0])))
        };
        let convolutions = ["conv2d", "reshape", "conv2d", "reshape", "concat", "reshape"];
        assert_eq!(joined(16, [8, 2]), convolutions);
        assert_eq!(joined(16, [7, 2]), ["transpose_conv2d"]);
        assert_eq!(joined(8, [1, 3]), convolutions);
    }
}
