//! Reshape: see the runtime's operator of this name.

use dunlin::ops::Reshape;

use super::{Backward, HostOperator, OutputQuant};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Reshape {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (grad, shape) = (cx.grad()?, cx.graph[cx.input(0)].ty.shape);
        Ok(vec![Some(cx.apply("grad", Reshape::new(&shape), &[grad])?)])
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
