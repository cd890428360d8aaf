//! Hyperbolic tangent: see the runtime's operator of this name.

use dunlin::ops::Tanh;

use super::{Backward, HostOperator, OutputQuant};
use crate::import::tflite::Rule;
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Tanh {
    const TFLITE: &'static [Rule] = &[Rule::new("TANH", |cx| cx.emit_unary(Tanh {}))];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("not yet"))
    }

    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Fixed { scale: Tanh::SCALE, zero_point: Tanh::ZERO_POINT as i32 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.fixed_quant(node)?;
        let x = cx.quant(node, node.inputs[0])?;
        cx.emit_table(node, *self, Tanh::table(x.scale(), x.zero_point))
    }
}
