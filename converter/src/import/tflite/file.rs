//! What a `.tflite` file says: tensors, buffers and operators, decoded one at a time so that a file which
//! names the same bytes again and again costs no more than its own size.

use dunlin::DType;

use super::flatbuffer::{Scalar, Table, Tables};
use super::joins::{Dilation, Repetition};
use super::schema;
use crate::{Error, Quant, Result};

/// What to try where a quantization is not that of TensorFlow Lite's converter.
const REQUANTIZE: &str = "let TensorFlow Lite's converter quantize the network, or `dunlin convert FILE --samples X.npy` the one in float32";

/// The most operators of a graph; far beyond any network of a microcontroller.
const MAX_OPERATORS: usize = 4096;
/// The most inputs or outputs of an operator.
const MAX_ARITY: usize = 64;

/// The first graph of a `.tflite` file.
pub struct File<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    codes: Tables<'a>,
    buffers: Tables<'a>,
    tensors: Tables<'a>,
    operators: Tables<'a>,
    /// The graph's table.
    pub graph: Table<'a>,
    /// The root table.
    pub root: Table<'a>,
}

/// A tensor as the file describes it.
pub struct TensorRecord<'a> {
    /// Its name.
    pub name: String,
    /// Its dimensions; a batch that is left open is 1.
    pub dims: Vec<usize>,
    /// Which of them are left open; empty if none is.
    pub open: Vec<bool>,
    /// Its element type, see [`schema::element`].
    pub element: i8,
    /// How its integers are to be read.
    pub quant: Option<Quant>,
    /// Its bytes, if it is a constant.
    pub data: Option<&'a [u8]>,
}

/// An operator as the file describes it.
pub struct OperatorRecord<'a> {
    /// Its place in the order of execution.
    pub index: usize,
    /// Its name in the schema: `CONV_2D`.
    pub name: &'static str,
    /// Tensors that it reads; `None` for one that is left out.
    pub inputs: Vec<Option<usize>>,
    /// Tensors that it writes.
    pub outputs: Vec<usize>,
    /// Its options, unless all have their defaults.
    pub options: Option<Table<'a>>,
    /// What operators around it, which are joined with it, make its window.
    pub(super) dilation: Option<Dilation>,
    /// How operators around it, which are joined with it, repeat its input's elements.
    pub(super) repetition: Option<Repetition>,
    code: Table<'a>,
}

impl<'a> File<'a> {
    /// Reads the outline.
    ///
    /// # Errors
    /// If the bytes are no `.tflite` file of version 3 with a graph.
    pub fn new(bytes: &'a [u8]) -> Result<File<'a>> {
        let root = Table::root(bytes)?;
        let version: u32 = root.scalar(schema::model::VERSION, 0)?;
        if version != schema::VERSION {
            let want = schema::VERSION;
            return Err(Error::Invalid(format!("has schema version {version}; version {want} is read")));
        }
        let graphs = root.tables(schema::model::SUBGRAPHS)?;
        if graphs.count() == 0 {
            return Err(Error::Invalid("has no graph: it is damaged".to_string()));
        }
        // Others are other signatures', or bodies of operators of control flow, which are refused.
        let graph = graphs.get(0)?;
        let operators = graph.tables(schema::subgraph::OPERATORS)?;
        if operators.count() > MAX_OPERATORS {
            let what = format!("has {} operators; at most {MAX_OPERATORS} are taken", operators.count());
            return Err(Error::Invalid(what));
        }
        Ok(File {
            bytes,
            codes: root.tables(schema::model::OPERATOR_CODES)?,
            buffers: root.tables(schema::model::BUFFERS)?,
            tensors: graph.tables(schema::subgraph::TENSORS)?,
            operators,
            graph,
            root,
        })
    }

    /// Tensors that the graph takes or gives: `field` is one of [`schema::subgraph`].
    ///
    /// # Errors
    /// If there is no such tensor.
    pub fn ports(&self, field: u16) -> Result<Vec<usize>> {
        self.graph.scalars::<i32>(field)?.into_iter().map(|i| self.tensor_index(i)).collect()
    }

    /// All operators, in the order of execution.
    ///
    /// # Errors
    /// If one does not hold together.
    pub fn operators(&self) -> Result<Vec<OperatorRecord<'a>>> {
        (0..self.operators.count()).map(|i| self.operator(i)).collect()
    }

