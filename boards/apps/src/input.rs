//! Real numbers into a session, and decisions out of it.

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

/// The largest element of output `i`, after a run.
///
/// # Errors
/// [`Error::WrongDType`] if the output is neither f32 nor int8; [`Error::NoSuchTensor`].
pub fn decide(session: &Session, i: usize) -> Result<Decision, Error> {
    let port = session.model().output(i)?;
    let mut best: Option<Decision> = None;
    let mut offer = |class: usize, score: f32| {
        if best.is_none_or(|best| score > best.score) {
            best = Some(Decision { class, score });
        }
    };
    match port.ty.dtype {
        DType::F32 => session.output::<f32>(i)?.iter().enumerate().for_each(|(class, &x)| offer(class, x)),
        DType::I8 => session.output::<i8>(i)?.iter().enumerate().for_each(|(class, &q)| {
            offer(class, (i32::from(q) - port.zero_point) as f32 * port.scale);
        }),
        _ => return Err(Error::WrongDType),
    }
    best.ok_or(Error::NoSuchTensor)
}
