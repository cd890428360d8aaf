//! What a `.dunlin` file holds, as tables for people and as records for programs.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use dunlin::model::{Node, Port};
use dunlin::{DType, Model, Shape, TensorType};
use serde::Serialize;

use crate::dead_channels::DeadChannels;
use crate::lives::Lives;
use crate::ops::Op;
use crate::plan::{ALIGN, Plan};
use crate::write::memory_names;
use crate::{Error, Graph, Quant, Result};

/// A model: its ports, its steps and its plan.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// The model's name.
    pub name: String,
    /// Bytes of the file, all of which lie in flash.
    pub model_bytes: usize,
    /// What it takes.
    pub inputs: Vec<PortReport>,
    /// What it gives.
    pub outputs: Vec<PortReport>,
    /// Names of the first output's elements, if it has any.
    pub labels: Vec<String>,
    /// The steps, in order.
    pub operators: Vec<OperatorReport>,
    /// Multiply-accumulates of one run.
    pub macs: u64,
    /// Bytes of all constants, those that steps share counted once.
    pub weight_bytes: usize,
    /// The arena.
    pub plan: PlanReport,
    /// The memories that the arena is divided into; none if it is in one piece.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memories: Vec<MemoryReport>,
    /// Why the arena is not smaller, where the planner has more to say than the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// The channels that the network had and the model has not, or that are constant, if it was converted just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_channels: Option<DeadChannels>,
}

/// An input or an output.
#[derive(Clone, Debug, Serialize)]
pub struct PortReport {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: &'static str,
    /// Its dimensions.
    pub shape: Vec<u32>,
    /// The real number is `scale * (q - zero_point)`; absent if it is not quantized.
    pub scale: Option<f32>,
    /// See `scale`.
    pub zero_point: Option<i32>,
}

/// A step.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorReport {
    /// Its number, from 0.
    pub index: usize,
    /// The operator.
    pub operator: String,
    /// The dtype that it computes in.
    pub dtype: &'static str,
    /// Dimensions of its inputs, constants included.
    pub input_shapes: Vec<Vec<u32>>,
    /// Dimensions of its first output.
    pub output_shape: Vec<u32>,
    /// Element type of its first output.
    pub output_dtype: &'static str,
    /// The stored number for 0.0 in its first output, if that is quantized.
    pub zero_point: Option<i32>,
    /// The scale of its first output, if that is quantized and the graph is known: a model file holds the
    /// factors that follow from scales, and scales of inputs and outputs only.
    pub scale: Option<f32>,
    /// Multiply-accumulates of one run; 0 for operators that are not counted in MACs.
    pub macs: u64,
    /// Bytes of its constants.
    pub weight_bytes: usize,
    /// Bytes of the arena that are in use while it runs.
    pub live_bytes: usize,
    /// Where its first output starts in the arena.
    pub arena_offset: usize,
}

/// The arena's plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanReport {
    /// Bytes of the arena.
    pub arena_bytes: usize,
    /// The most bytes in use at a time: no arena with these steps in this order is smaller.
    pub arena_lower_bound_bytes: usize,
    /// The difference; 0 proves the plan optimal.
    pub gap_bytes: usize,
    /// The step at which most bytes are in use; absent if that is before the first or after the last one.
    pub fullest_operator: Option<usize>,
    /// Calls of operators and rows that arrive in one run; as many as steps if all tensors are whole.
    pub n_calls: usize,
    /// The input that arrives by rows, if one does.
    pub fed_input: Option<usize>,
}

impl ModelReport {
    /// The report of a checked model.
    ///
    /// # Errors
    /// If the runtime refuses what it took before: a bug.
    pub fn of(model: &Model) -> Result<ModelReport> {
        // Names may come from anywhere, and go to a terminal.
        let printable = |name: &str| name.replace(char::is_control, "\u{FFFD}");
        let mut names = model.names().map(printable);
        let name = names.next().unwrap_or_default();
        let mut ports = |n: usize, port: &dyn Fn(usize) -> Result<Port, dunlin::Error>| {
            let report = |i| Ok(port_report(names.next().unwrap_or_default(), &port(i)?));
            (0..n).map(report).collect::<Result<Vec<_>, _>>().map_err(refused(&name))
        };
        let inputs = ports(model.n_inputs(), &|i| model.input(i))?;
        let outputs = ports(model.n_outputs(), &|i| model.output(i))?;
        let memories = memory_names(model);
        let mut labels: Vec<String> = names.skip(memories.len()).collect();
        // The section's padding reads as empty names.
        labels.truncate(labels.iter().rposition(|label| !label.is_empty()).map_or(0, |i| i + 1));
        let live_bytes = Lives::of(model).map_err(refused(&name))?.live_bytes();
        let step_bytes = step_live_bytes(model, &live_bytes).map_err(refused(&name))?;
        let operators: Vec<OperatorReport> = model
            .steps()
            .enumerate()
            .map(|(i, node)| operator_report(i, &node, step_bytes[i]))
            .collect::<Result<_, _>>()
            .map_err(refused(&name))?;
        Ok(ModelReport {
            model_bytes: model.header().file_bytes as usize,
            inputs,
            outputs,
            labels,
            macs: operators.iter().map(|step| step.macs).sum(),
            weight_bytes: weight_bytes(model),
            plan: plan_report(model, &live_bytes),
            memories: memories.into_iter().map(memory_report).collect(),
            proof: None,
            dead_channels: None,
            operators,
            name,
        })
    }
}

