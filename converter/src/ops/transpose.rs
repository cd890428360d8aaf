//! Transposition: see the runtime's operator of this name.

use dunlin::ops::Transpose;

use super::reshape::reshape_to;
use super::{Backward, Channels, HostOperator, OutputQuant};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Transpose {
    const TFLITE: &'static [Rule] = &[
        Rule::new("TRANSPOSE", import),
        Rule::new("DEPTH_TO_SPACE", |cx| import_blocks(cx, true)),
        Rule::new("SPACE_TO_DEPTH", |cx| import_blocks(cx, false)),
    ];

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

/// DEPTH_TO_SPACE makes blocks of pixels of a pixel's channels, SPACE_TO_DEPTH goes back.
fn import_blocks(cx: &mut Operator, to_space: bool) -> Result<()> {
    let (x, dims, quant) = (cx.input(0)?, cx.dims(0)?, cx.input_quant(0)?);
    let outputs = cx.output_dims(0)?;
    let block = usize::try_from(cx.option(schema::block::SIZE, 0i32)?).unwrap_or(0).max(1);
    let (deep, wide) = if to_space { (&dims, &outputs) } else { (&outputs, &dims) };
    let (&[n, h, w, c], &[_, tall, _, _]) = (&deep[..], &wide[..]) else {
        return Err(Error::Invalid("takes images of 4 dimensions alone".to_string()));
    };
    if tall != h * block || c % (block * block) != 0 {
        return Err(Error::Invalid(format!("has blocks of {block} pixels between {dims:?} and {outputs:?}")));
    }
    // Rows of pixels, rows of a block; or the other way round.
    let rows = if to_space { [n * h, w, block, c / block] } else { [n * h, block, w, c / block] };
    let rows = cx.apply("rows", reshape_to(&rows)?, &[x], quant.clone())?;
    let turned = cx.apply("turned", Transpose { perm: [0, 2, 1, 3] }, &[rows], quant)?;
    cx.emit(reshape_to(&outputs)?, &[turned])
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
