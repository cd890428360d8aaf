//! Parametric ReLU: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::prelu::PreluFactors;
use dunlin::ops::{ClampGrad, Prelu, Sub};

use super::{Backward, Channels, HostOperator};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::{Lowering, factor};
use crate::{Node, Result, TensorId};

impl HostOperator for Prelu {
    const TFLITE: &'static [Rule] = &[Rule::new("PRELU", import)];

    /// Where x is negative, `slope * dy` and `x * dy`; else `dy` and nothing.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, slope, dy) = (cx.input(0), cx.input(1), cx.grad()?);
        let positive = cx.apply("positive", ClampGrad { bounds: Bounds::RELU }, &[dy, x])?;
        let negative = cx.apply("negative", Sub { bounds: Bounds::None, factors: None }, &[dy, positive])?;
        let dx = cx.when_wanted(0, |cx| {
            let sloped = cx.mul("sloped", negative, slope)?;
            cx.add("dx", positive, sloped)
        })?;
        let dslope = cx.when_wanted(1, |cx| {
            let product = cx.mul("product", negative, x)?;
            let dims = cx.graph.dims(slope);
            cx.sum_to("dslope", product, &dims)
        })?;
        Ok(vec![dx, dslope])
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 2 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let [x, slope, out] = cx.pair_scales(node)?;
        let factors =
            PreluFactors { positive: factor(node, x / out)?, negative: factor(node, x * slope / out)? };
        let inputs = cx.stored_pair(node)?;
        cx.emit(node, Prelu { factors: Some(factors) }, &inputs)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        cx.operator_of(node, ("PRELU", 1), None)
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let inputs = cx.inputs()?;
    cx.emit(Prelu { factors: None }, &inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(Prelu { factors: None }, &[&[4, 12], &[12]]).check();
    }
}
