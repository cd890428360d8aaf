//! The array: creation, shape, conversion and access.

use ndarray::{ArcArray, ArrayD, Axis, IxDyn};

use crate::{Cast, Element, Error, Float, Number, Result};

/// An n-dimensional array; of no dimensions, a single element. Clones and views share elements until one is written.
#[derive(Clone, PartialEq)]
pub struct Array<T: Element>(pub(crate) ArcArray<T, IxDyn>);

impl<T: Element> Array<T> {
    /// An array of `dims` with `elements` in row-major order.
    ///
    /// # Errors
    /// If there are not as many elements as the shape says.
    pub fn new(dims: &[usize], elements: Vec<T>) -> Result<Array<T>> {
        let n = elements.len();
        match ArrayD::from_shape_vec(dims, elements) {
            Ok(array) => Ok(Array::from_nd(array)),
            Err(_) => Error::invalid(format!("{n} elements do not make shape {dims:?}")),
        }
    }

    /// An array in which every element is `value`.
    pub fn full(dims: &[usize], value: T) -> Array<T> {
        Array::from_nd(ArrayD::from_elem(dims, value))
    }

    /// A single element, of no dimensions.
    pub fn scalar(value: T) -> Array<T> {
        Array::full(&[], value)
    }

    pub(crate) fn from_nd(array: ArrayD<T>) -> Array<T> {
        Array(array.into_shared())
    }

    /// Length along each dimension, outermost first.
    pub fn dims(&self) -> &[usize] {
        self.0.shape()
    }

    /// Number of dimensions.
    pub fn n_dims(&self) -> usize {
        self.0.ndim()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The elements in row-major order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.0.iter().copied()
    }

    /// The elements in row-major order.
    pub fn to_vec(&self) -> Vec<T> {
        self.iter().collect()
    }

    /// The only element.
    ///
    /// # Errors
    /// If there is another number of elements.
    pub fn item(&self) -> Result<T> {
        match (self.len(), self.0.first()) {
            (1, Some(&item)) => Ok(item),
            (n, _) => {
                Error::invalid(format!("an array of shape {:?} has {n} elements, not one", self.dims()))
            }
        }
    }

    /// The element at `index`; negative numbers count from the end.
    ///
    /// # Errors
    /// If it is outside.
    pub fn get(&self, index: &[isize]) -> Result<T> {
        Ok(self.0[&self.position(index)?[..]])
    }

    /// Writes the element at `index`; views that shared it keep the old one.
    ///
    /// # Errors
    /// As [`Array::get`].
    pub fn set(&mut self, index: &[isize], value: T) -> Result<()> {
        let position = self.position(index)?;
        self.0[&position[..]] = value;
        Ok(())
    }

    fn position(&self, index: &[isize]) -> Result<Vec<usize>> {
        let outside = || Error::Invalid(format!("index {index:?} is outside of shape {:?}", self.dims()));
        if index.len() != self.n_dims() {
            return Err(outside());
        }
        let along = |(&i, &len): (&isize, &usize)| wrap(i, len).ok_or_else(outside);
        index.iter().zip(self.dims()).map(along).collect()
    }

    /// Each element through `f`.
    pub fn map<U: Element>(&self, f: impl FnMut(T) -> U) -> Array<U> {
        let mut f = f;
        Array::from_nd(self.0.map(|&x| f(x)))
    }

    /// With elements of another type; [`Cast`] has the rules.
    pub fn cast<U: Element>(&self) -> Array<U>
    where
        T: Cast<U>,
    {
        self.map(T::cast)
    }

