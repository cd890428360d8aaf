//! Clamp: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Clamp, ClampGrad};

use super::{Backward, HostOperator};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::{Lowering, factor};
use crate::{Node, Result, TensorId};

impl HostOperator for Clamp {
    const TFLITE: &'static [Rule] = &[
        Rule::new("RELU", |cx| import(cx, Bounds::RELU)),
        Rule::new("RELU6", |cx| import(cx, Bounds::RELU6)),
        Rule::new("RELU_N1_TO_1", |cx| import(cx, Bounds::F32 { lo: -1.0, hi: 1.0 })),
        Rule::new("RELU_0_TO_1", |cx| import(cx, Bounds::F32 { lo: 0.0, hi: 1.0 })),
    ];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, dy) = (cx.input(0), cx.grad()?);
        Ok(vec![Some(cx.apply("dx", ClampGrad { bounds: self.bounds }, &[dy, x])?)])
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let (x, out) = (cx.quant(node, node.inputs[0])?, cx.quant(node, node.outputs[0])?);
        let ratio = || factor(node, x.scale() as f64 / out.scale() as f64);
        let op = Clamp {
            bounds: cx.bounds(node, self.bounds)?,
            factor: if x == out { None } else { Some(ratio()?) },
        };
        let x = cx.stored(node.inputs[0])?;
        cx.emit(node, op, &[x])
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
    cx.emit_unary(Clamp { bounds, factor: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for (lo, hi) in [(0.0, f32::INFINITY), (-0.5, 0.5)] {
            Case::of(Clamp { bounds: Bounds::F32 { lo, hi }, factor: None }, &[&[2, 12]]).check();
        }
    }
}
