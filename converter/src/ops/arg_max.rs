//! Index of the greatest element: see the runtime's operator of this name.

use dunlin::ops::ArgMax;

use super::{Backward, HostOperator, OutputQuant};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::{Error, Node, Result, TensorId};

impl HostOperator for ArgMax {
    const TFLITE: &'static [Rule] = &[Rule::new("ARG_MAX", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("an index does not change with the elements"))
    }

    /// An index is no real number.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::Real
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let inputs = [cx.tensor(node.inputs[0])?, cx.ints(node, "axis", &[1], &[self.axis.into()])];
        let output = cx.output(node)?;
        let options = Table::new().with(schema::arg_max::OUTPUT_TYPE, schema::element::I32);
        cx.operator(("ARG_MAX", 2), &inputs, &[output], Some((schema::options::ARG_MAX, options)));
        Ok(())
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    let (x, rank) = (cx.input(0)?, cx.dims(0)?.len());
    let [axis] = cx.ints(1)?[..] else {
        return Err(Error::Invalid("searches more than one axis".to_string()));
    };
    cx.emit(ArgMax { axis: cx.axis(axis, rank)? as u8 }, &[x])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::{calibrate, quantize};
    use crate::{Data, Graph, Program};

    #[test]
    fn its_input_is_quantized() {
        let mut graph = Graph::new("classes");
        let x = graph.input("x", &[1, 3]).unwrap();
        let y = graph.apply("y", ArgMax { axis: 1 }, &[x]).unwrap();
        graph.mark_output(y);
        let ranges = calibrate(&graph, &[vec![Data::F32(vec![-1.0, 1.0, 0.0])]]).unwrap();
        let program = Program::compile(&quantize(&graph, &ranges).unwrap()).unwrap();
        assert_eq!(program.run(&[Data::I8(vec![3, 5, 9])]).unwrap(), [Data::I32(vec![2])]);
    }
}
