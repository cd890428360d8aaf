//! Rows of a table: see the runtime's operator of this name.

use dunlin::ops::{Embedding, EmbeddingGrad};

use super::{Backward, HostOperator, InputRole, OutputQuant};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Embedding {
    const TFLITE: &'static [Rule] = &[Rule::new("GATHER", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (indices, dy) = (cx.input(1), cx.grad()?);
        let n_rows = cx.graph.dims(cx.input(0))[0] as u32;
        let dtable = cx.when_wanted(0, |cx| cx.apply("dtable", EmbeddingGrad { n_rows }, &[indices, dy]))?;
        Ok(vec![dtable, None])
    }

    /// The device copies stored numbers.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::SameAs(0)
    }

    fn input_role(&self, i: usize) -> InputRole {
        if i == 0 { InputRole::Activation } else { InputRole::Index }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.same_quant(node, 0)?;
        let inputs = cx.stored_pair(node)?;
        cx.emit(node, *self, &inputs)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let options = Table::new().with(schema::gather::AXIS, 0i32);
        cx.operator_of(node, ("GATHER", 2), Some((schema::options::GATHER, options)))
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (inputs, dims) = (cx.inputs()?, cx.dims(0)?);
    let (axis, batch) =
        (cx.option(schema::gather::AXIS, 0i32)?, cx.option(schema::gather::BATCH_DIMS, 0i32)?);
    if dims.len() != 2 || cx.axis(axis, 2)? != 0 || batch != 0 {
        return Err(Error::Invalid(format!(
            "gathers along axis {axis} of {dims:?}: only rows of a table are"
        )));
    }
    cx.emit(Embedding {}, &inputs[..2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;
    use crate::quantize::{Ranges, calibrate, quantize};
    use crate::{Data, Graph, Program};

    #[test]
    fn gradient() {
        let case = Case::new(&[&[4, 2]], |graph, x| {
            let indices = graph.constant("i", &[2, 4], Data::I32(vec![3, 1, 0, 3, 2, 2, 1, 9]))?;
            graph.apply("y", Embedding {}, &[x[0], indices])
        });
        case.check();
    }

    #[test]
    fn int8_takes_whole_numbers_where_f32_takes_reals() {
        let mut graph = Graph::new("words");
        let x = graph.input("x", &[1, 3]).unwrap();
        let table = graph.constant("table", &[2, 2], Data::F32(vec![1.0, -1.0, 0.5, 0.25])).unwrap();
        let y = graph.apply("y", Embedding {}, &[table, x]).unwrap();
        graph.mark_output(y);
        let sample = || Data::F32(vec![1.0, 0.0, 1.0]);
        let real = Program::compile(&graph).unwrap().run(&[sample()]).unwrap();
        assert_eq!(real[0].as_f32().unwrap(), [0.5, 0.25, 1.0, -1.0, 0.5, 0.25]);
        let quantized = quantize(&graph, &calibrate(&graph, &[vec![sample()]]).unwrap()).unwrap();
        let stored = Program::compile(&quantized).unwrap().run(&[Data::I32(vec![1, 0, 1])]).unwrap();
        let quant = quantized[y].quant.clone().unwrap();
        for (q, real) in stored[0].as_i8().unwrap().iter().zip(real[0].as_f32().unwrap()) {
            assert!((quant.scale() * (i32::from(*q) - quant.zero_point) as f32 - real).abs() < quant.scale());
        }
    }

    #[test]
    fn numbers_that_are_computed_are_refused() {
        let mut graph = Graph::new("words");
        let x = graph.input("x", &[1, 3]).unwrap();
        let table = graph.constant("table", &[2, 2], Data::F32(vec![0.5; 4])).unwrap();
        let twice = graph.scale("twice", x, 2.0).unwrap();
        let y = graph.apply("y", Embedding {}, &[table, twice]).unwrap();
        graph.mark_output(y);
        let ranges: Ranges = calibrate(&graph, &[vec![Data::F32(vec![0.0; 3])]]).unwrap();
        let error = quantize(&graph, &ranges).unwrap_err().to_string();
        assert!(error.contains("y: looks rows up by `twice`"), "{error}");
    }
}
