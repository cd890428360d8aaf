//! Sorting.

use ndarray::Axis;

use crate::{Array, Number, Result};

impl<T: Number> Array<T> {
    /// Sorted along `axis`, NaN last.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn sort(&self, axis: isize) -> Result<Array<T>> {
        let place = self.axis(axis)?;
        let mut sorted = self.0.to_owned();
        for mut lane in sorted.lanes_mut(Axis(place)) {
            let mut elements = lane.to_vec();
            elements.sort_by(T::order);
            lane.assign(&ndarray::Array1::from_vec(elements));
        }
        Ok(Array::from_nd(sorted))
    }

    /// The places that sort each lane along `axis`, NaN last; equal elements keep their order.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn argsort(&self, axis: isize) -> Result<Array<i64>> {
        let place = Axis(self.axis(axis)?);
        let mut places = self.map(|_| 0i64).0.to_owned();
        for (from, mut to) in self.0.lanes(place).into_iter().zip(places.lanes_mut(place)) {
            let mut order: Vec<usize> = (0..from.len()).collect();
            order.sort_by(|&i, &j| from[i].order(&from[j]));
            to.iter_mut().zip(order).for_each(|(to, i)| *to = i as i64);
        }
        Ok(Array::from_nd(places))
    }

    /// The different elements, sorted.
    pub fn unique(&self) -> Array<T> {
        let mut elements = self.to_vec();
        elements.sort_by(T::order);
        elements.dedup_by(|a, b| a.order(b).is_eq());
        Array::from(elements)
    }
}
