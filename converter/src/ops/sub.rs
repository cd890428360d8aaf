//! Difference of two tensors: see the runtime's operator of this name.

use dunlin::ops::Sub;
use dunlin::ops::bounds::Bounds;

use super::add::factors;
use super::{Backward, Channels, HostOperator, Op, weighted_sum};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::pack::{Forms, Layers};
use crate::{Node, Result, TensorId};

impl HostOperator for Sub {
    const TFLITE: &'static [Rule] = &[Rule::new("SUB", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let dy = cx.grad_before(self.bounds)?;
        let [a, b] = [0, 1].map(|i| cx.graph.dims(cx.input(i)));
        let da = cx.when_wanted(0, |cx| cx.sum_to("dx", dy, &a))?;
        let db = cx.when_wanted(1, |cx| {
            let minus = cx.scale("minus", dy, -1.0)?;
            cx.sum_to("dx", minus, &b)
        })?;
        Ok(vec![da, db])
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.bounds == Bounds::None).then_some(Op::Sub(Sub { bounds, ..*self }))
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 2 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let op = Sub { bounds: cx.bounds(node, self.bounds)?, factors: Some(factors(cx, node)?) };
        let inputs = cx.stored_pair(node)?;
        cx.emit(node, op, &inputs)
    }

    fn pack(&self, layers: &Layers, node: &Node) -> Forms {
        let of = |factors| weighted_sum::of(layers.graph, node, self.bounds, factors, -1);
        Forms { plain: self.factors.and_then(of), expanded: None }
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let (inputs, (activation, output)) = (cx.inputs(node)?, cx.activation(node, self.bounds)?);
        let options = Table::new().with(schema::arithmetic::ACTIVATION, activation);
        cx.operator(("SUB", 2), &inputs, &[output], Some((schema::options::SUB, options)));
        Ok(())
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (inputs, bounds) = (cx.inputs()?, cx.activation(schema::arithmetic::ACTIVATION)?);
    cx.emit(Sub { bounds, factors: None }, &inputs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::differences::{Case, broadcast};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn gradient([a, b] in broadcast()) {
            Case::of(Sub { bounds: Bounds::None, factors: None }, &[&a, &b]).check();
        }
    }
}
