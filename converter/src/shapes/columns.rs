//! Neighbouring columns of the output as its channels.
//!
//! Kernels of convolutions read the taps of a position once for all channels, and compute two to sixteen channels at a time:
//! with a single one they take many times the instructions for each product. `s` neighbours of a row are channels of one
//! position of a window that is `s - 1` strides wider and goes on by `s` strides; weights of columns that a neighbour does not
//! read are 0.

use dunlin::ops::Conv2d;
use dunlin::ops::window::Window;

use super::{is_alone, reshape, shaped};
use crate::ops::Op;
use crate::pack::Packing;
use crate::{Data, Graph, Node, Result};

/// The most bytes that the zeros of a layer may take; where kernels with vectors are ten times as fast, more.
const MAX_MORE_BYTES: usize = 2048;
const MAX_MORE_BYTES_OF_VECTORS: usize = 8192;
/// The most products with zeros in an output for which it is worth it elsewhere, of one channel and of two or three.
const MAX_MORE_TAPS_OF_ONE: usize = 72;
const MAX_MORE_TAPS: usize = 12;
/// Channels that the kernels with vectors take at a time, and the most neighbours that are taken for that.
const GROUP: usize = 4;
const MAX_NEIGHBOURS: usize = 8;

/// A convolution of int8.
struct Layer {
    window: Window,
    /// `[c_out, kh, kw, c_in]`.
    weights: [usize; 4],
}

impl Layer {
    /// Columns of a window that computes `s` neighbours.
    fn width(&self, s: usize) -> usize {
        self.weights[2] + (s - 1) * self.window.stride[1] as usize
    }

    /// Products of an output of such a window.
    fn taps(&self, s: usize) -> usize {
        self.weights[1] * self.width(s) * self.weights[3]
    }

    /// Whether `s` neighbours can be computed at a time, and their weights are few.
    fn fits(&self, s: usize, packing: Packing) -> bool {
        let more_bytes = self.weights[0] * (s * self.taps(s) - self.taps(1));
        let max_bytes = if packing == Packing::Helium { MAX_MORE_BYTES_OF_VECTORS } else { MAX_MORE_BYTES };
        more_bytes <= max_bytes && u8::try_from(s * self.window.stride[1] as usize).is_ok()
    }

    /// How many neighbours of a row of `len` to compute at a time.
    fn neighbours(&self, len: usize, packing: Packing) -> Option<usize> {
        let c_out = self.weights[0];
        let is_fit = |s: &usize| len.is_multiple_of(*s) && self.fits(*s, packing);
        let more_taps = |s: usize| self.taps(s) - self.taps(1);
        match (packing, c_out) {
            (Packing::Helium, 1..GROUP) => {
                (2..=MAX_NEIGHBOURS).find(|s| is_fit(s) && (s * c_out).is_multiple_of(GROUP))
            }
            (Packing::Dsp, 1) => (2..=GROUP).rev().find(is_fit),
            // Wide windows get few zeros.
            (Packing::Scalar, 1) => (2..=GROUP).rev().find(|s| {
                let is_wide = 5 * self.taps(*s) <= 8 * self.taps(1);
                is_fit(s) && (is_wide || more_taps(*s) <= MAX_MORE_TAPS_OF_ONE)
            }),
            // Two channels of pixels are a pair.
            (Packing::Dsp, 2) if self.is_pointwise() => None,
            (Packing::Scalar | Packing::Dsp, 2..GROUP) => {
                Some(2).filter(|s| is_fit(s) && more_taps(*s) <= MAX_MORE_TAPS)
            }
            _ => None,
        }
    }

    /// Whether a window is one pixel, so that the pixels of all rows may as well be one row.
    fn is_pointwise(&self) -> bool {
        let Window { stride, pads, .. } = self.window;
        self.weights[1..3] == [1, 1] && stride == [1, 1] && pads == [0; 4]
    }

