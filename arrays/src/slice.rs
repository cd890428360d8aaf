//! Slices with steps, as NumPy's `a[1:, ::-2, 3]`.

use ndarray::{Axis, SliceInfoElem};

use crate::array::wrap;
use crate::{Array, Element, Error, Result};

/// What is taken along a dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// One index; the dimension goes.
    Index(isize),
    /// From `start` to before `stop` by `step`; NumPy's rules for what is left out, negative or outside.
    Range {
        /// The first index.
        start: Option<isize>,
        /// The first index that is no longer taken.
        stop: Option<isize>,
        /// Distance of indices, not 0.
        step: isize,
    },
    /// No dimension: a new one of length 1.
    NewAxis,
}

/// A slice of an index or a range: `s(2)`, `s(1..4)`, `s(..).by(-1)`, `s(1..).to(-1)`. The last is NumPy's `1:-1`; as a
/// Rust range `1..-1` works too, but clippy takes it for a mistake.
pub fn s(slice: impl Into<Slice>) -> Slice {
    slice.into()
}

/// A new dimension of length 1.
pub fn new_axis() -> Slice {
    Slice::NewAxis
}

impl Slice {
    /// With another end: the first index that is no longer taken.
    pub fn to(self, stop: isize) -> Slice {
        match self {
            Slice::Range { start, step, .. } => Slice::Range { start, stop: Some(stop), step },
            other => other,
        }
    }

    /// The first index that a range takes of `len`, how many, and their distance; `None` for what is no range, takes
    /// nothing or has the step 0.
    pub fn indices(self, len: usize) -> Option<(usize, usize, isize)> {
        let Slice::Range { start, stop, step } = self else { return None };
        if step == 0 {
            return None;
        }
        let (first, n, step) = indices(start, stop, step, len);
        (n > 0).then_some((usize::try_from(first).ok()?, n, step))
    }

    /// With another step. The ends of a range stay: with a negative step it starts at the greater one.
    pub fn by(self, by: isize) -> Slice {
        match self {
            Slice::Range { start, stop, .. } => Slice::Range { start, stop, step: by },
            other => other,
        }
    }
}

fn range(start: Option<isize>, stop: Option<isize>) -> Slice {
    Slice::Range { start, stop, step: 1 }
}

impl From<isize> for Slice {
    fn from(index: isize) -> Slice {
        Slice::Index(index)
    }
}

impl From<std::ops::RangeFull> for Slice {
    fn from(_: std::ops::RangeFull) -> Slice {
        range(None, None)
    }
}

impl From<std::ops::Range<isize>> for Slice {
    fn from(r: std::ops::Range<isize>) -> Slice {
        range(Some(r.start), Some(r.end))
    }
}

impl From<std::ops::RangeFrom<isize>> for Slice {
    fn from(r: std::ops::RangeFrom<isize>) -> Slice {
        range(Some(r.start), None)
    }
}

impl From<std::ops::RangeTo<isize>> for Slice {
    fn from(r: std::ops::RangeTo<isize>) -> Slice {
        range(None, Some(r.end))
    }
}

/// The indices that a range takes of `len`: the first one, how many, and their distance.
fn indices(start: Option<isize>, stop: Option<isize>, step: isize, len: usize) -> (isize, usize, isize) {
    let len = len as isize;
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |i: isize| (if i < 0 { i.saturating_add(len) } else { i }).clamp(low, high);
    let start = start.map_or(if step > 0 { low } else { high }, clamp);
    let stop = stop.map_or(if step > 0 { high } else { low }, clamp);
    let distance = if step > 0 { stop - start } else { start - stop };
    let n = if distance > 0 { (distance as usize).div_ceil(step.unsigned_abs()) } else { 0 };
    (start, n, step)
}

/// A range in `ndarray`'s terms, where a negative step goes through the range from its end.
fn element(start: isize, n: usize, step: isize) -> SliceInfoElem {
    let last = start + step.saturating_mul(n.saturating_sub(1) as isize);
    match n {
        0 => SliceInfoElem::Slice { start: 0, end: Some(0), step: 1 },
        _ => SliceInfoElem::Slice { start: start.min(last), end: Some(start.max(last) + 1), step },
    }
}

