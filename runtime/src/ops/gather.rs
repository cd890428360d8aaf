//! What transpositions and slices share: neighbours in the output lie at constant distances in the input.

use core::ops::Range;

use crate::kernels::gather::gather_row;
use crate::mem::Memory;
use crate::model::Node;
use crate::shape::MAX_RANK;
use crate::{Element, Shape};

/// Where the elements of an output lie in the input.
pub(super) struct Gather {
    /// Sizes of the output as [`Shape::nhwc`].
    sizes: [usize; MAX_RANK],
    /// Input element of the first output element.
    first: usize,
    /// Distances in the input of neighbours along the axes of `sizes`; 0 along those of size 1.
    steps: [isize; MAX_RANK],
}

impl Gather {
    /// `step` gives the distance for each dimension of `out`. Every element must lie in the input.
    pub(super) fn new(out: &Shape, first: usize, step: impl Fn(usize) -> isize) -> Gather {
        let mut steps = [0; MAX_RANK];
        for i in (0..out.rank()).filter(|&i| out.dim(i) > 1) {
            if let Some(slot) = steps.get_mut(out.nhwc_axis(i)) {
                *slot = step(i);
            }
        }
        Gather { sizes: out.nhwc(), first, steps }
    }

    /// Rows of the input, of shape `x`, that row `y` of the output reads: all where they do not ascend.
    pub(super) fn rows(&self, x: &Shape, y: usize) -> Range<usize> {
        let ([n, h, w, c], [n_step, h_step, w_step, c_step]) = (self.sizes, self.steps);
        let reach = |size: usize, step: isize| (size as isize).wrapping_sub(1).wrapping_mul(step);
        let ascend = h_step >= 0 && (n == 1 || n_step >= reach(h, h_step));
        if !ascend {
            return 0..x.rows();
        }
        let (along_w, along_c) = (reach(w, w_step), reach(c, c_step));
        let first = self.first_of(y);
        let start = first.wrapping_add_signed(along_w.min(0)).wrapping_add_signed(along_c.min(0));
        let last = first.wrapping_add_signed(along_w.max(0)).wrapping_add_signed(along_c.max(0));
        x.rows_of(start, last.wrapping_add(1))
    }

    /// Copies `rows` of the output.
    pub(super) fn run<T: Element>(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0).view::<T>(mem), node.output(0).rows_mut(mem));
        let ([_, _, w, c], [_, _, w_step, c_step]) = (self.sizes, self.steps);
        for y in rows {
            gather_row(x, self.first_of(y), [w, c], [w_step, c_step], out.row(y));
        }
    }

    /// Input element of the first element of row `y` of the output.
    fn first_of(&self, y: usize) -> usize {
        let ([_, h, _, _], [n_step, h_step, _, _]) = (self.sizes, self.steps);
        let (image, line) = (y.checked_div(h).unwrap_or(0), y.checked_rem(h).unwrap_or(0));
        self.first
            .wrapping_add_signed(n_step.wrapping_mul(image as isize))
            .wrapping_add_signed(h_step.wrapping_mul(line as isize))
    }
}

/// Elements from one index to the next along dimension `axis`.
pub(super) fn stride(shape: &Shape, axis: usize) -> usize {
    shape.dims().iter().skip(axis + 1).fold(1usize, |stride, &dim| stride.wrapping_mul(dim as usize))
}
