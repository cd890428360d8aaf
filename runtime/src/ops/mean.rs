//! Mean along any axes.
//!
//! Input of rank 1 to 4, output without the axes or with 1 in their place. Rows are taken as they come: the
//! accumulators (f32 or i32, one an output element) are scratch. int8 is rounded as TensorFlow Lite Micro
//! does, with the division by the number of elements inside the factor ([`Mean::factor_of`]).

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Factor, OpCode, Operator, Order, Outputs, Run, one};
use crate::kernels::pool::{Pixels, add_pixels_i8};
use crate::kernels::reduce::add_pixels;
use crate::kernels::requantize::clamp_i8;
use crate::mem::{Memory, Rows, ViewMut};
use crate::model::Node;
use crate::shape::MAX_RANK;
use crate::{DType, Element, Error, Shape, TensorType};

/// The most elements that an int8 mean takes together. Each adds `q - zero_point`, of at most 255, so that
/// the sum stays below 2^31 at every moment.
const MAX_ELEMENTS_I8: usize = i32::MAX as usize / 255;

/// Parameters of a mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The axes, as a bit set: bit i is dimension i.
    pub axes: u8,
    /// Whether the output keeps the axes, as dimensions of 1.
    pub keep_dims: bool,
    /// int8 only: the scale of the input over that of the output, over the number of elements. (Without that division it is
    /// a sum that comes out.)
    pub factor: Option<Factor>,
}

impl Mean {
    /// The factor of `n` elements for `ratio`, the scale of the input over that of the output. The quotient
    /// is truncated and keeps as many bits as fit: so does TensorFlow Lite's reference, and the result is
    /// not the factor nearest to the real one.
    pub fn factor_of(ratio: Factor, n: usize) -> Factor {
        let Some(log2) = n.checked_ilog2() else { return ratio };
        let bits = (log2 as i32).min(31 + ratio.shift as i32).clamp(0, 32);
        let multiplier = ((ratio.multiplier as i64) << bits).checked_div(n as i64).unwrap_or(0);
        Factor { multiplier: multiplier as i32, shift: ratio.shift - bits as i8 }
    }

    fn reduces(&self, axis: usize) -> bool {
        self.axes >> axis & 1 != 0
    }

    /// Strides of the output's elements along the axes of the input's [`Shape::nhwc`]; 0 for those that the
    /// mean takes together.
    fn strides(&self, x: &Shape) -> [usize; MAX_RANK] {
        let mut strides = [0; MAX_RANK];
        let mut stride = 1usize;
        for axis in (0..x.rank()).rev().filter(|&axis| !self.reduces(axis)) {
            if let Some(slot) = strides.get_mut(x.nhwc_axis(axis)) {
                *slot = stride;
            }
            stride = stride.wrapping_mul(x.dim(axis));
        }
        strides
    }

    /// Takes `rows` of the input into accumulators and, behind the last one, makes the output of them. `add` takes pixels
    /// into an accumulator for each of their channels.
    pub(super) fn reduce<T: Element, Acc: Element>(
        &self,
        node: &Node,
        mem: &Memory,
        rows: Range<usize>,
        add: impl Fn(ViewMut<Acc>, Pixels<T>),
        finish: impl Fn(Acc) -> T,
    ) {
        let (x, out) = (node.input(0), node.output(0));
        let (n_rows, acc) = (x.ty.shape.rows(), node.scratch::<Acc>(mem));
        if rows.start == 0 {
            acc.fill(Acc::default());
        }
        let is_last = rows.end == n_rows;
        self.accumulate(&x.ty.shape, &x.rows(mem), rows, acc, add);
        if is_last {
            let out = out.view_mut::<T>(mem);
            for i in 0..out.len() {
                out.set(i, finish(acc.at(i)));
            }
        }
    }

