//! Minimum of two tensors: see the runtime's operator of this name.

use dunlin::ops::Minimum;

use super::maximum::split_by_order;
use super::quantize::requantized_inputs;
use super::{Backward, Channels, HostOperator};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Minimum {
    const TFLITE: &'static [Rule] = &[Rule::new("MINIMUM", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        split_by_order(cx, [1, 0])
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
        cx.operator(("MINIMUM", 2), &inputs, &[output], None);
        Ok(())
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let inputs = cx.inputs()?;
    cx.emit(Minimum {}, &inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        // The operands are at least 1/24 apart, and either is the greater somewhere.
        Case::of(Minimum {}, &[&[2, 12], &[12]]).check();
        Case::of(Minimum {}, &[&[12], &[2, 12]]).check();
        Case::of(Minimum {}, &[&[2, 12], &[2, 12]]).shifted(0, 1.0 / 24.0).check();
    }
}
