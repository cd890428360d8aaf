//! Functions of one int8 tensor, element by element: what several operators make of its 256 numbers, one behind another or
//! side by side, is a table with an entry for each, which these operators themselves compute.
//!
//! So are `x * logistic(x)`, a negation in f32 between two int8 tensors, or `ln(1 + exp(x))`.

use std::collections::{HashMap, HashSet};

use dunlin::DType;
use dunlin::ops::Table;

use crate::graph::Form;
use crate::ops::Channels;
use crate::plan::whole;
use crate::{Data, Graph, Kind, Node, Program, Result, TensorId};

/// Puts tables in the place of functions of two operators or more. No byte of an output depends on it.
///
/// Every tensor between stays where others than these operators read it, so that no more tensors live at a time.
///
/// # Errors
/// If an operator refuses numbers that its tensor may hold: a bug.
pub fn join(graph: &mut Graph) -> Result<()> {
    let sources = sources(graph);
    let mut i = graph.nodes().len();
    while i > 0 {
        i -= 1;
        let Some((source, inside)) = function(graph, &sources, i) else { continue };
        let (name, output) = (graph.nodes()[i].name.clone(), graph.nodes()[i].outputs[0]);
        let numbers = numbers(graph, source, &inside)?;
        let table = graph.constant(&format!("{name}/table"), &[256], Data::I8(numbers))?;
        let node =
            Node { name, op: Table::OF_SEVERAL.into(), inputs: vec![source, table], outputs: vec![output] };
        graph.nodes_mut()[i] = node;
        let dead: HashSet<usize> = inside.into_iter().filter(|&other| other != i).collect();
        let mut place = 0..;
        graph.nodes_mut().retain(|_| !place.next().is_some_and(|at| dead.contains(&at)));
        i -= dead.len();
    }
    Ok(())
}

/// Of tensors that are functions of the elements of one int8 tensor, that one.
fn sources(graph: &Graph) -> HashMap<TensorId, TensorId> {
    let mut sources = HashMap::new();
    for node in graph.nodes() {
        let (Some(operands), &[output]) = (operands(graph, node), &node.outputs[..]) else { continue };
        let source_of = |id: &TensorId| match sources.get(id) {
            Some(&source) => Some(source),
            None => (graph[*id].ty.dtype == DType::I8).then_some(*id),
        };
        let mut given = operands.iter().map(source_of);
        let Some(Some(first)) = given.next() else { continue };
        let same_shape = graph[first].ty.shape == graph[output].ty.shape;
        if same_shape && graph[output].kind == Kind::Value && given.all(|source| source == Some(first)) {
            sources.insert(output, first);
        }
    }
    sources
}

/// The operands of a function of single elements that are not constant; `None` if a constant one has an element for each
/// channel, or the operator is none.
fn operands<'g>(graph: &'g Graph, node: &'g Node) -> Option<Vec<TensorId>> {
    let Channels::Elementwise { operands } = node.op.channels(graph[*node.inputs.first()?].ty.shape.rank())
    else {
        return None;
    };
    let is_constant = |id: &TensorId| graph.constant_data(*id).is_some();
    let (given, rest) = node.inputs.split_at_checked(operands)?;
    let single = given.iter().filter(|id| is_constant(id)).all(|&id| graph[id].ty.shape.count() == 1);
    (single && rest.iter().all(is_constant))
        .then(|| given.iter().filter(|id| !is_constant(id)).copied().collect())
}

/// The source of what node `i` makes, and the nodes between, itself included, in order. `None` if there are not two, or
/// others read what is between.
fn function(
    graph: &Graph,
    sources: &HashMap<TensorId, TensorId>,
    i: usize,
) -> Option<(TensorId, Vec<usize>)> {
    let &[output] = &graph.nodes()[i].outputs[..] else { return None };
    let &source = sources.get(&output).filter(|_| graph[output].ty.dtype == DType::I8)?;
    let mut inside = vec![i];
    let mut wanted: HashSet<TensorId> = graph.nodes()[i].inputs.iter().copied().collect();
    for (j, node) in graph.nodes()[..i].iter().enumerate().rev() {
        if node.outputs.iter().any(|id| *id != source && wanted.contains(id)) {
            wanted.extend(&node.inputs);
            inside.push(j);
        }
    }
    inside.reverse();
    let between = |id: &TensorId| *id != source && sources.contains_key(id) && wanted.contains(id);
    let outside = graph.nodes().iter().enumerate().filter(|(j, _)| !inside.contains(j));
    let mut read_outside = outside.flat_map(|(_, node)| &node.inputs).chain(graph.outputs());
    (inside.len() > 1 && !read_outside.any(between)).then_some((source, inside))
}

