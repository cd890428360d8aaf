//! Sums of products in Einstein's notation: `bhid,bhjd->bhij`.

use super::super::Placed;
use super::super::operator::Operator;
use super::super::view::View;
use super::dense::product;
use crate::{Error, Result};

/// Of two tensors: their axes in the order of a product of matrices, one for each index of the axes that all three have.
pub fn import(cx: &mut Operator) -> Result<()> {
    let equation: String = cx.text("equation", "")?.chars().filter(|c| !c.is_whitespace()).collect();
    let refuse = || {
        let what = format!(
            "computes {equation}: products of two tensors are taken, without repeated letters in one"
        );
        Error::Invalid(what)
    };
    let (operands, out) = equation.split_once("->").ok_or_else(refuse)?;
    let (of_a, of_b) = operands.split_once(',').ok_or_else(refuse)?;
    let [of_a, of_b, out] = [of_a, of_b, out].map(|letters| letters.chars().collect::<Vec<char>>());
    let is_plain = |letters: &Vec<char>| {
        let each =
            |(i, letter): (usize, &char)| letter.is_ascii_alphabetic() && !letters[..i].contains(letter);
        letters.iter().enumerate().all(each)
    };
    let is_known = |letter: &char| {
        [&of_a, &of_b, &out].into_iter().filter(|letters| letters.contains(letter)).count() >= 2
    };
    let all = [&of_a[..], &of_b, &out].concat();
    if ![&of_a, &of_b, &out].into_iter().all(is_plain) || !all.iter().all(is_known) || cx.n_inputs() != 2 {
        return Err(refuse());
    }
    let (a, b) = (cx.placed(0)?, cx.placed(1)?);
    let (a_dims, b_dims) = (a.view.dims(), b.view.dims());
    let size = |letter: &char| {
        let in_a = of_a.iter().position(|each| each == letter).map(|i| a_dims[i]);
        in_a.or_else(|| of_b.iter().position(|each| each == letter).map(|i| b_dims[i])).unwrap_or(1)
    };
    let fits = of_b.iter().zip(&b_dims).all(|(letter, dim)| size(letter) == *dim);
    if of_a.len() != a_dims.len() || of_b.len() != b_dims.len() || !fits {
        return Err(Error::Invalid(format!("computes {equation} of {a_dims:?} and {b_dims:?}")));
    }
    let of = |is: &dyn Fn(&char) -> bool, letters: &[char]| -> Vec<char> {
        letters.iter().copied().filter(|letter| is(letter)).collect()
    };
    let outer = of(&|letter| of_a.contains(letter) && of_b.contains(letter), &out);
    let rows = of(&|letter| !of_b.contains(letter), &of_a);
    let summed = of(&|letter| !out.contains(letter), &of_a);
    let columns = of(&|letter| !of_a.contains(letter), &of_b);
    let count = |letters: &[char]| letters.iter().map(size).product::<usize>();
    let [n, m, k, l] = [&outer, &rows, &summed, &columns].map(|letters| count(letters));
    let a = in_matrices(cx, a, &of_a, [&outer[..], &rows, &summed].concat(), [n, m, k])?;
    let b = in_matrices(cx, b, &of_b, [&outer[..], &summed, &columns].concat(), [n, k, l])?;
    let made = product(cx, "", a, b)?;
    let letters = [outer, rows, columns].concat();
    let dims: Vec<usize> = letters.iter().map(size).collect();
    let view = made.view.reshaped(&dims).ok_or_else(refuse)?;
    cx.emit(0, made.id, view.transposed(&places(&out, &letters)))
}

/// Where each of `wanted` stands in `letters`.
fn places(wanted: &[char], letters: &[char]) -> Vec<usize> {
    wanted.iter().filter_map(|letter| letters.iter().position(|each| each == letter)).collect()
}

/// A tensor with axes `letters` as matrices of `dims`, whose axes are `wanted` in order.
fn in_matrices(
    cx: &mut Operator,
    Placed { id, view }: Placed,
    letters: &[char],
    wanted: Vec<char>,
    dims: [usize; 3],
) -> Result<Placed> {
    let view = view.transposed(&places(&wanted, letters));
    if let Some(view) = view.reshaped(&dims) {
        return Ok(Placed { id, view });
    }
    let plain = View::row_major(&view.dims());
    let id = cx.moved(&Placed { id, view }, &plain, &[plain.count()])?;
    Ok(Placed { id, view: View::row_major(&dims) })
}