impl ModelReport {
    /// With the planner's proof. Where the arena is as small as the bytes alive at some time, that is proof enough.
    pub fn with_proof(mut self, graph: &Graph, plan: &Plan) -> ModelReport {
        self.proof = (self.plan.gap_bytes > 0).then(|| plan.explain(graph));
        self
    }

    /// With the channels that are not in the model any more, if there are such.
    pub fn with_dead_channels(mut self, dead_channels: DeadChannels) -> ModelReport {
        self.dead_channels = (!dead_channels.is_empty()).then_some(dead_channels);
        self
    }

    /// With the scales of `graph`, the device form that the model was written from.
    pub fn with_scales(mut self, graph: &Graph) -> ModelReport {
        if graph.nodes().len() == self.operators.len() {
            for (step, node) in self.operators.iter_mut().zip(graph.nodes()) {
                step.scale = node.outputs.first().and_then(|&id| graph[id].quant.as_ref()).map(Quant::scale);
            }
        }
        self
    }
}

fn refused(name: &str) -> impl FnOnce(dunlin::Error) -> Error {
    let what = format!("model `{name}`");
    move |source| Error::Model { what, source }
}

fn port_report(name: String, port: &Port) -> PortReport {
    let quantized = port.scale != 0.0;
    PortReport {
        name,
        dtype: port.ty.dtype.name(),
        shape: port.ty.shape.dims().to_vec(),
        scale: quantized.then_some(port.scale),
        zero_point: quantized.then_some(port.zero_point),
    }
}

fn operator_report(index: usize, node: &Node, live_bytes: usize) -> Result<OperatorReport, dunlin::Error> {
    let op = Op::decode(node.record().op, node.record().params)?;
    let inputs = input_types(node);
    let constants = (0..node.n_inputs()).map(|i| node.input(i)).filter(|input| input.is_constant());
    let output = node.output(0);
    Ok(OperatorReport {
        index,
        operator: op.title(),
        dtype: DType::from_code(node.record().dtype).map_or("?", DType::name),
        input_shapes: inputs.iter().map(|input| input.shape.dims().to_vec()).collect(),
        output_shape: output.ty.shape.dims().to_vec(),
        output_dtype: output.ty.dtype.name(),
        zero_point: (output.ty.dtype == DType::I8).then(|| output.zero_point()),
        scale: None,
        macs: op.macs(&inputs),
        weight_bytes: constants.map(|constant| constant.ty.bytes()).sum(),
        live_bytes,
        arena_offset: output.offset(),
    })
}

fn input_types(node: &Node) -> Vec<TensorType> {
    (0..node.n_inputs()).map(|i| node.input(i).ty).collect()
}

/// Bytes of all constants that steps name, each counted once.
fn weight_bytes(model: &Model) -> usize {
    let constants: BTreeSet<(usize, usize)> = model
        .steps()
        .flat_map(|node| (0..node.n_inputs()).map(|i| node.input(i)).collect::<Vec<_>>())
        .filter(|input| input.is_constant())
        .map(|input| (input.offset(), input.ty.bytes()))
        .collect();
    constants.iter().map(|&(_, bytes)| bytes).sum()
}

/// A memory that the arena is divided into.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryReport {
    /// As the user calls it.
    pub name: String,
    /// Bytes that the plan uses of it.
    pub bytes: usize,
    /// Where in the arena it begins.
    pub start: usize,
}

fn memory_report((name, range): (String, Range<usize>)) -> MemoryReport {
    MemoryReport { name: name.replace(char::is_control, "\u{FFFD}"), bytes: range.len(), start: range.start }
}

/// The arena's plan, from the bytes alive at each time.
fn plan_report(model: &Model, live_bytes: &[usize]) -> PlanReport {
    let bound = live_bytes.iter().copied().max().unwrap_or(0);
    let fullest_time = live_bytes.iter().position(|&bytes| bytes == bound).unwrap_or(0);
    let fullest_call = fullest_time.checked_sub(1).and_then(|i| model.call(i).ok());
    PlanReport {
        arena_bytes: model.arena_bytes(),
        arena_lower_bound_bytes: bound,
        gap_bytes: model.arena_bytes().saturating_sub(bound),
        fullest_operator: fullest_call.map(|call| call.step as usize).filter(|&i| i < model.n_steps()),
        n_calls: model.n_calls(),
        fed_input: model.fed_input(),
    }
}

