//! Leaky ReLU: see the runtime's operator of this name.

use dunlin::ops::LeakyRelu;

use super::{Backward, HostOperator};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::{Lowering, factor};
use crate::{Error, Node, Result, TensorId};

impl HostOperator for LeakyRelu {
    const TFLITE: &'static [Rule] = &[Rule::new("LEAKY_RELU", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is for inference only"))
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let LeakyRelu::F32 { alpha } = *self else {
            return Err(Error::graph(&node.name, "is in device form already"));
        };
        let (x, out) = (cx.quant(node, node.inputs[0])?, cx.quant(node, node.outputs[0])?);
        let ratio = x.scale() as f64 / out.scale() as f64;
        let op = LeakyRelu::I8 {
            positive: factor(node, ratio)?,
            negative: factor(node, x.scale() as f64 * alpha as f64 / out.scale() as f64)?,
        };
        let x = cx.stored(node.inputs[0])?;
        cx.emit(node, op, &[x])
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let alpha = cx.option(schema::leaky_relu::ALPHA, 0f32)?;
    cx.emit_unary(LeakyRelu::F32 { alpha })
}
