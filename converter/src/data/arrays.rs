//! Samples from arrays in memory and from `.npz` files.

use std::path::Path;

use dunlin_files::{Elements, NpyArray, read_npz};

use super::Examples;
use crate::nn::Dataset;
use crate::{Error, Result};

impl Examples<f32> {
    /// Samples `x` `[n, ...]` with their classes `labels` `[n]`, whole numbers from 0 on. Bytes (uint8) are taken as
    /// pixels: divided by 255, and `[n, h, w]` becomes `[h, w, 1]`; other numbers stay as they are, rounded to f32. An array
    /// of the crate `dunlin-arrays` becomes an [`NpyArray`] with `into`.
    ///
    /// # Errors
    /// If the shapes do not fit together, or elements are complex, not finite, or no classes.
    pub fn from_arrays(x: &NpyArray, labels: &NpyArray) -> Result<Examples<f32>> {
        let wrong = |what: String| Error::Invalid(what);
        let numbers = reals(x).map_err(|what| wrong(format!("the samples: {what}")))?;
        let classes = reals(labels).map_err(|what| wrong(format!("the labels: {what}")))?;
        let [n, dims @ ..] = &x.dims[..] else {
            return Err(wrong("the samples are a single number; they have shape [n, ...]".to_string()));
        };
        let is_column = labels.dims == [*n] || labels.dims == [*n, 1];
        if !is_column {
            let (have, shape) = (&labels.dims, &x.dims);
            return Err(wrong(format!(
                "the labels have shape {have:?}; samples of shape {shape:?} need [{n}]"
            )));
        }
        let class = |(i, &label): (usize, &f64)| match label {
            label if label >= 0.0 && label.fract() == 0.0 && label < 65_536.0 => Ok(label as usize),
            label => {
                Err(wrong(format!("the label of sample {i} is {label}; classes are whole numbers from 0 on")))
            }
        };
        let labels = classes.iter().enumerate().map(class).collect::<Result<_>>()?;
        let (dims, scale) = match (&x.elements, dims) {
            (Elements::U8(_), &[h, w]) => (vec![h, w, 1], 255.0),
            (Elements::U8(_), dims) => (dims.to_vec(), 255.0),
            (_, dims) => (dims.to_vec(), 1.0),
        };
        Examples::new(&dims, numbers.iter().map(|&x| (x / scale) as f32).collect(), labels)
    }
}

impl Dataset {
    /// Samples `x` `[n, ...]` with targets `[n, ...]`, as they are, rounded to f32.
    ///
    /// # Errors
    /// As [`Dataset::new`].
    pub fn from_arrays(x: &NpyArray, targets: &NpyArray) -> Result<Dataset> {
        let part = |what: &str, array: &NpyArray| {
            let wrong = |why: String| Error::Invalid(format!("the {what}: {why}"));
            let dims =
                array.dims.get(1..).ok_or_else(|| wrong("a single number; [n, ...] is wanted".into()))?;
            let numbers: Vec<f32> = reals(array).map_err(wrong)?.iter().map(|&x| x as f32).collect();
            // Targets of shape [n] are one number each.
            Ok::<_, Error>((if dims.is_empty() { vec![1] } else { dims.to_vec() }, numbers))
        };
        let ((dims, x), (target_dims, targets)) = (part("samples", x)?, part("targets", targets)?);
        Dataset::new(&dims, x, &target_dims, targets)
    }
}

/// Reads two arrays of a `.npz` file: samples and their classes, as [`Examples::from_arrays`] takes them.
///
/// # Errors
/// If the file cannot be read, is damaged, or has no such arrays; names it and what it has.
pub fn read_npz_examples(path: &Path, x: &str, labels: &str) -> Result<Examples<f32>> {
    let arrays = read_npz(path)?;
    let wrong = |what: String| Error::File { path: path.to_owned(), what };
    let array = |wanted: &str| {
        let found = arrays.iter().find(|(name, _)| name == wanted).map(|(_, array)| array);
        found.ok_or_else(|| {
            let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
            wrong(format!("has no array `{wanted}`; it has {}", names.join(", ")))
        })
    };
    Examples::from_arrays(array(x)?, array(labels)?).map_err(|e| wrong(e.to_string()))
}

