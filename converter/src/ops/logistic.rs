//! Logistic function: see the runtime's operator of this name.

use dunlin::ops::Logistic;

use super::{Backward, Channels, HostOperator, OutputQuant};
use crate::export::tflite::Writer;
use crate::import::tflite::Rule;
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for Logistic {
    const TFLITE: &'static [Rule] = &[Rule::new("LOGISTIC", |cx| cx.emit_unary(Logistic {}))];

    /// `dy * y - dy * y * y`.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (y, dy) = (cx.output(0), cx.grad()?);
        let once = cx.mul("once", dy, y)?;
        let twice = cx.mul("twice", once, y)?;
        let minus = cx.scale("minus", twice, -1.0)?;
        Ok(vec![Some(cx.add("dx", once, minus)?)])
    }

    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Fixed { scale: Logistic::SCALE, zero_point: Logistic::ZERO_POINT as i32 }
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 1 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.fixed_quant(node)?;
        let x = cx.quant(node, node.inputs[0])?;
        cx.emit_table(node, Logistic::table(x.scale(), x.zero_point))
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        cx.operator_of(node, ("LOGISTIC", 2), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;
    use crate::{Graph, Quant};

    fn lowered(x_scale: f32, output: Quant) -> Result<Graph> {
        let mut graph = Graph::new("one logistic");
        let x = graph.input("x", &[2, 3])?;
        let y = graph.apply("squash", Logistic {}, &[x])?;
        graph[x].quant = Some(Quant::i8(x_scale, 4));
        graph[y].quant = Some(output);
        graph.mark_output(y);
        crate::lower::lower(&graph).map(|(device, _)| device)
    }

    #[test]
    fn gradient() {
        Case::of(Logistic {}, &[&[3, 4]]).check();
    }

    #[test]
    fn the_table_belongs_to_the_inputs_quantization() {
        let device = lowered(0.1, Quant::i8(1.0 / 256.0, -128)).unwrap();
        let table = device.constant_data(device.nodes()[0].inputs[1]).unwrap();
        assert_eq!(table.as_i8().unwrap(), Logistic::table(0.1, 4).unwrap());
    }

    #[test]
    fn what_the_device_cannot_store_is_refused_by_name() {
        let other_output = lowered(0.1, Quant::i8(0.01, 0)).unwrap_err().to_string();
        assert!(other_output.contains("squash") && other_output.contains("0.00390625"), "{other_output}");
        let great_scale = lowered(9.0, Quant::i8(1.0 / 256.0, -128)).unwrap_err().to_string();
        assert!(great_scale.contains("squash") && great_scale.contains('9'), "{great_scale}");
    }
}
