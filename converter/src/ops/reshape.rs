//! Reshape: see the runtime's operator of this name.

use dunlin::Shape;
use dunlin::ops::Reshape;

use super::{Backward, Channels, HostOperator, OutputQuant};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Reshape {
    const TFLITE: &'static [Rule] = &[
        Rule { name: "RESHAPE", data_inputs: 0..1, import },
        Rule { name: "SQUEEZE", data_inputs: 0..1, import },
        Rule { name: "EXPAND_DIMS", data_inputs: 0..1, import },
        Rule { name: "FILL", data_inputs: 1..2, import: import_fill },
    ];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (grad, shape) = (cx.grad()?, cx.graph[cx.input(0)].ty.shape);
        Ok(vec![Some(cx.apply("grad", Reshape::new(&shape), &[grad])?)])
    }

    /// The device copies stored numbers.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::SameAs(0)
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Reshaped
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.emit_copying(node, *self)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let dims: Vec<i32> = cx.graph.dims(node.outputs[0]).iter().map(|&dim| dim as i32).collect();
        let inputs = [cx.tensor(node.inputs[0])?, cx.ints(node, "shape", &[dims.len()], &dims)?];
        let output = cx.output(node)?;
        let options = Table::new().with(schema::reshape::NEW_SHAPE, &dims[..]);
        cx.operator(("RESHAPE", 1), &inputs, &[output], Some((schema::options::RESHAPE, options)));
        Ok(())
    }
}

/// Every operator that only renames dimensions: the file declares the shape of its output. Where it leaves more than the
/// batch open, the shape is an input.
fn import(cx: &mut Operator) -> Result<()> {
    let (x, mut dims) = (cx.input(0)?, cx.output_dims(0)?);
    let count = cx.dims(0)?.iter().product();
    if cx.name() == "RESHAPE" && product(dims.iter().copied()) != count {
        dims = given_dims(&cx.ints(1)?, count)?;
    }
    cx.emit(reshape_to(&dims)?, &[x])
}

/// Of numbers that a file may name: as large as it gets.
fn product(dims: impl Iterator<Item = usize>) -> usize {
    dims.fold(1, usize::saturating_mul)
}

/// FILL: a constant of a shape that may be computed from others.
fn import_fill(cx: &mut Operator) -> Result<()> {
    let given = cx.ints(0)?;
    let count = product(given.iter().filter_map(|&dim| usize::try_from(dim).ok()));
    cx.emit_filled(&given_dims(&given, count)?, 1)
}

/// Dimensions for `count` elements, of which one may be left open as -1.
fn given_dims(given: &[i32], count: usize) -> Result<Vec<usize>> {
    let given_count = product(given.iter().filter_map(|&dim| usize::try_from(dim).ok()));
    let open = count.checked_div(given_count).unwrap_or(0);
    let dim = |&dim: &i32| if dim == -1 { Ok(open) } else { usize::try_from(dim) };
    given.iter().map(dim).collect::<Result<_, _>>().map_err(|_| {
        Error::Invalid(format!("reshapes {count} elements to {given:?}: export it with fixed shapes"))
    })
}

/// A reshape to `dims`.
pub(crate) fn reshape_to(dims: &[usize]) -> Result<Reshape> {
    let shape = Shape::new(dims);
    let shape = shape.map_err(|_| {
        Error::Invalid(format!("{dims:?} has more than 4 dimensions, which is the most, or none"))
    })?;
    Ok(Reshape::new(&shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(Reshape::new(&dunlin::Shape::new(&[6, 4]).unwrap()), &[&[2, 3, 4]]).check();
    }
}
