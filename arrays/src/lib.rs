//! n-dimensional arrays with NumPy's behaviour: shapes, broadcasting, slices, reductions, linear algebra and files.
//!
//! ```
//! use dunlin_arrays::*;
//! # fn main() -> Result<()> {
//! let x = Array::<f32>::arange(0.0, 12.0, 1.0)?.reshape(&[3, 4])?;
//! let centred = &x - &x.mean(axes(0).keep())?; // broadcast, as in NumPy
//! let last_rows_backwards = centred.slice(&[s(1..), s(..).by(-1)])?;
//! assert_eq!(last_rows_backwards, Array::from([[0.0, 0.0, 0.0, 0.0], [4.0, 4.0, 4.0, 4.0]]));
//! let gram = x.t().matmul(&x)?;
//! assert_eq!(gram, einsum("ki,kj->ij", &[&x, &x])?);
//! # Ok(()) }
//! ```
//!
//! An [`Array`] is a value: slices, transposes and clones share its elements, and the first write to a shared array
//! copies them, so that no array changes because of another.
//!
//! Differences from NumPy: both sides of an operation have one element type ([`Array::cast`] converts), and a
//! conversion that does not fit saturates. Every function returns an [`Error`] that names the shapes; only the
//! operators (`&a + &b`) panic on shapes that do not fit, as indexing does in Rust, and each has a method that does
//! not ([`Array::zip`]).

mod array;
mod broadcast;
mod einsum;
mod element;
mod error;
mod fft;
mod file;
mod join;
mod linalg;
mod math;
mod operators;
mod order;
mod random;
mod reduce;
mod slice;

pub use array::Array;
pub use broadcast::{broadcast_dims, select};
pub use einsum::einsum;
pub use element::{Cast, Element, Float, Number};
pub use error::{Error, Result};
pub use fft::{fft, fft_frequencies, ifft, irfft, rfft};
pub use file::{AnyArray, read_npy, read_npz, write_npy, write_npz};
pub use join::{concatenate, stack};
pub use linalg::{cholesky, determinant, inverse, qr, solve, svd};
pub use num_complex::Complex;
pub use random::Random;
pub use reduce::{Axes, axes};
pub use slice::{Slice, new_axis, s};
