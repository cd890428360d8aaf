//! The `.dunlin` file, as `runtime/FORMAT.md` specifies it, and the table of operators beside it.

use std::collections::{BTreeSet, HashMap};

use dunlin::format::{self, Header, Place, PortRecord, StepRecord, TensorRecord};
use dunlin::ops::OpCode;
use dunlin::{DType, Model};

use crate::plan::Plan;
use crate::{Error, Graph, Kind, Node, Result, TensorId};

/// The bytes of `graph` (in device form) with its plan.
///
/// # Errors
/// If the graph is larger than the format allows.
pub fn write(graph: &Graph, plan: &Plan) -> Result<Vec<u8>> {
    let (order, n_activations) = tensor_order(graph, plan);
    let index: HashMap<TensorId, u16> = order.iter().zip(0..).map(|(&id, i)| (id, i)).collect();
    let n_tensors = count(graph, "tensors", order.len())?;
    let n_steps = count(graph, "nodes", graph.nodes().len() + 1)? - 1;
    let ports = |n: usize| u8::try_from(n).map_err(|_| Error::graph(&graph.name, "has more than 255 ports"));
    let (n_inputs, n_outputs) = (ports(graph.inputs().len())?, ports(graph.outputs().len())?);

    let mut constants = Constants::default();
    let mut file = vec![0; format::HEADER_BYTES];
    for &id in &order {
        let record = tensor_record(graph, plan, id, &mut constants)?;
        file.extend(encode(&record)?);
    }
    let ports_offset = file.len() as u32;
    for id in graph.inputs().iter().chain(graph.outputs()) {
        let scale = graph[*id].quant.as_ref().map_or(0.0, |q| q.scale());
        file.extend(encode(&PortRecord { tensor: index[id], scale })?);
    }
    let steps_offset = file.len() as u32;
    for (node, &scratch_offset) in graph.nodes().iter().zip(&plan.scratch_offsets) {
        file.extend(step_bytes(graph, node, scratch_offset, &index)?);
    }
    let names_offset = file.len() as u32;
    for name in names(graph) {
        file.extend(encode(name)?);
    }
    file.resize(file.len().next_multiple_of(format::ALIGN), 0);
    let constants_offset = file.len() as u32;
    file.extend(&constants.bytes);
    file.resize(file.len().next_multiple_of(4), 0);

    let mut header = Header {
        magic: format::MAGIC,
        version: format::VERSION,
        rounding: format::ROUNDING_TFLM,
        reserved: 0,
        checksum: 0,
        file_bytes: file.len() as u32,
        arena_bytes: plan.arena_bytes as u32,
        n_tensors,
        n_activations,
        n_steps,
        n_inputs,
        n_outputs,
        ports_offset,
        steps_offset,
        names_offset,
        constants_offset,
    };
    file[..format::HEADER_BYTES].copy_from_slice(&encode(&header)?);
    header.checksum = format::checksum(&file[format::CHECKED_FROM..]);
    file[..format::HEADER_BYTES].copy_from_slice(&encode(&header)?);
    Ok(file)
}

/// The Rust source that goes beside a model's file: the arena's size and the operators that it names.
pub fn operator_table(model: &Model) -> String {
    let entries: BTreeSet<(u8, u8)> =
        model.steps().map(|node| (node.record().op, node.record().dtype)).collect();
    let mut source = format!(
        "// Made by `dunlin` beside the model file: do not edit.\n\n\
         /// Bytes of the arena that the model needs.\npub const ARENA_BYTES: usize = {};\n\n\
         /// The operators that the model names.\npub static OPS: &[dunlin::Entry] = &[\n",
        model.arena_bytes()
    );
    for (op, dtype) in entries {
        if let (Some(op), Some(dtype)) = (OpCode::from_code(op), DType::from_code(dtype)) {
            let (op, dtype) = (op.type_name(), dtype.name());
            source += &format!("    dunlin::Entry::of::<dunlin::ops::{op}, {dtype}>(),\n");
        }
    }
    source + "];\n"
}