    /// The weights `[s * c_out, kh, width, c_in]` of a window that computes `s` neighbours.
    fn wide(&self, weights: &[i8], s: usize) -> Vec<i8> {
        let [c_out, kh, kw, c_in] = self.weights;
        let (line, stride) = (kw * c_in, self.window.stride[1] as usize * c_in);
        let mut wide = vec![0; s * c_out * self.taps(s)];
        let lines = wide.chunks_exact_mut(self.width(s) * c_in).enumerate();
        for (i, wide) in lines {
            // Lines of a channel, channels of a neighbour.
            let (neighbour, i) = (i / (c_out * kh), i % (c_out * kh));
            wide[neighbour * stride..][..line].copy_from_slice(&weights[i * line..][..line]);
        }
        wide
    }
}

/// What computes the same as a convolution of few channels, neighbours as channels.
pub(super) fn as_channels(graph: &mut Graph, node: &Node, packing: Packing) -> Result<Option<Vec<Node>>> {
    let (Op::Conv2d(Conv2d { window, bounds }), &[x, w, table]) = (node.op, &node.inputs[..]) else {
        return Ok(None);
    };
    let (y, x_dims, w_dims) = (node.outputs[0], graph.dims(x), graph.dims(w));
    let (&[n, h, len, c_in], &[c_out, kh, kw, _]) = (&x_dims[..], &w_dims[..]) else { return Ok(None) };
    let (Some(Data::I8(weights)), Some(Data::I32(entries))) =
        (graph.constant_data(w), graph.constant_data(table))
    else {
        return Ok(None);
    };
    if window.dilation[1] != 1 && kw != 1 {
        return Ok(None);
    }
    let layer = Layer { window, weights: [c_out, kh, kw, c_in] };
    let y_dims = graph.dims(y);
    // Pixels that are neighbours are one of more channels.
    let is_flat = layer.is_pointwise() && is_alone(graph, x);
    let rows = match layer.neighbours(y_dims[2], packing) {
        Some(s) => Some((s, [n, y_dims[1], y_dims[2] / s])),
        None if is_flat => {
            let pixels = n * h * len;
            layer.neighbours(pixels, packing).map(|s| (s, [1, 1, pixels / s]))
        }
        None => None,
    };
    let Some((s, [n, h, len])) = rows else { return Ok(None) };
    let (weights, entries) = (layer.wide(weights, s), entries.repeat(s));
    let width = layer.width(s);
    let dims = if is_flat { [s * c_out, 1, 1, s * c_in] } else { [s * c_out, kh, width, c_in] };
    let names = [w, table].map(|id| graph[id].name.clone());
    let w = graph.constant(&names[0], &dims, Data::I8(weights))?;
    let table = graph.constant(&names[1], &[s * c_out, 3], Data::I32(entries))?;
    let image = if is_flat { shaped(graph, x, &[n, h, len, s * c_in])? } else { x };
    let made = shaped(graph, y, &[n, h, len, s * c_out])?;
    let stride = [window.stride[0], window.stride[1] * s as u8];
    let beside = Window { stride, dilation: [window.dilation[0], 1], ..window };
    let op = Conv2d { window: if is_flat { window } else { beside }, bounds }.into();
    let mut nodes = Vec::new();
    if is_flat {
        nodes.push(reshape(graph, node, x, image, "pixels")?);
    }
    nodes.push(Node { name: node.name.clone(), op, inputs: vec![image, w, table], outputs: vec![made] });
    nodes.push(reshape(graph, node, made, y, "columns")?);
    Ok(Some(nodes))
}

#[cfg(test)]
mod tests {
    use dunlin::ops::bounds::Bounds;
    use proptest::prelude::*;

    use super::super::tests::{TABLE, names, shaped_for};
    use super::*;
    use crate::ops::testing::{layer, run};

