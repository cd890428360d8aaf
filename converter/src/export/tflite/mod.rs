//! TensorFlow Lite: from a graph in real form to the bytes of a `.tflite` file.
//!
//! Which operator of TensorFlow Lite a node becomes, the operators themselves say:
//! `HostOperator::export_tflite`, with a [`Writer`].

mod flatbuffer;
mod layer;
mod metadata;

use std::collections::HashMap;

use dunlin::DType;

pub use flatbuffer::{Table, Value};

pub use crate::import::tflite::schema;

use crate::graph::Form;
use crate::lower::lower;
use crate::{Data, Error, Graph, Kind, Node, Quant, Result, TensorId};

/// Offsets have 32 bits, of which readers take 31.
const MAX_FILE_BYTES: usize = i32::MAX as usize;

/// A tensor of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index(i32);

/// An operator of the schema, by name, and the version of it from which on int8 is computed.
pub type Code = (&'static str, i32);

/// Options of an operator: the number of their type, one of [`schema::options`], and their table.
pub type Options = Option<(u8, Table)>;

/// The bytes of the `.tflite` file of `graph`; see [`export::tflite`](crate::export::tflite()).
///
/// # Errors
/// As there.
pub fn write(graph: &Graph) -> Result<Vec<u8>> {
    if graph.form != Form::Real {
        let what = "is in device form, without scales: export the graph that it was compiled from";
        return Err(Error::graph(&graph.name, what));
    }
    graph.verify()?;
    let mut writer = Writer::new(graph);
    let ports = |writer: &mut Writer, ids: &[TensorId]| -> Result<Vec<Index>> {
        ids.iter().map(|&id| writer.tensor(id)).collect()
    };
    let inputs = ports(&mut writer, graph.inputs())?;
    for node in graph.nodes() {
        node.op.export_tflite(&mut writer, node)?;
        let pending = std::mem::take(&mut writer.pending);
        writer.operators.extend(pending);
    }
    // What the device does not compute cannot give the same bytes.
    lower(graph)?;
    let outputs = ports(&mut writer, graph.outputs())?;
    let bytes = flatbuffer::file(&writer.model(&inputs, &outputs), schema::IDENTIFIER);
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Error::graph(&graph.name, "takes more than 2 GB, which a .tflite file does not hold"));
    }
    if graph.labels.is_empty() { Ok(bytes) } else { metadata::with_labels(bytes, &graph.labels) }
}

/// An export in progress.
pub struct Writer<'g> {
    /// The graph that is exported.
    pub graph: &'g Graph,
    /// Tensors of the graph that are in the file.
    ids: HashMap<TensorId, Index>,
    tensors: Vec<Table>,
    /// The first is empty, by convention.
    buffers: Vec<Table>,
    codes: Vec<Code>,
    operators: Vec<Table>,
    /// Operators that follow those of the node at hand.
    pending: Vec<Table>,
}

