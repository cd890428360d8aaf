//! Leaky ReLU: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{ClampGrad, LeakyRelu};

use super::{Backward, Channels, HostOperator};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for LeakyRelu {
    const TFLITE: &'static [Rule] = &[Rule::new("LEAKY_RELU", import)];

    /// `alpha * dy`, and `(1 - alpha) * dy` more where x is positive.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let alpha = self.alpha;
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
        let (x, out) = (cx.quant(node, node.inputs[0])?, cx.quant(node, node.outputs[0])?);
        let table = self.table((x.scale(), x.zero_point), (out.scale(), out.zero_point));
        cx.emit_table(node, table)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let options = Table::new().with(schema::leaky_relu::ALPHA, self.alpha);
        cx.operator_of(node, ("LEAKY_RELU", 2), Some((schema::options::LEAKY_RELU, options)))
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let alpha = cx.option(schema::leaky_relu::ALPHA, 0f32)?;
    cx.emit_unary(LeakyRelu { alpha })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(LeakyRelu { alpha: 0.3 }, &[&[2, 12]]).check();
    }
}