    fn accumulate<T: Element, Acc: Element>(
        &self,
        shape: &Shape,
        x: &Rows<T>,
        rows: Range<usize>,
        acc: ViewMut<Acc>,
        add: impl Fn(ViewMut<Acc>, Pixels<T>),
    ) {
        let [n, h, w, channels] = shape.nhwc();
        let [n_stride, h_stride, w_stride, c_stride] = self.strides(shape);
        // Whole images of which all pixels are taken together.
        let of_pixels = (n == 1 || n_stride == 0) && [h_stride, w_stride, c_stride] == [0, 0, 1];
        if let (true, Some(x)) = (of_pixels, x.joined(rows.clone())) {
            let count = rows.len().wrapping_mul(w);
            return add(acc.slice(0, channels), Pixels { x, distance: channels, count });
        }
        for y in rows {
            let (image, line) = (y.checked_div(h).unwrap_or(0), y.checked_rem(h).unwrap_or(0));
            let start = image.wrapping_mul(n_stride).wrapping_add(line.wrapping_mul(h_stride));
            let x = x.row(y);
            match (w_stride, c_stride) {
                // Channels that are taken together are pixels of one channel.
                (_, 0) => (0..w).for_each(|i| {
                    let x = x.slice(i.wrapping_mul(channels), channels);
                    let slot = acc.slice(start.wrapping_add(i.wrapping_mul(w_stride)), 1);
                    add(slot, Pixels { x, distance: 1, count: channels });
                }),
                (0, _) => add(acc.slice(start, channels), Pixels { x, distance: channels, count: w }),
                // Nothing of the row is taken together: it is one pixel.
                _ => add(acc.slice(start, x.len()), Pixels { x, distance: x.len(), count: 1 }),
            }
        }
    }
}

impl Operator for Mean {
    const CODE: OpCode = OpCode::Mean;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x] = inputs else { return Err(Error::Arity) };
        let rank = x.shape.rank();
        if self.axes == 0 || self.axes >> rank != 0 {
            return Err(Error::Parameters);
        }
        let mut dims = heapless::Vec::<usize, MAX_RANK>::new();
        let mut n = 1usize;
        for axis in 0..rank {
            let reduced = self.reduces(axis);
            n = n.wrapping_mul(if reduced { x.shape.dim(axis) } else { 1 });
            if !reduced || self.keep_dims {
                dims.push(if reduced { 1 } else { x.shape.dim(axis) }).map_err(|_| Error::Shape)?;
            }
        }
        match (x.dtype, self.factor) {
            (DType::F32, None) => {}
            (DType::I8, Some(_)) if n > MAX_ELEMENTS_I8 => return Err(Error::Shape),
            (DType::I8, Some(factor)) => factor.check()?,
            (DType::F32 | DType::I8, _) => return Err(Error::Parameters),
            _ => return Err(Error::DType),
        }
        one(TensorType::new(x.dtype, Shape::new(&dims)?))
    }

    fn order(&self, _inputs: &[TensorType]) -> Order {
        Order::Reduction
    }

    fn rows(&self, _input: usize, _inputs: &[TensorType], y: usize) -> Range<usize> {
        y..y + 1
    }

    fn by_rows(&self, _inputs: &[TensorType]) -> u16 {
        1
    }

    fn scratch_bytes(&self, inputs: &[TensorType]) -> usize {
        // Accumulators of both dtypes have four bytes.
        self.infer(inputs).map_or(0, |outputs| outputs.iter().map(|out| 4 * out.shape.count()).sum())
    }
}

impl Run<f32> for Mean {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let n = elements_of_each(node) as f32;
        let add = |acc: ViewMut<f32>, x: Pixels<f32>| add_pixels(acc, x, |acc, x| acc + x);
        self.reduce(node, mem, rows, add, |acc| acc / n);
    }
}

impl Run<i8> for Mean {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0), node.output(0));
        // The zero point of all elements at once: no more than a sum of 32 bits holds.
        let offset = (elements_of_each(node) as i32).wrapping_mul(x.zero_point());
        let factor = self.factor.unwrap_or_default();
        let finish = |acc: i32| {
            let scaled = factor.apply(acc.wrapping_sub(offset));
            clamp_i8(scaled.saturating_add(out.zero_point()), (i8::MIN, i8::MAX))
        };
        self.reduce(node, mem, rows, add_pixels_i8, finish);
    }
}

