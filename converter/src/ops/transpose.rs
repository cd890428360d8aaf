//! Transposition: see the runtime's operator of this name.

use dunlin::ops::Transpose;

use super::{Backward, Channels, HostOperator, OutputQuant};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Transpose {
    const TFLITE: &'static [Rule] = &[Rule::new("TRANSPOSE", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let dy = cx.grad()?;
        Ok(vec![Some(cx.apply("dx", self.inverse(), &[dy])?)])
    }

    /// The device copies stored numbers.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::SameAs(0)
    }

    fn channels(&self, rank: usize) -> Channels {
        let last = rank.saturating_sub(1);
        if usize::from(self.perm[last]) == last { Channels::Same } else { Channels::Mixed }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.emit_copying(node, *self)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let rank = cx.graph.dims(node.inputs[0]).len();
        let perm: Vec<i32> = self.perm[..rank].iter().map(|&axis| axis.into()).collect();
        let inputs = [cx.tensor(node.inputs[0])?, cx.ints(node, "perm", &[rank], &perm)?];
        let output = cx.output(node)?;
        cx.operator(("TRANSPOSE", 2), &inputs, &[output], None);
        Ok(())
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (x, rank) = (cx.input(0)?, cx.dims(0)?.len());
    let given = cx.ints(1)?;
    if given.len() != rank {
        return Err(Error::Invalid(format!("names {} dimensions of {rank}", given.len())));
    }
    let mut perm = [0, 1, 2, 3];
    for (slot, &axis) in perm.iter_mut().zip(&given) {
        *slot = cx.axis(axis, rank)? as u8;
    }
    cx.emit(Transpose { perm }, &[x])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(Transpose { perm: [2, 0, 3, 1] }, &[&[2, 3, 2, 2]]).check();
    }
}
