//! Arrays put together and taken apart.

use ndarray::Axis;

use crate::array::wrap;
use crate::{Array, Element, Error, Result, s};

/// One behind the other along `axis`.
///
/// # Errors
/// If there are none, or other dimensions differ; names the shapes.
pub fn concatenate<T: Element>(arrays: &[&Array<T>], axis: isize) -> Result<Array<T>> {
    let Some(first) = arrays.first() else {
        return Error::invalid("no arrays to concatenate");
    };
    let place = first.axis(axis)?;
    let views: Vec<_> = arrays.iter().map(|a| a.0.view()).collect();
    ndarray::concatenate(Axis(place), &views).map(Array::from_nd).or_else(|_| {
        let shapes: Vec<_> = arrays.iter().map(|a| a.dims()).collect();
        Error::invalid(format!("shapes {shapes:?} cannot be concatenated along axis {axis}"))
    })
}

/// Side by side along a new dimension at `axis`.
///
/// # Errors
/// If there are none, or shapes differ.
pub fn stack<T: Element>(arrays: &[&Array<T>], axis: isize) -> Result<Array<T>> {
    let parts = arrays.iter().map(|a| a.expand_dims(axis)).collect::<Result<Vec<_>>>()?;
    concatenate(&parts.iter().collect::<Vec<_>>(), axis)
}

impl<T: Element> Array<T> {
    /// `n` equal parts along `axis`, which share its elements.
    ///
    /// # Errors
    /// If the length is no multiple of `n`.
    pub fn split(&self, n: usize, axis: isize) -> Result<Vec<Array<T>>> {
        let len = self.dims()[self.axis(axis)?];
        if n == 0 || !len.is_multiple_of(n) {
            return Error::invalid(format!("axis {axis} of {:?} has no {n} equal parts", self.dims()));
        }
        let ends: Vec<isize> = (1..n).map(|i| (i * (len / n)) as isize).collect();
        self.split_at(&ends, axis)
    }

    /// The parts along `axis` between `places`; places outside make parts without elements.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn split_at(&self, places: &[isize], axis: isize) -> Result<Vec<Array<T>>> {
        let place = self.axis(axis)?;
        let len = self.dims()[place] as isize;
        let starts = [0].iter().chain(places);
        let stops = places.iter().chain(std::iter::once(&len));
        let part = |(&start, &stop): (&isize, &isize)| {
            let mut slices = vec![s(..); place];
            slices.push(s(start..stop));
            self.slice(&slices)
        };
        starts.zip(stops).map(part).collect()
    }

    /// Backwards along `axis`: a view.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn flip(&self, axis: isize) -> Result<Array<T>> {
        let mut slices = vec![s(..); self.axis(axis)?];
        slices.push(s(..).by(-1));
        self.slice(&slices)
    }

    /// Moved by `places` along `axis`; what leaves at the end comes in at the start.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn roll(&self, places: isize, axis: isize) -> Result<Array<T>> {
        let len = self.dims()[self.axis(axis)?] as isize;
        let from: Vec<isize> = (0..len).map(|i| (i - places).rem_euclid(len)).collect();
        self.take(&from, axis)
    }

    /// Each part along `axis` `n` times.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn repeat(&self, n: usize, axis: isize) -> Result<Array<T>> {
        let len = self.dims()[self.axis(axis)?] as isize;
        let from: Vec<isize> = (0..len).flat_map(|i| std::iter::repeat_n(i, n)).collect();
        self.take(&from, axis)
    }

    /// The whole array again and again: `n[i]` times along dimension `i`, aligned at the last one.
    ///
    /// # Errors
    /// If it becomes too large.
    pub fn tile(&self, n: &[usize]) -> Result<Array<T>> {
        let mut tiled = self.clone();
        while tiled.n_dims() < n.len() {
            tiled = tiled.expand_dims(0)?;
        }
        let first = tiled.n_dims() - n.len();
        for (axis, &n) in n.iter().enumerate() {
            let axis = (first + axis) as isize;
            let len = tiled.dims()[axis as usize] as isize;
            let from: Vec<isize> = (0..n).flat_map(|_| 0..len).collect();
            tiled = tiled.take(&from, axis)?;
        }
        Ok(tiled)
    }

    /// `value` around the array: `[before, after]` along each dimension.
    ///
    /// # Errors
    /// If there is not a pair for each dimension.
    pub fn pad(&self, widths: &[[usize; 2]], value: T) -> Result<Array<T>> {
        if widths.len() != self.n_dims() {
            return Error::invalid(format!("{} widths for shape {:?}", widths.len(), self.dims()));
        }
        let lens = self.dims().iter().zip(widths);
        let dims: Vec<usize> = lens.clone().map(|(&len, [before, after])| before + len + after).collect();
        let inside: Vec<_> =
            lens.map(|(&len, &[before, _])| s(before as isize..(before + len) as isize)).collect();
        let mut padded = Array::full(&dims, value);
        padded.assign(&inside, self)?;
        Ok(padded)
    }

    /// With dimension `from` moved to place `to`: a view.
    ///
    /// # Errors
    /// If there are no such dimensions.
    pub fn move_axis(&self, from: isize, to: isize) -> Result<Array<T>> {
        let from = self.axis(from)?;
        let to = wrap(to, self.n_dims())
            .ok_or_else(|| Error::Invalid(format!("shape {:?} has no axis {to}", self.dims())))?;
        let mut order: Vec<isize> =
            (0..self.n_dims() as isize).filter(|&axis| axis != from as isize).collect();
        order.insert(to, from as isize);
        self.transpose(&order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let [a, b] = [Array::<f32>::zeros(&[2, 3]), Array::<f32>::zeros(&[3, 2])];
        let error = concatenate(&[&a, &b], 0).unwrap_err().to_string();
        assert_eq!(error, "shapes [[2, 3], [3, 2]] cannot be concatenated along axis 0");
        assert!(concatenate::<f32>(&[], 0).is_err() && stack(&[&a, &b], 0).is_err());
        assert_eq!(a.split(2, 1).unwrap_err().to_string(), "axis 1 of [2, 3] has no 2 equal parts");
        assert!(a.pad(&[[1, 1]], 0.0).is_err() && a.move_axis(0, 2).is_err());
    }
}
