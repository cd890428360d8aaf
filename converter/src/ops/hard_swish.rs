//! Hard swish: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Clamp, ClampGrad, HardSwish};

use super::{Backward, Channels, HostOperator};
use crate::export::tflite::Writer;
use crate::import::tflite::Rule;
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for HardSwish {
    const TFLITE: &'static [Rule] = &[Rule::new("HARD_SWISH", |cx| cx.emit_unary(HardSwish {}))];

    /// With the gate g = clamp(x + 3, 0, 6): `(dy * g + dy * x * dg/dx) / 6`.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, dy) = (cx.input(0), cx.grad()?);
        let bounds = Bounds::RELU6;
        let three = cx.filled("three", &[1], 3.0)?;
        let shifted = cx.add("shifted", x, three)?;
        let gate = cx.apply("gate", Clamp { bounds }, &[shifted])?;
        let through_x = cx.mul("through_x", dy, gate)?;
        let product = cx.mul("product", dy, x)?;
        let through_gate = cx.apply("through_gate", ClampGrad { bounds }, &[product, shifted])?;
        let sum = cx.add("sum", through_x, through_gate)?;
        Ok(vec![Some(cx.scale("dx", sum, 1.0 / 6.0)?)])
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 1 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let (x, out) = (cx.quant(node, node.inputs[0])?, cx.quant(node, node.outputs[0])?);
        let table = HardSwish::table((x.scale(), x.zero_point), (out.scale(), out.zero_point));
        cx.emit_table(node, table)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        cx.operator_of(node, ("HARD_SWISH", 1), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;
    use crate::{Graph, Quant};

    #[test]
    fn gradient() {
        // Flat, curved, and of slope 1; the ends at -3 and 3 are kinks.
        for shift in [-4.5, -1.5, 0.0, 1.5, 4.5] {
            let case = Case::new(&[&[3, 4]], |graph, x| {
                let swish = graph.apply("swish", HardSwish {}, x)?;
                graph.add("y", swish, x[0])
            });
            case.shifted(0, shift).check();
        }
    }

    #[test]
    fn scales_without_a_table_are_named() {
        let mut graph = Graph::new("one hard swish");
        let x = graph.input("x", &[2, 3]).unwrap();
        let y = graph.apply("swish", HardSwish {}, &[x]).unwrap();
        graph[x].quant = Some(Quant::i8(3.0, 4));
        graph[y].quant = Some(Quant::i8(0.015625, 0));
        graph.mark_output(y);
        let error = crate::lower::lower(&graph).unwrap_err().to_string();
        assert!(
            ["swish", "`x` 3 ", "`swish` 0.015625", "--samples"].iter().all(|what| error.contains(what)),
            "{error}"
        );
    }
}
