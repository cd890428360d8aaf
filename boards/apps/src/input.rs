//! Real numbers into a session, and decisions out of it.

use dunlin::frontend::{self, FEATURE_SCALE};
use dunlin::{DType, Error, Session, math};

use crate::Decision;

/// Writes real numbers into input `i`, in row-major order. For an int8 input they are quantized with its scale and zero
/// point, rounded to nearest and saturated.
///
/// # Errors
/// [`Error::WrongLength`] if there are not as many as the input has elements; [`Error::WrongDType`] if it is neither f32
/// nor int8.
pub fn write(session: &mut Session, i: usize, real: impl ExactSizeIterator<Item = f32>) -> Result<(), Error> {
    let port = session.model().input(i)?;
    if real.len() != port.ty.shape.count() {
        return Err(Error::WrongLength);
    }
    match port.ty.dtype {
        DType::F32 => {
            let elements = session.input(i)?.elements::<f32>()?;
            elements.iter_mut().zip(real).for_each(|(to, x)| *to = x);
        }
        DType::I8 => {
            let elements = session.input(i)?.elements::<i8>()?;
            let per_unit = 1.0 / port.scale;
            for (to, x) in elements.iter_mut().zip(real) {
                let q = math::round(x * per_unit).saturating_add(port.zero_point);
                *to = q.clamp(i8::MIN.into(), i8::MAX.into()) as i8;
            }
        }
        _ => return Err(Error::WrongDType),
    }
    Ok(())
}

/// Writes features of the fixed-point front end into input `i`, those of both slices in order: the numbers that the
/// host trained on. For an int8 input they are quantized as [`frontend::to_i8`] does.
///
/// # Errors
/// As [`write()`].
pub fn write_features(session: &mut Session, i: usize, features: (&[i16], &[i16])) -> Result<(), Error> {
    let port = session.model().input(i)?;
    let (first, second) = features;
    if first.len() + second.len() != port.ty.shape.count() {
        return Err(Error::WrongLength);
    }
    let features = first.iter().chain(second);
    match port.ty.dtype {
        DType::F32 => {
            let elements = session.input(i)?.elements::<f32>()?;
            elements.iter_mut().zip(features).for_each(|(to, &x)| *to = f32::from(x) * FEATURE_SCALE);
        }
        DType::I8 => {
            let elements = session.input(i)?.elements::<i8>()?;
            for (to, &x) in elements.iter_mut().zip(features) {
                *to = frontend::to_i8(x, port.scale, port.zero_point);
            }
        }
        _ => return Err(Error::WrongDType),
    }
    Ok(())
}

/// Reads output `i` of a run as real numbers.
///
/// # Errors
/// [`Error::WrongLength`] if there are not as many; [`Error::WrongDType`] if it is neither f32 nor int8.
pub fn read(session: &Session, i: usize, real: &mut [f32]) -> Result<(), Error> {
    let port = session.model().output(i)?;
    if real.len() != port.ty.shape.count() {
        return Err(Error::WrongLength);
    }
    match port.ty.dtype {
        DType::F32 => real.copy_from_slice(session.output::<f32>(i)?),
        DType::I8 => real.iter_mut().zip(session.output::<i8>(i)?).for_each(|(to, &q)| {
            *to = (i32::from(q) - port.zero_point) as f32 * port.scale;
        }),
        _ => return Err(Error::WrongDType),
    }
    Ok(())
}

/// The largest of some scores; `None` of none.
pub fn largest(scores: impl Iterator<Item = f32>) -> Option<Decision> {
    let mut best: Option<Decision> = None;
    for (class, score) in scores.enumerate() {
        if best.is_none_or(|best| score > best.score) {
            best = Some(Decision { class, score });
        }
    }
    best
}

/// The largest element of output `i`, after a run.
///
/// # Errors
/// [`Error::WrongDType`] if the output is neither f32 nor int8; [`Error::NoSuchTensor`].
pub fn decide(session: &Session, i: usize) -> Result<Decision, Error> {
    let port = session.model().output(i)?;
    let best = match port.ty.dtype {
        DType::F32 => largest(session.output::<f32>(i)?.iter().copied()),
        DType::I8 => largest(
            session.output::<i8>(i)?.iter().map(|&q| (i32::from(q) - port.zero_point) as f32 * port.scale),
        ),
        _ => return Err(Error::WrongDType),
    };
    best.ok_or(Error::NoSuchTensor)
}
