//! Constants of a file, on the host: what shapes are computed with, and what becomes the graph's constants.

use std::path::Path;
use std::rc::Rc;

use super::quantized::Scales;
use super::schema::{self, element};
use crate::import::half::from_half;
use crate::{Error, Result};

/// The most bytes of a constant, and of all of them together.
pub const MAX_CONSTANT_BYTES: usize = 64 << 20;

/// The most elements of a constant.
pub const MAX_ELEMENTS: usize = MAX_CONSTANT_BYTES / 4;

/// Elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Dimensions, outermost first.
    pub dims: Vec<usize>,
    /// The elements.
    pub numbers: Numbers,
    /// Of what integers they were made, if they were.
    pub scales: Option<Rc<Scales>>,
}

/// Elements of either kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Real numbers; of whatever precision the file has them.
    Real(Vec<f32>),
    /// Whole numbers and truth values, with the type that the file has them in: see [`element`].
    Whole(Vec<i64>, i32),
}

impl Numbers {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Numbers::Real(x) => x.len(),
            Numbers::Whole(x, _) => x.len(),
        }
    }

    /// Those at `places`.
    pub fn at(&self, places: &[usize]) -> Numbers {
        match self {
            Numbers::Real(x) => Numbers::Real(places.iter().map(|&i| x[i]).collect()),
            Numbers::Whole(x, ty) => Numbers::Whole(places.iter().map(|&i| x[i]).collect(), *ty),
        }
    }
}

impl Array {
    /// Numbers that stand for themselves.
    pub fn plain(dims: Vec<usize>, numbers: Numbers) -> Array {
        Array { dims, numbers, scales: None }
    }

    /// Real numbers.
    pub fn real(dims: &[usize], numbers: Vec<f32>) -> Array {
        Array::plain(dims.to_vec(), Numbers::Real(numbers))
    }

    /// Whole numbers.
    pub fn whole(dims: &[usize], numbers: Vec<i64>) -> Array {
        Array::plain(dims.to_vec(), Numbers::Whole(numbers, element::I64))
    }

    /// The elements, if they are real numbers.
    pub fn reals(&self) -> Option<&[f32]> {
        if let Numbers::Real(x) = &self.numbers { Some(x) } else { None }
    }

    /// The elements, if they are whole numbers.
    pub fn wholes(&self) -> Option<&[i64]> {
        if let Numbers::Whole(x, _) = &self.numbers { Some(x) } else { None }
    }

    /// The elements of `tensor`; those that are in another file are read from `folder`.
    ///
    /// # Errors
    /// If there are not as many as the dimensions say, or they are of a type that is not taken.
    pub fn of(tensor: &schema::Tensor, folder: Option<&Path>) -> Result<Array> {
        let refuse = |what: String| Error::graph(&tensor.name, what);
        let dims: Vec<usize> =
            tensor.dims.iter().map(|&dim| usize::try_from(dim)).collect::<Result<_, _>>().map_err(|_| {
                refuse(format!("is a constant of dimensions {:?}: the file is damaged", tensor.dims))
            })?;
        let count = count(&dims).map_err(|error| Error::graph(&tensor.name, error.to_string()))?;
        let external = match tensor.data_location {
            1 => Some(external(tensor, folder)?),
            _ => None,
        };
        let raw = external.as_deref().or((!tensor.raw_data.is_empty()).then_some(&tensor.raw_data[..]));
        let numbers = numbers(tensor, raw).map_err(refuse)?;
        if numbers.len() != count {
            let what = format!("has {} elements for dimensions {dims:?}: it is damaged", numbers.len());
            return Err(refuse(what));
        }
        Ok(Array::plain(dims, numbers))
    }
}

/// The number of elements of a constant of `dims`.
///
/// # Errors
/// If they are too many, dimensions of 0 counted as 1: so the product of any of the dimensions is small.
pub fn count(dims: &[usize]) -> Result<usize> {
    let bound = dims.iter().fold(1usize, |bound, &dim| bound.saturating_mul(dim.max(1)));
    match bound <= MAX_ELEMENTS {
        true => Ok(dims.iter().product()),
        false => Err(Error::Invalid(format!("a constant of {dims:?} is too large for a network"))),
    }
}

