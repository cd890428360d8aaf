//! Comparisons of what the network computes, and what is chosen by them. Truth values are real numbers: 1 where it holds, else 0.

use dunlin::DType;

use super::super::Value;
use super::super::array::{Array, Numbers};
use super::super::operator::Operator;
use crate::{Error, Result};

/// Input 0 above input 1: the sign of the difference, if that is positive.
pub fn greater(cx: &mut Operator) -> Result<()> {
    above(cx, [0, 1])
}

/// Input 0 below input 1.
pub fn less(cx: &mut Operator) -> Result<()> {
    above(cx, [1, 0])
}

fn above(cx: &mut Operator, inputs: [usize; 2]) -> Result<()> {
    let sign = sign(cx, inputs)?;
    cx.become_part("Relu", &[sign])
}

/// Not below.
pub fn greater_or_equal(cx: &mut Operator) -> Result<()> {
    let below = cx.part("Less", "below", &[cx.input_name(0), cx.input_name(1)])?;
    cx.become_part("Not", &[below])
}

/// Not above.
pub fn less_or_equal(cx: &mut Operator) -> Result<()> {
    let above = cx.part("Greater", "above", &[cx.input_name(0), cx.input_name(1)])?;
    cx.become_part("Not", &[above])
}

/// Neither above nor below.
pub fn equal(cx: &mut Operator) -> Result<()> {
    let sign = sign(cx, [0, 1])?;
    let differs = cx.part("Abs", "differs", &[sign])?;
    cx.become_part("Not", &[differs])
}

/// The sign of the difference of two inputs.
fn sign(cx: &mut Operator, inputs: [usize; 2]) -> Result<String> {
    for i in inputs {
        if let Value::Computed(placed) = cx.value(i)?
            && cx.graph()[placed.id].ty.dtype != DType::F32
        {
            let what = "compares whole numbers that the network is given: give it what is made of them";
            return Err(Error::Invalid(what.to_string()));
        }
    }
    let difference = cx.part("Sub", "difference", &inputs.map(|i| cx.input_name(i)))?;
    cx.part("Sign", "sign", &[difference])
}

/// 1 minus the truth value.
pub fn not(cx: &mut Operator) -> Result<()> {
    let one = cx.known_as("one", Array::real(&[], vec![1.0]));
    cx.become_part("Sub", &[one, cx.input_name(0)])
}

/// A product.
pub fn and(cx: &mut Operator) -> Result<()> {
    let inputs = [truths(cx, 0)?, truths(cx, 1)?];
    cx.become_part("Mul", &inputs)
}

/// The greater one.
pub fn or(cx: &mut Operator) -> Result<()> {
    let inputs = [truths(cx, 0)?, truths(cx, 1)?];
    cx.become_part("Max", &inputs)
}

/// The name of input `i`, whose truth values are real numbers.
fn truths(cx: &mut Operator, i: usize) -> Result<String> {
    let Some(array) = cx.known(i)? else { return Ok(cx.input_name(i)) };
    let Some(truths) = array.wholes() else { return Ok(cx.input_name(i)) };
    let reals = truths.iter().map(|&truth| if truth != 0 { 1.0 } else { 0.0 }).collect();
    Ok(cx.known_as(&format!("truths{i}"), Array::real(&array.dims, reals)))
}

/// Where a condition holds input 1, elsewhere input 2: the sum of both, each times a truth value.
pub fn choice(cx: &mut Operator) -> Result<()> {
    let holds = truths(cx, 0)?;
    let fails = cx.part("Not", "fails", std::slice::from_ref(&holds))?;
    let mut terms = Vec::new();
    for (i, share) in [(1, holds), (2, fails)] {
        let what = format!("chosen{i}");
        terms.push(match cx.known(i)? {
            Some(array) if cx.known(0)?.is_some() => known_term(cx, i, &array)?,
            Some(array) if array.reals().is_none_or(|x| x.iter().any(|x| !x.is_finite())) => {
                let what = "chooses between what the network computes and numbers that are not finite: mask with a large \
                            one, such as -1e4, instead of an infinite one";
                return Err(Error::Invalid(what.to_string()));
            }
            _ => cx.part("Mul", &what, &[share, cx.input_name(i)])?,
        });
    }
    cx.become_part("Add", &terms)
}

/// Input `i` where the known condition chooses it, else 0: it may be infinite, and no product.
fn known_term(cx: &mut Operator, i: usize, array: &Array) -> Result<String> {
    let zero = match &array.numbers {
        Numbers::Real(_) => Array::real(&[], vec![0.0]),
        Numbers::Whole(_, ty) => Array::plain(Vec::new(), Numbers::Whole(vec![0], *ty)),
    };
    let zero = cx.known_as("zero", zero);
    let mut inputs = [cx.input_name(0), zero.clone(), zero];
    inputs[i] = cx.input_name(i);
    cx.part("Where", &format!("chosen{i}"), &inputs)
}
