//! Reductions along axes.

use ndarray::ArrayD;

use crate::array::{no_axis, wrap};
use crate::{Array, Cast, Element, Error, Float, Number, Result};

/// The dimensions that a reduction goes along: `..` for all, `-1`, `[0, 2]`, or `axes(1).keep()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axes {
    /// None for all.
    axes: Option<Vec<isize>>,
    keep: bool,
}

/// Dimensions, as of NumPy's `axis`.
pub fn axes(axes: impl Into<Axes>) -> Axes {
    axes.into()
}

impl Axes {
    /// Whether reduced dimensions stay, with length 1.
    pub fn keeps(&self) -> bool {
        self.keep
    }

    /// Which of the dimensions of shape `dims` are reduced.
    ///
    /// # Errors
    /// If there is no such axis, or one is named twice.
    pub fn reduced(&self, dims: &[usize]) -> Result<Vec<bool>> {
        let mut reduced = vec![self.axes.is_none(); dims.len()];
        for &axis in self.axes.iter().flatten() {
            let place = wrap(axis, dims.len()).ok_or_else(|| no_axis(axis, dims))?;
            if std::mem::replace(&mut reduced[place], true) {
                return Error::invalid(format!("axis {axis} of {dims:?} is named twice"));
            }
        }
        Ok(reduced)
    }

    /// Reduced dimensions stay, with length 1.
    pub fn keep(self) -> Axes {
        Axes { keep: true, ..self }
    }
}

impl From<std::ops::RangeFull> for Axes {
    fn from(_: std::ops::RangeFull) -> Axes {
        Axes { axes: None, keep: false }
    }
}

impl From<isize> for Axes {
    fn from(axis: isize) -> Axes {
        Axes { axes: Some(vec![axis]), keep: false }
    }
}

impl<const N: usize> From<[isize; N]> for Axes {
    fn from(axes: [isize; N]) -> Axes {
        Axes { axes: Some(axes.to_vec()), keep: false }
    }
}

/// The sum in halves of halves: its error grows with the logarithm of the length.
fn pairwise<T: Number>(elements: &[T]) -> T {
    const BLOCK: usize = 64;
    if elements.len() <= BLOCK {
        return elements.iter().fold(T::ZERO, |sum, &x| sum.plus(x));
    }
    let (left, right) = elements.split_at(elements.len() / 2);
    pairwise(left).plus(pairwise(right))
}

fn mean<T: Float>(elements: &[T]) -> T {
    pairwise(elements).over(T::nearest(elements.len() as f64))
}

fn variance<T: Float>(elements: &[T], ddof: usize) -> T {
    let centre = mean(elements);
    let squares: Vec<T> = elements.iter().map(|&x| (x - centre) * (x - centre)).collect();
    pairwise(&squares).over(T::nearest(elements.len() as f64 - ddof as f64))
}

/// The place of the first element that none exceeds in `better`; a NaN is best.
fn first_best<T: Number>(elements: &[T], better: impl Fn(T, T) -> bool) -> usize {
    let beats = |i: usize, best: usize| {
        let (x, y) = (elements[i], elements[best]);
        !y.is_nan() && (x.is_nan() || better(x, y))
    };
    (0..elements.len()).reduce(|best, i| if beats(i, best) { i } else { best }).unwrap_or(0)
}

impl<T: Element> Array<T> {
    /// `f` of the elements along `axes`, for each index of the other dimensions.
    ///
    /// # Errors
    /// If there is no such axis, or one is named twice.
    pub fn reduce<U: Element>(&self, along: impl Into<Axes>, f: impl FnMut(&[T]) -> U) -> Result<Array<U>> {
        let along = along.into();
        let reduced = along.reduced(self.dims())?;
        let (gone, kept): (Vec<usize>, Vec<usize>) = (0..self.n_dims()).partition(|&axis| reduced[axis]);
        let [n_lane, n_out] =
            [&gone, &kept].map(|axes| axes.iter().map(|&a| self.dims()[a]).product::<usize>());
        let moved = self.0.view().permuted_axes([kept, gone].concat());
        let moved = moved.as_standard_layout();
        let elements = moved.as_slice().unwrap_or_default();
        let lanes = (0..n_out).map(|i| &elements[i * n_lane..(i + 1) * n_lane]);
        let lens = self.dims().iter().zip(&reduced);
        let dims: Vec<usize> = match along.keep {
            true => lens.map(|(&len, &reduced)| if reduced { 1 } else { len }).collect(),
            false => lens.filter_map(|(&len, &reduced)| (!reduced).then_some(len)).collect(),
        };
        Array::new(&dims, lanes.map(f).collect())
    }

    /// [`Array::reduce`] for what needs an element at least.
    fn reduce_some<U: Element>(&self, along: impl Into<Axes>, f: impl FnMut(&[T]) -> U) -> Result<Array<U>> {
        if self.is_empty() {
            return Error::invalid(format!("shape {:?} has no elements to choose from", self.dims()));
        }
        self.reduce(along, f)
    }

    /// Each element replaced by `f` of all up to it along `axis`.
    fn scan<U: Element>(&self, axis: isize, first: U, f: impl Fn(U, T) -> U) -> Result<Array<U>> {
        let place = ndarray::Axis(self.axis(axis)?);
        let mut sums = ArrayD::from_elem(self.dims(), first);
        for (from, mut to) in self.0.lanes(place).into_iter().zip(sums.lanes_mut(place)) {
            let mut so_far = first;
            for (&x, sum) in from.iter().zip(to.iter_mut()) {
                so_far = f(so_far, x);
                *sum = so_far;
            }
        }
        Ok(Array::from_nd(sums))
    }
}

