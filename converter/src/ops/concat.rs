//! Concatenation: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Concat, MAX_INPUTS, Slice};

use super::quantize::requantized_inputs;
use super::{Backward, Channels, HostOperator};
use crate::autograd::padded_dims;
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Concat {
    const TFLITE: &'static [Rule] = &[Rule::new("CONCATENATION", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let dy = cx.grad()?;
        let axis = self.axis as usize;
        let mut begin = [0; 4];
        let mut grads = Vec::new();
        for i in 0..cx.node.inputs.len() {
            let len = padded_dims(&cx.graph.dims(cx.input(i)), 1);
            grads.push(cx.when_wanted(i, |cx| cx.apply("dx", Slice { begin, len, stride: [1; 4] }, &[dy]))?);
            begin[axis] += len[axis];
        }
        Ok(grads)
    }

    fn channels(&self, rank: usize) -> Channels {
        if usize::from(self.axis) + 1 == rank { Channels::Joined } else { Channels::Mixed }
    }

    /// The device copies stored numbers: inputs that are quantized in another way than the output are
    /// requantized before.
    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let inputs = requantized_inputs(cx, node)?;
        cx.emit(node, *self, &inputs)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let (inputs, output) = (cx.requantized_inputs(node)?, cx.output(node)?);
        let options = Table::new().with(schema::concatenation::AXIS, self.axis as i32);
        cx.operator(
            ("CONCATENATION", 2),
            &inputs,
            &[output],
            Some((schema::options::CONCATENATION, options)),
        );
        Ok(())
    }
}

/// More inputs than the device takes at once are joined step by step.
fn import(cx: &mut Operator) -> Result<()> {
    use schema::concatenation::*;
    if cx.activation(ACTIVATION)? != Bounds::None {
        return Err(Error::Invalid("has a fused activation, which no converter makes".to_string()));
    }
    let (mut inputs, rank) = (cx.inputs()?, cx.dims(0)?.len());
    let axis = cx.axis(cx.option(AXIS, 0)?, rank)?;
    let op = Concat { axis: axis as u8 };
    let quant = cx.output_quant(0)?;
    while inputs.len() > MAX_INPUTS {
        let rest = inputs.split_off(MAX_INPUTS);
        let joined = cx.apply(&format!("first{}", rest.len()), op, &inputs, quant.clone())?;
        inputs = [vec![joined], rest].concat();
    }
    cx.emit(op, &inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;
    use crate::{Data, Graph, Program, Quant};

    #[test]
    fn gradient() {
        Case::of(Concat { axis: 1 }, &[&[2, 1, 3], &[2, 2, 3], &[2, 3, 3]]).check();
        Case::of(Concat { axis: 3 }, &[&[2, 2, 1, 2], &[2, 2, 1, 3]]).check();
    }

    #[test]
    fn inputs_of_other_scales_are_requantized() {
        let mut graph = Graph::new("concat");
        let quants = [Quant::i8(0.5, 1), Quant::i8(0.25, -4), Quant::i8(0.5, 2)];
        let inputs: Vec<TensorId> = (0..3).map(|i| graph.input(&format!("x{i}"), &[2]).unwrap()).collect();
        for (&id, quant) in inputs.iter().zip(&quants) {
            graph[id].quant = Some(quant.clone());
        }
        let y = graph.apply("y", Concat { axis: 0 }, &inputs).unwrap();
        graph[y].quant = Some(Quant::i8(0.5, 1));
        graph.mark_output(y);
        let program = Program::compile(&graph).unwrap();
        assert_eq!(program.graph.nodes().len(), 3);
        // 2.5 and -1 in each scale.
        let stored = [vec![6, -1], vec![6, -8], vec![7, 0]].map(Data::I8);
        assert_eq!(program.run(&stored).unwrap(), [Data::I8(vec![6, -1, 6, -1, 6, -1])]);
    }
}
