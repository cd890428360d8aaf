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
        let Some(rule) = rule(operator.name) else { return Ok(None) };
        let mut inputs = Vec::new();
        for input in operator.inputs.iter().flatten() {
            match self.follow(file, *input, dims, left)? {
                Some(ints) => inputs.push(ints),
                None => return Ok(None),
            }
        }
        Ok(rule(operator, &inputs)?.filter(|ints| ints.len() <= MAX_INTS))
    }
}

/// What an operator makes of rows of numbers, if it can be told.
type Rule = fn(&OperatorRecord, &[Vec<i32>]) -> Result<Option<Vec<i32>>>;

fn rule(name: &str) -> Option<Rule> {
    Some(match name {
        "PACK" | "CONCATENATION" => |_, rows| Ok(Some(rows.concat())),
        "CAST" | "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS" => |_, rows| Ok(rows.first().cloned()),
        "GATHER" => |_, rows| Ok(gathered(rows)),
        "REDUCE_PROD" => |_, rows| {
            let product = |row: &Vec<i32>| row.iter().try_fold(1i32, |product, &n| product.checked_mul(n));
            Ok(rows.first().and_then(product).map(|product| vec![product]))
        },
        "STRIDED_SLICE" => |operator, rows| match rows {
            [row, begin, end, stride] if stride[..] == [1] => sliced(operator, row, begin, end),
            _ => Ok(None),
        },
        _ => return None,
    })
}

/// Numbers at places.
fn gathered(rows: &[Vec<i32>]) -> Option<Vec<i32>> {
    let [row, places, ..] = rows else { return None };
    places.iter().map(|&place| row.get(usize::try_from(place).ok()?).copied()).collect()
}

/// Numbers `begin..end` of a row, from which negative ones count back from behind.
fn sliced(operator: &OperatorRecord, row: &[i32], begin: &[i32], end: &[i32]) -> Result<Option<Vec<i32>>> {
    use schema::strided_slice::*;
    let (&[begin], &[end]) = (begin, end) else { return Ok(None) };
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
