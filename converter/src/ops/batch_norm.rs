//! Batch normalization: see the runtime's operator of this name.

use dunlin::ops::BatchNorm;

use super::{Backward, HostOperator, InputRole};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for BatchNorm {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("its statistics are fixed"))
    }

    fn input_role(&self, i: usize) -> InputRole {
        if i == 0 { InputRole::Activation } else { InputRole::Real }
    }

    fn lower_i8(&self, _cx: &mut Lowering, node: &Node) -> Result<()> {
        Err(Error::graph(&node.name, "batch normalization computes in f32 only: fold it before quantizing"))
    }
}
