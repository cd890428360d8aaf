//! What average and max pooling have in common.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::window::{Geometry, Window};
use super::{Order, Outputs, one};
use crate::kernels::pool::{Pool, finish_row};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, Shape, TensorType};

/// Parameters of a pooling over windows of `[n, h, w, c]`, each channel on its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pooling {
    /// Size of the windows, `[h, w]`.
    pub kernel: [u8; 2],
    /// Stride and padding; the dilation is 1. Positions in the padding do not count, and each padding is
    /// smaller than the kernel, so that every window has a value.
    pub window: Window,
    /// Fused activation.
    pub bounds: Bounds,
}

impl Pooling {
    pub(super) fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x] = inputs else { return Err(Error::Arity) };
        if !matches!(x.dtype, DType::F32 | DType::I8) {
            return Err(Error::DType);
        }
        let [top, left, bottom, right] = self.window.pads;
        let [kh, kw] = self.kernel;
        if top.max(bottom) >= kh || left.max(right) >= kw || self.window.dilation != [1, 1] {
            return Err(Error::Parameters);
        }
        self.bounds.check(x.dtype)?;
        let [oh, ow] = self.window.output(self.taps(), &x.shape)?;
        one(TensorType::new(x.dtype, Shape::new(&[x.shape.dim(0), oh, ow, x.shape.dim(3)])?))
    }

    pub(super) fn rows(&self, inputs: &[TensorType], y: usize) -> Range<usize> {
        if self.order(inputs) == Order::Reduction {
            return y..y + 1;
        }
        inputs.first().map_or(0..0, |x| self.window.rows(self.taps(), &x.shape, y))
    }

    /// A pooling of several rows to one takes the rows of the image as they come.
    pub(super) fn order(&self, inputs: &[TensorType]) -> Order {
        match self.sizes(inputs) {
            Some(Geometry { input: [h, ..], output: [1, ..], .. })
                if h > 1 && inputs.iter().all(|x| x.shape.dim(0) == 1) =>
            {
                Order::Reduction
            }
            _ => Order::Rows,
        }
    }

    /// Accumulators of a pooling to one row, of `acc_bytes` each.
    pub(super) fn scratch_bytes(&self, inputs: &[TensorType], acc_bytes: usize) -> usize {
        match (self.order(inputs), self.sizes(inputs)) {
            (Order::Reduction, Some(Geometry { output: [_, w, c], .. })) => w * c * acc_bytes,
            _ => 0,
        }
    }

    fn sizes(&self, inputs: &[TensorType]) -> Option<Geometry> {
        let x = inputs.first()?;
        Geometry::infer(self.window, self.taps(), &x.shape, x.shape.dim(3))
    }

    pub(super) fn run<P: Pool>(&self, pool: &P, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (x, out) = (node.input(0), node.output(0));
        let n_rows = x.ty.shape.rows();
        let to_one_row = out.ty.shape.rows() == 1 && n_rows != 1;
        let geometry = Geometry::new(self.window, self.taps(), &x.ty.shape, &out.ty.shape);
        let (x, out) = (x.rows(mem), out.rows_mut(mem));
        if !to_one_row {
            rows.for_each(|y| pool.row(&geometry, &x, y, out.row(y)));
            return;
        }
        let (acc, is_last) = (node.scratch(mem), rows.end == n_rows);
        pool.accumulate(&geometry, &x, rows, acc);
        if is_last {
            finish_row(pool, &geometry, acc.view(), out.row(0));
        }
    }

    pub(super) fn taps(&self) -> [usize; 2] {
        self.kernel.map(|taps| taps as usize)
    }
}