impl<'g> Writer<'g> {
    fn new(graph: &'g Graph) -> Writer<'g> {
        Writer {
            graph,
            ids: HashMap::new(),
            tensors: Vec::new(),
            buffers: vec![Table::new()],
            codes: Vec::new(),
            operators: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// The tensor of the file for tensor `id` of the graph.
    ///
    /// # Errors
    /// If it is kept between runs.
    pub fn tensor(&mut self, id: TensorId) -> Result<Index> {
        if let Some(&index) = self.ids.get(&id) {
            return Ok(index);
        }
        let tensor = &self.graph[id];
        let dtype = tensor.quant.as_ref().map_or(tensor.ty.dtype, |quant| quant.dtype);
        let dims = self.graph.dims(id);
        let index = match &tensor.kind {
            Kind::Input | Kind::Value => self.add(&tensor.name, &dims, dtype, tensor.quant.as_ref(), 0),
            Kind::Constant(data) => self.constant(&tensor.name, &dims, data, tensor.quant.as_ref()),
            Kind::State(_) => {
                let what = "is kept between runs: export a network for inference, without state";
                return Err(Error::graph(&tensor.name, what));
            }
        };
        self.ids.insert(id, index);
        Ok(index)
    }

    /// The inputs of a node.
    ///
    /// # Errors
    /// As [`Writer::tensor`].
    pub fn inputs(&mut self, node: &Node) -> Result<Vec<Index>> {
        node.inputs.iter().map(|&id| self.tensor(id)).collect()
    }

    /// The first output of a node.
    ///
    /// # Errors
    /// As [`Writer::tensor`].
    pub fn output(&mut self, node: &Node) -> Result<Index> {
        self.tensor(node.outputs[0])
    }

    /// Adds a constant.
    pub fn constant(&mut self, name: &str, dims: &[usize], data: &Data, quant: Option<&Quant>) -> Index {
        let buffer = self.buffer(data.bytes());
        self.add(name, dims, data.dtype(), quant, buffer)
    }

    /// Adds a buffer. The schema aligns its data to 16 bytes, so that kernels read them in place.
    fn buffer(&mut self, bytes: Vec<u8>) -> u32 {
        let blob = Value::Numbers { len: bytes.len(), align: 16, bytes };
        self.buffers.push(Table::new().with(schema::buffer::DATA, blob));
        self.buffers.len() as u32 - 1
    }

    /// Adds a constant of int32 that describes a shape, axes, paddings.
    ///
    /// # Errors
    /// If it is empty, which readers take for a tensor that is not constant.
    pub fn ints(&mut self, node: &Node, what: &str, dims: &[usize], ints: &[i32]) -> Result<Index> {
        if ints.is_empty() {
            let what =
                "has a tensor without dimensions, and TensorFlow Lite no way to say so: reshape it to [1]";
            return Err(Error::graph(&node.name, what));
        }
        Ok(self.constant(&format!("{}/{what}", node.name), dims, &Data::I32(ints.to_vec()), None))
    }

    /// Adds a tensor between operators of one node, stored as tensor `like` of the graph.
    pub fn value_like(&mut self, node: &Node, what: &str, dims: &[usize], like: TensorId) -> Index {
        let tensor = &self.graph[like];
        let dtype = tensor.quant.as_ref().map_or(tensor.ty.dtype, |quant| quant.dtype);
        self.add(&format!("{}/{what}", node.name), dims, dtype, tensor.quant.as_ref(), 0)
    }

    fn add(&mut self, name: &str, dims: &[usize], dtype: DType, quant: Option<&Quant>, buffer: u32) -> Index {
        use schema::tensor::*;
        let dims: Vec<i32> = dims.iter().map(|&dim| dim as i32).collect();
        let mut table = Table::new()
            .with(SHAPE, &dims[..])
            .with(TYPE, element(dtype))
            .with(BUFFER, buffer)
            .with(NAME, name)
            .with(HAS_RANK, true);
        if let Some(quant) = quant {
            table = table.with(QUANTIZATION, quantization(quant));
        }
        self.tensors.push(table);
        Index(self.tensors.len() as i32 - 1)
    }

    /// Appends an operator.
    pub fn operator(&mut self, code: Code, inputs: &[Index], outputs: &[Index], options: Options) {
        let table = self.operator_table(code, inputs, outputs, options);
        self.operators.push(table);
    }

    /// Appends an operator behind those of the node at hand.
    fn operator_after(&mut self, code: Code, inputs: &[Index], output: Index) {
        let table = self.operator_table(code, inputs, &[output], None);
        self.pending.push(table);
    }

    /// Appends an operator on what `node` reads, writing what `node` writes.
    ///
    /// # Errors
    /// As [`Writer::tensor`].
    pub fn operator_of(&mut self, node: &Node, code: Code, options: Options) -> Result<()> {
        let (inputs, output) = (self.inputs(node)?, self.output(node)?);
        self.operator(code, &inputs, &[output], options);
        Ok(())
    }

    fn operator_table(&mut self, code: Code, inputs: &[Index], outputs: &[Index], options: Options) -> Table {
        use schema::operator::*;
        let at = self.codes.iter().position(|&other| other == code).unwrap_or_else(|| {
            self.codes.push(code);
            self.codes.len() - 1
        });
        let table = Table::new()
            .with(CODE_INDEX, at as u32)
            .with(INPUTS, numbers(inputs))
            .with(OUTPUTS, numbers(outputs));
        match options {
            Some((kind, options)) => table.with(OPTIONS_TYPE, kind).with(OPTIONS, options),
            None => table,
        }
    }

    /// The root table.
    fn model(mut self, inputs: &[Index], outputs: &[Index]) -> Table {
        let mut metadata = Vec::new();
        if !self.graph.labels.is_empty() {
            let buffer = self.buffer(metadata::metadata(self.graph));
            let entry = Table::new()
                .with(schema::metadata::NAME, schema::METADATA)
                .with(schema::metadata::BUFFER, buffer);
            metadata.push(entry);
        }
        let graph = Table::new()
            .with(schema::subgraph::TENSORS, self.tensors)
            .with(schema::subgraph::INPUTS, numbers(inputs))
            .with(schema::subgraph::OUTPUTS, numbers(outputs))
            .with(schema::subgraph::OPERATORS, self.operators)
            .with(schema::subgraph::NAME, &self.graph.name[..]);
        let codes: Vec<Table> = self.codes.into_iter().map(operator_code).collect();
        Table::new()
            .with(schema::model::VERSION, schema::VERSION)
            .with(schema::model::OPERATOR_CODES, codes)
            .with(schema::model::SUBGRAPHS, vec![graph])
            .with(schema::model::BUFFERS, self.buffers)
            .with(schema::model::METADATA, metadata)
    }
}

fn numbers(indices: &[Index]) -> Value {
    let numbers: Vec<i32> = indices.iter().map(|index| index.0).collect();
    (&numbers[..]).into()
}

fn operator_code((name, version): Code) -> Table {
    use schema::operator_code::*;
    let number = schema::OPERATORS.iter().position(|&other| other == name);
    let number = number.expect("rules name operators of the schema") as i32;
    // Old readers know the field of one byte only.
    Table::new()
        .with(DEPRECATED_CODE, number.min(i8::MAX as i32) as i8)
        .with(VERSION, version)
        .with(CODE, number)
}

fn element(dtype: DType) -> i8 {
    match dtype {
        DType::F32 => schema::element::F32,
        DType::I8 => schema::element::I8,
        DType::I16 => schema::element::I16,
        DType::I32 => schema::element::I32,
    }
}

fn quantization(quant: &Quant) -> Table {
    use schema::quantization::*;
    let zero_points = vec![quant.zero_point as i64; quant.scales.len()];
    Table::new()
        .with(SCALE, &quant.scales[..])
        .with(ZERO_POINT, &zero_points[..])
        .with(DIMENSION, quant.axis.unwrap_or(0) as i32)
}
