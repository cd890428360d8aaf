//! Sum of two tensors: see the runtime's operator of this name.

use dunlin::ops::Add;
use dunlin::ops::add::{AddFactors, LEFT_SHIFT};
use dunlin::ops::bounds::Bounds;

use super::{Backward, Channels, HostOperator, Op, weighted_sum};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::{Lowering, factor};
use crate::pack::{Forms, Layers};
use crate::{Node, Result, TensorId};

impl HostOperator for Add {
    const TFLITE: &'static [Rule] = &[Rule::new("ADD", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let dy = cx.grad_before(self.bounds)?;
        let mut grads = Vec::new();
        for i in 0..2 {
            let dims = cx.graph.dims(cx.input(i));
            grads.push(cx.when_wanted(i, |cx| cx.sum_to("dx", dy, &dims))?);
        }
        Ok(grads)
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.bounds == Bounds::None).then_some(Op::Add(Add { bounds, ..*self }))
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 2 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let op = Add { bounds: cx.bounds(node, self.bounds)?, factors: Some(factors(cx, node)?) };
        let inputs = cx.stored_pair(node)?;
        cx.emit(node, op, &inputs)
    }

    fn pack(&self, layers: &Layers, node: &Node) -> Forms {
        let of = |factors| weighted_sum::of(layers.graph, node, self.bounds, factors, 1);
        Forms { plain: self.factors.and_then(of), expanded: None }
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let (inputs, (activation, output)) = (cx.inputs(node)?, cx.activation(node, self.bounds)?);
        let options = Table::new().with(schema::arithmetic::ACTIVATION, activation);
        cx.operator(("ADD", 2), &inputs, &[output], Some((schema::options::ADD, options)));
        Ok(())
    }
}

/// The factors of a sum or a difference.
pub(super) fn factors(cx: &Lowering, node: &Node) -> Result<AddFactors> {
    let [a, b, out] = cx.pair_scales(node)?;
    let common = 2.0 * a.max(b);
    let headroom = f64::from(1 << LEFT_SHIFT);
    Ok(AddFactors {
        operands: [factor(node, a / common)?, factor(node, b / common)?],
        output: factor(node, common / (headroom * out))?,
    })
}

fn import(cx: &mut Operator) -> Result<()> {
    let (inputs, bounds) = (cx.inputs()?, cx.activation(schema::arithmetic::ACTIVATION)?);
    cx.emit(Add { bounds, factors: None }, &inputs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::differences::{Case, broadcast};
    use crate::{Graph, Quant};

    #[test]
    fn scales_that_do_not_fit_are_named() {
        let mut graph = Graph::new("one sum");
        let [a, b] = ["a", "b"].map(|name| graph.input(name, &[2, 3]).unwrap());
        let y = graph.apply("sum", Add { bounds: Bounds::None, factors: None }, &[a, b]).unwrap();
        [a, b].into_iter().for_each(|id| graph[id].quant = Some(Quant::i8(1.0, 4)));
        graph.mark_output(y);
        for (scale, parts) in
            [(1e-7, ["`a` 1, `b` 1", "`sum` 0.0000001"]), (1e-30, ["beyond 31 bits", "add"])]
        {
            graph[y].quant = Some(Quant::i8(scale, 0));
            let error = crate::lower::lower(&graph).unwrap_err().to_string();
            assert!(
                parts.into_iter().chain(["sum: ", "--samples"]).all(|part| error.contains(part)),
                "{error}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn gradient([a, b] in broadcast()) {
            Case::of(Add { bounds: Bounds::None, factors: None }, &[&a, &b]).check();
        }
    }
}
