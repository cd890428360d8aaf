//! NumPy's `.npy` and `.npz` files.

use std::path::Path;

use dunlin_files::{Elements, NpyArray};
use num_complex::Complex;

use crate::{Array, Element, Error, Result};

macro_rules! any_array {
    ($($(#[$doc:meta])* $variant:ident $t:ty;)*) => {
        /// An array of a type that is known when the program runs: what a file holds.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum AnyArray { $( $(#[$doc])* $variant(Array<$t>), )* }

        $( impl From<Array<$t>> for AnyArray {
            fn from(array: Array<$t>) -> AnyArray {
                AnyArray::$variant(array)
            }
        }
        impl From<&Array<$t>> for NpyArray {
            fn from(array: &Array<$t>) -> NpyArray {
                NpyArray { dims: array.dims().to_vec(), elements: array.to_vec().into() }
            }
        }
        impl TryFrom<AnyArray> for Array<$t> {
            type Error = Error;
            fn try_from(array: AnyArray) -> Result<Array<$t>> {
                match array {
                    AnyArray::$variant(array) => Ok(array),
                    other => {
                        let (have, want) = (other.dtype(), <$t as Element>::DTYPE);
                        Error::invalid(format!("the array has dtype {have}, not {want}"))
                    }
                }
            }
        } )*

        impl AnyArray {
            /// NumPy's name of the element type.
            pub fn dtype(&self) -> &'static str {
                match self { $( AnyArray::$variant(_) => <$t as Element>::DTYPE, )* }
            }

            /// Length along each dimension.
            pub fn dims(&self) -> &[usize] {
                match self { $( AnyArray::$variant(array) => array.dims(), )* }
            }

            fn of_file(array: NpyArray) -> Result<AnyArray> {
                match array.elements {
                    $( Elements::$variant(elements) => Array::new(&array.dims, elements).map(AnyArray::$variant), )*
                }
            }
        }

        /// For files, and for the converter's data sets.
        impl From<&AnyArray> for NpyArray {
            fn from(array: &AnyArray) -> NpyArray {
                match array { $( AnyArray::$variant(array) => array.into(), )* }
            }
        }
    };
}

any_array! {
    /// float32.
    F32 f32;
    /// float64.
    F64 f64;
    /// uint8.
    U8 u8;
    /// int8.
    I8 i8;
    /// int16.
    I16 i16;
    /// int32.
    I32 i32;
    /// int64.
    I64 i64;
    /// bool.
    Bool bool;
    /// complex64.
    C64 Complex<f32>;
    /// complex128.
    C128 Complex<f64>;
}

/// Reads a `.npy` file, of either byte order and either order of dimensions.
///
/// # Errors
/// If it cannot be read, is damaged, or its dtype is not one of [`AnyArray`]'s; names the file.
pub fn read_npy(path: &Path) -> Result<AnyArray> {
    AnyArray::of_file(dunlin_files::read_npy(path)?)
}

/// Writes a `.npy` file in place of whatever `path` holds, as a whole or not at all.
///
/// # Errors
/// If the file cannot be written; the old one is left then.
pub fn write_npy(path: &Path, array: impl Into<AnyArray>) -> Result<()> {
    Ok(dunlin_files::write_npy(path, &(&array.into()).into())?)
}

/// Reads a `.npz` file: its arrays by name, in their order.
///
/// # Errors
/// If it cannot be read or an array cannot; names the file and the array.
pub fn read_npz(path: &Path) -> Result<Vec<(String, AnyArray)>> {
    let arrays = dunlin_files::read_npz(path)?.into_iter();
    arrays.map(|(name, array)| Ok((name, AnyArray::of_file(array)?))).collect()
}

/// Writes a compressed `.npz` file in place of whatever `path` holds, as a whole or not at all.
///
/// # Errors
/// If a name comes twice or the file cannot be written; the old one is left then.
pub fn write_npz(path: &Path, arrays: &[(&str, AnyArray)]) -> Result<()> {
    Ok(dunlin_files::write_npz(path, arrays.iter().map(|(name, array)| (*name, array.into())))?)
}