    fn operator(&self, index: usize) -> Result<OperatorRecord<'a>> {
        let table = self.operators.get(index)?;
        let code = self.codes.get(table.scalar::<u32>(schema::operator::CODE_INDEX, 0)? as usize)?;
        let number: i32 = code.scalar(schema::operator_code::CODE, 0)?;
        let number = number.max(code.scalar::<i8>(schema::operator_code::DEPRECATED_CODE, 0)? as i32);
        let name = usize::try_from(number).ok().and_then(|number| schema::OPERATORS.get(number));
        let inputs = self.operands(&table, schema::operator::INPUTS)?;
        let outputs = self.operands(&table, schema::operator::OUTPUTS)?;
        Ok(OperatorRecord {
            index,
            name: name.copied().ok_or_else(|| {
                let what = "which is newer than the operators that Dunlin knows: export it for an older TensorFlow Lite";
                Error::Invalid(format!("operator {index} has the number {number}, {what}"))
            })?,
            inputs: inputs
                .into_iter()
                .map(|i| (i != -1).then(|| self.tensor_index(i)).transpose())
                .collect::<Result<_>>()?,
            outputs: outputs.into_iter().map(|i| self.tensor_index(i)).collect::<Result<_>>()?,
            options: table.table(schema::operator::OPTIONS)?,
            dilation: None,
            repetition: None,
            code,
        })
    }

    fn operands(&self, operator: &Table, field: u16) -> Result<Vec<i32>> {
        let operands = operator.scalars::<i32>(field)?;
        if operands.len() > MAX_ARITY {
            let what = format!("an operator has {} inputs or outputs; at most {MAX_ARITY}", operands.len());
            return Err(Error::Invalid(what));
        }
        Ok(operands)
    }

    fn tensor_index(&self, i: i32) -> Result<usize> {
        let index = usize::try_from(i).ok().filter(|&i| i < self.tensors.count());
        index.ok_or_else(|| Error::Invalid(format!("tensor {i} of {} is named", self.tensors.count())))
    }

    /// The name of tensor `i`. Of the several that a fused tensor has, the first.
    ///
    /// # Errors
    /// If there is no such tensor.
    pub fn tensor_name(&self, i: usize) -> Result<String> {
        let name = self.tensors.get(i)?.string(schema::tensor::NAME)?;
        let first = name.split(';').next().unwrap_or_default();
        Ok(if first.is_empty() { format!("tensor {i}") } else { first.to_string() })
    }

    /// Tensor `i`.
    ///
    /// # Errors
    /// If it does not hold together, or is sparse or a variable.
    pub fn tensor(&self, i: usize) -> Result<TensorRecord<'a>> {
        let table = self.tensors.get(i)?;
        let name = self.tensor_name(i)?;
        if table.flag(schema::tensor::IS_VARIABLE)? {
            let what = "is a variable, which keeps its numbers between runs: export the model frozen (recurrent layers \
                        with unroll=True)";
            return Err(Error::graph(&name, what));
        }
        if table.table(schema::tensor::SPARSITY)?.is_some() {
            let what = "is sparse: export its weights dense (without the optimization EXPERIMENTAL_SPARSITY)";
            return Err(Error::graph(&name, what));
        }
        let element = table.scalar(schema::tensor::TYPE, 0i8)?;
        let quant = self.quant(i)?;
        let open: Vec<bool> =
            table.scalars(schema::tensor::SHAPE_SIGNATURE)?.iter().map(|&dim: &i32| dim == -1).collect();
        let mut dims = dims(&name, &table.scalars(schema::tensor::SHAPE)?)?;
        if let (Some(batch), Some(true)) = (dims.first_mut(), open.first()) {
            *batch = 1;
        }
        let data = self.buffer(table.scalar::<u32>(schema::tensor::BUFFER, 0)? as usize)?;
        Ok(TensorRecord { name, dims, open, element, quant, data })
    }

    /// The quantization of tensor `i`, which may be a variable.
    ///
    /// # Errors
    /// If it does not hold together.
    pub fn quant(&self, i: usize) -> Result<Option<Quant>> {
        let table = self.tensors.get(i)?;
        let element = table.scalar(schema::tensor::TYPE, 0i8)?;
        match table.table(schema::tensor::QUANTIZATION)? {
            Some(quantization) => quant(&self.tensor_name(i)?, element, &quantization),
            None => Ok(None),
        }
    }

    /// The bytes of buffer `i`; `None` if it is empty. Buffer 0 is, by convention.
    ///
    /// # Errors
    /// If there is no such buffer.
    pub fn buffer(&self, i: usize) -> Result<Option<&'a [u8]>> {
        if i == 0 {
            return Ok(None);
        }
        let table = self.buffers.get(i)?;
        let offset: u64 = table.scalar(schema::buffer::OFFSET, 0)?;
        // 0 and 1 stand for data inside the FlatBuffer.
        if offset > 1 {
            let end = offset.checked_add(table.scalar(schema::buffer::SIZE, 0)?);
            let range = end.and_then(|end| Some(usize::try_from(offset).ok()?..usize::try_from(end).ok()?));
            let bytes = range.and_then(|range| self.bytes.get(range));
            return bytes.map(Some).ok_or_else(|| {
                Error::Invalid(format!("buffer {i} ends behind the file: it is truncated or damaged"))
            });
        }
        Ok(Some(table.blob(schema::buffer::DATA)?).filter(|data| !data.is_empty()))
    }
}

