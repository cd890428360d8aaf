//! Arrays in NumPy's `.npy` files.

use std::path::Path;

use npyz::{DType as NpyType, NpyFile, Order, TypeChar, WriterBuilder};

use crate::{Data, Error, Result, file};

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
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    parse(&bytes).map_err(|what| Error::File { path: path.to_owned(), what })
}

/// Writes an array in place of whatever `path` holds; see [`file::replace`].
///
/// # Errors
/// If the file cannot be written; the old one is left then.
pub fn write(path: &Path, array: &Array) -> Result<()> {
    let bytes = match &array.data {
        Data::F32(elements) => encode(&array.dims, elements),
        Data::I8(elements) => encode(&array.dims, elements),
        Data::I16(elements) => encode(&array.dims, elements),
        Data::I32(elements) => encode(&array.dims, elements),
    };
    file::replace(path, &bytes.map_err(Error::io(path))?)
}

fn encode<T: npyz::AutoSerialize + Copy>(dims: &[usize], elements: &[T]) -> std::io::Result<Vec<u8>> {
    let dims: Vec<u64> = dims.iter().map(|&dim| dim as u64).collect();
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&dims);
    let mut writer = options.writer(&mut bytes).begin_nd()?;
    writer.extend(elements.iter().copied())?;
    writer.finish()?;
    Ok(bytes)
}

/// The array in a file's bytes, or what is wrong with them.
fn parse(bytes: &[u8]) -> Result<Array, String> {
    let mut rest = bytes;
    let npy = NpyFile::new(&mut rest).map_err(|e| {
        format!("not a .npy file ({e}): write one with numpy.save, or with `dunlin run --output`")
    })?;
    let header = npy.header().clone();
    let shape = header.shape();
    let n_elements = shape.iter().try_fold(1u64, |n, &dim| n.checked_mul(dim));
    let element_bytes = header.dtype().num_bytes().unwrap_or(0) as u64;
    let wanted_bytes = n_elements.and_then(|n| n.checked_mul(element_bytes));
    let actual_bytes = npy.into_inner().len() as u64;
    if wanted_bytes != Some(actual_bytes) {
        let wanted = wanted_bytes.map_or("more than 2^64".into(), |n| n.to_string());
        return Err(format!(
            "{actual_bytes} bytes of elements where its header (shape {shape:?}, dtype {}) says {wanted}: the \
             file is truncated or damaged, write it again",
            header.dtype().descr()
        ));
    }
    let dims: Vec<usize> = shape.iter().map(|&dim| dim as usize).collect();
    let data = elements(header.clone(), &bytes[bytes.len() - actual_bytes as usize..])?;
    let data = if header.order() == Order::Fortran { row_major(&dims, &data) } else { data };
    Ok(Array { dims, data })
}

/// The elements as they are stored.
fn elements(header: npyz::NpyHeader, bytes: &[u8]) -> Result<Data, String> {
    let descr = header.dtype().descr();
    let kind = match header.dtype() {
        NpyType::Plain(ty) => Some((ty.type_char(), ty.size_field())),
        _ => None,
    };
    let npy = NpyFile::with_header(header, bytes);
    let data = match kind {
        Some((TypeChar::Float, 4)) => npy.into_vec().map(Data::F32),
        Some((TypeChar::Float, 8)) => {
            return Ok(Data::F32(narrow(npy.into_vec().map_err(|e| e.to_string())?)?));
        }
        Some((TypeChar::Int, 1)) => npy.into_vec().map(Data::I8),
        Some((TypeChar::Int, 2)) => npy.into_vec().map(Data::I16),
        Some((TypeChar::Int, 4)) => npy.into_vec().map(Data::I32),
        _ => {
            return Err(format!(
                "its dtype is {descr}; expected float32, int8, int16 or int32: convert it, e.g. \
                 numpy.save(file, x.astype(numpy.float32))"
            ));
        }
    };
    data.map_err(|e| e.to_string())
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

/// Elements stored with the first dimension innermost, in row-major order.
fn row_major(dims: &[usize], data: &Data) -> Data {
    let n: usize = dims.iter().product();
    // Counts in row-major order and adds up the strides of Fortran's.
    let source = |mut i: usize| {
        let mut from = 0;
        let mut stride = n;
        for &dim in dims.iter().rev() {
            stride /= dim;
            from += i % dim * stride;
            i /= dim;
        }
        from
    };
    match data {
        Data::F32(v) => Data::F32((0..n).map(|i| v[source(i)]).collect()),
        Data::I8(v) => Data::I8((0..n).map(|i| v[source(i)]).collect()),
        Data::I16(v) => Data::I16((0..n).map(|i| v[source(i)]).collect()),
        Data::I32(v) => Data::I32((0..n).map(|i| v[source(i)]).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A version 1.0 file as NumPy writes it.
    fn file(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        header += &" ".repeat(117 - header.len());
        header.push('\n');
        [b"\x93NUMPY\x01\x00".as_slice(), &[header.len() as u8, 0], header.as_bytes(), data].concat()
    }

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
    fn fortran_order_and_big_endian_are_turned() {
        let array = parse(&file("<i2", "True", "(2, 3)", &[1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0])).unwrap();
        assert_eq!(array, Array { dims: vec![2, 3], data: Data::I16(vec![1, 2, 3, 4, 5, 6]) });
        let array = parse(&file(">i4", "False", "(1,)", &[0, 0, 1, 2])).unwrap();
        assert_eq!(array.data, Data::I32(vec![258]));
    }

    #[test]
    fn f64_is_taken_where_it_is_exact() {
        let half = parse(&file("<f8", "False", "(1,)", &0.5f64.to_le_bytes())).unwrap();
        assert_eq!(half.data, Data::F32(vec![0.5]));
        let error = parse(&file("<f8", "False", "(1,)", &0.1f64.to_le_bytes())).unwrap_err();
        assert!(error.contains("0.1 is not exactly a float32") && error.contains("astype"), "{error}");
    }

    #[test]
    fn other_files_are_refused_with_advice() {
        let refused = |bytes: &[u8], expected: &str| {
            let error = parse(bytes).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        refused(b"", "not a .npy file");
        refused(b"DNLN and so on, long enough", "not a .npy file");
        refused(&file("<f4", "False", "(2,)", &[0; 8])[..90], "not a .npy file");
        refused(&file("<f4", "False", "(2,)", &[0; 7]), "7 bytes of elements");
        refused(&file("<f4", "False", "(2,)", &[0; 9]), "says 8");
        refused(&file("|u1", "False", "(2,)", &[0; 2]), "'|u1'; expected float32, int8");
        refused(&file("|O", "False", "(2,)", &[0; 2]), "dtype");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("no/such/x.npy")).unwrap_err().to_string();
        assert!(error.contains("no/such/x.npy"), "{error}");
    }
}