impl<T: Element> Array<T> {
    /// A view of a part; dimensions that are not named are taken whole.
    ///
    /// # Errors
    /// If there are more slices than dimensions, an index is outside or a step is 0.
    pub fn slice(&self, slices: &[Slice]) -> Result<Array<T>> {
        let elements = self.slice_elements(slices)?;
        Ok(Array(self.0.clone().slice_move(&elements[..])))
    }

    /// Writes `value`, broadcast, to a part.
    ///
    /// # Errors
    /// As [`Array::slice`], and if `value` cannot be broadcast to the part.
    pub fn assign(&mut self, slices: &[Slice], value: &Array<T>) -> Result<()> {
        let elements = self.slice_elements(slices)?;
        let mut part = self.0.slice_mut(&elements[..]);
        match value.0.broadcast(part.raw_dim()) {
            Some(value) => part.assign(&value),
            None => {
                let (have, want) = (value.dims(), part.shape());
                return Error::invalid(format!(
                    "shape {have:?} cannot be written to a part of shape {want:?}"
                ));
            }
        }
        Ok(())
    }

    fn slice_elements(&self, slices: &[Slice]) -> Result<Vec<SliceInfoElem>> {
        let wrong = || Error::Invalid(format!("{slices:?} cannot be taken of shape {:?}", self.dims()));
        let mut lens = self.dims().iter();
        let mut elements = Vec::new();
        for &slice in slices {
            elements.push(match slice {
                Slice::NewAxis => SliceInfoElem::NewAxis,
                Slice::Index(i) => {
                    let i = lens.next().and_then(|&len| wrap(i, len)).ok_or_else(wrong)?;
                    SliceInfoElem::Index(i as isize)
                }
                Slice::Range { start, stop, step } => {
                    let &len = lens.next().ok_or_else(wrong)?;
                    if step == 0 {
                        return Err(wrong());
                    }
                    let (start, n, step) = indices(start, stop, step, len);
                    element(start, n, step)
                }
            });
        }
        elements.extend(lens.map(|_| SliceInfoElem::Slice { start: 0, end: None, step: 1 }));
        Ok(elements)
    }

    /// The parts at `indices` along `axis`, in this order; negative ones count from the end.
    ///
    /// # Errors
    /// If one is outside or there is no such axis.
    pub fn take(&self, indices: &[isize], axis: isize) -> Result<Array<T>> {
        let place = self.axis(axis)?;
        let len = self.dims()[place];
        let outside = |i| Error::Invalid(format!("index {i} is outside of axis {axis} of {:?}", self.dims()));
        let indices =
            indices.iter().map(|&i| wrap(i, len).ok_or_else(|| outside(i))).collect::<Result<Vec<_>>>()?;
        Ok(Array::from_nd(self.0.select(Axis(place), &indices)))
    }

    /// The elements where `mask` is true, in row-major order.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn compress(&self, mask: &Array<bool>) -> Result<Array<T>> {
        if mask.dims() != self.dims() {
            let (have, want) = (mask.dims(), self.dims());
            return Error::invalid(format!("a mask of shape {have:?} for an array of shape {want:?}"));
        }
        let taken: Vec<T> = self.iter().zip(mask.iter()).filter_map(|(x, take)| take.then_some(x)).collect();
        Ok(Array::from(taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_without_touching_views() {
        let mut a = Array::<i32>::arange(0, 6, 1).unwrap().reshape(&[2, 3]).unwrap();
        let before = a.slice(&[s(0)]).unwrap();
        a.assign(&[s(..), s(..).by(-2)], &Array::from([10, 20])).unwrap();
        assert_eq!((a, before), (Array::from([[20, 1, 10], [20, 4, 10]]), Array::from([0, 1, 2])));
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        let a = Array::<f32>::zeros(&[2, 3]);
        for slices in [&[s(2)][..], &[s(..), s(-4)], &[s(..), s(..), s(..)], &[s(..).by(0)]] {
            assert!(a.slice(slices).unwrap_err().to_string().ends_with("cannot be taken of shape [2, 3]"));
        }
        let error = a.clone().assign(&[s(0)], &Array::from([1.0, 2.0])).unwrap_err().to_string();
        assert_eq!(error, "shape [2] cannot be written to a part of shape [3]");
        assert!(a.take(&[3], 1).is_err() && a.take(&[0], 2).is_err());
    }
}
