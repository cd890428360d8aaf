//! A graph compiled for the runtime: the way in which the host, too, runs everything.

use std::collections::HashMap;

use dunlin::format::Header;
use dunlin::session::Step;
use dunlin::{DType, Model, Session};

use crate::dead_channels::{self, DeadChannels};
use crate::graph::Form;
use crate::lower::lower;
use crate::pack::{Expansion, Packing, Target, pack};
use crate::plan::{Plan, Request, plan, whole};
use crate::write::{operator_table, write};
use crate::{Data, Error, Graph, Kind, Node, Result, TensorId, shapes, tables};

/// Bytes that start at a multiple of 16, as models and arenas must.
#[derive(Debug, Default)]
pub struct AlignedBytes {
    blocks: Vec<u128>,
    /// Where in the blocks they start.
    start: usize,
    len: usize,
    /// Which of the bytes is at a multiple of [`CACHE_LINE_BYTES`].
    at_line: usize,
}

/// Bytes of a cache line of most hosts: vectors that lie in one are read soonest.
pub const CACHE_LINE_BYTES: usize = 64;

impl AlignedBytes {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> AlignedBytes {
        AlignedBytes::placed(len, 0)
    }

    /// The bytes of a model, whose constants start with a cache line.
    pub fn of_model(file: &[u8]) -> AlignedBytes {
        let constants = file.first_chunk().map_or(0, |header| Header::read(header).constants_offset as usize);
        AlignedBytes::placed(file.len(), constants % CACHE_LINE_BYTES / 16 * 16).filled(file)
    }

    /// `len` zeros of which number `at_line`, a multiple of 16, starts a cache line.
    fn placed(len: usize, at_line: usize) -> AlignedBytes {
        let blocks = vec![0u128; len.div_ceil(16) + CACHE_LINE_BYTES / 16];
        let start = (blocks.as_ptr() as usize + at_line).wrapping_neg() % CACHE_LINE_BYTES;
        AlignedBytes { blocks, start, len, at_line }
    }

    fn filled(mut self, bytes: &[u8]) -> AlignedBytes {
        self.copy_from_slice(bytes);
        self
    }
}

impl From<&[u8]> for AlignedBytes {
    fn from(bytes: &[u8]) -> Self {
        AlignedBytes::zeroed(bytes.len()).filled(bytes)
    }
}

impl Clone for AlignedBytes {
    fn clone(&self) -> Self {
        AlignedBytes::placed(self.len, self.at_line).filled(self)
    }
}

impl std::ops::Deref for AlignedBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.blocks)[self.start..][..self.len]
    }
}

impl std::ops::DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.blocks)[self.start..][..self.len]
    }
}

/// How a graph in device form is rewritten before it is planned. No byte of an output depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// How constants are arranged.
    pub packing: Packing,
    /// Whether they are arranged for a plan by rows.
    pub by_rows: bool,
    /// Bytes by which they may grow where that saves instructions.
    pub more_bytes: usize,
    /// Whether channels that are the same for every input, or that nobody reads, stay where they are.
    pub keep_dead_channels: bool,
    /// Whether functions of one int8 tensor stay several operators where they could be one table.
    pub keep_functions: bool,
}

impl Rewrite {
    /// Nothing is rewritten: for those who look at what is between inputs and outputs.
    pub const NONE: Rewrite = Rewrite {
        packing: Packing::Portable,
        by_rows: false,
        more_bytes: 0,
        keep_dead_channels: true,
        keep_functions: true,
    };

    /// The fewest instructions on Cortex-M cores with the DSP extension, whatever the bytes of flash.
    pub const EXPANDED: Rewrite = Rewrite {
        packing: Packing::Dsp,
        by_rows: false,
        more_bytes: usize::MAX,
        keep_dead_channels: false,
        keep_functions: false,
    };
}

impl From<Packing> for Rewrite {
    fn from(packing: Packing) -> Rewrite {
        Rewrite { packing, ..Rewrite::default() }
    }
}

/// A graph in device form, ready to be planned.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The graph.
    pub graph: Graph,
    /// Which tensor of it stores each tensor of the graph in real form; it may have fewer channels.
    pub stored: HashMap<TensorId, TensorId>,
    /// What was removed.
    pub dead_channels: DeadChannels,
    /// The layers that can have more bytes, and which do.
    pub expansions: Vec<Expansion>,
}

