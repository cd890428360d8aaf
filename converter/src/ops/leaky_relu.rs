//! Leaky ReLU: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{ClampGrad, Factor, LeakyRelu};

use super::{Backward, Channels, HostOperator};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::{Lowering, factor};
use crate::{Error, Node, Result, TensorId};

impl HostOperator for LeakyRelu {
    const TFLITE: &'static [Rule] = &[Rule::new("LEAKY_RELU", import)];

    /// `alpha * dy`, and `(1 - alpha) * dy` more where x is positive.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let LeakyRelu::F32 { alpha } = *self else {
            return Err(cx.none("it computes in int8"));
        };
        let (x, dy) = (cx.input(0), cx.grad()?);
        let everywhere = cx.scale("everywhere", dy, alpha)?;
        let positive = cx.apply("positive", ClampGrad { bounds: Bounds::RELU }, &[dy, x])?;
        let more = cx.scale("more", positive, 1.0 - alpha)?;
        Ok(vec![Some(cx.add("dx", everywhere, more)?)])
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 1 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let LeakyRelu::F32 { alpha } = *self else {
            return Err(Error::graph(&node.name, "is in device form already"));
        };
        let (x, out) = (cx.quant(node, node.inputs[0])?, cx.quant(node, node.outputs[0])?);
        let (x_scale, out_scale) = (x.scale() as f64, out.scale() as f64);
        let slope = factor(node, x_scale * alpha.abs() as f64 / out_scale)?;
        let sign = if alpha < 0.0 { -1 } else { 1 };
        let op = LeakyRelu::I8 {
            positive: factor(node, x_scale / out_scale)?,
            negative: Factor { multiplier: sign * slope.multiplier, ..slope },
        };
        let x = cx.stored(node.inputs[0])?;
        cx.emit(node, op, &[x])
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let LeakyRelu::F32 { alpha } = *self else {
            return Err(Error::graph(&node.name, "is in device form already"));
        };
        let options = Table::new().with(schema::leaky_relu::ALPHA, alpha);
        cx.operator_of(node, ("LEAKY_RELU", 2), Some((schema::options::LEAKY_RELU, options)))
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let alpha = cx.option(schema::leaky_relu::ALPHA, 0f32)?;
    cx.emit_unary(LeakyRelu::F32 { alpha })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(LeakyRelu::F32 { alpha: 0.3 }, &[&[2, 12]]).check();
    }
}
