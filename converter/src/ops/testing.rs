//! What tests of packed layers share: a layer in device form, and what it computes.

use dunlin::DType;

use super::Op;
use crate::graph::Form;
use crate::plan::plan;
use crate::{Data, Graph, Program, Quant};

/// An int8 layer in device form: dimensions of image and weights, then weights, and bias, multiplier and shift of each channel.
pub fn layer(
    op: impl Into<Op>,
    [image, dims]: [[usize; 4]; 2],
    weights: &[i8],
    table: &[i32],
    zero_points: [i32; 2],
) -> Graph {
    let mut graph = Graph::new("layer");
    graph.form = Form::Device;
    let x = graph.input_of("x", DType::I8, &image).unwrap();
    let w = graph.constant("w", &dims, Data::I8(weights.to_vec())).unwrap();
    let table = graph.constant("table", &[table.len() / 3, 3], Data::I32(table.to_vec())).unwrap();
    let y = graph.apply("y", op, &[x, w, table]).unwrap();
    graph[x].quant = Some(Quant::i8(1.0, zero_points[0]));
    graph[y].quant = Some(Quant::i8(1.0, zero_points[1]));
    graph.mark_output(y);
    graph
}

/// What a graph in device form makes of its one input, in whole tensors.
pub fn run(graph: &Graph, x: &[i8]) -> Vec<Data> {
    let program = Program::of_device(graph.clone(), |graph| Ok(plan(graph))).unwrap();
    program.run(&[Data::I8(x.to_vec())]).unwrap()
}