impl Lowered {
    /// The device form of a graph in real form.
    ///
    /// # Errors
    /// What lowering refuses.
    pub fn of(real: &Graph, rewrite: impl Into<Rewrite>) -> Result<Lowered> {
        let Rewrite { packing, by_rows, more_bytes, keep_dead_channels, keep_functions } = rewrite.into();
        let (mut graph, stored) = lower(real)?;
        if !keep_functions {
            tables::join(&mut graph)?;
        }
        let dead_channels = match keep_dead_channels {
            true => DeadChannels::default(),
            false => dead_channels::remove(&mut graph, packing.channel_group())?,
        };
        if packing != Packing::Portable {
            if !by_rows {
                shapes::rearrange(&mut graph, packing)?;
            }
            shapes::join_reshapes(&mut graph);
        }
        let expansions = pack(&mut graph, Target { packing, by_rows }, more_bytes)?;
        Ok(Lowered { graph, stored, dead_channels, expansions })
    }
}

/// A lowered, planned and serialized graph.
#[derive(Clone, Debug)]
pub struct Program {
    /// The graph in device form.
    pub graph: Graph,
    /// The channels that it does not have any more.
    pub dead_channels: DeadChannels,
    /// The layers that can have more bytes of weights, and which do.
    pub expansions: Vec<Expansion>,
    /// Its arena.
    pub plan: Plan,
    bytes: AlignedBytes,
    stored: HashMap<TensorId, TensorId>,
}

impl Program {
    /// Compiles a graph in real form.
    ///
    /// # Errors
    /// What lowering or the format refuse.
    pub fn compile(real: &Graph) -> Result<Program> {
        Program::compile_with(real, Packing::Portable, |graph| Ok(plan(graph)))
    }

    /// [`Program::compile`] with constants arranged for a core, and another planner of the graph in device form.
    ///
    /// # Errors
    /// What lowering, the planner or the format refuse.
    pub fn compile_with(
        real: &Graph,
        rewrite: impl Into<Rewrite>,
        plan: impl FnOnce(&Graph) -> Result<Plan>,
    ) -> Result<Program> {
        let Lowered { graph, stored, dead_channels, expansions } = Lowered::of(real, rewrite)?;
        Ok(Program { stored, dead_channels, expansions, ..Program::of_device(graph, plan)? })
    }

    /// [`Program::compile_with`] the plan that is asked for, and weights for the flash that may be spent.
    ///
    /// # Errors
    /// As [`Program::compile_with`]; if there is no such plan, or plain weights do not fit.
    pub fn compile_for(real: &Graph, rewrite: impl Into<Rewrite>, request: &Request) -> Result<Program> {
        let rewrite = request.rewrite(rewrite.into());
        let compile = |more_bytes| {
            Program::compile_with(real, Rewrite { more_bytes, ..rewrite }, |graph| request.plan(graph))
        };
        let plain = compile(0)?;
        let Some(flash_bytes) = request.flash_bytes else { return Ok(plain) };
        let plain_bytes = plain.bytes().len();
        let mut spare_bytes = flash_bytes.checked_sub(plain_bytes).ok_or_else(|| {
            let what = format!("does not fit {flash_bytes} bytes of flash: the model file has {plain_bytes}");
            Error::graph(&real.name, what)
        })?;
        // The file may grow by some bytes more than its weights.
        while plain.expansions.iter().any(|expansion| expansion.more_bytes <= spare_bytes) {
            let expanded = compile(spare_bytes)?;
            match expanded.bytes().len().saturating_sub(flash_bytes) {
                0 => return Ok(expanded),
                excess_bytes => spare_bytes = spare_bytes.saturating_sub(excess_bytes),
            }
        }
        Ok(plain)
    }

    /// The program of a graph that is in device form already.
    ///
    /// # Errors
    /// What the planner or the format refuse.
    pub fn of_device(graph: Graph, plan: impl FnOnce(&Graph) -> Result<Plan>) -> Result<Program> {
        let plan = plan(&graph)?;
        let bytes = AlignedBytes::of_model(&write(&graph, &plan)?);
        let (dead_channels, expansions, stored) = Default::default();
        let program = Program { graph, dead_channels, expansions, plan, bytes, stored };
        program.model()?; // a plan that the runtime refuses is a bug here, and must not be written
        Ok(program)
    }

