//! Matrix products: see the runtime's operator of this name.

use dunlin::ops::MatMul;

use super::{Backward, HostOperator};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::{Lowering, factor};
use crate::{Node, Result, TensorId};

impl HostOperator for MatMul {
    const TFLITE: &'static [Rule] = &[Rule::new("BATCH_MATMUL", import)];

    /// Of y = a b: da = dy bᵀ and db = aᵀ dy; where one is transposed first, so is its gradient.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (a, b, dy) = (cx.input(0), cx.input(1), cx.grad()?);
        let da = cx.when_wanted(0, |cx| match (self.transpose_a, self.transpose_b) {
            (false, false) => cx.apply("da", MatMul::TRANSPOSED_B, &[dy, b]),
            (false, true) => cx.apply("da", MatMul::PLAIN, &[dy, b]),
            (true, false) => cx.apply("da", MatMul::TRANSPOSED_B, &[b, dy]),
            (true, true) => cx.apply("da", MatMul::TRANSPOSED, &[b, dy]),
        })?;
        let db = cx.when_wanted(1, |cx| match (self.transpose_a, self.transpose_b) {
            (false, false) => cx.apply("db", MatMul::TRANSPOSED_A, &[a, dy]),
            (false, true) => cx.apply("db", MatMul::TRANSPOSED_A, &[dy, a]),
            (true, false) => cx.apply("db", MatMul::PLAIN, &[a, dy]),
            (true, true) => cx.apply("db", MatMul::TRANSPOSED, &[dy, a]),
        })?;
        Ok(vec![da, db])
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let [a, b, out] = cx.pair_scales(node)?;
        let op = MatMul { factor: Some(factor(node, a * b / out)?), ..*self };
        let inputs = cx.stored_pair(node)?;
        cx.emit(node, op, &inputs)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        use schema::batch_matmul::*;
        let options = Table::new()
            .with(TRANSPOSE_A, u8::from(self.transpose_a))
            .with(TRANSPOSE_B, u8::from(self.transpose_b));
        cx.operator_of(node, ("BATCH_MATMUL", 4), Some((schema::options::BATCH_MATMUL, options)))
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    use schema::batch_matmul::*;
    let op = MatMul { transpose_a: cx.flag(TRANSPOSE_A)?, transpose_b: cx.flag(TRANSPOSE_B)?, factor: None };
    let inputs = cx.inputs()?;
    cx.emit(op, &inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for outer in [&[][..], &[2], &[2, 2]] {
            let dims = |rows, columns| [outer, &[rows, columns]].concat();
            Case::of(MatMul::PLAIN, &[&dims(3, 4), &dims(4, 2)]).check();
            Case::of(MatMul::TRANSPOSED_A, &[&dims(4, 3), &dims(4, 2)]).check();
            Case::of(MatMul::TRANSPOSED_B, &[&dims(3, 4), &dims(2, 4)]).check();
            Case::of(MatMul::TRANSPOSED, &[&dims(4, 3), &dims(2, 4)]).check();
        }
    }
}