/// All elements as finite numbers.
fn reals(array: &NpyArray) -> Result<Vec<f64>, String> {
    let numbers: Vec<f64> = match &array.elements {
        Elements::F32(v) => v.iter().map(|&x| x.into()).collect(),
        Elements::F64(v) => v.clone(),
        Elements::U8(v) => v.iter().map(|&x| x.into()).collect(),
        Elements::I8(v) => v.iter().map(|&x| x.into()).collect(),
        Elements::I16(v) => v.iter().map(|&x| x.into()).collect(),
        Elements::I32(v) => v.iter().map(|&x| x.into()).collect(),
        Elements::I64(v) => v.iter().map(|&x| x as f64).collect(),
        Elements::Bool(v) => v.iter().map(|&x| u8::from(x).into()).collect(),
        Elements::C64(_) | Elements::C128(_) => {
            return Err(format!("{} are no real numbers: take their magnitude", array.elements.dtype()));
        }
    };
    match numbers.iter().position(|x| !x.is_finite()) {
        None => Ok(numbers),
        Some(i) => {
            let len = array.dims.iter().skip(1).product::<usize>().max(1);
            Err(format!("row {} has {} at element {}", i / len, numbers[i], i % len))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(dims: &[usize], elements: impl Into<Elements>) -> NpyArray {
        NpyArray { dims: dims.to_vec(), elements: elements.into() }
    }

    #[test]
    fn bytes_are_pixels_and_other_numbers_stay() {
        let labels = array(&[2], vec![1i64, 0]);
        let images = Examples::from_arrays(&array(&[2, 1, 2], vec![0u8, 255, 51, 102]), &labels).unwrap();
        assert_eq!((&images.dims[..], &images.x[..]), (&[1, 2, 1][..], &[0.0, 1.0, 0.2, 0.4][..]));
        let rows = Examples::from_arrays(
            &array(&[2, 2], vec![0.5f64, -7.0, 3.0, 1e9]),
            &array(&[2, 1], vec![1.0f32, 0.0]),
        );
        let rows = rows.unwrap();
        assert_eq!(
            (&rows.dims[..], &rows.x[..], &rows.labels[..]),
            (&[2][..], &[0.5, -7.0, 3.0, 1e9][..], &[1, 0][..])
        );
        let line =
            Dataset::from_arrays(&array(&[2, 1], vec![1i16, 2]), &array(&[2], vec![0.5f32, 1.0])).unwrap();
        assert_eq!((line.len(), line.target_dims(), line.target(1)), (2, &[1][..], &[1.0][..]));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let x = array(&[2, 2], vec![0.0f32; 4]);
        let error = |x: &NpyArray, y: &NpyArray| Examples::from_arrays(x, y).unwrap_err().to_string();
        assert!(
            error(&x, &array(&[3], vec![0u8; 3]))
                .contains("labels have shape [3]; samples of shape [2, 2] need [2]")
        );
        assert!(error(&x, &array(&[2], vec![0.0f32, 1.5])).contains("the label of sample 1 is 1.5"));
        assert!(error(&x, &array(&[2], vec![0i8, -1])).contains("the label of sample 1 is -1"));
        let labels = array(&[2], vec![0u8, 1]);
        let bad = array(&[2, 2], vec![0.0, 0.0, 0.0, f32::NAN]);
        assert!(error(&bad, &labels).contains("the samples: row 1 has NaN at element 1"));
        let complex = array(&[2], vec![dunlin_files::Complex::new(0f32, 1.0); 2]);
        assert!(error(&complex, &labels).contains("complex64 are no real numbers"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npz");
        dunlin_files::write_npz(&path, [("x", x), ("y", labels)]).unwrap();
        assert_eq!(read_npz_examples(&path, "x", "y").unwrap().len(), 2);
        let error = read_npz_examples(&path, "x", "labels").unwrap_err().to_string();
        assert!(error.ends_with("data.npz: has no array `labels`; it has x, y"), "{error}");
        std::fs::write(&path, &std::fs::read(&path).unwrap()[..40]).unwrap();
        assert!(read_npz_examples(&path, "x", "y").unwrap_err().to_string().contains("cut short"));
    }
}