/// `value` for each element of `dims`.
///
/// # Errors
/// As [`count`].
pub fn filled(dims: &[usize], value: f32) -> Result<Vec<f32>> {
    Ok(vec![value; count(dims)?])
}

/// The elements in the list that their type says, or in bytes.
fn numbers(tensor: &schema::Tensor, raw: Option<&[u8]>) -> Result<Numbers, String> {
    fn each<const N: usize, T>(raw: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
        raw.as_chunks().0.iter().map(|&bytes| from(bytes)).collect()
    }
    let ty = tensor.data_type;
    let listed = || tensor.int32_data.iter().map(|&x| x.into()).collect();
    let whole = |numbers: Vec<i64>| Ok(Numbers::Whole(numbers, ty));
    match (ty, raw) {
        (element::F32, Some(raw)) => Ok(Numbers::Real(each(raw, f32::from_le_bytes))),
        (element::F32, None) => Ok(Numbers::Real(tensor.float_data.clone())),
        (element::F64, Some(raw)) => Ok(Numbers::Real(each(raw, |bytes| f64::from_le_bytes(bytes) as f32))),
        (element::F64, None) => Ok(Numbers::Real(tensor.double_data.iter().map(|&x| x as f32).collect())),
        (element::F16, Some(raw)) => {
            Ok(Numbers::Real(each(raw, |bytes| from_half(u16::from_le_bytes(bytes)))))
        }
        (element::F16, None) => {
            Ok(Numbers::Real(tensor.int32_data.iter().map(|&bits| from_half(bits as u16)).collect()))
        }
        (element::U8 | element::BOOL, Some(raw)) => whole(raw.iter().map(|&x| x.into()).collect()),
        (element::I8, Some(raw)) => whole(raw.iter().map(|&x| (x as i8).into()).collect()),
        (element::I16, Some(raw)) => whole(each(raw, |bytes| i16::from_le_bytes(bytes).into())),
        (element::I32, Some(raw)) => whole(each(raw, |bytes| i32::from_le_bytes(bytes).into())),
        (element::I64, Some(raw)) => whole(each(raw, i64::from_le_bytes)),
        (element::I64, None) => whole(tensor.int64_data.clone()),
        (element::U8 | element::BOOL | element::I8 | element::I16 | element::I32, None) => whole(listed()),
        _ => Err(format!("holds {}: export the model in float32 or int8", element_name(ty))),
    }
}

/// The name of a type of elements.
pub fn element_name(ty: i32) -> &'static str {
    let name = usize::try_from(ty).ok().and_then(|i| schema::ELEMENTS.get(i));
    name.copied().unwrap_or("elements of an unknown type")
}

/// The bytes of a constant in a file of its own, which is in the folder of the model or below it.
fn external(tensor: &schema::Tensor, folder: Option<&Path>) -> Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let refuse = |what: String| Error::graph(&tensor.name, what);
    let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key);
    let location = entry("location").map(|entry| &entry.value[..]).unwrap_or_default();
    let path = Path::new(location);
    let stays = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if location.is_empty() || !stays {
        return Err(refuse(format!("is in the file `{location}`, which is not beside the model")));
    }
    let Some(folder) = folder else {
        return Err(refuse(format!("is in the file `{location}`: read the model from a file beside it")));
    };
    let number = |key: &str| entry(key).map(|entry| entry.value.parse::<u64>()).transpose();
    let (Ok(offset), Ok(length)) = (number("offset"), number("length")) else {
        return Err(refuse("has an offset or a length that is no number: the file is damaged".to_string()));
    };
    let path = folder.join(path);
    let read = || -> std::io::Result<Vec<u8>> {
        let (mut file, mut bytes) = (std::fs::File::open(&path)?, Vec::new());
        file.seek(SeekFrom::Start(offset.unwrap_or(0)))?;
        let most = length.unwrap_or(u64::MAX).min(4 * MAX_CONSTANT_BYTES as u64);
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| {
        refuse(format!("is in the file {}: {error}; keep it beside the .onnx file", path.display()))
    })?;
    if length.is_some_and(|length| bytes.len() as u64 != length) {
        let what =
            format!("is in the file {}, which is too short: it belongs to another model", path.display());
        return Err(refuse(what));
    }
    Ok(bytes)
}