/// Each takes an index, several or `..`: see [`Axes`]. They fail if there is no such axis.
#[allow(clippy::missing_errors_doc)]
impl<T: Number> Array<T> {
    /// Sums; of integers in i64, of floats in halves of halves.
    pub fn sum(&self, along: impl Into<Axes>) -> Result<Array<T::Sum>> {
        self.map(T::to_sum).reduce(along, pairwise)
    }

    /// Products; of integers in i64.
    pub fn prod(&self, along: impl Into<Axes>) -> Result<Array<T::Sum>> {
        self.reduce(along, |v| v.iter().fold(T::Sum::ONE, |product, x| product.times(x.to_sum())))
    }

    /// Means; of integers in f64.
    pub fn mean(&self, along: impl Into<Axes>) -> Result<Array<T::Mean>> {
        self.map(T::to_mean).reduce(along, mean)
    }

    /// Variances: mean squares of the distances to the mean, divided by the number of elements less `ddof`.
    pub fn var(&self, along: impl Into<Axes>, ddof: usize) -> Result<Array<T::Mean>> {
        self.map(T::to_mean).reduce(along, |v| variance(v, ddof))
    }

    /// Standard deviations: roots of [`Array::var`].
    pub fn std(&self, along: impl Into<Axes>, ddof: usize) -> Result<Array<T::Mean>> {
        Ok(self.var(along, ddof)?.sqrt())
    }

    /// Least elements; NaN where there is one. Fails if there are no elements.
    pub fn min(&self, along: impl Into<Axes>) -> Result<Array<T>> {
        self.reduce_some(along, |v| v[1..].iter().fold(v[0], |least, &x| least.lesser(x)))
    }

    /// Greatest elements; NaN where there is one. Fails if there are no elements.
    pub fn max(&self, along: impl Into<Axes>) -> Result<Array<T>> {
        self.reduce_some(along, |v| v[1..].iter().fold(v[0], |greatest, &x| greatest.greater(x)))
    }

    /// Places of the first greatest elements (of the first NaN). Fails if there are no elements.
    pub fn argmax(&self, along: impl Into<Axes>) -> Result<Array<i64>> {
        self.reduce_some(along, |v| first_best(v, |x, y| x > y) as i64)
    }

    /// Places of the first least elements (of the first NaN). Fails if there are no elements.
    pub fn argmin(&self, along: impl Into<Axes>) -> Result<Array<i64>> {
        self.reduce_some(along, |v| first_best(v, |x, y| x < y) as i64)
    }

    /// Sums of all elements up to each one.
    pub fn cumsum(&self, axis: isize) -> Result<Array<T::Sum>> {
        self.scan(axis, T::Sum::ZERO, |sum, x| sum.plus(x.to_sum()))
    }

    /// Products of all elements up to each one.
    pub fn cumprod(&self, axis: isize) -> Result<Array<T::Sum>> {
        self.scan(axis, T::Sum::ONE, |product, x| product.times(x.to_sum()))
    }

    /// Differences of neighbours along `axis`.
    pub fn diff(&self, axis: isize) -> Result<Array<T>> {
        let place = ndarray::Axis(self.axis(axis)?);
        let [mut left, mut right] = [self.0.view(), self.0.view()];
        if self.dims()[place.0] > 0 {
            left.slice_axis_inplace(place, ndarray::Slice::from(..-1));
            right.slice_axis_inplace(place, ndarray::Slice::from(1..));
        }
        Ok(Array::from_nd(ndarray::Zip::from(right).and(left).map_collect(|&b, &a| b.minus(a))))
    }
}

#[allow(clippy::missing_errors_doc)]
impl<T: Cast<bool>> Array<T> {
    /// Where any element is true (not 0).
    pub fn any(&self, along: impl Into<Axes>) -> Result<Array<bool>> {
        self.reduce(along, |v| v.iter().any(|x| x.cast()))
    }

    /// Where all elements are true (not 0).
    pub fn all(&self, along: impl Into<Axes>) -> Result<Array<bool>> {
        self.reduce(along, |v| v.iter().all(|x| x.cast()))
    }

    /// Number of elements that are true (not 0).
    pub fn count_nonzero(&self, along: impl Into<Axes>) -> Result<Array<i64>> {
        self.reduce(along, |v| v.iter().filter(|x| x.cast()).count() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sum_of_f32_stays_exact() {
        let sum = Array::full(&[1 << 22], 0.1f32).sum(..).unwrap().item().unwrap();
        assert!((sum as f64 / (0.1f32 as f64 * (1 << 22) as f64) - 1.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn nothing_to_reduce_is_an_error_where_there_is_no_answer() {
        let empty = Array::<f32>::zeros(&[0, 3]);
        assert_eq!(empty.sum(0).unwrap(), Array::zeros(&[3]));
        let error = empty.max(0).unwrap_err().to_string();
        assert_eq!(error, "shape [0, 3] has no elements to choose from");
        assert_eq!(empty.sum([0, -2]).unwrap_err().to_string(), "axis -2 of [0, 3] is named twice");
        assert_eq!(empty.sum(2).unwrap_err().to_string(), "shape [0, 3] has no axis 2");
    }
}
