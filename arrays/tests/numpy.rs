//! Arrays against NumPy: the expressions of `numpy/make.py`, with NumPy's results in `numpy/goldens.npz`.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use dunlin_arrays::*;

#[path = "numpy/table/mod.rs"]
#[allow(missing_docs)]
mod table;

/// Greatest distance to NumPy's number, relative to it, or absolute below 1: what different orders of addition and
/// libraries of functions may cost.
const TOLERANCE_F64: f64 = 1e-13;
const TOLERANCE_F32: f64 = 1e-6;

struct Goldens {
    arrays: HashMap<String, AnyArray>,
    n_checked: usize,
    failures: Vec<String>,
}

impl Goldens {
    fn input<T: Element>(&self, name: &str) -> Array<T>
    where
        Array<T>: TryFrom<AnyArray, Error = Error>,
    {
        self.arrays[name].clone().try_into().unwrap()
    }

    fn check(&mut self, n: usize, expression: &str, actual: impl Into<AnyArray>) {
        self.n_checked += 1;
        if let Err(what) = agree(&actual.into(), &self.arrays[&format!("r{n}")]) {
            self.failures.push(format!("{expression}: {what}"));
        }
    }
}

fn agree(actual: &AnyArray, expected: &AnyArray) -> Result<(), String> {
    if actual.dims() != expected.dims() {
        return Err(format!("shape {:?}, NumPy has {:?}", actual.dims(), expected.dims()));
    }
    let close = |a: Vec<f64>, b: Vec<f64>, tolerance: f64| {
        let near = |a: f64, b: f64| a.is_finite() && (a - b).abs() <= tolerance * b.abs().max(1.0);
        let same = |a: f64, b: f64| a.is_nan() && b.is_nan() || a == b || b.is_finite() && near(a, b);
        match a.iter().zip(&b).position(|(&a, &b)| !same(a, b)) {
            Some(i) => Err(format!("element {i} is {:e}, NumPy has {:e}", a[i], b[i])),
            None => Ok(()),
        }
    };
    match (actual, expected) {
        (AnyArray::F64(a), AnyArray::F64(b)) => close(a.to_vec(), b.to_vec(), TOLERANCE_F64),
        (AnyArray::F32(a), AnyArray::F32(b)) => {
            close(a.cast::<f64>().to_vec(), b.cast::<f64>().to_vec(), TOLERANCE_F32)
        }
        (AnyArray::C128(a), AnyArray::C128(b)) => close(parts(a), parts(b), TOLERANCE_F64),
        (AnyArray::C64(a), AnyArray::C64(b)) => {
            let wide = |a: &Array<Complex<f32>>| parts(&a.map(|x| Complex::new(x.re.into(), x.im.into())));
            close(wide(a), wide(b), TOLERANCE_F32)
        }
        _ if actual.dtype() != expected.dtype() => {
            Err(format!("dtype {}, NumPy has {}", actual.dtype(), expected.dtype()))
        }
        _ if actual == expected => Ok(()),
        _ => Err(format!("{actual:?}, NumPy has {expected:?}")),
    }
}

fn parts(a: &Array<Complex<f64>>) -> Vec<f64> {
    a.iter().flat_map(|x| [x.re, x.im]).collect()
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numpy/goldens.npz")
}

#[test]
fn every_expression_agrees_with_numpy() {
    let arrays = read_npz(&path()).unwrap().into_iter().collect();
    let mut goldens = Goldens { arrays, n_checked: 0, failures: Vec::new() };
    table::PARTS.iter().try_for_each(|check| check(&mut goldens)).unwrap();
    let (n, failures) = (goldens.n_checked, goldens.failures);
    assert!(failures.is_empty(), "{} of {n}:\n{}", failures.len(), failures.join("\n"));
    assert!(n >= 300, "{n} expressions");
}

#[test]
fn a_difference_is_seen() {
    let agree = |a: AnyArray, b: AnyArray| agree(&a, &b);
    let a = Array::from([1.0, 2.0, f64::NAN, f64::INFINITY]);
    assert!(agree(a.clone().into(), a.clone().into()).is_ok());
    for (i, x) in [1.0 + 1e-12, 3.0, 0.0, f64::NEG_INFINITY].into_iter().enumerate() {
        let mut b = a.clone();
        b.set(&[i as isize], x).unwrap();
        assert!(agree(a.clone().into(), b.into()).is_err(), "{x}");
    }
    assert!(agree(a.cast::<f32>().into(), a.clone().into()).is_err(), "dtype");
    assert!(agree(a.expand_dims(0).unwrap().into(), a.into()).is_err(), "shape");
    assert!(agree(Array::from([1, 2]).into(), Array::from([1, 3]).into()).is_err());
}

/// What NumPy wrote is written again byte for byte, so NumPy reads what these arrays write.
#[test]
fn files_are_numpys() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path()).unwrap()).unwrap();
    let mut n_fortran = 0;
    for i in 0..archive.len() {
        let mut bytes = Vec::new();
        archive.by_index(i).unwrap().read_to_end(&mut bytes).unwrap();
        let [theirs, ours] = ["theirs.npy", "ours.npy"].map(|name| dir.path().join(name));
        std::fs::write(&theirs, &bytes).unwrap();
        let array = read_npy(&theirs).unwrap();
        write_npy(&ours, array.clone()).unwrap();
        if bytes.windows(4).any(|window| window == b"True") {
            n_fortran += 1; // is written in row-major order
        } else {
            assert!(std::fs::read(&ours).unwrap() == bytes, "{array:?}");
        }
        assert_eq!(format!("{:?}", read_npy(&ours).unwrap()), format!("{array:?}"));
    }
    assert!(n_fortran > 0);
}

#[test]
fn archives_are_read_back_and_the_same_arrays_make_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["one.npz", "two.npz"].map(|name| dir.path().join(name));
    let arrays: [(&str, AnyArray); 3] = [
        ("images", Array::<f32>::ones(&[2, 3, 1]).into()),
        ("labels", Array::from([3u8, 7]).into()),
        ("empty", Array::<bool>::full(&[0, 4], true).into()),
    ];
    write_npz(&one, &arrays).unwrap();
    write_npz(&two, &arrays).unwrap();
    let read = read_npz(&one).unwrap();
    assert!(read.iter().map(|(name, array)| (name.as_str(), array)).eq(arrays.iter().map(|(n, a)| (*n, a))));
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    let wrong = Array::<f64>::try_from(read[1].1.clone()).unwrap_err().to_string();
    assert_eq!(wrong, "the array has dtype uint8, not float64");
}

/// Every shorter file and every file with a changed byte is an error that names the file, or another array: no panic.
#[test]
fn damaged_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.npz");
    write_npz(&file, &[("x", Array::from([[1.5f32, 2.0]]).into())]).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    for len in 0..bytes.len() {
        std::fs::write(&file, &bytes[..len]).unwrap();
        let error = read_npz(&file).unwrap_err().to_string();
        assert!(error.contains("x.npz: "), "{error}");
    }
    let npy = dir.path().join("x.npy");
    write_npy(&npy, Array::from([[1.5f32, 2.0]])).unwrap();
    let bytes = std::fs::read(&npy).unwrap();
    for i in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[i] ^= 0x15;
        std::fs::write(&npy, damaged).unwrap();
        let _ = read_npy(&npy);
        std::fs::write(&npy, &bytes[..i]).unwrap();
        let error = read_npy(&npy).unwrap_err().to_string();
        assert!(error.contains("x.npy: "), "{error}");
    }
    assert!(read_npy(&dir.path().join("none.npy")).unwrap_err().to_string().contains("none.npy"));
}