/// Elements that each output is the mean of.
fn elements_of_each(node: &Node) -> usize {
    node.input(0).ty.shape.count().checked_div(node.output(0).ty.shape.count()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use crate::ops::testing::{Case, Tensor};

    fn f32_mean(axes: u8, keep_dims: bool, dims: &[usize]) -> Case<Mean> {
        let n: usize = dims.iter().product();
        let x: Vec<f32> = (0..n).map(|i| (i * i % 17) as f32).collect();
        Case::new(Mean { axes, keep_dims, factor: None }, [Tensor::new(dims, &x)])
    }

    #[test]
    fn averages_along_any_axes() {
        for axes in 1u8..16 {
            let dims = [2usize, 3, 4, 5];
            let mut sums = [0f32; 120];
            let stride = |axis: usize| if axes >> axis & 1 != 0 { 0 } else { [60, 20, 5, 1][axis] };
            let mut n = 0;
            for i in 0..120 {
                let at = [i / 60, i / 20 % 3, i / 5 % 4, i % 5];
                let slot: usize = (0..4).map(|axis| at[axis] * stride(axis)).sum();
                sums[slot] += (i * i % 17) as f32;
                n += (slot == 0) as usize;
            }
            let kept = |i: usize| {
                let at = [i / 60, i / 20 % 3, i / 5 % 4, i % 5];
                (0..4).all(|axis| stride(axis) != 0 || at[axis] == 0)
            };
            let expected: Vec<f32> = (0..120).filter(|&i| kept(i)).map(|i| sums[i] / n as f32).collect();
            let case = f32_mean(axes, false, &dims);
            assert_eq!(case.run::<f32>().unwrap(), expected, "axes {axes:04b}");
            case.assert_contract();
        }
    }

    #[test]
    fn shapes_drop_or_keep_the_axes() {
        let shape = |axes, keep_dims, dims: &[usize]| {
            let x = TensorType::new(DType::F32, Shape::new(dims).unwrap());
            Mean { axes, keep_dims, factor: None }.infer(&[x]).map(|out| out[0].shape)
        };
        assert_eq!(shape(0b110, true, &[2, 3, 4, 5]), Shape::new(&[2, 1, 1, 5]));
        assert_eq!(shape(0b110, false, &[2, 3, 4, 5]), Shape::new(&[2, 5]));
        assert_eq!(shape(0b1, false, &[7]), Ok(Shape::SCALAR));
        assert_eq!(shape(0b10, false, &[7]), Err(Error::Parameters));
        assert_eq!(shape(0, false, &[7]), Err(Error::Parameters));
    }

    #[test]
    fn int8_scales_and_rounds() {
        let one = Factor::from_real(1.0).unwrap();
        let op = Mean { axes: 0b10, keep_dims: false, factor: Some(Mean::factor_of(one, 2)) };
        let x = Tensor::new(&[3, 2], &[1i8, 2, -7, -8, 127, 126]).zero_point(-5);
        let case = Case::new(op, [x]).output_zero_point(1);
        // 6.5 + 1, -2.5 + 1 and 131.5 + 1: the high multiplication takes ties up, and the end saturates.
        assert_eq!(case.run::<i8>(), Ok([8, -1, 127].into()));
        case.assert_contract();
    }

    #[test]
    fn the_longest_int8_sum_fits_32_bits() {
        let infer = |n: usize| {
            let x = TensorType::new(DType::I8, Shape::new(&[n]).unwrap());
            Mean { axes: 1, keep_dims: false, factor: Some(Factor::default()) }.infer(&[x]).map(|_| ())
        };
        assert!(255 * MAX_ELEMENTS_I8 <= i32::MAX as usize);
        assert_eq!(infer(MAX_ELEMENTS_I8), Ok(()));
        assert_eq!(infer(MAX_ELEMENTS_I8 + 1), Err(Error::Shape));
    }
}