    proptest! {
        #[test]
        fn neighbours_as_channels_give_the_same_bytes(
            packing in prop::sample::select(vec![Packing::Scalar, Packing::Dsp, Packing::Helium]),
            [batch, h, len] in [1usize..3, 1usize..4, 1usize..13],
            [c_in, c_out] in [1usize..4, 1usize..4],
            [kh, kw] in [1usize..4, 1usize..4],
            stride in [1u8..3, 1u8..4],
            pads in [0u8..3, 0u8..3, 0u8..3, 0u8..3],
            weights in prop::collection::vec(any::<i8>(), 81),
            x in prop::collection::vec(any::<i8>(), 2 * 3 * 12 * 3),
            zero_point in -128i32..=127,
        ) {
            // Half of the windows of one pixel have no padding.
            let pads = if kh * kw == 1 && zero_point % 2 == 0 { [0; 4] } else { pads };
            let window = Window { stride, pads, ..Window::UNIT };
            prop_assume!(h + (pads[0] + pads[2]) as usize >= kh && len + (pads[1] + pads[3]) as usize >= kw);
            let op = Conv2d { window, bounds: Bounds::I8 { lo: -100, hi: 90 } };
            let dims = [[batch, h, len, c_in], [c_out, kh, kw, c_in]];
            let graph =
                layer(op, dims, &weights[..c_out * kh * kw * c_in], &TABLE[..3 * c_out], [zero_point, 5]);
            let shaped = shaped_for(&graph, packing);
            let x = &x[..batch * h * len * c_in];
            prop_assert_eq!(run(&shaped, x), run(&graph, x));
        }
    }

    /// Dimensions of the weights of a layer of 3x3 taps on rows of `len`, as these cores have it.
    fn weights(len: usize, [c_in, c_out]: [usize; 2], packing: Packing) -> Vec<usize> {
        let window = Window { pads: [1; 4], ..Window::UNIT };
        let op = Conv2d { window, bounds: Bounds::None };
        let dims = [[1, 4, len, c_in], [c_out, 3, 3, c_in]];
        let graph = layer(op, dims, &vec![1; 9 * c_in * c_out], &TABLE[..3 * c_out], [0, 0]);
        let after = shaped_for(&graph, packing);
        after.dims(after.nodes()[0].inputs[1])
    }

    #[test]
    fn as_many_neighbours_are_taken_as_kernels_take_channels() {
        use Packing::{Dsp, Helium, Scalar};
        assert_eq!(weights(8, [2, 1], Dsp), [4, 3, 6, 2]);
        assert_eq!(weights(9, [2, 1], Dsp), [3, 3, 5, 2]);
        assert_eq!(weights(10, [2, 1], Scalar), [2, 3, 4, 2]);
        assert_eq!(weights(11, [2, 1], Scalar), [1, 3, 3, 2]);
        assert_eq!(weights(8, [32, 1], Dsp), [4, 3, 6, 32]);
        assert_eq!(weights(8, [33, 1], Dsp), [2, 3, 4, 33], "many zeros");
        assert_eq!(weights(8, [8, 1], Scalar), [4, 3, 6, 8]);
        assert_eq!(weights(8, [9, 1], Scalar), [2, 3, 4, 9], "many products");
        assert_eq!(weights(8, [4, 3], Scalar), [6, 3, 4, 4]);
        assert_eq!(weights(8, [5, 3], Scalar), [3, 3, 3, 5], "many products");
        assert_eq!(weights(8, [5, 3], Helium), [12, 3, 6, 5]);
        assert_eq!(weights(12, [4, 2], Helium), [4, 3, 4, 4]);
        assert_eq!(weights(10, [4, 3], Helium), [3, 3, 3, 4], "no groups of four");
    }

    #[test]
    fn pixels_are_one_row_where_their_rows_have_no_neighbours() {
        let op = Conv2d { window: Window::UNIT, bounds: Bounds::None };
        let graph = layer(op, [[1, 4, 7, 2], [1, 1, 1, 2]], &[3, 4], &TABLE[..3], [0, 0]);
        let after = shaped_for(&graph, Packing::Dsp);
        assert_eq!(names(&after), ["reshape", "conv2d", "reshape"]);
        assert_eq!(after.dims(after.nodes()[1].inputs[0]), [1, 1, 7, 8]);
    }
}
