//! Softmax: see the runtime's operator of this name.

use dunlin::ops::Softmax;

use super::{Backward, HostOperator, OutputQuant};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Softmax {
    const TFLITE: &'static [Rule] = &[Rule::new("SOFTMAX", import)];

    /// `beta * y * (dy - sum(dy * y))`, the sum over the innermost axis.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let Softmax::F32 { beta } = *self else {
            return Err(cx.none("it is in device form"));
        };
        let (y, dy) = (cx.output(0), cx.grad()?);
        let mut dims = cx.graph.dims(y);
        dims.last_mut().into_iter().for_each(|dim| *dim = 1);
        let product = cx.mul("product", dy, y)?;
        let sum = cx.sum_to("sum", product, &dims)?;
        let minus_sum = cx.scale("minus", sum, -1.0)?;
        let share = cx.mul("share", y, minus_sum)?;
        let dx = cx.add("dx", product, share)?;
        Ok(vec![Some(if beta == 1.0 { dx } else { cx.scale("dx", dx, beta)? })])
    }

    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Fixed { scale: Softmax::SCALE, zero_point: Softmax::ZERO_POINT as i32 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.fixed_quant(node)?;
        let Softmax::F32 { beta } = *self else {
            return Err(Error::graph(&node.name, "is in device form already"));
        };
        let scale = cx.quant(node, node.inputs[0])?.scale();
        let op = Softmax::quantized(beta, scale).ok_or_else(|| {
            let what =
                format!("its input's scale {scale} times beta {beta} is too small: softmax is constant");
            Error::graph(&node.name, what)
        })?;
        let x = cx.stored(node.inputs[0])?;
        cx.emit(node, op, &[x])
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let Softmax::F32 { beta } = *self else {
            return Err(Error::graph(&node.name, "is in device form already"));
        };
        let options = Table::new().with(schema::softmax::BETA, beta);
        cx.operator_of(node, ("SOFTMAX", 2), Some((schema::options::SOFTMAX, options)))
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (x, beta) = (cx.input(0)?, cx.option(schema::softmax::BETA, 0f32)?);
    cx.emit(Softmax::F32 { beta }, &[x])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(Softmax::F32 { beta: 1.0 }, &[&[3, 4]]).check();
        Case::of(Softmax::F32 { beta: 2.5 }, &[&[2, 1, 3, 4]]).check();
    }
}
