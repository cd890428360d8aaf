//! Padding: see the runtime's operator of this name.

use dunlin::ops::Pad;

use super::{Backward, HostOperator, OutputQuant};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Pad {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("not yet"))
    }

    /// The device copies stored numbers.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::SameAs(0)
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.same_quant(node, 0)?;
        let x = cx.stored(node.inputs[0])?;
        cx.emit(node, *self, &[x])
    }
}
