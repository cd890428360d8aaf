//! Arrays in NumPy's `.npy` files.

use std::path::Path;

use dunlin_files::{Elements, NpyArray};

use crate::{Data, Error, Result};

/// An array: what a `.npy` file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Dimensions, outermost first; none for a single number.
    pub dims: Vec<usize>,
    /// Elements in row-major order.
    pub data: Data,
}

/// Reads an array of f32, i8, i16 or i32, of either byte order and either order of dimensions. An array of
/// f64 is taken if every element is exactly an f32.
///
/// # Errors
/// If the file cannot be read, is no `.npy` file, is truncated, or holds other elements; names the file and
/// what to try.
pub fn read(path: &Path) -> Result<Array> {
    let NpyArray { dims, elements } = dunlin_files::read_npy(path)?;
    let data = data(elements).map_err(|what| Error::File { path: path.to_owned(), what })?;
    Ok(Array { dims, data })
}

/// Writes an array in place of whatever `path` holds; see [`file::replace`](crate::file::replace).
///
/// # Errors
/// If the file cannot be written; the old one is left then.
pub fn write(path: &Path, array: &Array) -> Result<()> {
    let elements = match array.data.clone() {
        Data::F32(elements) => elements.into(),
        Data::I8(elements) => elements.into(),
        Data::I16(elements) => elements.into(),
        Data::I32(elements) => elements.into(),
    };
    Ok(dunlin_files::write_npy(path, &NpyArray { dims: array.dims.clone(), elements })?)
}

fn data(elements: Elements) -> Result<Data, String> {
    match elements {
        Elements::F32(elements) => Ok(Data::F32(elements)),
        Elements::F64(elements) => Ok(Data::F32(narrow(elements)?)),
        Elements::I8(elements) => Ok(Data::I8(elements)),
        Elements::I16(elements) => Ok(Data::I16(elements)),
        Elements::I32(elements) => Ok(Data::I32(elements)),
        Elements::U8(_) => Err(
            "its dtype is uint8: as numbers, give x.astype(numpy.float32); as what a network with a uint8 \
             interface takes, give (x ^ 128).view(numpy.int8), which is how Dunlin stores it"
                .to_string(),
        ),
        other => Err(format!(
            "its dtype is {}; expected float32, int8, int16 or int32: convert it, e.g. \
             numpy.save(file, x.astype(numpy.float32))",
            other.dtype()
        )),
    }
}

/// f64 as f32, where nothing is lost.
fn narrow(elements: Vec<f64>) -> Result<Vec<f32>, String> {
    let exact = |x: f64| x.is_nan() || f64::from(x as f32) == x;
    match elements.iter().find(|&&x| !exact(x)) {
        None => Ok(elements.iter().map(|&x| x as f32).collect()),
        Some(x) => Err(format!(
            "its dtype is float64 and {x} is not exactly a float32: round it yourself with \
             numpy.save(file, x.astype(numpy.float32))"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        for data in [
            Data::F32(vec![1.5, -0.0, f32::INFINITY, 4.0, 5.0, 6.0]),
            Data::I8(vec![-128, 127, 0, 1, 2, 3]),
            Data::I16(vec![-32768, 32767, 0, 1, 2, 3]),
            Data::I32(vec![i32::MIN, i32::MAX, 0, 1, 2, 3]),
        ] {
            for dims in [vec![6], vec![2, 3], vec![1, 3, 2, 1]] {
                let array = Array { dims, data: data.clone() };
                write(&path, &array).unwrap();
                assert_eq!(read(&path).unwrap(), array);
            }
        }
        let scalar = Array { dims: vec![], data: Data::I32(vec![7]) };
        write(&path, &scalar).unwrap();
        assert_eq!(read(&path).unwrap(), scalar);
    }

    #[test]
    fn f64_is_taken_where_it_is_exact() {
        assert_eq!(data(vec![0.5f64].into()).unwrap(), Data::F32(vec![0.5]));
        let error = data(vec![0.1f64].into()).unwrap_err();
        assert!(error.contains("0.1 is not exactly a float32") && error.contains("astype"), "{error}");
        let error = data(vec![1i64].into()).unwrap_err();
        assert!(error.contains("its dtype is int64; expected float32, int8"), "{error}");
        let error = data(vec![1u8].into()).unwrap_err();
        assert!(error.contains("uint8") && error.contains("view(numpy.int8)"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("no/such/x.npy")).unwrap_err().to_string();
        assert!(error.contains("no/such/x.npy"), "{error}");
    }
}
