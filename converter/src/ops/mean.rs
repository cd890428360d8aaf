//! Mean: see the runtime's operator of this name.

use dunlin::ops::Mean;

use super::{Backward, HostOperator};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::{Lowering, factor};
use crate::{Node, Result, TensorId};

impl HostOperator for Mean {
    const TFLITE: &'static [Rule] = &[Rule::new("MEAN", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("not yet"))
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let (from, to) = (node.inputs[0], node.outputs[0]);
        let (x, out) = (cx.quant(node, from)?, cx.quant(node, to)?);
        let ratio = factor(node, x.scale() as f64 / out.scale() as f64)?;
        let n = cx.real[from].ty.shape.count() / cx.real[to].ty.shape.count();
        let x = cx.stored(from)?;
        cx.emit(node, Mean { factor: Some(Mean::factor_of(ratio, n)), ..*self }, &[x])
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (x, rank) = (cx.input(0)?, cx.dims(0)?.len());
    let mut axes = 0;
    for axis in cx.ints(1)? {
        axes |= 1 << cx.axis(axis, rank)?;
    }
    let keep_dims = cx.flag(schema::reducer::KEEP_DIMS)?;
    cx.emit(Mean { axes, keep_dims, factor: None }, &[x])
}
