//! Mean: see the runtime's operator of this name.

use dunlin::ops::Mean;

use super::{Backward, Channels, HostOperator};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::{Lowering, factor};
use crate::{Node, Result, TensorId};

impl HostOperator for Mean {
    const TFLITE: &'static [Rule] = &[Rule::new("MEAN", import)];

    /// Every element has the same share of its mean.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (dims, dy) = (cx.graph.dims(cx.input(0)), cx.grad()?);
        Ok(vec![Some(spread(cx, (self.axes, &dims), dy, |n| 1.0 / n as f32)?)])
    }

    fn channels(&self, rank: usize) -> Channels {
        let last = rank.saturating_sub(1);
        if self.axes >> last & 1 == 0 { Channels::Same } else { Channels::Mixed }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let (from, to) = (node.inputs[0], node.outputs[0]);
        let (x, out) = (cx.quant(node, from)?, cx.quant(node, to)?);
        let ratio = factor(node, x.scale() as f64 / out.scale() as f64)?;
        let n = cx.real[from].ty.shape.count() / cx.real[to].ty.shape.count();
        let x = cx.stored(from)?;
        cx.emit(node, Mean { factor: Some(Mean::factor_of(ratio, n)), ..*self }, &[x])
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        export_reduction(cx, node, "MEAN", self)
    }
}

/// The gradient of a reduction of `dims` along `axes`: `dy` times the share of each of `n` elements.
pub(super) fn spread(
    cx: &mut Backward,
    (axes, dims): (u8, &[usize]),
    dy: TensorId,
    share_of: impl Fn(usize) -> f32,
) -> Result<TensorId> {
    let (mut kept, mut reduced) = (dims.to_vec(), dims.to_vec());
    for axis in 0..dims.len() {
        let other = if axes >> axis & 1 != 0 { &mut kept } else { &mut reduced };
        other[axis] = 1;
    }
    let n: usize = reduced.iter().product();
    let dy = cx.reshape("dy", dy, &kept)?;
    let shares = cx.filled("shares", &reduced, share_of(n))?;
    cx.mul("dx", dy, shares)
}

/// Appends the operator `name` of TensorFlow Lite over the axes of a mean.
pub(super) fn export_reduction(cx: &mut Writer, node: &Node, name: &'static str, mean: &Mean) -> Result<()> {
    let axes: Vec<i32> = (0..8).filter(|axis| mean.axes >> axis & 1 != 0).collect();
    let inputs = [cx.tensor(node.inputs[0])?, cx.ints(node, "axes", &[axes.len()], &axes)?];
    let output = cx.output(node)?;
    let options = Table::new().with(schema::reducer::KEEP_DIMS, mean.keep_dims);
    cx.operator((name, 2), &inputs, &[output], Some((schema::options::REDUCER, options)));
    Ok(())
}

fn import(cx: &mut Operator) -> Result<()> {
    let (x, mean) = (cx.input(0)?, imported(cx)?);
    cx.emit(mean, &[x])
}

/// The mean over the dimensions that a reduction's input 1 and options name.
pub(super) fn imported(cx: &mut Operator) -> Result<Mean> {
    let rank = cx.dims(0)?.len();
    let mut axes = 0;
    for axis in cx.ints(1)? {
        axes |= 1 << cx.axis(axis, rank)?;
    }
    let keep_dims = cx.flag(schema::reducer::KEEP_DIMS)?;
    Ok(Mean { axes, keep_dims, factor: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for axes in 1u8..16 {
            Case::of(Mean { axes, keep_dims: axes % 2 == 0, factor: None }, &[&[2, 3, 2, 3]]).check();
        }
    }
}