/// What the nodes `inside` make of the numbers -128 to 127 of `source`.
fn numbers(graph: &Graph, source: TensorId, inside: &[usize]) -> Result<Vec<i8>> {
    let mut small = Graph::new(&graph.name);
    small.form = Form::Device;
    let x = small.input_of("x", DType::I8, &[256])?;
    small[x].quant = graph[source].quant.clone();
    let (mut ids, mut made) = (HashMap::from([(source, x)]), x);
    for node in inside.iter().map(|&i| &graph.nodes()[i]) {
        let mut inputs = Vec::new();
        for &id in &node.inputs {
            let known = ids.get(&id).copied();
            inputs.push(match (known, graph.constant_data(id)) {
                (None, Some(data)) => {
                    let constant = small.constant(&graph[id].name, &[data.len()], data.clone())?;
                    small[constant].quant = graph[id].quant.clone();
                    constant
                }
                _ => known.unwrap_or(x),
            });
        }
        made = small.apply(&node.name, node.op, &inputs)?;
        small[made].quant = graph[node.outputs[0]].quant.clone();
        ids.insert(node.outputs[0], made);
    }
    small.mark_output(made);
    let program = Program::of_device(small, |graph| Ok(whole(graph)))?;
    let outputs = program.run(&[Data::I8((i8::MIN..=i8::MAX).collect())])?;
    Ok(outputs.first().and_then(Data::as_i8).map(<[i8]>::to_vec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use dunlin::ops::bounds::Bounds;
    use dunlin::ops::{Logistic, Mul, OpCode};

    use super::*;
    use crate::Quant;
    use crate::pack::Packing;
    use crate::program::Rewrite;

    const PRODUCT: Mul = Mul { bounds: Bounds::None, factor: None };

    fn every() -> Vec<Data> {
        vec![Data::I8((i8::MIN..=i8::MAX).collect())]
    }

    /// x * logistic(x) in int8; `gate_is_read` makes the logistic function an output, too.
    fn silu(gate_is_read: bool) -> Graph {
        let mut graph = Graph::new("silu");
        let x = graph.input("x", &[4, 8, 8]).unwrap();
        let gate = graph.apply("gate", Logistic {}, &[x]).unwrap();
        let y = graph.apply("y", PRODUCT, &[x, gate]).unwrap();
        graph[x].quant = Some(Quant::i8(0.043, -20));
        graph[gate].quant = Some(Quant::i8(1.0 / 256.0, -128));
        graph[y].quant = Some(Quant::i8(0.02, -110));
        graph.mark_output(y);
        if gate_is_read {
            graph.mark_output(gate);
        }
        graph
    }

    fn codes(program: &Program) -> Vec<OpCode> {
        program.graph.nodes().iter().map(|node| node.op.code()).collect()
    }

    #[test]
    fn functions_become_tables_and_keep_their_bytes() {
        let graph = silu(false);
        let joined = Program::compile(&graph).unwrap();
        let apart = Program::compile_with(&graph, Rewrite::NONE, |graph| Ok(whole(graph))).unwrap();
        assert_eq!(codes(&joined), [OpCode::Table]);
        let titles = [&joined, &apart].map(|program| program.graph.nodes()[0].op.title());
        assert_eq!(titles, ["table", "table (logistic)"]);
        assert_eq!(codes(&apart), [OpCode::Table, OpCode::Mul]);
        assert_eq!(joined.run(&every()).unwrap(), apart.run(&every()).unwrap());
    }

    #[test]
    fn what_others_read_stays() {
        let joined = Program::compile_with(&silu(true), Packing::Portable, |graph| Ok(whole(graph))).unwrap();
        assert_eq!(codes(&joined), [OpCode::Table, OpCode::Mul]);
    }

    #[test]
    fn two_tensors_are_no_function_of_one() {
        let mut graph = Graph::new("two");
        let [a, b] = ["a", "b"].map(|name| graph.input(name, &[2, 3]).unwrap());
        let y = graph.apply("y", PRODUCT, &[a, b]).unwrap();
        let z = graph.apply("z", PRODUCT, &[y, b]).unwrap();
        [a, b, y, z].into_iter().for_each(|id| graph[id].quant = Some(Quant::i8(0.05, 3)));
        graph.mark_output(z);
        assert_eq!(codes(&Program::compile(&graph).unwrap()), [OpCode::Mul, OpCode::Mul]);
    }
}
