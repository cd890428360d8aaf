//! Maximum of two tensors: see the runtime's operator of this name.

use dunlin::ops::Maximum;

use super::quantize::requantized_inputs;
use super::{Backward, HostOperator};
use crate::import::tflite::{Operator, Rule};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Maximum {
    const TFLITE: &'static [Rule] = &[Rule::new("MAXIMUM", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is for inference only"))
    }

    /// The device compares stored numbers.
    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let inputs = requantized_inputs(cx, node)?;
        cx.emit(node, *self, &inputs)
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let inputs = cx.inputs()?;
    cx.emit(Maximum {}, &inputs)
}
