//! Linear algebra: products by `ndarray`, decompositions by `nalgebra`, in f64.

use nalgebra::DMatrix;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis, Ix2};

use crate::{Array, Error, Float, Result, broadcast_dims};

impl<T: Float> Array<T> {
    /// NumPy's `@`: the product of the matrices in the last two dimensions, for each index of the others, which are
    /// broadcast; a vector is a row on the left and a column on the right.
    ///
    /// # Errors
    /// If the shapes do not fit; names both.
    pub fn matmul(&self, other: &Array<T>) -> Result<Array<T>> {
        let wrong = || {
            let (a, b) = (self.dims(), other.dims());
            Error::Invalid(format!("shapes {a:?} and {b:?} do not fit for matmul"))
        };
        if self.n_dims() == 0 || other.n_dims() == 0 {
            return Err(wrong());
        }
        let a = if self.n_dims() == 1 { self.expand_dims(0)? } else { self.clone() };
        let b = if other.n_dims() == 1 { other.expand_dims(1)? } else { other.clone() };
        let ([a_outer @ .., m, k], [b_outer @ .., k_too, n]) = (a.dims(), b.dims()) else {
            return Err(wrong());
        };
        if k != k_too {
            return Err(wrong());
        }
        let outer = broadcast_dims(a_outer, b_outer).map_err(|_| wrong())?;
        let dims = |[rows, columns]: [usize; 2]| [&outer[..], &[rows, columns]].concat();
        let a_all = a.0.broadcast(dims([*m, *k])).ok_or_else(wrong)?;
        let b_all = b.0.broadcast(dims([*k, *n])).ok_or_else(wrong)?;
        let mut elements = Vec::with_capacity(outer.iter().product::<usize>() * m * n);
        for index in ndarray::indices(&outer[..]) {
            let [mut x, mut y] = [a_all.view(), b_all.view()];
            for &i in ndarray::Dimension::slice(&ndarray::IntoDimension::into_dimension(index)) {
                (x, y) = (x.index_axis_move(Axis(0), i), y.index_axis_move(Axis(0), i));
            }
            let matrix =
                |v: ndarray::ArrayViewD<'_, T>| v.into_dimensionality::<Ix2>().ok().map(|v| v.to_owned());
            let (x, y) = (matrix(x).ok_or_else(wrong)?, matrix(y).ok_or_else(wrong)?);
            elements.extend(product(x.view(), y.view()));
        }
        let product = Array::new(&dims([*m, *n]), elements)?;
        let product =
            if self.n_dims() == 1 { product.0.index_axis_move(Axis(outer.len()), 0) } else { product.0 };
        let last = Axis(product.ndim().saturating_sub(1));
        Ok(Array(if other.n_dims() == 1 { product.index_axis_move(last, 0) } else { product }))
    }
}

fn product<T: Float>(a: ArrayView2<T>, b: ArrayView2<T>) -> Array2<T> {
    let mut c = Array2::from_elem((a.nrows(), b.ncols()), T::ZERO);
    general_mat_mul(T::ONE, &a, &b, T::ZERO, &mut c);
    c
}

fn to_matrix<T: Float>(a: &Array<T>) -> Result<DMatrix<f64>> {
    match *a.dims() {
        [rows, columns] if rows > 0 && columns > 0 => {
            Ok(DMatrix::from_row_iterator(rows, columns, a.cast::<f64>().iter()))
        }
        _ => Error::invalid(format!("shape {:?} is no matrix", a.dims())),
    }
}

fn to_square<T: Float>(a: &Array<T>) -> Result<DMatrix<f64>> {
    let matrix = to_matrix(a)?;
    if matrix.is_square() {
        Ok(matrix)
    } else {
        Error::invalid(format!("shape {:?} is not square", a.dims()))
    }
}

fn from_matrix<T: Float>(m: &DMatrix<f64>) -> Array<T> {
    let elements = Array2::from_shape_fn(m.shape(), |place| T::nearest(m[place]));
    Array::from_nd(elements.into_dyn())
}

fn singular() -> Error {
    Error::Invalid("the matrix is singular".into())
}

