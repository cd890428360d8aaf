//! NumPy's `.npy` and `.npz` files.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use npyz::{DType, NpyFile, Order, TypeChar, TypeWrite};
use num_complex::Complex;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::{Error, Result, replace};

/// More than an array of a `.npz` file may have; a damaged file cannot ask for all memory.
const MAX_ARRAY_BYTES: u64 = 1 << 32;

/// An array as a file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct NpyArray {
    /// Length along each dimension, outermost first; none for a single number.
    pub dims: Vec<usize>,
    /// In row-major order.
    pub elements: Elements,
}

macro_rules! elements {
    ($($(#[$doc:meta])* $variant:ident $t:ty, $name:literal $char:ident $bytes:literal;)*) => {
        /// Elements of a type that is known when the program runs.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Elements { $( $(#[$doc])* $variant(Vec<$t>), )* }

        $( impl From<Vec<$t>> for Elements {
            fn from(elements: Vec<$t>) -> Elements {
                Elements::$variant(elements)
            }
        } )*

        impl Elements {
            /// NumPy's name of the type.
            pub fn dtype(&self) -> &'static str {
                match self { $( Elements::$variant(_) => $name, )* }
            }

            /// How many.
            pub fn len(&self) -> usize {
                match self { $( Elements::$variant(elements) => elements.len(), )* }
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// In row-major order, where the first of `dims` was innermost.
            fn turned(self, dims: &[usize]) -> Elements {
                match self { $( Elements::$variant(v) => Elements::$variant(turned(dims, &v)), )* }
            }

            fn decode(npy: NpyFile<&[u8]>, kind: (TypeChar, u64)) -> Result<Elements, String> {
                let descr = npy.header().dtype().descr();
                match kind {
                    $( (TypeChar::$char, $bytes) => npy.into_vec().map(Elements::$variant).map_err(|e| e.to_string()), )*
                    _ => Err(format!("its dtype {descr} is not supported: convert it with astype")),
                }
            }
        }

        /// The bytes of a `.npy` file, as NumPy writes it.
        ///
        /// # Errors
        /// If the header is too long: of an array of thousands of dimensions.
        pub fn encode_npy(array: &NpyArray) -> std::io::Result<Vec<u8>> {
            match &array.elements { $( Elements::$variant(elements) => encode(&array.dims, elements), )* }
        }
    };
}

elements! {
    /// float32.
    F32 f32, "float32" Float 4;
    /// float64.
    F64 f64, "float64" Float 8;
    /// uint8.
    U8 u8, "uint8" Uint 1;
    /// int8.
    I8 i8, "int8" Int 1;
    /// int16.
    I16 i16, "int16" Int 2;
    /// int32.
    I32 i32, "int32" Int 4;
    /// int64.
    I64 i64, "int64" Int 8;
    /// bool.
    Bool bool, "bool" Bool 1;
    /// complex64.
    C64 Complex<f32>, "complex64" Complex 8;
    /// complex128.
    C128 Complex<f64>, "complex128" Complex 16;
}

/// The header's bytes are those that NumPy writes, for readers that know no other form: `npyz` only writes the elements.
fn encode<T: npyz::AutoSerialize>(dims: &[usize], elements: &[T]) -> std::io::Result<Vec<u8>> {
    let shape = dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let comma = if dims.len() == 1 { "," } else { "" };
    let descr = T::default_dtype().descr();
    let dict = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': ({shape}{comma}), }}");
    // NumPy leaves room for a first dimension of 21 digits, and begins the elements at a multiple of 64.
    let room = 21usize.saturating_sub(dims.first().map_or(21, |dim| dim.to_string().len()));
    let text_len = (10 + dict.len() + room + 1).next_multiple_of(64) - 10;
    let text_len = u16::try_from(text_len).map_err(std::io::Error::other)?;
    let mut bytes = [b"\x93NUMPY\x01\x00".as_slice(), &text_len.to_le_bytes(), dict.as_bytes()].concat();
    bytes.resize(10 + usize::from(text_len) - 1, b' ');
    bytes.push(b'\n');
    let writer = T::writer(&T::default_dtype()).map_err(std::io::Error::other)?;
    elements.iter().try_for_each(|x| writer.write_one(&mut bytes, x))?;
    Ok(bytes)
}

/// Elements stored with the first dimension innermost, in row-major order.
fn turned<T: Copy>(dims: &[usize], elements: &[T]) -> Vec<T> {
    // Counts in row-major order and adds up the strides of Fortran's.
    let source = |mut i: usize| {
        let (mut from, mut stride) = (0, elements.len());
        for &dim in dims.iter().rev() {
            stride /= dim;
            from += i % dim * stride;
            i /= dim;
        }
        from
    };
    (0..elements.len()).map(|i| elements[source(i)]).collect()
}

/// The array in the bytes of a `.npy` file, or what is wrong with them.
///
/// # Errors
/// If it is no such file, damaged, or its dtype is not one of [`Elements`]'.
pub fn parse_npy(bytes: &[u8]) -> Result<NpyArray, String> {
    let mut rest = bytes;
    let npy = NpyFile::new(&mut rest).map_err(|e| {
        format!("not a .npy file ({e}): write one with numpy.save, or with `dunlin run --output`")
    })?;
    let header = npy.header().clone();
    let shape = header.shape();
    let n_elements = shape.iter().try_fold(1u64, |n, &dim| n.checked_mul(dim));
    let element_bytes = header.dtype().num_bytes().unwrap_or(0) as u64;
    let wanted_bytes = n_elements.and_then(|n| n.checked_mul(element_bytes));
    let elements: &[u8] = npy.into_inner();
    let n_bytes = elements.len() as u64;
    let kind = match header.dtype() {
        DType::Plain(ty) => (ty.type_char(), ty.size_field()),
        other => return Err(format!("its dtype {} is not supported: one plain type is", other.descr())),
    };
    if wanted_bytes != Some(n_bytes) {
        let wanted = wanted_bytes.map_or("more than 2^64".into(), |n| n.to_string());
        let descr = header.dtype().descr();
        return Err(format!(
            "{n_bytes} bytes of elements where its header (shape {shape:?}, dtype {descr}) says {wanted}: the file is \
             truncated or damaged, write it again"
        ));
    }
    let dims: Vec<usize> = shape.iter().map(|&dim| dim as usize).collect();
    let is_fortran = header.order() == Order::Fortran;
    let stored = Elements::decode(NpyFile::with_header(header, elements), kind)?;
    let elements = if is_fortran { stored.turned(&dims) } else { stored };
    Ok(NpyArray { dims, elements })
}

/// Reads a `.npy` file, of either byte order and either order of dimensions.
///
/// # Errors
/// If it cannot be read, is damaged, or its dtype is not one of [`Elements`]'; names the file.
pub fn read_npy(path: &Path) -> Result<NpyArray> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    parse_npy(&bytes).map_err(|what| Error::File { path: path.to_owned(), what })
}

/// Writes a `.npy` file in place of whatever `path` holds, as a whole or not at all.
///
/// # Errors
/// If the file cannot be written; the old one is left then.
pub fn write_npy(path: &Path, array: &NpyArray) -> Result<()> {
    replace(path, &encode_npy(array).map_err(Error::io(path))?)
}

/// Reads a `.npz` file: its arrays by name, in their order.
///
/// # Errors
/// If it cannot be read or an array cannot; names the file and the array.
pub fn read_npz(path: &Path) -> Result<Vec<(String, NpyArray)>> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let damaged = |what: String| Error::File { path: path.to_owned(), what };
    let no_archive = |e| format!("not a .npz file, or one that is cut short ({e}): fetch or write it again");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(no_archive(e)))?;
    let mut arrays = Vec::new();
    for i in 0..archive.len() {
        let entry = archive.by_index(i).map_err(|e| damaged(e.to_string()))?;
        let name = entry.name().map_err(|e| damaged(e.to_string()))?.trim_end_matches(".npy").to_string();
        let mut contents = Vec::new();
        let read = entry.take(MAX_ARRAY_BYTES).read_to_end(&mut contents);
        read.map_err(|e| damaged(format!("array `{name}` is damaged ({e}): fetch or write the file again")))?;
        let array = parse_npy(&contents).map_err(|what| damaged(format!("array `{name}`: {what}")))?;
        arrays.push((name, array));
    }
    Ok(arrays)
}

