//! Max pooling: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::ops::{MaxPool2d, MaxPool2dGrad};

use super::reshape::reshape_to;
use super::{Backward, Channels, HostOperator, Op, OutputQuant};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for MaxPool2d {
    const TFLITE: &'static [Rule] =
        &[Rule::new("MAX_POOL_2D", import), Rule::new("REDUCE_MAX", import_reduction)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, dy) = (cx.input(0), cx.grad_before(self.0.bounds)?);
        Ok(vec![Some(cx.apply("dx", MaxPool2dGrad(self.0), &[dy, x])?)])
    }

    /// The device takes the maximum of the stored numbers.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::SameAs(0)
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.0.bounds == Bounds::None).then_some(Op::MaxPool2d(MaxPool2d(Pooling { bounds, ..self.0 })))
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Same
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.same_quant(node, 0)?;
        let x = cx.stored(node.inputs[0])?;
        let op = Pooling { bounds: cx.bounds(node, self.0.bounds)?, ..self.0 };
        cx.emit(node, MaxPool2d(op), &[x])
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        cx.pooling(node, ("MAX_POOL_2D", 2), &self.0)
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (x, pooling) = (cx.input(0)?, cx.pooling()?);
    cx.emit(MaxPool2d(pooling), &[x])
}

/// REDUCE_MAX along neighbouring dimensions: a window as large as they are.
fn import_reduction(cx: &mut Operator) -> Result<()> {
    let (x, dims, quant) = (cx.input(0)?, cx.dims(0)?, cx.input_quant(0)?);
    let axes: Vec<usize> =
        cx.ints(1)?.iter().map(|&axis| cx.axis(axis, dims.len())).collect::<Result<_>>()?;
    let (Some(&first), Some(&last)) = (axes.iter().min(), axes.iter().max()) else {
        return cx.emit(reshape_to(&dims)?, &[x]);
    };
    let sizes = match &dims[first..=last] {
        [size] => [*size, 1],
        sizes => [sizes[0], sizes[1..].iter().product()],
    };
    let [Ok(h), Ok(w)] = sizes.map(u8::try_from) else {
        let what = format!(
            "takes the greatest of {} numbers along a dimension: at most 255",
            sizes[0].max(sizes[1])
        );
        return Err(Error::Invalid(what));
    };
    if (first..=last).any(|axis| !axes.contains(&axis)) {
        return Err(Error::Invalid(format!("reduces dimensions {axes:?}, which are not side by side")));
    }
    let (outer, inner) = (dims[..first].iter().product(), dims[last + 1..].iter().product());
    let image = reshape_to(&[outer, h.into(), w.into(), inner])?;
    let image = cx.apply("image", image, &[x], quant.clone())?;
    let pooling = Pooling { kernel: [h, w], window: Window::UNIT, bounds: Bounds::None };
    let greatest = cx.apply("greatest", MaxPool2d(pooling), &[image], quant)?;
    let dims = cx.output_dims(0)?;
    cx.emit(reshape_to(&dims)?, &[greatest])
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
            Case::of(MaxPool2d(pooling), &[&[2, 5, 3, 2]]).check();
        }
    }
}
