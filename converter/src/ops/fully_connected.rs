//! Fully connected layer: see the runtime's operator of this name.

use dunlin::ops::FullyConnected;
use dunlin::ops::bounds::Bounds;

use super::conv2d::weights_role;
use super::{Backward, HostOperator, InputRole, Op};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for FullyConnected {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        if self.bounds != Bounds::None {
            return Err(cx.none("its activation is fused; differentiate before the fusing pass"));
        }
        Err(cx.none("not yet"))
    }

    fn input_role(&self, i: usize) -> InputRole {
        weights_role(i, 0)
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.bounds == Bounds::None).then_some(Op::FullyConnected(FullyConnected { bounds }))
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let c_out = cx.real.dims(node.inputs[1])[0];
        let table = cx.channel_table(node, c_out)?;
        let [x, w] = cx.stored_pair(node)?;
        let op = FullyConnected { bounds: cx.bounds(node, self.bounds)? };
        cx.emit(node, op, &[x, w, table])
    }
}
