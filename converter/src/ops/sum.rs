//! Sum along axes: see the runtime's operator of this name.

use dunlin::ops::{Mean, Sum};

use super::{Backward, Channels, HostOperator, mean};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::{Lowering, factor};
use crate::{Node, Result, TensorId};

impl HostOperator for Sum {
    const TFLITE: &'static [Rule] = &[Rule::new("SUM", import)];

    /// Each element has all of the sum's.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (dims, dy) = (cx.graph.dims(cx.input(0)), cx.grad()?);
        Ok(vec![Some(mean::spread(cx, (self.axes, &dims), dy, |_| 1.0)?)])
    }

    fn channels(&self, rank: usize) -> Channels {
        self.mean().channels(rank)
    }

    /// As a mean whose factor divides by nothing.
    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let (x, out) = (cx.quant(node, node.inputs[0])?, cx.quant(node, node.outputs[0])?);
        let ratio = factor(node, x.scale() as f64 / out.scale() as f64)?;
        let x = cx.stored(node.inputs[0])?;
        cx.emit(node, Mean { factor: Some(ratio), ..self.mean() }, &[x])
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        mean::export_reduction(cx, node, "SUM", &self.mean())
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (x, Mean { axes, keep_dims, .. }) = (cx.input(0)?, mean::imported(cx)?);
    cx.emit(Sum { axes, keep_dims }, &[x])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for axes in 1u8..16 {
            Case::of(Sum { axes, keep_dims: axes % 2 == 0 }, &[&[2, 3, 2, 3]]).check();
        }
    }
}
