//! Gated recurrent unit: see the runtime's operator of this name.

use dunlin::ops::{Gru, GruGrad};

use super::{Backward, HostOperator, InputRole, OutputQuant, recurrent};
use crate::export::tflite::Writer;
use crate::lower::Lowering;
use crate::{Error, Node, Quant, Result, TensorId};

impl HostOperator for Gru {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let every = (!self.sequences).then_some(Gru { sequences: true }.into());
        let [h, dh] = recurrent::states(cx, every)?;
        let inputs = [&cx.node.inputs[..], &[h, dh]].concat();
        let name = cx.name("darguments");
        let arguments = cx.graph.apply_all(&name, GruGrad {}, &inputs)?;
        recurrent::gradients(cx, h, [arguments[0], arguments[1]])
    }

    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Fixed { scale: Gru::SCALE, zero_point: Gru::ZERO_POINT as i32 }
    }

    fn input_role(&self, i: usize) -> InputRole {
        recurrent::input_role(i)
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.fixed_quant(node)?;
        let hidden = Quant::i8(Gru::SCALE, Gru::ZERO_POINT as i32);
        let inputs = recurrent::stored_inputs(cx, node, [3, 4], &hidden)?;
        cx.emit(node, *self, &inputs)
    }

    fn export_tflite(&self, _cx: &mut Writer, node: &Node) -> Result<()> {
        let what =
            "TensorFlow Lite has no GRU: write a .dunlin, or make the layer of other operators (`unrolled`)";
        Err(Error::graph(&node.name, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for sequences in [false, true] {
            Case::of(Gru { sequences }, &[&[2, 4, 3], &[6, 3], &[6, 2], &[6], &[6]]).check();
        }
    }

    /// Nothing goes through the recurrent weights then.
    #[test]
    fn gradient_of_a_single_step() {
        for sequences in [false, true] {
            let case = Case::new(&[&[2, 1, 3], &[6, 3], &[6], &[6]], |graph, x| {
                let u = graph.filled("u", &[6, 2], 0.5)?;
                graph.apply("y", Gru { sequences }, &[x[0], x[1], u, x[2], x[3]])
            });
            case.check();
        }
    }
}
