//! NumPy's `.npy` and `.npz` files.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use npyz::{DType, NpyFile, Order, TypeChar, TypeWrite};
use num_complex::Complex;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::{Array, Element, Error, Result};

macro_rules! any_array {
    ($($(#[$doc:meta])* $variant:ident $t:ty, $char:ident $bytes:literal;)*) => {
        /// An array of a type that is known when the program runs: what a file holds.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum AnyArray { $( $(#[$doc])* $variant(Array<$t>), )* }

        $( impl From<Array<$t>> for AnyArray {
            fn from(array: Array<$t>) -> AnyArray {
                AnyArray::$variant(array)
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

            /// The bytes of a `.npy` file.
            fn encode(&self) -> std::io::Result<Vec<u8>> {
                match self { $( AnyArray::$variant(array) => encode(array), )* }
            }

            fn decode(npy: NpyFile<&[u8]>, kind: (TypeChar, u64), dims: &[usize]) -> Result<AnyArray, String> {
                match kind {
                    $( (TypeChar::$char, $bytes) => decode::<$t>(npy, dims).map(AnyArray::$variant), )*
                    _ => Err(format!("dtype {} is not supported: use astype", npy.header().dtype().descr())),
                }
            }
        }
    };
}

any_array! {
    /// float32.
    F32 f32, Float 4;
    /// float64.
    F64 f64, Float 8;
    /// uint8.
    U8 u8, Uint 1;
    /// int8.
    I8 i8, Int 1;
    /// int16.
    I16 i16, Int 2;
    /// int32.
    I32 i32, Int 4;
    /// int64.
    I64 i64, Int 8;
    /// bool.
    Bool bool, Bool 1;
    /// complex64.
    C64 Complex<f32>, Complex 8;
    /// complex128.
    C128 Complex<f64>, Complex 16;
}

/// The header's bytes are those that NumPy writes, for readers that know no other form: `npyz` only writes the elements.
fn encode<T: Element + npyz::AutoSerialize>(array: &Array<T>) -> std::io::Result<Vec<u8>> {
    let dims = array.dims().iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let comma = if array.n_dims() == 1 { "," } else { "" };
    let descr = T::default_dtype().descr();
    let dict = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': ({dims}{comma}), }}");
    // NumPy leaves room for a first dimension of 21 digits, and begins the elements at a multiple of 64.
    let room = 21usize.saturating_sub(array.dims().first().map_or(21, |dim| dim.to_string().len()));
    let text_len = (10 + dict.len() + room + 1).next_multiple_of(64) - 10;
    let text_len = u16::try_from(text_len).map_err(std::io::Error::other)?;
    let mut bytes = [b"\x93NUMPY\x01\x00".as_slice(), &text_len.to_le_bytes(), dict.as_bytes()].concat();
    bytes.resize(10 + usize::from(text_len) - 1, b' ');
    bytes.push(b'\n');
    let writer = T::writer(&T::default_dtype()).map_err(std::io::Error::other)?;
    array.iter().try_for_each(|x| writer.write_one(&mut bytes, &x))?;
    Ok(bytes)
}

fn decode<T: Element + npyz::Deserialize>(npy: NpyFile<&[u8]>, dims: &[usize]) -> Result<Array<T>, String> {
    let fortran = npy.header().order() == Order::Fortran;
    let elements: Vec<T> = npy.into_vec().map_err(|e| e.to_string())?;
    if !fortran {
        return Array::new(dims, elements).map_err(|e| e.to_string());
    }
    let reversed: Vec<usize> = dims.iter().rev().copied().collect();
    Ok(Array::new(&reversed, elements).map_err(|e| e.to_string())?.t())
}

/// The array in the bytes of a `.npy` file, or what is wrong with them.
fn parse(bytes: &[u8]) -> Result<AnyArray, String> {
    let mut rest = bytes;
    let npy = NpyFile::new(&mut rest).map_err(|e| format!("not a .npy file ({e})"))?;
    let header = npy.header().clone();
    let n_elements = header.shape().iter().try_fold(1u64, |n, &dim| n.checked_mul(dim));
    let element_bytes = header.dtype().num_bytes().unwrap_or(0) as u64;
    let wanted = n_elements.and_then(|n| n.checked_mul(element_bytes));
    let elements = npy.into_inner();
    if wanted != Some(elements.len() as u64) {
        let (have, shape) = (elements.len(), header.shape());
        return Err(format!("{have} bytes of elements do not make shape {shape:?}: the file is damaged"));
    }
    let dims: Vec<usize> = header.shape().iter().map(|&dim| dim as usize).collect();
    let kind = match header.dtype() {
        DType::Plain(ty) => (ty.type_char(), ty.size_field()),
        other => return Err(format!("dtype {} is not supported: one plain type is", other.descr())),
    };
    let elements: &[u8] = elements;
    AnyArray::decode(NpyFile::with_header(header, elements), kind, &dims)
}

/// Reads a `.npy` file, of either byte order and either order of dimensions.
///
/// # Errors
/// If it cannot be read, is damaged, or its dtype is not one of [`AnyArray`]'s; names the file.
pub fn read_npy(path: &Path) -> Result<AnyArray> {
    let bytes = std::fs::read(path).map_err(io(path))?;
    parse(&bytes).map_err(|what| Error::File { path: path.to_owned(), what })
}

/// Writes a `.npy` file in place of whatever `path` holds, as a whole or not at all.
///
/// # Errors
/// If the file cannot be written; the old one is left then.
pub fn write_npy(path: &Path, array: impl Into<AnyArray>) -> Result<()> {
    replace(path, &array.into().encode().map_err(io(path))?)
}

/// Reads a `.npz` file: its arrays by name, in their order.
///
/// # Errors
/// If it cannot be read or an array cannot; names the file and the array.
pub fn read_npz(path: &Path) -> Result<Vec<(String, AnyArray)>> {
    let bytes = std::fs::read(path).map_err(io(path))?;
    let damaged = |what: String| Error::File { path: path.to_owned(), what };
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(format!("not a .npz file ({e})")))?;
    let mut arrays = Vec::new();
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|e| damaged(e.to_string()))?;
        let name = entry.name().map_err(|e| damaged(e.to_string()))?.trim_end_matches(".npy").to_string();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).map_err(|e| damaged(format!("array `{name}`: {e}")))?;
        let array = parse(&contents).map_err(|what| damaged(format!("array `{name}`: {what}")))?;
        arrays.push((name, array));
    }
    Ok(arrays)
}

/// Writes a compressed `.npz` file in place of whatever `path` holds, as a whole or not at all.
///
/// # Errors
/// If a name comes twice or the file cannot be written; the old one is left then.
pub fn write_npz(path: &Path, arrays: &[(&str, AnyArray)]) -> Result<()> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let failed = |what: zip::result::ZipError| Error::File { path: path.to_owned(), what: what.to_string() };
    for (name, array) in arrays {
        // No time of day: the same arrays make the same bytes.
        let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
        archive.start_file(format!("{name}.npy"), options).map_err(failed)?;
        archive.write_all(&array.encode().map_err(io(path))?).map_err(io(path))?;
    }
    replace(path, &archive.finish().map_err(failed)?.into_inner())
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Io { path: path.to_owned(), source }
}

/// Writes a temporary file, which takes the place of the old one when it is complete.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut builder = tempfile::Builder::new();
        // The umask narrows this, as for any new file; the default would be readable to the user alone.
        #[cfg(unix)]
        builder.permissions(<std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(io(path))
}
