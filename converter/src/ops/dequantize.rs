//! Dequantization: see the runtime's operator of this name.

use dunlin::TensorType;
use dunlin::ops::{Dequantize, Outputs};

use super::quantize::identity;
use super::{Backward, Channels, HostOperator, OutputQuant};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Dequantize {
    const TFLITE: &'static [Rule] = &[Rule::new("DEQUANTIZE", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it follows a quantization, and rounding is flat almost everywhere"))
    }

    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Real
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 1 }
    }

    /// In real form it is the identity.
    fn infer_real(&self, inputs: &[TensorType]) -> Result<Outputs, dunlin::Error> {
        identity(inputs)
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let scale = cx.quant(node, node.inputs[0])?.scale();
        let x = cx.stored(node.inputs[0])?;
        cx.emit(node, Dequantize { scale }, &[x])
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        cx.operator_of(node, ("DEQUANTIZE", 2), None)
    }
}

/// A constant is computed here: so are weights that the file keeps in half precision.
fn import(cx: &mut Operator) -> Result<()> {
    if cx.emit_real_constant()? {
        return Ok(());
    }
    let x = cx.input(0)?;
    let scale = cx.graph()[x].quant.as_ref().map_or(0.0, |quant| quant.scale());
    cx.emit(Dequantize { scale }, &[x])
}
