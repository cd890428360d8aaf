//! What resizing operators share: where positions of the output lie in the input.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Outputs, one};
use crate::kernels::resize::Neighbours;
use crate::{DType, Error, Shape, TensorType};

/// The most pixels along an axis, so that positions in Q10 fit 32 bits.
const MAX_LEN: usize = 1 << 15;

/// Parameters of a resizing of images `[n, h, w, c]`, as TensorFlow has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resize {
    /// Size of the output, `[h, w]`.
    pub size: [u16; 2],
    /// Whether the outermost pixels of input and output coincide.
    pub align_corners: bool,
    /// Whether pixels are sampled at their middle. For the bilinear one not together with `align_corners`.
    pub half_pixel_centers: bool,
}

impl Resize {
    /// Size `[h, w]` of the output.
    pub(super) fn out_size(&self) -> [usize; 2] {
        self.size.map(usize::from)
    }

    pub(super) fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x] = inputs else { return Err(Error::Arity) };
        if !matches!(x.dtype, DType::F32 | DType::I8) {
            return Err(Error::DType);
        }
        let [h, w] = self.out_size();
        let lens = [x.shape.dim(1), x.shape.dim(2), h, w];
        if x.shape.rank() != 4 || lens.iter().any(|&len| len > MAX_LEN) {
            return Err(Error::Shape);
        }
        one(TensorType::new(x.dtype, Shape::new(&[x.shape.dim(0), h, w, x.shape.dim(3)])?))
    }

    /// For row `y` of the output: the first row of its image `[n, h, w, c]`, and the row in the output image.
    pub(super) fn row(&self, x: &Shape, y: usize) -> (usize, usize) {
        let [h, _] = self.out_size();
        let (image, line) = (y.checked_div(h).unwrap_or(0), y.checked_rem(h).unwrap_or(0));
        (image.wrapping_mul(x.dim(1)), line)
    }

    /// Input positions from one output position to the next.
    fn step(&self, len: usize, out_len: usize) -> f32 {
        if self.align_corners && out_len > 1 {
            (len as f32 - 1.0) / (out_len as f32 - 1.0)
        } else {
            len as f32 / out_len as f32
        }
    }

    /// The input position nearest to each output position.
    pub(super) fn nearest(&self, len: usize, out_len: usize) -> impl Fn(usize) -> usize + use<> {
        let Resize { align_corners, half_pixel_centers, .. } = *self;
        let (step, last) = (self.step(len, out_len), len.wrapping_sub(1));
        let offset = if half_pixel_centers { 0.5 } else { 0.0 };
        move |i| {
            let at = (i as f32 + offset) * step;
            // `at` is not negative, so conversion rounds down.
            let below = at as usize;
            let up = align_corners && at - below as f32 >= 0.5;
            (below + up as usize).min(last)
        }
    }

    /// The neighbours of each output position in f32.
    pub(super) fn neighbours(&self, len: usize, out_len: usize) -> impl Fn(usize) -> Neighbours<f32> + use<> {
        let half_pixel_centers = self.half_pixel_centers;
        let (step, last) = (self.step(len, out_len), len.wrapping_sub(1));
        move |i| {
            let i = i as f32;
            let at = if half_pixel_centers { (i + 0.5) * step - 0.5 } else { i * step };
            // Negative positions, of more than -1, become 0.
            let below = (at as usize).min(last);
            let above = (below + (at > below as f32) as usize).min(last);
            let weight = at - below as f32;
            Neighbours { at: [below, above], weights: [1.0 - weight, weight] }
        }
    }

    /// The neighbours of each output position with weights in Q10, whose sum is 1. One that is not in 0 to 1 is that of two
    /// neighbours that are the same.
    pub(super) fn neighbours_q10(
        &self,
        len: usize,
        out_len: usize,
    ) -> impl Fn(usize) -> Neighbours<i32> + use<> {
        const ONE_Q10: i32 = 1 << 10;
        let (len, out_len) = (len as i32, out_len as i32);
        let (span, out_span) = match self.align_corners && out_len > 1 {
            true => (len - 1, out_len - 1),
            false => (len, out_len),
        };
        let step_q10 = (ONE_Q10 * span + out_span / 2).checked_div(out_span).unwrap_or(0);
        let middle_q10 = if self.half_pixel_centers { step_q10 / 2 - ONE_Q10 / 2 } else { 0 };
        move |i| {
            let at_q10 = i as i32 * step_q10 + middle_q10;
            let below = (at_q10 / ONE_Q10).min(len - 1).max(0);
            let above = ((at_q10 + ONE_Q10 - 1) / ONE_Q10).min(len - 1).max(0);
            let weight = at_q10 - ONE_Q10 * below;
            Neighbours { at: [below as usize, above as usize], weights: [ONE_Q10 - weight, weight] }
        }
    }

    /// Rows of the image that output row `y` reads, of those between which `neighbours` lie.
    pub(super) fn rows_between(x: &Shape, first: usize, [below, above]: [usize; 2]) -> Range<usize> {
        first + below.min(x.dim(1))..first + above + 1
    }
}