    /// The `.dunlin` file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The Rust source beside it: arena size and table of operators.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn operator_table(&self) -> Result<String> {
        Ok(operator_table(&self.model()?))
    }

    /// The model, checked, with all operators.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn model(&self) -> Result<Model<'_>> {
        Model::check(&self.bytes, dunlin::ops::ALL).map_err(|source| self.refused(source))
    }

    fn refused(&self, source: dunlin::Error) -> Error {
        Error::Model { what: format!("model `{}`", self.graph.name), source }
    }

    /// An arena for the model.
    pub fn arena(&self) -> AlignedBytes {
        AlignedBytes::zeroed(self.plan.arena_bytes)
    }

    /// A session whose state has its first values.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn session<'m, 'a>(&self, model: &'m Model<'m>, arena: &'a mut [u8]) -> Result<Session<'m, 'a>> {
        let mut session = Session::new(model, arena).map_err(|source| self.refused(source))?;
        for (id, tensor) in self.graph.tensors() {
            if let (Kind::State(data), Some(place)) = (&tensor.kind, self.plan.tensors.get(&id)) {
                let bytes = data.bytes();
                session.arena_mut()[place.offset..place.offset + bytes.len()].copy_from_slice(&bytes);
            }
        }
        Ok(session)
    }

    /// The tensor of the graph in device form that stores `id` of the real graph: with fewer channels where dead ones were
    /// removed ([`Rewrite::NONE`] keeps them).
    pub fn stored(&self, id: TensorId) -> Option<TensorId> {
        self.stored.get(&id).copied()
    }

    /// Bytes of the arena that hold tensor `id` of the real graph (while it lives).
    pub fn arena_range(&self, id: TensorId) -> Option<std::ops::Range<usize>> {
        let device = self.stored.get(&id)?;
        let place = self.plan.tensors.get(device)?;
        Some(place.offset..place.offset + self.graph[*device].ty.bytes())
    }

    /// Runs once: `inputs` in the order of the graph's, returns the outputs.
    ///
    /// # Errors
    /// If an input's dtype or length is not the graph's; names the input.
    pub fn run(&self, inputs: &[Data]) -> Result<Vec<Data>> {
        let model = self.model()?;
        let mut arena = self.arena();
        let mut session = self.session(&model, &mut arena)?;
        if inputs.len() != model.n_inputs() {
            let (have, want) = (inputs.len(), model.n_inputs());
            return Err(Error::Invalid(format!(
                "`{}` takes {want} inputs, {have} were given",
                self.graph.name
            )));
        }
        for (data, &id) in inputs.iter().zip(self.graph.inputs()) {
            let tensor = &self.graph[id];
            if data.dtype() != tensor.ty.dtype || data.len() != tensor.ty.shape.count() {
                let (dtype, shape) = (tensor.ty.dtype.name(), tensor.ty.shape);
                let (have, n) = (data.dtype().name(), data.len());
                return Err(Error::Invalid(format!(
                    "input `{}` is {dtype}[{shape}], given {n} × {have}",
                    tensor.name
                )));
            }
        }
        let bytes: Vec<Vec<u8>> = inputs.iter().map(Data::bytes).collect();
        let bytes: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        run_on(&mut session, &bytes, |step| step.run()).map_err(|source| self.refused(source))?;
        (0..model.n_outputs()).map(|i| output(&session, i)).collect()
    }
}

/// Fills input `i`.
///
/// # Errors
/// If dtype or length differ.
pub fn set_input(session: &mut Session, i: usize, data: &Data) -> Result<(), dunlin::Error> {
    let input = session.input(i)?;
    match data {
        Data::F32(v) => input.copy_from(v),
        Data::I8(v) => input.copy_from(v),
        Data::I16(v) => input.copy_from(v),
        Data::I32(v) => input.copy_from(v),
    }
}

/// Runs a session on the bytes of all inputs, which arrive by rows where the model wants that, with every call in the
/// hands of `each`.
///
/// # Errors
/// If an input has another length.
pub fn run_on(
    session: &mut Session,
    inputs: &[&[u8]],
    mut each: impl FnMut(&mut Step),
) -> Result<(), dunlin::Error> {
    let fed = session.model().fed_input();
    for (i, bytes) in inputs.iter().enumerate().filter(|&(i, _)| Some(i) != fed) {
        copy(session.input_bytes_mut(i)?, bytes)?;
    }
    let Some(rows) = fed.and_then(|i| inputs.get(i)) else {
        session.run_each(each);
        return Ok(());
    };
    let mut rest = *rows;
    loop {
        let row = session.next_row_each(&mut each)?.bytes_mut();
        let (bytes, after) = rest.split_at_checked(row.len()).ok_or(dunlin::Error::WrongLength)?;
        row.copy_from_slice(bytes);
        rest = after;
        if session.row_done_each(&mut each)? {
            return if rest.is_empty() { Ok(()) } else { Err(dunlin::Error::WrongLength) };
        }
    }
}

fn copy(to: &mut [u8], from: &[u8]) -> Result<(), dunlin::Error> {
    if to.len() != from.len() {
        return Err(dunlin::Error::WrongLength);
    }
    to.copy_from_slice(from);
    Ok(())
}

