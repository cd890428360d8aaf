//! Softmax: see the runtime's operator of this name.

use dunlin::ops::Softmax;

use super::{Backward, HostOperator, OutputQuant};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Softmax {
    const TFLITE: &'static [Rule] = &[Rule::new("SOFTMAX", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("not yet"))
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
}

fn import(cx: &mut Operator) -> Result<()> {
    let (x, beta) = (cx.input(0)?, cx.option(schema::softmax::BETA, 0f32)?);
    cx.emit(Softmax::F32 { beta }, &[x])
}
