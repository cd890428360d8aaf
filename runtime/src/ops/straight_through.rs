//! Real numbers that give way to what rounding made of them, so that a loss sees the rounded ones and its gradient
//! reaches the real ones (the straight-through estimator of Bengio, Léonard and Courville 2013).
//!
//! Inputs, all f32: `x`, `rounded` of the same shape, and the scales: `[1]`, or `[c]` for the `c` indices along `axis`.
//! Output: `rounded`.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::window::all_rows;
use super::{OpCode, Operator, Outputs, Run, one};
use crate::mem::Memory;
use crate::model::Node;
use crate::{DType, Error, TensorType};

/// How `x` was rounded: to multiples of the scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StraightThrough {
    /// The dimension that scales run along, if there are several.
    pub axis: u8,
    /// The least multiple that is stored.
    pub lo: f32,
    /// The greatest multiple that is stored.
    pub hi: f32,
}

impl StraightThrough {
    /// Elements that stand beside each other and have one scale.
    pub(super) fn inner(&self, x: &TensorType, scale: &TensorType) -> usize {
        match scale.shape.count() {
            1 => x.shape.count(),
            _ => (self.axis as usize + 1..x.shape.rank()).map(|axis| x.shape.dim(axis)).product(),
        }
    }

    pub(super) fn check(&self, x: TensorType, rounded: TensorType, scale: TensorType) -> Result<(), Error> {
        if x.dtype != DType::F32 || scale.dtype != DType::F32 {
            return Err(Error::DType);
        }
        if !(self.lo <= self.hi && self.lo.is_finite() && self.hi.is_finite()) {
            return Err(Error::Parameters);
        }
        let axis = self.axis as usize;
        let per_axis = axis < x.shape.rank() && scale.shape.count() == x.shape.dim(axis);
        let fits = rounded == x && scale.shape.rank() == 1 && (scale.shape.count() == 1 || per_axis);
        if fits { Ok(()) } else { Err(Error::Shape) }
    }
}

impl Operator for StraightThrough {
    const CODE: OpCode = OpCode::StraightThrough;

    fn infer(&self, inputs: &[TensorType]) -> Result<Outputs, Error> {
        let &[x, rounded, scale] = inputs else { return Err(Error::Arity) };
        self.check(x, rounded, scale)?;
        one(x)
    }

    fn rows(&self, input: usize, inputs: &[TensorType], y: usize) -> Range<usize> {
        if input < 2 { y..y + 1 } else { all_rows(inputs, input) }
    }

    fn in_place(&self, _inputs: &[TensorType]) -> u8 {
        0b10
    }
}

impl Run<f32> for StraightThrough {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        let (rounded, out) = (node.input(1).rows::<f32>(mem), node.output(0).rows_mut(mem));
        for y in rows {
            out.row(y).copy_from(rounded.row(y));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, Tensor};

    fn case(axis: u8, n_scales: usize, lo: f32) -> Case<StraightThrough> {
        let x = Tensor::new(&[2, 3], &[0.1f32, 0.2, 0.3, 0.4, 0.5, 0.6]);
        let rounded = Tensor::new(&[2, 3], &[0.0f32, 0.5, 0.5, 0.5, 0.5, 0.5]);
        let scale = Tensor::new(&[n_scales], &[0.5f32; 3][..n_scales]);
        Case::new(StraightThrough { axis, lo, hi: 1.0 }, [x, rounded, scale])
    }

    #[test]
    fn the_rounded_numbers_come_out() {
        for (axis, n_scales) in [(9, 1), (0, 2), (1, 3)] {
            let case = case(axis, n_scales, -1.0);
            assert_eq!(case.run::<f32>(), Ok([0.0, 0.5, 0.5, 0.5, 0.5, 0.5].into()));
            case.assert_contract();
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(case(0, 3, -1.0).run::<f32>(), Err(Error::Shape));
        assert_eq!(case(2, 3, -1.0).run::<f32>(), Err(Error::Shape));
        assert_eq!(case(0, 1, f32::NAN).run::<f32>(), Err(Error::Parameters));
        assert_eq!(case(0, 1, 1.5).run::<f32>(), Err(Error::Parameters));
    }
}
