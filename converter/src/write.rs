//! The `.dunlin` file, as `runtime/FORMAT.md` specifies it, and the table of operators beside it.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use dunlin::format::{self, CallRecord, Header, Place, PortRecord, StepRecord, TensorRecord};
use dunlin::ops::OpCode;
use dunlin::{DType, Model, TensorType};

use crate::plan::{Call, Placement, Plan, n_rows};
use crate::program::CACHE_LINE_BYTES;
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
    let (calls, fed) = calls(graph, plan)?;
    let ports = |n: usize| u8::try_from(n).map_err(|_| Error::graph(&graph.name, "has more than 255 ports"));
    let (n_inputs, n_outputs) = (ports(graph.inputs().len())?, ports(graph.outputs().len())?);

    let mut constants = Constants::of_whole_lines(graph, &order);
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
    let calls_offset = file.len() as u32;
    for call in &calls {
        file.extend(encode(call)?);
    }
    let steps_offset = file.len() as u32;
    file.extend(steps_section(graph, plan, &index));
    let names_offset = file.len() as u32;
    for name in names(graph, plan) {
        file.extend(encode(name)?);
    }
    file.resize(file.len().next_multiple_of(format::ALIGN), 0);
    let constants_offset = file.len() as u32;
    file.extend(&constants.bytes);
    file.extend([0; format::READ_AHEAD_BYTES]);
    file.resize(file.len().next_multiple_of(4), 0);

    let mut header = Header {
        magic: format::MAGIC,
        version: format::VERSION,
        rounding: format::ROUNDING_TFLM,
        fed,
        checksum: 0,
        file_bytes: file.len() as u32,
        arena_bytes: plan.arena_bytes as u32,
        n_tensors,
        n_activations,
        n_steps,
        n_inputs,
        n_outputs,
        n_calls: calls.len() as u32,
        ports_offset,
        calls_offset,
        steps_offset,
        names_offset,
        constants_offset,
        memory1_offset: memory_offset(plan, 1),
        memory2_offset: memory_offset(plan, 2),
        memory3_offset: memory_offset(plan, 3),
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
    for (name, range) in memory_names(model) {
        let constant: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        source = source.replace(
            "/// The operators",
            &format!(
                "/// Bytes that the model needs of the memory `{name}`, if it runs in several.\n\
                 pub const MEMORY_{constant}_BYTES: usize = {};\n\n/// The operators",
                range.len()
            ),
        );
    }
    for (op, dtype) in entries {
        if let (Some(op), Some(dtype)) = (OpCode::from_code(op), DType::from_code(dtype)) {
            let (op, dtype) = (op.type_name(), dtype.name());
            source += &format!("    dunlin::Entry::of::<dunlin::ops::{op}, {dtype}>(),\n");
        }
    }
    source + "];\n"
}

/// The memories of a model that is planned for several: their names, and their parts of the arena.
pub fn memory_names(model: &Model) -> Vec<(String, Range<usize>)> {
    let names = model.names().skip(1 + model.n_inputs() + model.n_outputs());
    let memories: Vec<Range<usize>> = model.memories().collect();
    if memories.len() == 1 {
        return Vec::new();
    }
    names.map(str::to_string).zip(memories).collect()
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
    let (place, offset, table) = match &tensor.kind {
        Kind::Constant(data) => (Place::Constant, constants.add(data.bytes()), Vec::new()),
        Kind::State(_) => (Place::State, plan.tensors[&id].offset, Vec::new()),
        Kind::Input | Kind::Value => {
            let placement = &plan.tensors[&id];
            (Place::Arena, placement.offset, row_table(&tensor.name, tensor.ty, placement)?)
        }
    };
    let period = u16::try_from(table.len())
        .map_err(|_| Error::graph(&tensor.name, "has more rows than a row table takes (65,535)"))?;
    let table: Vec<u8> = table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    let table = if table.is_empty() { 0 } else { constants.add(table) };
    let zero_point = tensor.quant.as_ref().filter(|q| q.axis.is_none()).map_or(0, |q| q.zero_point);
    let zero_point = i8::try_from(zero_point)
        .map_err(|_| Error::graph(&tensor.name, format!("its zero point {zero_point} is beyond int8")))?;
    let dim = |i: usize| tensor.ty.shape.dim(i) as u32;
    let writer = writer(graph, plan, id);
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
        table: table as u32,
        period,
        writer,
    })
}

/// The step that writes a tensor, as its record says.
fn writer(graph: &Graph, plan: &Plan, id: TensorId) -> u16 {
    let fed = |call: &Call| matches!(call, Call::Feed { input, .. } if graph.inputs()[*input] == id);
    match graph[id].kind {
        Kind::Constant(_) | Kind::State(_) => format::NO_STEP,
        Kind::Input if plan.calls.iter().any(fed) => graph.nodes().len() as u16,
        Kind::Input => format::NO_STEP,
        Kind::Value => {
            let writer = graph.nodes().iter().position(|node| node.outputs.contains(&id));
            writer.map_or(format::NO_STEP, |i| i as u16)
        }
    }
}