/// The dtype that a node computes in: that of its first input if the operator has an entry for it, else that
/// of its first output.
pub fn step_dtype(graph: &Graph, node: &Node) -> DType {
    let dtype = |ids: &[TensorId]| ids.first().map(|&id| graph[id].ty.dtype);
    let computes = |dtype: &DType| {
        let code = node.op.code();
        dunlin::ops::ALL.iter().any(|entry| entry.code == code && entry.dtype == *dtype)
    };
    dtype(&node.inputs).filter(computes).or(dtype(&node.outputs)).unwrap_or(DType::F32)
}

/// Tensors in the order of the file, those of the arena first, and how many those are.
fn tensor_order(graph: &Graph, plan: &Plan) -> (Vec<TensorId>, u16) {
    let used: BTreeSet<TensorId> =
        graph.nodes().iter().flat_map(|n| n.inputs.iter().chain(&n.outputs)).copied().collect();
    let constant = |id: &TensorId| matches!(graph[*id].kind, Kind::Constant(_));
    let mut order: Vec<TensorId> =
        graph.tensors().map(|(id, _)| id).filter(|id| plan.tensors.contains_key(id)).collect();
    let n_activations = order.len() as u16;
    order.extend(used.into_iter().filter(constant));
    (order, n_activations)
}

fn tensor_record(
    graph: &Graph,
    plan: &Plan,
    id: TensorId,
    constants: &mut Constants,
) -> Result<TensorRecord> {
    let tensor = &graph[id];
    let (place, offset, first, last) = match &tensor.kind {
        Kind::Constant(data) => (Place::Constant, constants.add(data.bytes()), 0, 0),
        kind => {
            let p = &plan.tensors[&id];
            let place = if matches!(kind, Kind::State(_)) { Place::State } else { Place::Arena };
            (place, p.offset, p.first, p.last)
        }
    };
    let zero_point = tensor.quant.as_ref().filter(|q| q.axis.is_none()).map_or(0, |q| q.zero_point);
    let zero_point = i8::try_from(zero_point)
        .map_err(|_| Error::graph(&tensor.name, format!("its zero point {zero_point} is beyond int8")))?;
    let dim = |i: usize| tensor.ty.shape.dim(i) as u32;
    Ok(TensorRecord {
        dtype: tensor.ty.dtype as u8,
        rank: tensor.ty.shape.rank() as u8,
        place,
        zero_point,
        offset: offset as u32,
        dim0: dim(0),
        dim1: dim(1),
        dim2: dim(2),
        dim3: dim(3),
        first: first as u16,
        last: last as u16,
    })
}

fn step_bytes(
    graph: &Graph,
    node: &Node,
    scratch_offset: usize,
    index: &HashMap<TensorId, u16>,
) -> Result<Vec<u8>> {
    let tensors: Vec<u8> =
        node.inputs.iter().chain(&node.outputs).flat_map(|id| index[id].to_le_bytes()).collect();
    encode(&StepRecord {
        op: node.op.code() as u8,
        dtype: step_dtype(graph, node) as u8,
        n_inputs: node.inputs.len() as u8,
        tensors: &tensors,
        scratch_offset: scratch_offset as u32,
        params: &node.op.params(),
    })
}

fn names(graph: &Graph) -> impl Iterator<Item = &str> {
    let ports = graph.inputs().iter().chain(graph.outputs()).map(|&id| graph[id].name.as_str());
    std::iter::once(graph.name.as_str()).chain(ports).chain(graph.labels.iter().map(String::as_str))
}

fn count(graph: &Graph, what: &str, n: usize) -> Result<u16> {
    u16::try_from(n)
        .map_err(|_| Error::graph(&graph.name, format!("has {n} {what}; the format allows 65,535")))
}

fn encode<T: serde::Serialize + ?Sized>(record: &T) -> Result<Vec<u8>> {
    postcard::to_stdvec(record).map_err(|e| Error::Invalid(format!("a record cannot be encoded: {e}")))
}

/// The constant section: equal constants are stored once.
#[derive(Default)]
struct Constants {
    bytes: Vec<u8>,
    offsets: HashMap<Vec<u8>, usize>,
}

impl Constants {
    fn add(&mut self, data: Vec<u8>) -> usize {
        *self.offsets.entry(data).or_insert_with_key(|data| {
            // Word loads of packed weights need no special case.
            self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
            self.bytes.extend(data);
            self.bytes.len() - data.len()
        })
    }
}
