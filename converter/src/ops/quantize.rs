//! Quantization: see the runtime's operator of this name.

use dunlin::TensorType;
use dunlin::ops::{Outputs, Quantize};

use super::{Backward, Channels, HostOperator};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::{Lowering, factor};
use crate::{Node, Quant, Result, TensorId};

impl HostOperator for Quantize {
    const TFLITE: &'static [Rule] = &[Rule::new("QUANTIZE", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("rounding is flat almost everywhere"))
    }

    /// In real form it is the identity: the output's quantization says what is stored.
    fn infer_real(&self, inputs: &[TensorType]) -> Result<Outputs, dunlin::Error> {
        identity(inputs)
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 1 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let scale = cx.quant(node, node.outputs[0])?.scale();
        let op = if cx.real[node.inputs[0]].quant.is_none() {
            Quantize::F32 { scale }
        } else {
            requantize(node, cx.quant(node, node.inputs[0])?, scale)?
        };
        let x = cx.stored(node.inputs[0])?;
        cx.emit(node, op, &[x])
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        cx.operator_of(node, ("QUANTIZE", 1), None)
    }
}

/// From int8 stored as `from` to int8 of scale `to`.
pub(super) fn requantize(node: &Node, from: &Quant, to: f32) -> Result<Quantize> {
    Ok(Quantize::I8 { factor: factor(node, from.scale() as f64 / to as f64)? })
}

/// The stored inputs of a node that moves stored numbers as they are: those that are quantized in another way
/// than its output are requantized before.
pub(super) fn requantized_inputs(cx: &mut Lowering, node: &Node) -> Result<Vec<TensorId>> {
    let out = cx.quant(node, node.outputs[0])?;
    let mut inputs = Vec::new();
    for (i, &id) in node.inputs.iter().enumerate() {
        let (quant, x) = (cx.quant(node, id)?, cx.stored(id)?);
        inputs.push(if quant.scale() == out.scale() && quant.zero_point == out.zero_point {
            x
        } else {
            let name = format!("{}/requantize{i}", node.name);
            cx.insert(&name, requantize(node, quant, out.scale())?, &[x], out)?
        });
    }
    Ok(inputs)
}

/// The type of the one input.
pub(super) fn identity(inputs: &[TensorType]) -> Result<Outputs, dunlin::Error> {
    match inputs {
        [x] => Ok([*x].into_iter().collect()),
        _ => Err(dunlin::Error::Arity),
    }
}

/// From uint8 to int8 of the same scale nothing changes: Dunlin stores both in one way.
fn import(cx: &mut Operator) -> Result<()> {
    if cx.input_quant(0)?.is_some() && cx.input_quant(0)? == cx.output_quant(0)? {
        return cx.forward(0);
    }
    let x = cx.input(0)?;
    let scale = cx.output_quant(0)?.map_or(0.0, |quant| quant.scale());
    cx.emit(Quantize::F32 { scale }, &[x])
}