/// The most bytes that are alive in any call of each step.
fn step_live_bytes(model: &Model, live_bytes: &[usize]) -> Result<Vec<usize>, dunlin::Error> {
    let mut most = vec![0; model.n_steps()];
    for i in 0..model.n_calls() {
        if let Some(bytes) = most.get_mut(model.call(i)?.step as usize) {
            *bytes = live_bytes[i + 1].max(*bytes);
        }
    }
    Ok(most)
}

impl fmt::Display for ModelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, {} bytes",
            if self.name.is_empty() { "(no name)" } else { &self.name },
            self.model_bytes
        )?;
        writeln!(f, "\n{}", self.ports_table())?;
        if !self.labels.is_empty() {
            writeln!(f, "labels: {}", self.labels.join(", "))?;
        }
        writeln!(f, "\n{}", self.operators_table())?;
        if let Some(dead_channels) = &self.dead_channels {
            write!(f, "\n{dead_channels}")?;
        }
        writeln!(f, "\narena: {}", self.plan_sentence())?;
        self.memories.iter().try_for_each(|MemoryReport { name, bytes, start }| {
            writeln!(f, "memory `{name}`: {bytes} bytes, from byte {start} of the arena on")
        })
    }
}

impl ModelReport {
    fn ports_table(&self) -> Table {
        let mut table = table(&["", "name", "shape", "dtype", "scale", "zero point"], &[4, 5]);
        let rows = [("input", &self.inputs), ("output", &self.outputs)];
        for (role, port) in rows.iter().flat_map(|(role, ports)| ports.iter().map(move |port| (role, port))) {
            table.add_row([
                role.to_string(),
                port.name.clone(),
                shape_text(&port.shape),
                port.dtype.to_string(),
                port.scale.map_or(String::new(), |scale| scale.to_string()),
                port.zero_point.map_or(String::new(), |zero_point| zero_point.to_string()),
            ]);
        }
        table
    }

    /// A row for each step, and the totals.
    pub fn operators_table(&self) -> Table {
        let mut header = vec!["#", "operator", "output", "dtype", "MACs", "weights B", "live B", "at"];
        let mut right = vec![0, 4, 5, 6, 7];
        let has_scales = self.operators.iter().any(|step| step.scale.is_some());
        if has_scales {
            header.splice(4..4, ["scale", "zero point"]);
            right = (4..10).chain([0]).collect();
        }
        let mut table = table(&header, &right);
        let positive = |n: u64| if n == 0 { String::new() } else { n.to_string() };
        for step in &self.operators {
            let mut row = vec![
                step.index.to_string(),
                step.operator.clone(),
                shape_text(&step.output_shape),
                step.output_dtype.to_string(),
                positive(step.macs),
                positive(step.weight_bytes as u64),
                step.live_bytes.to_string(),
                step.arena_offset.to_string(),
            ];
            if has_scales {
                let scale = step.scale.map_or(String::new(), |scale| scale.to_string());
                let zero_point = step.zero_point.map_or(String::new(), |zero_point| zero_point.to_string());
                row.splice(4..4, [scale, zero_point]);
            }
            table.add_row(row);
        }
        let most = format!("≤ {}", self.plan.arena_lower_bound_bytes);
        let mut totals = vec![String::new(); header.len()];
        let [.., macs, weights, live, _] = &mut totals[..] else { return table };
        (*macs, *weights, *live) = (self.macs.to_string(), self.weight_bytes.to_string(), most);
        totals[1] = "total".to_string();
        table.add_row(totals);
        table
    }

    /// The plan in a sentence.
    pub fn plan_sentence(&self) -> String {
        if let Some(proof) = &self.proof {
            return proof.clone();
        }
        let PlanReport { arena_bytes, arena_lower_bound_bytes: bound, gap_bytes, fullest_operator, .. } =
            self.plan;
        let at = match fullest_operator.and_then(|i| self.operators.get(i)) {
            Some(step) => format!("at step {} ({})", step.index, step.operator),
            None => "between runs".to_string(),
        };
        match gap_bytes {
            0 => format!("{arena_bytes} bytes, optimal: {bound} bytes are in use {at}"),
            gap => format!(
                "{arena_bytes} bytes, {gap} bytes ({} words) above the lower bound of {bound} bytes in use {at}",
                gap.div_ceil(ALIGN)
            ),
        }
    }
}

/// Lines above and below, and under the header.
const STYLE: TableStyle = {
    let line = LineStyle::none().fill('─').junction('─');
    TableStyle::new().top_border(line).header_separator(line).bottom_border(line)
};

/// An empty table; the columns `right` hold numbers.
pub fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header);
    for &i in right {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Dimensions as in all reports: `8×8×1`.
fn shape_text(dims: &[u32]) -> String {
    let dims: Vec<usize> = dims.iter().map(|&dim| dim as usize).collect();
    Shape::new(&dims).map_or_else(|_| format!("{dims:?}"), |shape| shape.to_string())
}
