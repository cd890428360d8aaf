//! Maximum of two tensors: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{ClampGrad, Maximum, Sub};

use super::quantize::requantized_inputs;
use super::{Backward, Channels, HostOperator};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Maximum {
    const TFLITE: &'static [Rule] = &[Rule::new("MAXIMUM", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        split_by_order(cx, [0, 1])
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 2 }
    }

    /// The device compares stored numbers.
    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let inputs = requantized_inputs(cx, node)?;
        cx.emit(node, *self, &inputs)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let (inputs, output) = (cx.requantized_inputs(node)?, cx.output(node)?);
        cx.operator(("MAXIMUM", 2), &inputs, &[output], None);
        Ok(())
    }
}

/// The gradients of both inputs: an element of the output's goes to the first input where input `greater` is
/// greater than input `lesser`, else to the second.
pub(super) fn split_by_order(
    cx: &mut Backward,
    [greater, lesser]: [usize; 2],
) -> Result<Vec<Option<TensorId>>> {
    let (dy, pair) = (cx.grad()?, [greater, lesser].map(|i| cx.input(i)));
    let sub = Sub { bounds: Bounds::None, factors: None };
    let difference = cx.apply("difference", sub, &pair)?;
    let to_first = cx.apply("to_first", ClampGrad { bounds: Bounds::RELU }, &[dy, difference])?;
    let to_second = cx.apply("to_second", sub, &[dy, to_first])?;
    let mut grads = Vec::new();
    for (i, part) in [to_first, to_second].into_iter().enumerate() {
        let dims = cx.graph.dims(cx.input(i));
        grads.push(cx.when_wanted(i, |cx| cx.sum_to("dx", part, &dims))?);
    }
    Ok(grads)
}

fn import(cx: &mut Operator) -> Result<()> {
    let inputs = cx.inputs()?;
    cx.emit(Maximum {}, &inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        // The operands are at least 1/24 apart, and either is the greater somewhere.
        Case::of(Maximum {}, &[&[2, 12], &[12]]).check();
        Case::of(Maximum {}, &[&[12], &[2, 12]]).check();
        Case::of(Maximum {}, &[&[2, 12], &[2, 12]]).shifted(0, 1.0 / 24.0).check();
    }
}