/// Writes a compressed `.npz` file in place of whatever `path` holds, as a whole or not at all.
///
/// # Errors
/// If a name comes twice or the file cannot be written; the old one is left then.
pub fn write_npz<'a>(path: &Path, arrays: impl IntoIterator<Item = (&'a str, NpyArray)>) -> Result<()> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let failed = |what: zip::result::ZipError| Error::File { path: path.to_owned(), what: what.to_string() };
    for (name, array) in arrays {
        // No time of day: the same arrays make the same bytes.
        let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
        archive.start_file(format!("{name}.npy"), options).map_err(failed)?;
        archive.write_all(&encode_npy(&array).map_err(Error::io(path))?).map_err(Error::io(path))?;
    }
    replace(path, &archive.finish().map_err(failed)?.into_inner())
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
        for elements in [
            Elements::F32(vec![1.5, -0.0, f32::INFINITY, 4.0, 5.0, 6.0]),
            Elements::F64(vec![1.5, -0.0, 1e300, 4.0, 5.0, 6.0]),
            Elements::U8(vec![255, 127, 0, 1, 2, 3]),
            Elements::I8(vec![-128, 127, 0, 1, 2, 3]),
            Elements::I64(vec![i64::MIN, i64::MAX, 0, 1, 2, 3]),
            Elements::Bool(vec![true, false, true, true, false, false]),
            Elements::C64(vec![Complex::new(1.0, -2.0); 6]),
        ] {
            for dims in [vec![6], vec![2, 3], vec![1, 3, 2, 1]] {
                let array = NpyArray { dims, elements: elements.clone() };
                write_npy(&path, &array).unwrap();
                assert_eq!(read_npy(&path).unwrap(), array);
            }
        }
        let scalar = NpyArray { dims: vec![], elements: vec![7i32].into() };
        write_npy(&path, &scalar).unwrap();
        assert_eq!(read_npy(&path).unwrap(), scalar);
    }

    #[test]
    fn fortran_order_and_big_endian_are_turned() {
        let array = parse_npy(&file("<i2", "True", "(2, 3)", &[1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0])).unwrap();
        assert_eq!(array, NpyArray { dims: vec![2, 3], elements: vec![1i16, 2, 3, 4, 5, 6].into() });
        let array = parse_npy(&file(">i4", "False", "(1,)", &[0, 0, 1, 2])).unwrap();
        assert_eq!(array.elements, Elements::I32(vec![258]));
        let none = parse_npy(&file("<i2", "True", "(0, 3)", &[])).unwrap();
        assert_eq!((none.dims, none.elements.len()), (vec![0, 3], 0));
    }

    #[test]
    fn other_files_are_refused_with_advice() {
        let refused = |bytes: &[u8], expected: &str| {
            let error = parse_npy(bytes).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        refused(b"", "not a .npy file");
        refused(b"DNLN and so on, long enough", "not a .npy file");
        refused(&file("<f4", "False", "(2,)", &[0; 8])[..90], "not a .npy file");
        refused(&file("<f4", "False", "(2,)", &[0; 7]), "7 bytes of elements");
        refused(&file("<f4", "False", "(2,)", &[0; 9]), "says 8");
        refused(&file("<u4", "False", "(2,)", &[0; 8]), "its dtype '<u4' is not supported");
        refused(&file("|O", "False", "(2,)", &[0; 2]), "dtype");
    }

    #[test]
    fn a_cut_or_changed_npz_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.npz");
        let x = NpyArray { dims: vec![300], elements: (0..300i32).collect::<Vec<_>>().into() };
        write_npz(&path, [("x", x.clone()), ("y", x.clone())]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(read_npz(&path).unwrap(), [("x".to_string(), x.clone()), ("y".to_string(), x)]);
        for len in [0, 10, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).unwrap();
            let error = read_npz(&path).unwrap_err().to_string();
            assert!(error.contains("data.npz: not a .npz file, or one that is cut short"), "{error}");
        }
        let mut changed = whole.clone();
        changed[100] ^= 0x55;
        std::fs::write(&path, &changed).unwrap();
        let error = read_npz(&path).unwrap_err().to_string();
        assert!(error.contains("data.npz: array `x`"), "{error}");
        let error = read_npz(&dir.path().join("none.npz")).unwrap_err().to_string();
        assert!(error.contains("none.npz: "), "{error}");
    }
}