    /// The same elements in row-major order with other dimensions, of which one may be -1: what is left.
    ///
    /// # Errors
    /// If the number of elements differs.
    pub fn reshape(&self, dims: &[isize]) -> Result<Array<T>> {
        let wrong = || Error::Invalid(format!("shape {:?} cannot become {dims:?}", self.dims()));
        let known: usize = dims.iter().filter(|&&d| d >= 0).map(|&d| d as usize).product();
        let n_unknown = dims.iter().filter(|&&d| d < 0).count();
        let fits =
            if n_unknown == 0 { known == self.len() } else { known > 0 && self.len().is_multiple_of(known) };
        if n_unknown > 1 || dims.iter().any(|&d| d < -1) || !fits {
            return Err(wrong());
        }
        let dims: Vec<usize> =
            dims.iter().map(|&d| if d < 0 { self.len() / known } else { d as usize }).collect();
        // Shares the elements where their order in memory allows it.
        Ok(Array(self.0.to_shape((dims, ndarray::Order::RowMajor)).map_err(|_| wrong())?.to_shared()))
    }

    /// In one dimension.
    pub fn flatten(&self) -> Array<T> {
        Array::from_nd(ndarray::Array1::from_vec(self.to_vec()).into_dyn())
    }

    /// A view with the dimensions in the order of `order`.
    ///
    /// # Errors
    /// If `order` does not name each once.
    pub fn transpose(&self, order: &[isize]) -> Result<Array<T>> {
        let positions = order.iter().map(|&axis| self.axis(axis)).collect::<Result<Vec<_>>>()?;
        let mut sorted = positions.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.n_dims()) {
            return Error::invalid(format!("{order:?} is no order of the dimensions of {:?}", self.dims()));
        }
        Ok(Array(self.0.clone().permuted_axes(positions)))
    }

    /// A view with the dimensions in reverse.
    pub fn t(&self) -> Array<T> {
        Array(self.0.clone().reversed_axes())
    }

    /// A view with a dimension of length 1 at `axis`.
    ///
    /// # Errors
    /// If there is no such place.
    pub fn expand_dims(&self, axis: isize) -> Result<Array<T>> {
        let n = self.n_dims() + 1;
        let place = wrap(axis, n).ok_or_else(|| no_axis(axis, self.dims()))?;
        Ok(Array(self.0.clone().insert_axis(Axis(place))))
    }

    /// A view without the dimensions of length 1.
    pub fn squeeze(&self) -> Array<T> {
        let longer = |axis: &usize| self.dims()[*axis] != 1;
        let kept: Vec<isize> =
            (0..self.n_dims()).filter(longer).map(|axis| self.dims()[axis] as isize).collect();
        // The number of elements is the same.
        self.reshape(&kept).unwrap_or_else(|_| self.clone())
    }

    /// The place of dimension `axis`, which counts from the end if it is negative.
    pub(crate) fn axis(&self, axis: isize) -> Result<usize> {
        wrap(axis, self.n_dims()).ok_or_else(|| no_axis(axis, self.dims()))
    }
}

pub(crate) fn no_axis(axis: isize, dims: &[usize]) -> Error {
    Error::Invalid(format!("shape {dims:?} has no axis {axis}"))
}

/// `i` of `len`, from the end if it is negative.
pub(crate) fn wrap(i: isize, len: usize) -> Option<usize> {
    let i = if i < 0 { i.checked_add_unsigned(len)? } else { i };
    usize::try_from(i).ok().filter(|&i| i < len)
}

impl<T: Number> Array<T> {
    /// Zeros.
    pub fn zeros(dims: &[usize]) -> Array<T> {
        Array::full(dims, T::ZERO)
    }

    /// Ones.
    pub fn ones(dims: &[usize]) -> Array<T> {
        Array::full(dims, T::ONE)
    }

    /// Ones where the column is the row plus `offset`, zeros elsewhere.
    pub fn eye(n_rows: usize, n_columns: usize, offset: isize) -> Array<T> {
        let one = |i: usize, j: usize| j as isize - i as isize == offset;
        let array =
            ndarray::Array2::from_shape_fn(
                (n_rows, n_columns),
                |(i, j)| {
                    if one(i, j) { T::ONE } else { T::ZERO }
                },
            );
        Array::from_nd(array.into_dyn())
    }

