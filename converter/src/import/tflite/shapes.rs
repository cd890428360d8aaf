//! Shapes that a file computes while it runs: of a network for any batch, what SHAPE, STRIDED_SLICE, PACK and others make
//! of the dimensions of tensors is known as soon as the batch is.

use std::collections::HashMap;

use super::file::{File, OperatorRecord};
use super::{data, schema};
use crate::{Data, Result};

/// The most operators that one shape is followed through; also keeps a file whose operators read their own results from
/// leading in circles.
const MAX_OPERATORS: usize = 64;
/// The most numbers of a shape.
const MAX_INTS: usize = 64;

/// Dimensions of the tensors of the file that are known.
type Dims<'d> = &'d dyn Fn(usize) -> Option<Vec<usize>>;

/// All operators, by the tensor that they write first.
pub struct Shapes<'a>(HashMap<usize, OperatorRecord<'a>>);

impl<'a> Shapes<'a> {
    /// Those of a file.
    ///
    /// # Errors
    /// If one does not hold together.
    pub fn of(file: &File<'a>) -> Result<Shapes<'a>> {
        let operators = file.operators()?.into_iter();
        Ok(Shapes(operators.filter_map(|each| Some((*each.outputs.first()?, each))).collect()))
    }

    /// The operator that computes `tensor`.
    pub fn producer(&self, tensor: usize) -> Option<&OperatorRecord<'a>> {
        self.0.get(&tensor)
    }

    /// The integers of `tensor`, if it is a constant of int32, or computed from such and from shapes alone.
    ///
    /// # Errors
    /// If the file is damaged there.
    pub fn ints(&self, file: &File, tensor: usize, dims: Dims) -> Result<Option<Vec<i32>>> {
        self.follow(file, tensor, dims, &mut { MAX_OPERATORS })
    }

    fn follow(&self, file: &File, tensor: usize, dims: Dims, left: &mut usize) -> Result<Option<Vec<i32>>> {
        if let Some(ints) = constant(file, tensor)? {
            return Ok(Some(ints));
        }
        let Some(operator) = self.0.get(&tensor).filter(|_| *left > 0) else { return Ok(None) };
        *left -= 1;
        if operator.name == "SHAPE" {
            let dims = operator.inputs.first().copied().flatten().and_then(dims);
            return Ok(dims.map(|dims| dims.into_iter().map(|dim| dim as i32).collect()));
        }
        if !COMPUTED.contains(&operator.name) {
            return Ok(None);
        }
        let mut inputs = Vec::new();
        for input in operator.inputs.iter().flatten() {
            match self.follow(file, *input, dims, left)? {
                Some(ints) => inputs.push(ints),
                None => return Ok(None),
            }
        }
        Ok(computed(operator, &inputs)?.filter(|ints| ints.len() <= MAX_INTS))
    }
}

/// The operators that [`computed`] knows.
const COMPUTED: [&str; 9] = [
    "PACK",
    "CONCATENATION",
    "STRIDED_SLICE",
    "GATHER",
    "REDUCE_PROD",
    "CAST",
    "RESHAPE",
    "SQUEEZE",
    "EXPAND_DIMS",
];

/// What an operator makes of numbers in a row.
fn computed(operator: &OperatorRecord, inputs: &[Vec<i32>]) -> Result<Option<Vec<i32>>> {
    let Some(first) = inputs.first() else { return Ok(None) };
    Ok(match (operator.name, inputs) {
        ("PACK" | "CONCATENATION", _) => Some(inputs.concat()),
        ("GATHER", [_, places]) => places
            .iter()
            .map(|&place| usize::try_from(place).ok().and_then(|i| first.get(i).copied()))
            .collect(),
        ("REDUCE_PROD", _) => {
            first.iter().try_fold(1i32, |product, &n| product.checked_mul(n)).map(|product| vec![product])
        }
        ("STRIDED_SLICE", [_, begin, end, stride]) => match (&begin[..], &end[..], &stride[..]) {
            (&[begin], &[end], &[1]) => sliced(operator, first, begin, end)?,
            _ => None,
        },
        ("CAST" | "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS", _) => Some(first.clone()),
        _ => None,
    })
}

/// Numbers `begin..end` of a row, from which negative ones count back from behind.
fn sliced(operator: &OperatorRecord, row: &[i32], begin: i32, end: i32) -> Result<Option<Vec<i32>>> {
    use schema::strided_slice::*;
    let place =
        |n: i32| (if n < 0 { i64::from(n) + row.len() as i64 } else { n.into() }).clamp(0, row.len() as i64);
    let is_set = |field| Ok::<bool, crate::Error>(operator.option(field, 0i32)? & 1 != 0);
    let begin = if is_set(BEGIN_MASK)? { 0 } else { place(begin) };
    let end = match is_set(SHRINK_AXIS_MASK)? {
        true => begin + 1,
        false if is_set(END_MASK)? => row.len() as i64,
        false => place(end),
    };
    Ok(row.get(begin as usize..end as usize).map(<[i32]>::to_vec))
}

/// The integers of `tensor`, if it is a constant of int32.
///
/// # Errors
/// If the file is damaged there.
pub fn constant(file: &File, tensor: usize) -> Result<Option<Vec<i32>>> {
    let tensor = file.tensor(tensor)?;
    Ok(match tensor.data.map(|bytes| data(&tensor, bytes)) {
        Some(Ok(Data::I32(ints))) => Some(ints),
        _ => None,
    })
}
