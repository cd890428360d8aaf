//! Average pooling: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::{AveragePool2d, AveragePool2dGrad};

use super::{Backward, Channels, HostOperator, Op, OutputQuant};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for AveragePool2d {
    const TFLITE: &'static [Rule] = &[Rule::new("AVERAGE_POOL_2D", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (image, dy) = (cx.graph.dims(cx.input(0)), cx.grad_before(self.0.bounds)?);
        let op = AveragePool2dGrad { pooling: self.0, image: [image[1] as u32, image[2] as u32] };
        Ok(vec![Some(cx.apply("dx", op, &[dy])?)])
    }

    /// The device takes the mean of the stored numbers.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::SameAs(0)
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.0.bounds == Bounds::None)
            .then_some(Op::AveragePool2d(AveragePool2d(Pooling { bounds, ..self.0 })))
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Same
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.same_quant(node, 0)?;
        let x = cx.stored(node.inputs[0])?;
        let op = Pooling { bounds: cx.bounds(node, self.0.bounds)?, ..self.0 };
        cx.emit(node, AveragePool2d(op), &[x])
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        cx.pooling(node, ("AVERAGE_POOL_2D", 2), &self.0)
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (x, pooling) = (cx.input(0)?, cx.pooling()?);
    cx.emit(AveragePool2d(pooling), &[x])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::differences::{Case, poolings};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn gradient(pooling in poolings(&[2, 5, 3, 2])) {
            Case::of(AveragePool2d(pooling), &[&[2, 5, 3, 2]]).check();
        }
    }
}