    /// `start`, `start + step`, … before `stop`.
    ///
    /// # Errors
    /// If `step` is 0 or the numbers are not finite.
    pub fn arange(start: T, stop: T, step: T) -> Result<Array<T>>
    where
        f64: Cast<T>,
    {
        let [from, to, by]: [f64; 3] = [start.cast(), stop.cast(), step.cast()];
        let n = ((to - from) / by).ceil();
        if !n.is_finite() || n > u32::MAX as f64 {
            return Error::invalid(format!("no range from {start:?} to {stop:?} by {step:?}"));
        }
        let element = |i: usize| Cast::<T>::cast(from + i as f64 * by);
        Array::new(&[n.max(0.0) as usize], (0..n.max(0.0) as usize).map(element).collect())
    }
}

impl<T: Float> Array<T> {
    /// `n` numbers from `start` to `stop`, both included, at equal distances.
    pub fn linspace(start: T, stop: T, n: usize) -> Array<T> {
        let [from, to]: [f64; 2] = [start.cast(), stop.cast()];
        let step = (to - from) / n.saturating_sub(1).max(1) as f64;
        let element = |i: usize| if i > 0 && i + 1 == n { stop } else { T::nearest(from + i as f64 * step) };
        Array::from_nd(ndarray::Array1::from_iter((0..n).map(element)).into_dyn())
    }
}

impl<T: Element> From<Vec<T>> for Array<T> {
    fn from(elements: Vec<T>) -> Array<T> {
        Array::from_nd(ndarray::Array1::from_vec(elements).into_dyn())
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Array<T> {
    fn from(elements: [T; N]) -> Array<T> {
        Array::from(elements.to_vec())
    }
}

impl<T: Element, const N: usize, const M: usize> From<[[T; M]; N]> for Array<T> {
    fn from(rows: [[T; M]; N]) -> Array<T> {
        Array::from_nd(ndarray::arr2(&rows).into_dyn())
    }
}

impl<T: Element, const N: usize, const M: usize, const K: usize> From<[[[T; K]; M]; N]> for Array<T> {
    fn from(planes: [[[T; K]; M]; N]) -> Array<T> {
        Array::from_nd(ndarray::arr3(&planes).into_dyn())
    }
}

impl<T: Element> std::fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?} {:?}", T::DTYPE, self.dims(), self.to_vec())
    }
}

impl<T: Element + std::fmt::Display> std::fmt::Display for Array<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0.view(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_leaves_views_and_clones_as_they_were() {
        let mut a = Array::from([[1, 2], [3, 4]]);
        let (view, clone) = (a.t(), a.clone());
        a.set(&[0, -1], 9).unwrap();
        assert_eq!(
            (a.get(&[0, 1]).unwrap(), view.get(&[1, 0]).unwrap(), clone.get(&[0, 1]).unwrap()),
            (9, 2, 2)
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let a = Array::<f32>::zeros(&[2, 3]);
        let errors = [
            a.reshape(&[4, -1]).unwrap_err(),
            a.reshape(&[-1, -1]).unwrap_err(),
            a.get(&[0, 3]).unwrap_err(),
            a.transpose(&[0, 0]).unwrap_err(),
            a.expand_dims(3).unwrap_err(),
            a.item().unwrap_err(),
            Array::new(&[2], vec![1]).unwrap_err(),
            Array::arange(0, 3, 0).unwrap_err(),
        ];
        let expected = [
            "shape [2, 3] cannot become [4, -1]",
            "shape [2, 3] cannot become [-1, -1]",
            "index [0, 3] is outside of shape [2, 3]",
            "[0, 0] is no order of the dimensions of [2, 3]",
            "shape [2, 3] has no axis 3",
            "an array of shape [2, 3] has 6 elements, not one",
            "1 elements do not make shape [2]",
            "no range from 0 to 3 by 0",
        ];
        assert_eq!(errors.map(|e| e.to_string()), expected);
    }
}