impl OperatorRecord<'_> {
    /// The name to tell a person: with the custom code, if it has one.
    ///
    /// # Errors
    /// If the custom code is not in the file.
    pub fn full_name(&self) -> Result<String> {
        if self.name != schema::CUSTOM {
            return Ok(self.name.to_string());
        }
        Ok(format!("{} {}", self.name, self.code.string(schema::operator_code::CUSTOM_CODE)?))
    }

    /// An option; see [`Table::scalar`].
    ///
    /// # Errors
    /// If it is not in the file.
    pub fn option<T: Scalar>(&self, field: u16, default: T) -> Result<T> {
        self.options.map_or(Ok(default), |options| options.scalar(field, default))
    }
}

fn dims(name: &str, shape: &[i32]) -> Result<Vec<usize>> {
    let dim = |(i, &dim): (usize, &i32)| match dim {
        1.. => Ok(dim as usize),
        -1 if i == 0 => Ok(1),
        _ => Err(Error::graph(name, format!("has dimension {i} of {dim}: export it with fixed shapes"))),
    };
    shape.iter().enumerate().map(dim).collect()
}

/// The quantization of a tensor of integers, if it has one. uint8 is int8 whose numbers, zero point included, are 128
/// more: it becomes int8, see [`from_u8`].
fn quant(name: &str, element: i8, table: &Table) -> Result<Option<Quant>> {
    let dtype = match element {
        schema::element::I8 | schema::element::U8 => DType::I8,
        schema::element::I16 => DType::I16,
        schema::element::I32 => DType::I32,
        _ => return Ok(None),
    };
    let scales: Vec<f32> = table.scalars(schema::quantization::SCALE)?;
    let mut zero_points: Vec<i64> = table.scalars(schema::quantization::ZERO_POINT)?;
    if scales.is_empty() {
        return Ok(None);
    }
    if element == schema::element::U8 {
        zero_points.resize(scales.len(), 0);
        zero_points.iter_mut().for_each(|zero_point| *zero_point = zero_point.saturating_sub(128));
    }
    let zero_point = zero_points.first().copied().unwrap_or(0);
    let per_channel = scales.len() > 1;
    let valid_scale = |scale: &f32| scale.is_finite() && (*scale > 0.0 || per_channel && *scale == 0.0);
    let refused = |what: String| Err(Error::graph(name, format!("{what}: {REQUANTIZE}")));
    if let Some(scale) = scales.iter().find(|scale| !valid_scale(scale)) {
        return refused(format!("has the scale {scale}, which is not positive"));
    }
    if let Some(other) = zero_points.iter().find(|&&other| other != zero_point) {
        return refused(format!(
            "has the zero points {zero_point} and {other}: one is taken for all channels"
        ));
    }
    let range = match dtype {
        DType::I8 if !per_channel => -128..=127,
        DType::I16 => i64::MIN..=i64::MAX, // refused for what it is
        _ => 0..=0,
    };
    if !range.contains(&zero_point) {
        let per_what = if per_channel { "with a scale for each channel" } else { "with one scale" };
        let integers = schema::ELEMENTS.get(element as usize).copied().unwrap_or_default();
        let what = format!("has zero point {zero_point}, which {integers} {per_what} cannot have");
        return refused(what);
    }
    let axis: i32 = table.scalar(schema::quantization::DIMENSION, 0)?;
    let axis = per_channel.then(|| usize::try_from(axis).unwrap_or(usize::MAX));
    Ok(Some(Quant { dtype, scales, zero_point: zero_point as i32, axis }))
}

/// The int8 that stands for a byte of uint8, see [`File::quant`].
pub fn from_u8(byte: u8) -> i8 {
    (byte ^ 128) as i8
}
