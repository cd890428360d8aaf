//! Functions of the elements of known arrays.

use std::rc::Rc;

use super::array::{Array, Numbers};
use super::fold::{at, picked, place, steps};
use super::ops::broadcast::broadcast;
use super::schema::element;
use crate::{Error, Result};

/// Whether it is a function of each element, or of several.
pub fn knows(kind: &str) -> bool {
    let of_one = whole_function_of_one(kind).is_some() || real_function_of_one(kind).is_some();
    of_one || comparison(kind).is_some() || whole_function(kind).is_some() || real_function(kind).is_some()
}

/// A function of each element, if it is known for such.
pub fn unary(kind: &str, x: &Array) -> Option<Array> {
    let numbers = match &x.numbers {
        Numbers::Whole(x, ty) => {
            let f = whole_function_of_one(kind)?;
            Numbers::Whole(x.iter().map(|&x| f(x)).collect(), *ty)
        }
        Numbers::Real(x) => {
            let f = real_function_of_one(kind)?;
            Numbers::Real(x.iter().map(|&x| f(x)).collect())
        }
    };
    Some(Array::plain(x.dims.clone(), numbers))
}

fn whole_function_of_one(kind: &str) -> Option<fn(i64) -> i64> {
    Some(match kind {
        "Neg" => i64::wrapping_neg,
        "Abs" => i64::wrapping_abs,
        "Not" => |x| i64::from(x == 0),
        "Floor" | "Ceil" | "Round" => |x| x,
        _ => return None,
    })
}

fn real_function_of_one(kind: &str) -> Option<fn(f32) -> f32> {
    Some(match kind {
        "Neg" => |x| -x,
        "Abs" => f32::abs,
        "Floor" => f32::floor,
        "Ceil" => f32::ceil,
        "Round" => f32::round_ties_even,
        "Sqrt" => f32::sqrt,
        "Exp" => f32::exp,
        "Log" => f32::ln,
        "Reciprocal" => f32::recip,
        _ => return None,
    })
}

/// A function of two operands, again and again where there are more.
pub fn several(kind: &str, inputs: &[Rc<Array>]) -> Result<Option<Array>> {
    let mut inputs = inputs.iter();
    let Some(first) = inputs.next() else { return Ok(None) };
    let mut made = (**first).clone();
    for next in inputs {
        match binary(kind, &made, next)? {
            Some(array) => made = array,
            None => return Ok(None),
        }
    }
    Ok(Some(made))
}

fn binary(kind: &str, a: &Array, b: &Array) -> Result<Option<Array>> {
    let dims = broadcast(&a.dims, &b.dims)?;
    let stretched = |x: &Array| {
        let steps = steps(&x.dims);
        picked(x, dims.clone(), |index| place(index, &steps))
    };
    let (a, b) = (stretched(a)?, stretched(b)?);
    if let Some(compare) = comparison(kind) {
        let truths = (0..a.numbers.len()).map(|i| i64::from(compare(at(&a, i), at(&b, i)))).collect();
        return Ok(Some(Array::plain(dims, Numbers::Whole(truths, element::BOOL))));
    }
    let numbers = match (&a.numbers, &b.numbers) {
        (Numbers::Whole(a, ty), Numbers::Whole(b, _)) => match whole_function(kind) {
            Some(f) => match a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect() {
                Some(numbers) => Numbers::Whole(numbers, *ty),
                None => return Err(Error::Invalid("computes a whole number that there is not".to_string())),
            },
            None => return Ok(None),
        },
        _ => match real_function(kind) {
            Some(f) => Numbers::Real((0..a.numbers.len()).map(|i| f(at(&a, i), at(&b, i)) as f32).collect()),
            None => return Ok(None),
        },
    };
    Ok(Some(Array::plain(dims, numbers)))
}

fn comparison(kind: &str) -> Option<fn(f64, f64) -> bool> {
    Some(match kind {
        "Equal" => |a, b| a == b,
        "Less" => |a, b| a < b,
        "LessOrEqual" => |a, b| a <= b,
        "Greater" => |a, b| a > b,
        "GreaterOrEqual" => |a, b| a >= b,
        "And" => |a, b| a != 0.0 && b != 0.0,
        "Or" => |a, b| a != 0.0 || b != 0.0,
        _ => return None,
    })
}

/// `Mod` has the sign of the divisor, `Fmod` (with the attribute fmod) that of the dividend.
fn whole_function(kind: &str) -> Option<fn(i64, i64) -> Option<i64>> {
    Some(match kind {
        "Add" => i64::checked_add,
        "Sub" => i64::checked_sub,
        "Mul" => i64::checked_mul,
        "Div" => i64::checked_div,
        "Mod" => |a, b| a.checked_rem(b)?.checked_add(b)?.checked_rem(b),
        "Fmod" => i64::checked_rem,
        "Max" => |a, b| Some(a.max(b)),
        "Min" => |a, b| Some(a.min(b)),
        "Pow" => |a, b| a.checked_pow(u32::try_from(b).ok()?),
        _ => return None,
    })
}

fn real_function(kind: &str) -> Option<fn(f64, f64) -> f64> {
    Some(match kind {
        "Add" => |a, b| a + b,
        "Sub" => |a, b| a - b,
        "Mul" => |a, b| a * b,
        "Div" => |a, b| a / b,
        "Mod" => |a, b| (a % b + b) % b,
        "Fmod" => |a, b| a % b,
        "Max" => f64::max,
        "Min" => f64::min,
        "Pow" => f64::powf,
        _ => return None,
    })
}
