//! Product of two tensors: see the runtime's operator of this name.

use dunlin::ops::Mul;
use dunlin::ops::bounds::Bounds;

use super::{Backward, HostOperator, Op};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::{Lowering, factor};
use crate::{Node, Result, TensorId};

impl HostOperator for Mul {
    const TFLITE: &'static [Rule] = &[Rule::new("MUL", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("not yet"))
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.bounds == Bounds::None).then_some(Op::Mul(Mul { bounds, ..*self }))
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let [a, b, out] = cx.pair_scales(node)?;
        let op = Mul { bounds: cx.bounds(node, self.bounds)?, factor: Some(factor(node, a * b / out)?) };
        let inputs = cx.stored_pair(node)?;
        cx.emit(node, op, &inputs)
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (inputs, bounds) = (cx.inputs()?, cx.activation(schema::arithmetic::ACTIVATION)?);
    cx.emit(Mul { bounds, factor: None }, &inputs)
}