/// The entries of the table that says where the rows of a tensor are, as many as differ; none if the rows follow
/// each other.
fn row_table(name: &str, ty: TensorType, placement: &Placement) -> Result<Vec<u16>> {
    let Some(rows) = &placement.rows else { return Ok(Vec::new()) };
    let row_bytes = ty.shape.row_len() * ty.dtype.bytes();
    if rows.iter().enumerate().all(|(y, &offset)| offset == placement.offset + y * row_bytes) {
        return Ok(Vec::new());
    }
    let entry = |&offset: &usize| u16::try_from((offset - placement.offset) / format::ROW_UNIT_BYTES);
    let entries: Vec<u16> = rows.iter().map(entry).collect::<Result<_, _>>().map_err(|_| {
        Error::graph(
            name,
            "its rows lie more than 262,140 bytes apart, beyond a row table: plan whole tensors",
        )
    })?;
    let repeats = |period: usize| (period..entries.len()).all(|y| entries[y] == entries[y - period]);
    let period = (1..=entries.len()).find(|&period| repeats(period)).unwrap_or(entries.len());
    Ok(entries[..period].to_vec())
}

/// The calls, and what the header says of the input that arrives by rows. No calls where every node is called once,
/// as a whole, in the order of the graph.
fn calls(graph: &Graph, plan: &Plan) -> Result<(Vec<CallRecord>, u8)> {
    let in_order = |(i, call): (usize, &Call)| *call == Call::Run { node: i, rows: 0..n_rows(graph, i) };
    if plan.calls.len() == graph.nodes().len() && plan.calls.iter().enumerate().all(in_order) {
        return Ok((Vec::new(), 0));
    }
    let too_many =
        |_| Error::graph(&graph.name, "has more rows than a call takes (65,535): plan whole tensors");
    let narrow = |n: usize| u16::try_from(n).map_err(too_many);
    let (mut records, mut fed) = (Vec::new(), 0);
    for call in &plan.calls {
        match call {
            Call::Run { node, rows } if *rows == (0..n_rows(graph, *node)) => {
                records.push(CallRecord { step: *node as u16, first: 0, count: 0 });
            }
            Call::Run { node, rows } => records.push(CallRecord {
                step: *node as u16,
                first: narrow(rows.start)?,
                count: narrow(rows.len())?,
            }),
            Call::Feed { input, rows } => {
                fed = *input as u8 + 1;
                let step = graph.nodes().len() as u16;
                for y in rows.clone() {
                    records.push(CallRecord { step, first: narrow(y)?, count: 1 });
                }
            }
        }
    }
    Ok((records, fed))
}

/// The fixed parts of all steps, then their lists.
fn steps_section(graph: &Graph, plan: &Plan, index: &HashMap<TensorId, u16>) -> Vec<u8> {
    let (mut fixed, mut lists) = (Vec::new(), Vec::<u8>::new());
    let lists_start = graph.nodes().len() * format::STEP_BYTES;
    for (node, &scratch_offset) in graph.nodes().iter().zip(&plan.scratch_offsets) {
        let tensors: Vec<u8> =
            node.inputs.iter().chain(&node.outputs).flat_map(|id| index[id].to_le_bytes()).collect();
        let types: Vec<TensorType> = node.inputs.iter().map(|&id| graph[id].ty).collect();
        let step = StepRecord {
            op: node.op.code() as u8,
            dtype: step_dtype(graph, node) as u8,
            n_inputs: node.inputs.len() as u8,
            order: node.op.order(&types) as u8,
            scratch_offset: scratch_offset as u32,
            scratch_bytes: node.op.scratch_bytes(&types) as u32,
            tensors: &tensors,
            params: &node.op.params(),
        };
        fixed.extend(step.fixed_part((lists_start + lists.len()) as u32));
        lists.extend(step.tensors.iter().chain(step.params));
    }
    fixed.extend(lists);
    fixed
}

fn names<'a>(graph: &'a Graph, plan: &'a Plan) -> impl Iterator<Item = &'a str> {
    let ports = graph.inputs().iter().chain(graph.outputs()).map(|&id| graph[id].name.as_str());
    let memories = plan.memories.iter().map(|region| region.memory.name.as_str());
    let memories = memories.filter(|_| plan.memories.len() > 1);
    let labels = graph.labels.iter().map(String::as_str);
    std::iter::once(graph.name.as_str()).chain(ports).chain(memories).chain(labels)
}

/// Where in the arena a memory begins, if the plan is for as many.
fn memory_offset(plan: &Plan, i: usize) -> u32 {
    plan.memories.get(i).map_or(0, |region| region.start as u32)
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
    /// Those of whole cache lines, which are the first: where the section starts with a line, they all do.
    fn of_whole_lines(graph: &Graph, order: &[TensorId]) -> Constants {
        let mut constants = Constants::default();
        for &id in order {
            if let Kind::Constant(data) = &graph[id].kind
                && data.bytes().len().is_multiple_of(CACHE_LINE_BYTES)
            {
                constants.add(data.bytes());
            }
        }
        constants
    }

    fn add(&mut self, data: Vec<u8>) -> usize {
        *self.offsets.entry(data).or_insert_with_key(|data| {
            // Word loads of packed weights need no special case.
            self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
            self.bytes.extend(data);
            self.bytes.len() - data.len()
        })
    }
}
