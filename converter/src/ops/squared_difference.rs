//! Squared difference of two tensors: see the runtime's operator of this name.

use dunlin::ops::SquaredDifference;
use dunlin::ops::add::AddFactors;
use dunlin::ops::squared_difference::LEFT_SHIFT;

use super::{Backward, Channels, HostOperator};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::{Lowering, factor};
use crate::{Node, Result, TensorId};

impl HostOperator for SquaredDifference {
    const TFLITE: &'static [Rule] = &[Rule::new("SQUARED_DIFFERENCE", import)];

    /// `2 (a - b) dy`, and minus that.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let ([a, b], dy) = ([cx.input(0), cx.input(1)], cx.grad()?);
        let [a_dims, b_dims] = [a, b].map(|id| cx.graph.dims(id));
        let difference = cx.graph.sub("difference", a, b)?;
        let twice = cx.scale("twice", difference, 2.0)?;
        let slope = cx.mul("slope", dy, twice)?;
        let da = cx.when_wanted(0, |cx| cx.sum_to("da", slope, &a_dims))?;
        let db = cx.when_wanted(1, |cx| {
            let minus = cx.scale("minus", slope, -1.0)?;
            cx.sum_to("db", minus, &b_dims)
        })?;
        Ok(vec![da, db])
    }

    fn channels(&self, _rank: usize) -> Channels {
        // The square first falls, then rises with either operand: both ends say nothing of what is between.
        Channels::Opaque
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let [a, b, out] = cx.pair_scales(node)?;
        let common = 2.0 * a.max(b);
        let headroom = f64::from(1 << (2 * LEFT_SHIFT));
        let factors = AddFactors {
            operands: [factor(node, a / common)?, factor(node, b / common)?],
            output: factor(node, common * common / (headroom * out))?,
        };
        let inputs = cx.stored_pair(node)?;
        cx.emit(node, SquaredDifference { factors: Some(factors) }, &inputs)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let (inputs, output) = (cx.inputs(node)?, cx.output(node)?);
        let options = Some((schema::options::SQUARED_DIFFERENCE, Table::new()));
        cx.operator(("SQUARED_DIFFERENCE", 2), &inputs, &[output], options);
        Ok(())
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let inputs = cx.inputs()?;
    cx.emit(SquaredDifference { factors: None }, &inputs)
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
            // Of equal numbers there would be no gradient.
            Case::of(SquaredDifference { factors: None }, &[&a, &b]).shifted(1, 0.1).check();
        }
    }
}
