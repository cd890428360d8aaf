//! Sums of products over named indices.

use std::collections::BTreeMap;

use crate::{Array, Error, Number, Result};

/// NumPy's `einsum`: `"ij,jk->ik"` names the dimensions of each array and of the result; names that the result does not
/// have are summed over, and a name that comes twice in an array takes its diagonal. Without `->` the result has the
/// names that come once, in alphabetical order.
///
/// All arrays are multiplied element by element: two matrices are faster with [`Array::matmul`].
///
/// # Errors
/// If the names do not fit the arrays; names both.
pub fn einsum<T: Number>(subscripts: &str, arrays: &[&Array<T>]) -> Result<Array<T>> {
    let text: String = subscripts.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match text.split_once("->") {
        Some((inputs, output)) => (inputs.to_string(), output.to_string()),
        None => (text.clone(), implicit(&text)),
    };
    let inputs: Vec<&str> = inputs.split(',').collect();
    let lens = lengths(subscripts, &inputs, arrays)?;
    let unique = output.chars().all(|c| output.matches(c).count() == 1);
    if !unique || output.chars().any(|c| !lens.contains_key(&c)) {
        return Error::invalid(format!(
            "einsum \"{subscripts}\": the result's names are not those of the arrays"
        ));
    }
    // The result's names first, then those that are summed over.
    let summed = lens.keys().filter(|&&c| !output.contains(c));
    let names: Vec<char> = output.chars().chain(summed.copied()).collect();
    let dims: Vec<usize> = names.iter().map(|name| lens[name]).collect();
    let strides: Vec<Vec<isize>> = inputs.iter().zip(arrays).map(|(i, a)| steps(i, a, &names)).collect();
    let elements: Vec<Vec<T>> = arrays.iter().map(|a| a.to_vec()).collect();

    let (out_dims, lane_dims) = dims.split_at(output.chars().count());
    let [n_out, n_lane] = [out_dims, lane_dims].map(|dims| dims.iter().product::<usize>());
    let mut sums = vec![T::ZERO; n_out];
    let mut index = vec![0; dims.len()];
    let mut places = vec![0isize; arrays.len()];
    for sum in &mut sums {
        for _ in 0..n_lane {
            let product = places.iter().zip(&elements).map(|(&place, elements)| elements[place as usize]);
            *sum = sum.plus(product.fold(T::ONE, T::times));
            advance(&mut index, &dims, &strides, &mut places);
        }
    }
    Array::new(out_dims, sums)
}

/// Names that come once, in alphabetical order.
fn implicit(inputs: &str) -> String {
    let mut names: Vec<char> =
        inputs.chars().filter(|&c| c != ',' && inputs.matches(c).count() == 1).collect();
    names.sort_unstable();
    names.into_iter().collect()
}

/// The length of each name.
fn lengths<T: Number>(
    subscripts: &str,
    inputs: &[&str],
    arrays: &[&Array<T>],
) -> Result<BTreeMap<char, usize>> {
    let shapes: Vec<_> = arrays.iter().map(|a| a.dims()).collect();
    let wrong = || Error::Invalid(format!("einsum \"{subscripts}\" does not take shapes {shapes:?}"));
    let fits = |(names, array): (&&str, &&Array<T>)| names.chars().count() == array.n_dims();
    if inputs.len() != arrays.len() || !inputs.iter().zip(arrays).all(fits) {
        return Err(wrong());
    }
    let mut lens = BTreeMap::new();
    for (name, &len) in inputs.iter().zip(&shapes).flat_map(|(names, dims)| names.chars().zip(dims.iter())) {
        if !name.is_alphabetic() || *lens.entry(name).or_insert(len) != len {
            return Err(wrong());
        }
    }
    Ok(lens)
}

/// How far a step along each of `names` goes in an array's elements in row-major order.
fn steps<T: Number>(own: &str, array: &Array<T>, names: &[char]) -> Vec<isize> {
    let mut steps = vec![0; names.len()];
    let mut stride = 1;
    for (name, &len) in own.chars().rev().zip(array.dims().iter().rev()) {
        for (step, _) in steps.iter_mut().zip(names).filter(|(_, other)| **other == name) {
            *step += stride;
        }
        stride *= len as isize;
    }
    steps
}

/// The next index in row-major order, with the place in each array.
fn advance(index: &mut [usize], dims: &[usize], strides: &[Vec<isize>], places: &mut [isize]) {
    for axis in (0..dims.len()).rev() {
        index[axis] += 1;
        let back = if index[axis] == dims[axis] { std::mem::take(&mut index[axis]) as isize } else { 0 };
        for (place, strides) in places.iter_mut().zip(strides) {
            *place += strides[axis] * (1 - back);
        }
        if back == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let a = Array::<f64>::zeros(&[2, 3]);
        for subscripts in ["ij,jk->ik", "ii->i", "i->i", "ijk", "i.->i"] {
            let error =
                einsum(subscripts, &[&a, &a][..1 + usize::from(subscripts.contains(','))]).unwrap_err();
            assert!(error.to_string().contains("does not take shapes [[2, 3]"), "{error}");
        }
        let error = einsum("ij->ik", &[&a]).unwrap_err().to_string();
        assert!(error.contains("the result's names"), "{error}");
    }
}
