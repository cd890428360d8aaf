//! Clamp: see the runtime's operator of this name.

use dunlin::ops::Clamp;

use super::{Backward, HostOperator};
use crate::lower::{Lowering, factor};
use crate::{Node, Result, TensorId};

impl HostOperator for Clamp {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("not yet"))
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
}
