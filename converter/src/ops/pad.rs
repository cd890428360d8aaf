//! Padding: see the runtime's operator of this name.

use dunlin::ops::{Pad, Slice};

use super::{Backward, Channels, HostOperator, OutputQuant};
use crate::autograd::padded_dims;
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Pad {
    const TFLITE: &'static [Rule] = &[Rule::new("PAD", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (dims, dy) = (cx.graph.dims(cx.input(0)), cx.grad()?);
        let begin = self.pads.map(|[before, _]| before as u32);
        let op = Slice { begin, len: padded_dims(&dims, 1), stride: [1; 4] };
        Ok(vec![Some(cx.apply("dx", op, &[dy])?)])
    }

    /// The device copies stored numbers.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::SameAs(0)
    }

    fn channels(&self, rank: usize) -> Channels {
        let last = rank.saturating_sub(1);
        if self.pads[last] == [0; 2] { Channels::Same } else { Channels::Mixed }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.emit_copying(node, *self)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let rank = cx.graph.dims(node.inputs[0]).len();
        let pads: Vec<i32> = self.pads[..rank].as_flattened().iter().map(|&pad| pad.into()).collect();
        let inputs = [cx.tensor(node.inputs[0])?, cx.ints(node, "pads", &[rank, 2], &pads)?];
        let output = cx.output(node)?;
        cx.operator(("PAD", 2), &inputs, &[output], None);
        Ok(())
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let x = cx.input(0)?;
    let rank = cx.dims(0)?.len();
    let given = cx.ints(1)?;
    let mut pads = [[0; 2]; 4];
    if given.len() != 2 * rank {
        return Err(Error::Invalid(format!("has {} paddings for {rank} dimensions", given.len())));
    }
    for (slot, &pad) in pads.as_flattened_mut().iter_mut().zip(&given) {
        *slot =
            u16::try_from(pad).map_err(|_| Error::Invalid(format!("pads by {pad}, beyond 0 to 65535")))?;
    }
    cx.emit(Pad { pads }, &[x])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(Pad { pads: [[1, 0], [0, 2], [1, 1], [2, 0]] }, &[&[2, 2, 3, 2]]).check();
    }
}
