//! Operations on pairs of elements, with shapes broadcast against each other.

use ndarray::{ArrayD, Zip};

use crate::{Array, Element, Error, Number, Result};

/// The dimensions to which both shapes can be broadcast: aligned at the end, a dimension of 1 takes any length.
///
/// # Errors
/// If there are none; names both.
pub fn broadcast_dims(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let n = a.len().max(b.len());
    let at = |dims: &[usize], i: usize| (i + dims.len()).checked_sub(n).map_or(1, |i| dims[i]);
    let common = |i: usize| match (at(a, i), at(b, i)) {
        (x, y) if x == y || y == 1 => Some(x),
        (1, y) => Some(y),
        _ => None,
    };
    (0..n)
        .map(common)
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Error::Invalid(format!("shapes {a:?} and {b:?} cannot be broadcast together")))
}

impl<T: Element> Array<T> {
    /// `f` of each pair of elements, broadcast.
    ///
    /// # Errors
    /// If the shapes cannot be broadcast together.
    pub fn zip<U: Element, V: Element>(
        &self,
        other: &Array<U>,
        mut f: impl FnMut(T, U) -> V,
    ) -> Result<Array<V>> {
        let dims = broadcast_dims(self.dims(), other.dims())?;
        let wrong = || Error::Invalid(format!("cannot broadcast to {dims:?}"));
        let a = self.0.broadcast(&dims[..]).ok_or_else(wrong)?;
        let b = other.0.broadcast(&dims[..]).ok_or_else(wrong)?;
        Ok(Array::from_nd(Zip::from(a).and(b).map_collect(|&x, &y| f(x, y))))
    }

    /// The array repeated along dimensions of length 1, and along new ones in front.
    ///
    /// # Errors
    /// If that does not make `dims`.
    pub fn broadcast_to(&self, dims: &[usize]) -> Result<Array<T>> {
        match self.0.broadcast(dims) {
            Some(view) => Ok(Array::from_nd(view.to_owned())),
            None => Error::invalid(format!("shape {:?} cannot be broadcast to {dims:?}", self.dims())),
        }
    }
}

/// Of each pair of elements the first where `condition` is true, else the second: NumPy's `where`.
///
/// # Errors
/// If the shapes cannot be broadcast together.
pub fn select<T: Element>(condition: &Array<bool>, a: &Array<T>, b: &Array<T>) -> Result<Array<T>> {
    let dims = broadcast_dims(condition.dims(), &broadcast_dims(a.dims(), b.dims())?)?;
    let [a, b] = [a.broadcast_to(&dims)?, b.broadcast_to(&dims)?];
    let condition = condition.broadcast_to(&dims)?;
    let chosen: ArrayD<T> =
        Zip::from(&condition.0).and(&a.0).and(&b.0).map_collect(|&c, &x, &y| if c { x } else { y });
    Ok(Array::from_nd(chosen))
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $op:tt;)*) => {
        impl<T: Number> Array<T> { $(
            $(#[$doc])*
            ///
            /// # Errors
            /// If the shapes cannot be broadcast together.
            pub fn $name(&self, other: &Array<T>) -> Result<Array<bool>> {
                self.zip(other, |a, b| a $op b)
            }
        )* }
    };
}

comparisons! {
    /// Where elements are equal.
    equal ==;
    /// Where elements differ.
    not_equal !=;
    /// Where elements are less than the other's.
    less <;
    /// Where elements are at most the other's.
    less_equal <=;
    /// Where elements are greater than the other's.
    greater >;
    /// Where elements are at least the other's.
    greater_equal >=;
}
