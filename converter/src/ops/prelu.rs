//! Parametric ReLU: see the runtime's operator of this name.

use dunlin::ops::Prelu;
use dunlin::ops::prelu::PreluFactors;

use super::{Backward, HostOperator};
use crate::import::tflite::{Operator, Rule};
use crate::lower::{Lowering, factor};
use crate::{Node, Result, TensorId};

impl HostOperator for Prelu {
    const TFLITE: &'static [Rule] = &[Rule::new("PRELU", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is for inference only"))
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let [x, slope, out] = cx.pair_scales(node)?;
        let factors =
            PreluFactors { positive: factor(node, x / out)?, negative: factor(node, x * slope / out)? };
        let inputs = cx.stored_pair(node)?;
        cx.emit(node, Prelu { factors: Some(factors) }, &inputs)
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let inputs = cx.inputs()?;
    cx.emit(Prelu { factors: None }, &inputs)
}
