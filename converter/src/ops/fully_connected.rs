//! Fully connected layer: see the runtime's operator of this name.

use dunlin::ops::FullyConnected;
use dunlin::ops::bounds::Bounds;

use super::conv2d::weights_role;
use super::reshape::reshape_to;
use super::{Backward, HostOperator, InputRole, Op};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for FullyConnected {
    const TFLITE: &'static [Rule] = &[Rule::new("FULLY_CONNECTED", import)];

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

/// The output has two dimensions, or as many as the input: a reshape follows where the file wants that.
fn import(cx: &mut Operator) -> Result<()> {
    use schema::fully_connected::*;
    if cx.option(WEIGHTS_FORMAT, 0i8)? != 0 {
        return Err(Error::Invalid("has shuffled weights: convert the model anew".to_string()));
    }
    let inputs = cx.layer_inputs()?;
    let op = FullyConnected { bounds: cx.activation(ACTIVATION)? };
    let dims = cx.output_dims(0)?;
    if dims.len() == 2 {
        return cx.emit(op, &inputs);
    }
    let quant = cx.output_quant(0)?;
    let flat = cx.apply("flat", op, &inputs, quant)?;
    cx.emit(reshape_to(&dims)?, &[flat])
}
