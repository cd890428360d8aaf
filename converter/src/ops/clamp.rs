//! Clamp: see the runtime's operator of this name.

use dunlin::ops::Clamp;
use dunlin::ops::bounds::Bounds;

use super::{Backward, Channels, HostOperator};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Clamp {
    const TFLITE: &'static [Rule] = &[
        Rule::new("RELU", |cx| import(cx, Bounds::RELU)),
        // TensorFlow Lite Micro leaves the output's scale out of account where it is another one; TensorFlow Lite does not.
        Rule::new("RELU6", |cx| import(cx, Bounds::RELU6)),
        Rule::new("RELU_N1_TO_1", |cx| import(cx, Bounds::F32 { lo: -1.0, hi: 1.0 })),
        Rule::new("RELU_0_TO_1", |cx| import(cx, Bounds::F32 { lo: 0.0, hi: 1.0 })),
    ];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Ok(vec![Some(cx.grad_before(self.bounds)?)])
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 1 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let (x, out) = (cx.quant(node, node.inputs[0])?, cx.quant(node, node.outputs[0])?);
        let op = Clamp { bounds: cx.bounds(node, self.bounds)? };
        if x == out {
            let x = cx.stored(node.inputs[0])?;
            return cx.emit(node, op, &[x]);
        }
        let table = op.table((x.scale(), x.zero_point), (out.scale(), out.zero_point));
        cx.emit_table(node, table)
    }

    /// As one operator, or as a maximum and a minimum where there is none for the bounds.
    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        match self.bounds {
            Bounds::RELU => cx.operator_of(node, ("RELU", 2), None),
            bounds => {
                let (x, output) = (cx.requantized(node, node.inputs[0])?, cx.output(node)?);
                match bounds {
                    Bounds::RELU6 => cx.operator(("RELU6", 2), &[x], &[output], None),
                    _ => cx.clamp(node, bounds, x, output),
                }
                Ok(())
            }
        }
    }
}

fn import(cx: &mut Operator, bounds: Bounds) -> Result<()> {
    cx.emit_unary(Clamp { bounds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for (lo, hi) in [(0.0, f32::INFINITY), (-0.5, 0.5)] {
            Case::of(Clamp { bounds: Bounds::F32 { lo, hi } }, &[&[2, 12]]).check();
        }
    }
}
