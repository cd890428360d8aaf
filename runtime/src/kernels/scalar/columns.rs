//! Depthwise 3x3 windows along a row, one channel after the other: each column of three rows is read once.

use super::requantize::Finish;
use crate::kernels::generic::arithmetic::{Arithmetic, I8};
use crate::mem::{View, ViewMut};
use crate::ops::window::Geometry;

/// What the channels of an output row have in common.
pub struct Layer<'a> {
    pub arithmetic: &'a I8<'a>,
    /// The three rows of the image.
    pub rows: [View<'a, i8>; 3],
    /// The three lines of the weights, and -1 for those whose row is not in the padding, 0 for the others.
    pub lines: [View<'a, i8>; 3],
    pub masks: [i32; 3],
    pub sweep: Sweep,
}

/// Computes an output row, clamped to int8 alone.
pub fn sweep_row(layer: &Layer, out: ViewMut<i8>) {
    for c in 0..layer.sweep.channels {
        sweep_channel(layer, c, out);
    }
}

/// Computes channel `c` of it.
#[inline(always)]
pub fn sweep_channel(layer: &Layer, c: usize, out: ViewMut<i8>) {
    let Layer { arithmetic, rows, lines, masks, sweep } = layer;
    let column = |kx: usize| {
        let at = kx.wrapping_mul(sweep.channels).wrapping_add(c);
        let [top, middle, bottom] = lines;
        let weight = |line: &View<i8>, mask: i32| line.at(at) as i32 & mask;
        Column(weight(top, masks[0]), weight(middle, masks[1]), weight(bottom, masks[2]))
    };
    let weights = [column(0), column(1), column(2)];
    let sum = weights[0].sum().wrapping_add(weights[1].sum()).wrapping_add(weights[2].sum());
    let channel = Channel {
        weights,
        rows: *rows,
        bias: arithmetic.begin(c).wrapping_add(arithmetic.x_offset.wrapping_mul(sum)),
        padding: arithmetic.x_offset.wrapping_neg(),
        finish: Finish::new(&arithmetic.requantize, c),
    };
    let out = out.slice(c, out.len().wrapping_sub(c));
    if sweep.stride == 1 { sweep.by_ones(&channel, c, out) } else { sweep.by_twos(&channel, c, out) }
}

/// Three numbers, from top to bottom.
#[derive(Clone, Copy)]
struct Column(i32, i32, i32);

impl Column {
    #[inline(always)]
    fn sum(self) -> i32 {
        self.0.wrapping_add(self.1).wrapping_add(self.2)
    }
}

/// What the outputs of one channel have in common.
struct Channel<'a> {
    weights: [Column; 3],
    rows: [View<'a, i8>; 3],
    /// The bias, less what the zero point adds to the sums.
    bias: i32,
    /// The stored number that stands for 0.
    padding: i32,
    finish: Finish,
}

impl Channel<'_> {
    /// Elements `i` of the rows.
    #[inline(always)]
    fn column(&self, i: usize) -> Column {
        let [top, middle, bottom] = self.rows;
        Column(top.at(i) as i32, middle.at(i) as i32, bottom.at(i) as i32)
    }

    /// `sum` and the products of a column with that of the weights.
    #[inline(always)]
    fn add(&self, sum: i32, x: Column, w: Column) -> i32 {
        let product = |x: i32, w: i32| x.wrapping_mul(w);
        sum.wrapping_add(product(x.0, w.0)).wrapping_add(product(x.1, w.1)).wrapping_add(product(x.2, w.2))
    }
}

/// How a row is swept.
#[derive(Clone, Copy)]
pub struct Sweep {
    pub channels: usize,
    pub stride: usize,
    pub outputs: usize,
    /// Whether the first column lies in the padding, and the last one.
    pub is_padded: [bool; 2],
}

impl Sweep {
    /// The sweep of a layer, if it is one of these.
    pub fn of(geometry: &Geometry) -> Option<Sweep> {
        let ([_, width, c_in], [_, outputs, channels]) = (geometry.input, geometry.output);
        let (stride, left) = (geometry.window.stride[1] as usize, geometry.window.pads[1] as usize);
        // Columns read, padding included, and columns of image and padding at the left.
        let read = outputs.wrapping_sub(1).wrapping_mul(stride).wrapping_add(3);
        let there = width.wrapping_add(left);
        let fits = geometry.kernel == [3, 3]
            && geometry.window.dilation == [1, 1]
            && c_in == channels
            && (stride == 1 || stride == 2)
            && left <= 1
            && read <= there.wrapping_add(1)
            && width >= 2;
        let is_padded = [left == 1, read > there];
        if fits { Some(Sweep { channels, stride, outputs, is_padded }) } else { None }
    }

    /// Outputs whose last column is in the image.
    pub fn whole(&self) -> usize {
        self.outputs.wrapping_sub(self.is_padded[1] as usize)
    }

    /// Two outputs are under way.
    #[inline(always)]
    fn by_ones(&self, channel: &Channel, mut at: usize, out: ViewMut<i8>) {
        let [w0, w1, w2] = channel.weights;
        let mut to = 0;
        let mut second = channel.bias;
        if self.is_padded[0] {
            second = second.wrapping_add(channel.padding.wrapping_mul(w0.sum()));
        } else {
            second = channel.add(second, channel.column(at), w0);
            at = at.wrapping_add(self.channels);
        }
        let x = channel.column(at);
        let mut first = channel.add(second, x, w1);
        second = channel.add(channel.bias, x, w0);
        for _ in 0..self.whole() {
            at = at.wrapping_add(self.channels);
            let x = channel.column(at);
            out.set(to, channel.finish.apply(channel.add(first, x, w2)));
            to = to.wrapping_add(self.channels);
            first = channel.add(second, x, w1);
            second = channel.add(channel.bias, x, w0);
        }
        if self.is_padded[1] {
            let sum = first.wrapping_add(channel.padding.wrapping_mul(w2.sum()));
            out.set(to, channel.finish.apply(sum));
        }
    }

    /// The last column of an output is the first one of the next.
    #[inline(always)]
    fn by_twos(&self, channel: &Channel, mut at: usize, out: ViewMut<i8>) {
        let [w0, w1, w2] = channel.weights;
        let mut to = 0;
        let mut x0 = Column(channel.padding, channel.padding, channel.padding);
        if !self.is_padded[0] {
            x0 = channel.column(at);
            at = at.wrapping_add(self.channels);
        }
        for _ in 0..self.whole() {
            let sum = channel.add(channel.add(channel.bias, x0, w0), channel.column(at), w1);
            x0 = channel.column(at.wrapping_add(self.channels));
            at = at.wrapping_add(self.channels.wrapping_mul(2));
            out.set(to, channel.finish.apply(channel.add(sum, x0, w2)));
            to = to.wrapping_add(self.channels);
        }
        if self.is_padded[1] {
            let sum = channel.add(channel.add(channel.bias, x0, w0), channel.column(at), w1);
            let sum = sum.wrapping_add(channel.padding.wrapping_mul(w2.sum()));
            out.set(to, channel.finish.apply(sum));
        }
    }
}