/// Output `i` of the last run.
///
/// # Errors
/// If there is none.
pub fn output(session: &Session, i: usize) -> Result<Data> {
    let wrong = |source| Error::Model { what: format!("output {i}"), source };
    let dtype = session.model().output(i).map_err(wrong)?.ty.dtype;
    Ok(match dtype {
        dunlin::DType::F32 => Data::F32(session.output::<f32>(i).map_err(wrong)?.to_vec()),
        dunlin::DType::I8 => Data::I8(session.output::<i8>(i).map_err(wrong)?.to_vec()),
        dunlin::DType::I16 => Data::I16(session.output::<i16>(i).map_err(wrong)?.to_vec()),
        dunlin::DType::I32 => Data::I32(session.output::<i32>(i).map_err(wrong)?.to_vec()),
    })
}

/// Runs one node of a graph in device form alone, on such int8 inputs (dimensions and numbers of the first ones; others are
/// constants).
pub(crate) fn run_alone(graph: &Graph, node: &Node, given: Vec<(Vec<usize>, Vec<i8>)>) -> Result<Vec<i8>> {
    let mut alone = Graph::new(&node.name);
    alone.form = Form::Device;
    let mut inputs = Vec::new();
    for (&id, (dims, _)) in node.inputs.iter().zip(&given) {
        let input = alone.input_of(&graph[id].name, DType::I8, dims)?;
        alone[input].quant = graph[id].quant.clone();
        inputs.push(input);
    }
    inputs.extend(node.inputs[given.len()..].iter().map(|&id| alone.add_tensor(graph[id].clone())));
    let output = alone.apply(&node.name, node.op, &inputs)?;
    alone[output].quant = graph[node.outputs[0]].quant.clone();
    alone.mark_output(output);
    let given: Vec<Data> = given.into_iter().map(|(_, values)| Data::I8(values)).collect();
    let outputs = Program::of_device(alone, |graph| Ok(whole(graph)))?.run(&given)?;
    Ok(outputs.first().and_then(Data::as_i8).map(<[i8]>::to_vec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use dunlin::ops::FullyConnected;
    use dunlin::ops::bounds::Bounds;

    use super::*;
    use crate::{Graph, Quant};

    fn dense(quantized: bool) -> Graph {
        let mut g = Graph::new("dense");
        let x = g.input("x", &[2, 3]).unwrap();
        let (w_data, b_data) = match quantized {
            true => (Data::I8(vec![2, 4, 6, -2, 0, 2]), Data::I32(vec![40, -20])),
            false => (Data::F32(vec![1.0, 2.0, 3.0, -1.0, 0.0, 1.0]), Data::F32(vec![10.0, -5.0])),
        };
        let w = g.constant("w", &[2, 3], w_data).unwrap();
        let b = g.constant("b", &[2], b_data).unwrap();
        if quantized {
            // In real form a quantized constant still stands for f32.
            for id in [w, b] {
                g[id].ty = g[id].ty.with_dtype(dunlin::DType::F32);
            }
            g[x].quant = Some(Quant::i8(0.5, 1));
            g[w].quant = Some(Quant { axis: Some(0), scales: vec![0.5, 0.5], ..Quant::i8(0.5, 0) });
            g[b].quant = Some(Quant { dtype: dunlin::DType::I32, ..Quant::i8(0.25, 0) });
        }
        let y = g.apply("y", FullyConnected::new(Bounds::RELU), &[x, w, b]).unwrap();
        if quantized {
            g[y].quant = Some(Quant::i8(0.25, -28));
        }
        g.mark_output(y);
        g
    }

    #[test]
    fn f32_and_int8_agree_where_int8_is_exact() {
        let real = vec![1.0, -1.0, 2.0, 3.0, 0.5, 0.0];
        let f32_program = Program::compile(&dense(false)).unwrap();
        let Data::F32(y) = &f32_program.run(&[Data::F32(real.clone())]).unwrap()[0] else { panic!() };
        assert_eq!(y, &[15.0, 0.0, 14.0, 0.0]);

        let stored = real.iter().map(|x| (x / 0.5) as i8 + 1).collect();
        let int8_program = Program::compile(&dense(true)).unwrap();
        let Data::I8(q) = &int8_program.run(&[Data::I8(stored)]).unwrap()[0] else { panic!() };
        let back: Vec<f32> = q.iter().map(|&q| 0.25 * (q as f32 + 28.0)).collect();
        assert_eq!(&back, y);
    }

    #[test]
    fn a_wrong_input_is_named() {
        let program = Program::compile(&dense(false)).unwrap();
        let error = program.run(&[Data::I8(vec![1; 6])]).unwrap_err().to_string();
        assert!(error.contains("input `x` is f32[2×3], given 6 × i8"), "{error}");
    }
}
