//! Product of two tensors: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pointwise::Function;
use dunlin::ops::{Mul, Pointwise};

use super::{Backward, Channels, HostOperator, Op};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::{Lowering, factor};
use crate::{Data, Error, Node, Result, TensorId};

impl HostOperator for Mul {
    const TFLITE: &'static [Rule] = &[
        Rule::new("MUL", import),
        Rule::new("NEG", import_negation),
        Rule::new("SQUARE", import_square),
        Rule::new("DIV", import_quotient),
    ];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let dy = cx.grad_before(self.bounds)?;
        let mut grads = Vec::new();
        for i in 0..2 {
            let (dims, other) = (cx.graph.dims(cx.input(i)), cx.input(1 - i));
            let grad = cx.when_wanted(i, |cx| {
                let product = cx.mul("product", dy, other)?;
                cx.sum_to("dx", product, &dims)
            })?;
            grads.push(grad);
        }
        Ok(grads)
    }

    fn with_bounds(&self, bounds: Bounds) -> Option<Op> {
        (self.bounds == Bounds::None).then_some(Op::Mul(Mul { bounds, ..*self }))
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 2 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let [a, b, out] = cx.pair_scales(node)?;
        let op = Mul { bounds: cx.bounds(node, self.bounds)?, factor: Some(factor(node, a * b / out)?) };
        let inputs = cx.stored_pair(node)?;
        cx.emit(node, op, &inputs)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let (inputs, (activation, output)) = (cx.inputs(node)?, cx.activation(node, self.bounds)?);
        let options = Table::new().with(schema::arithmetic::ACTIVATION, activation);
        cx.operator(("MUL", 2), &inputs, &[output], Some((schema::options::MUL, options)));
        Ok(())
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (inputs, bounds) = (cx.inputs()?, cx.activation(schema::arithmetic::ACTIVATION)?);
    cx.emit(Mul { bounds, factor: None }, &inputs)
}

const PRODUCT: Mul = Mul { bounds: Bounds::None, factor: None };

fn import_negation(cx: &mut Operator) -> Result<()> {
    cx.check_real()?;
    let (x, minus_one) = (cx.input(0)?, cx.constant("minus_one", &[1], Data::F32(vec![-1.0]))?);
    cx.emit(PRODUCT, &[x, minus_one])
}

fn import_square(cx: &mut Operator) -> Result<()> {
    cx.check_real()?;
    let x = cx.input(0)?;
    cx.emit(PRODUCT, &[x, x])
}

fn import_quotient(cx: &mut Operator) -> Result<()> {
    cx.check_real()?;
    let (inputs, bounds) = (cx.inputs()?, cx.activation(schema::arithmetic::ACTIVATION)?);
    let &[a, b] = &inputs[..] else {
        return Err(Error::Invalid(format!("divides {} tensors, not 2", inputs.len())));
    };
    let reciprocal = cx.apply("reciprocal", Pointwise { function: Function::Reciprocal }, &[b], None)?;
    cx.emit(Mul { bounds, ..PRODUCT }, &[a, reciprocal])
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
            let case = Case::of(Mul { bounds: Bounds::None, factor: None }, &[&a, &b]);
            case.shifted(0, 1.5).shifted(1, 1.5).check();
        }
    }
}
