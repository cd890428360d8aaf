//! Concatenation: see the runtime's operator of this name.

use dunlin::ops::Concat;

use super::{Backward, HostOperator};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Concat {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("not yet"))
    }

    /// The device copies stored numbers, so inputs that are quantized in another way than the output are
    /// requantized before.
    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        for i in 0..node.inputs.len() {
            cx.same_quant(node, i)?;
        }
        let inputs: Vec<TensorId> = node.inputs.iter().map(|&id| cx.stored(id)).collect::<Result<_>>()?;
        cx.emit(node, *self, &inputs)
    }
}