/// `x` with `a x = b`, of square `a` `[n, n]` and `b` `[n]` or `[n, m]`.
///
/// # Errors
/// If the shapes do not fit or `a` is singular.
pub fn solve<T: Float>(a: &Array<T>, b: &Array<T>) -> Result<Array<T>> {
    let matrix = to_square(a)?;
    let columns = if b.n_dims() == 1 { b.expand_dims(1)? } else { b.clone() };
    let right = to_matrix(&columns)?;
    if right.nrows() != matrix.nrows() {
        return Error::invalid(format!("shapes {:?} and {:?} do not fit for solve", a.dims(), b.dims()));
    }
    let x = from_matrix::<T>(&matrix.lu().solve(&right).ok_or_else(singular)?);
    if b.n_dims() == 1 { Ok(x.flatten()) } else { Ok(x) }
}

/// The inverse of a square matrix.
///
/// # Errors
/// If it is not square or singular.
pub fn inverse<T: Float>(a: &Array<T>) -> Result<Array<T>> {
    Ok(from_matrix(&to_square(a)?.lu().try_inverse().ok_or_else(singular)?))
}

/// The determinant of a square matrix.
///
/// # Errors
/// If it is not square.
pub fn determinant<T: Float>(a: &Array<T>) -> Result<T> {
    Ok(T::nearest(to_square(a)?.lu().determinant()))
}

/// `[q, r]` with `a = q r`: columns of `q` `[m, k]` are orthonormal, `r` `[k, n]` is upper triangular, k is the lesser of
/// m and n. Rows of `r` begin with a number that is not negative, which makes both unique.
///
/// # Errors
/// If `a` is no matrix.
pub fn qr<T: Float>(a: &Array<T>) -> Result<[Array<T>; 2]> {
    let (mut q, mut r) = to_matrix(a)?.qr().unpack();
    for i in (0..r.nrows()).filter(|&i| r[(i, i)] < 0.0).collect::<Vec<_>>() {
        q.column_mut(i).neg_mut();
        r.row_mut(i).neg_mut();
    }
    Ok([from_matrix(&q), from_matrix(&r)])
}

/// `[u, s, vt]` with `a = u diag(s) vt`: `u` `[m, k]`, singular values `s` `[k]` from the greatest on, `vt` `[k, n]`.
///
/// # Errors
/// If `a` is no matrix or has numbers that are not finite.
pub fn svd<T: Float>(a: &Array<T>) -> Result<[Array<T>; 3]> {
    const MAX_STEPS: usize = 10_000;
    let failed = || Error::Invalid("the singular values do not converge: are all elements finite?".into());
    let matrix = to_matrix(a)?;
    if !matrix.iter().all(|x| x.is_finite()) {
        return Err(failed());
    }
    let svd = matrix.try_svd(true, true, f64::EPSILON, MAX_STEPS).ok_or_else(failed)?;
    let (Some(u), Some(vt)) = (svd.u, svd.v_t) else {
        return Err(failed());
    };
    let s: Vec<T> = svd.singular_values.iter().map(|&x| T::nearest(x)).collect();
    Ok([from_matrix(&u), Array::from(s), from_matrix(&vt)])
}

/// The lower triangular `l` with `a = l lᵀ`, of a symmetric positive definite matrix; only its lower triangle is read.
///
/// # Errors
/// If `a` is not square or not positive definite.
pub fn cholesky<T: Float>(a: &Array<T>) -> Result<Array<T>> {
    match to_square(a)?.cholesky() {
        Some(decomposition) => Ok(from_matrix(&decomposition.l())),
        None => Error::invalid("the matrix is not positive definite"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_is_named() {
        let a = Array::from([[1.0, 2.0], [2.0, 4.0]]);
        let wide = Array::<f64>::ones(&[2, 3]);
        let errors = [
            solve(&a, &Array::from([1.0, 2.0])).unwrap_err(),
            inverse(&a).unwrap_err(),
            inverse(&wide).unwrap_err(),
            cholesky(&(&a * -1.0)).unwrap_err(),
            solve(&a, &Array::from([1.0])).unwrap_err(),
            qr(&Array::from([1.0])).map(|_| ()).unwrap_err(),
            wide.matmul(&wide).unwrap_err(),
            svd(&Array::from([[f64::NAN]])).map(|_| ()).unwrap_err(),
        ];
        let expected = [
            "the matrix is singular",
            "the matrix is singular",
            "shape [2, 3] is not square",
            "the matrix is not positive definite",
            "shapes [2, 2] and [1] do not fit for solve",
            "shape [1] is no matrix",
            "shapes [2, 3] and [2, 3] do not fit for matmul",
            "the singular values do not converge: are all elements finite?",
        ];
        assert_eq!(errors.map(|e| e.to_string()), expected);
    }
}
