//! Vectors divided by their norm: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pointwise::Function;
use dunlin::ops::{L2Normalize, Maximum, Pointwise};

use super::{Backward, HostOperator, OutputQuant};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for L2Normalize {
    const TFLITE: &'static [Rule] = &[Rule::new("L2_NORMALIZATION", import)];

    /// With the norm n: `(dy - y * sum(dy * y)) / n`, the sum over the innermost axis.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, y, dy) = (cx.input(0), cx.output(0), cx.grad()?);
        let mut dims = cx.graph.dims(y);
        dims.last_mut().into_iter().for_each(|dim| *dim = 1);
        let squares = cx.mul("squares", x, x)?;
        let square = cx.sum_to("square", squares, &dims)?;
        let least = cx.filled("least", &[1], 1e-12)?;
        let square = cx.apply("bounded", Maximum {}, &[square, least])?;
        let inverse = cx.apply("inverse", Pointwise { function: Function::Rsqrt }, &[square])?;
        let product = cx.mul("product", dy, y)?;
        let along = cx.sum_to("along", product, &dims)?;
        let minus_along = cx.scale("minus", along, -1.0)?;
        let share = cx.mul("share", y, minus_along)?;
        let across = cx.add("across", dy, share)?;
        Ok(vec![Some(cx.mul("dx", across, inverse)?)])
    }

    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Fixed { scale: L2Normalize::SCALE, zero_point: L2Normalize::ZERO_POINT as i32 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.fixed_quant(node)?;
        let x = cx.stored(node.inputs[0])?;
        cx.emit(node, *self, &[x])
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        cx.operator_of(node, ("L2_NORMALIZATION", 2), Some((schema::options::L2_NORMALIZATION, Table::new())))
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    if cx.activation(schema::arithmetic::ACTIVATION)? != Bounds::None {
        return Err(Error::Invalid("has a fused activation, which no converter makes".to_string()));
    }
    let x = cx.input(0)?;
    cx.emit(L2Normalize {}, &[x])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        // Beside short vectors differences say little.
        Case::of(L2Normalize {}, &[&[3, 4]]).shifted(0, 1.5).check();
        Case::of(L2Normalize {}, &[&[2, 1, 3, 4]]).shifted(0, -2.0).check();
    }
}
