//! Hyperbolic tangent: see the runtime's operator of this name.

use dunlin::ops::Tanh;

use super::{Backward, Channels, HostOperator, OutputQuant};
use crate::export::tflite::Writer;
use crate::import::tflite::Rule;
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Tanh {
    const TFLITE: &'static [Rule] = &[Rule::new("TANH", |cx| cx.emit_unary(Tanh {}))];

    /// `dy - dy * y * y`.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (y, dy) = (cx.output(0), cx.grad()?);
        let once = cx.mul("once", dy, y)?;
        let twice = cx.mul("twice", once, y)?;
        let minus = cx.scale("minus", twice, -1.0)?;
        Ok(vec![Some(cx.add("dx", dy, minus)?)])
    }

    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Fixed { scale: Tanh::SCALE, zero_point: Tanh::ZERO_POINT as i32 }
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 1 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.fixed_quant(node)?;
        let x = cx.quant(node, node.inputs[0])?;
        cx.emit_table(node, Tanh::table(x.scale(), x.zero_point))
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        cx.operator_of(node, ("TANH", 2), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(Tanh {}, &[&[3, 4]]).check();
    }
}
