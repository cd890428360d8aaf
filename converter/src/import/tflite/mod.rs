//! TensorFlow Lite: from the bytes of a `.tflite` file to a graph in real form.
//!
//! [`flatbuffer`] reads tables, [`file`](mod@file) tensors and operators, `metadata` names and labels. Which operators are taken, and how each
//! becomes nodes, the operators themselves say: see [`Rule`] and `HostOperator::TFLITE`.

pub mod file;
pub mod flatbuffer;
mod joins;
mod metadata;
mod operator;
mod reals;
pub mod schema;
mod shapes;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use dunlin::DType;

use file::{File, OperatorRecord, TensorRecord, from_u8};
pub use joins::Repetition;
pub use operator::Operator;
use reals::reals;
use shapes::Shapes;

use crate::ops::tflite_rules;
use crate::{Data, Error, Graph, Result, TensorId};

/// The most bytes of constants. A file may name the same bytes as many tensors; this bounds what they take.
const MAX_CONSTANT_BYTES: usize = 64 << 20;

/// How one operator of TensorFlow Lite becomes nodes.
pub struct Rule {
    /// Its name in the schema: `CONV_2D`.
    pub name: &'static str,
    /// Which of its inputs carry data; the others only describe shapes, and what computes them is not imported.
    pub data_inputs: Range<usize>,
    /// Appends the nodes that compute its outputs.
    pub import: fn(&mut Operator) -> Result<()>,
}

impl Rule {
    /// A rule for an operator whose inputs are all needed.
    pub const fn new(name: &'static str, import: fn(&mut Operator) -> Result<()>) -> Rule {
        Rule { name, data_inputs: 0..usize::MAX, import }
    }
}

/// Whether `bytes` look like a `.tflite` file.
pub fn recognizes(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(schema::IDENTIFIER)
}

/// The graph of a `.tflite` file, in real form: quantized tensors carry their quantization, and constants
/// their stored integers. An open batch is 1. `name` becomes the graph's.
///
/// # Errors
/// If the bytes are no such file, or hold what Dunlin does not compute: all unsupported operators at once.
pub fn read(bytes: &[u8], name: &str) -> Result<Graph> {
    let file = File::new(bytes)?;
    let (inputs, outputs) = (file.ports(schema::subgraph::INPUTS)?, file.ports(schema::subgraph::OUTPUTS)?);
    if outputs.is_empty() {
        return Err(Error::Invalid(
            "has no outputs: name what the network is to give when exporting it".into(),
        ));
    }
    let shapes = Shapes::of(&file)?;
    let operators = joins::skip_negative_indices(&file, file.operators()?)?;
    let operators = joins::join(&file, needed(operators, &outputs), &outputs)?;
    refuse_unsupported(&file, &operators)?;
    let mut import = Import {
        file,
        shapes,
        graph: Graph::new(name),
        ids: HashMap::new(),
        reals: HashMap::new(),
        constant_bytes: 0,
    };
    for input in inputs {
        import.input(input)?;
    }
    for record in operators {
        import.operator(record)?;
    }
    for output in outputs {
        let id = import.tensor(output)?;
        import.graph.mark_output(id);
    }
    import.graph.verify()?;
    import.name_ports()?;
    Ok(import.graph)
}

fn rule(name: &str) -> Option<&'static Rule> {
    tflite_rules().find(|rule| rule.name == name)
}

/// The operators whose results reach the outputs as data.
fn needed<'a>(operators: Vec<OperatorRecord<'a>>, outputs: &[usize]) -> Vec<OperatorRecord<'a>> {
    let mut wanted: HashSet<usize> = outputs.iter().copied().collect();
    let mut kept: Vec<OperatorRecord> = Vec::new();
    for operator in operators.into_iter().rev() {
        if operator.outputs.iter().any(|output| wanted.contains(output)) {
            let data_inputs = rule(operator.name).map_or(0..usize::MAX, |rule| rule.data_inputs.clone());
            let inputs = operator.inputs.iter().enumerate();
            wanted.extend(inputs.filter(|(i, _)| data_inputs.contains(i)).filter_map(|(_, &input)| input));
            kept.push(operator);
        }
    }
    kept.reverse();
    kept
}

/// One error for all operators that no rule takes.
fn refuse_unsupported(file: &File, operators: &[OperatorRecord]) -> Result<()> {
    let mut unsupported: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for operator in operators.iter().filter(|operator| rule(operator.name).is_none()) {
        let node = match operator.outputs.first() {
            Some(&output) => file.tensor_name(output)?,
            None => format!("operator {}", operator.index),
        };
        unsupported.entry(operator.full_name()?).or_default().push(format!("`{node}`"));
    }
    if unsupported.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = unsupported
        .iter()
        .map(|(name, nodes)| format!("{} × {name} ({})", nodes.len(), nodes.join(", ")))
        .collect();
    let custom = unsupported.keys().any(|name| name.starts_with(schema::CUSTOM));
    let advice = match custom {
        true => {
            "export it with the built-in operators alone (TFLITE_BUILTINS), or compute these before or behind it"
        }
        false => "build the network without them, or compute them before or behind it",
    };
    let list = list.join("; ");
    Err(Error::Invalid(format!("uses operators that Dunlin does not have: {list}: {advice}")))
}

/// An import in progress.
struct Import<'a> {
    file: File<'a>,
    shapes: Shapes<'a>,
    graph: Graph,
    /// Tensors of the file that are in the graph.
    ids: HashMap<usize, TensorId>,
    /// Constants of the file that are there as the real numbers for which they stand.
    reals: HashMap<usize, TensorId>,
    constant_bytes: usize,
}

impl<'a> Import<'a> {
    fn input(&mut self, i: usize) -> Result<()> {
        let tensor = self.file.tensor(i)?;
        let dtype = dtype(&tensor)?;
        let id = self.graph.input_of(&tensor.name, dtype, &tensor.dims)?;
        self.graph[id].quant = tensor.quant;
        if self.ids.insert(i, id).is_some() {
            return Err(Error::graph(&tensor.name, "is named twice as an input"));
        }
        Ok(())
    }

    fn operator(&mut self, record: OperatorRecord<'a>) -> Result<()> {
        let what = match record.outputs.first() {
            Some(&output) => {
                format!("`{}` (operator {}, {})", self.file.tensor_name(output)?, record.index, record.name)
            }
            None => format!("operator {}, {}", record.index, record.name),
        };
        let rule = rule(record.name).ok_or_else(|| Error::graph(&what, "has no rule"))?;
        let outcome = (rule.import)(&mut Operator { import: self, record });
        outcome.map_err(|error| Error::graph(&what, error.to_string()))
    }

    /// Takes over what the metadata say. Labels are left out unless they are as many as the first output has
    /// elements along its last axis.
    fn name_ports(&mut self) -> Result<()> {
        let metadata = metadata::read(&self.file)?;
        let graph = &mut self.graph;
        let ports = [(graph.inputs(), metadata.inputs), (graph.outputs(), metadata.outputs)];
        let named: Vec<(TensorId, String)> =
            ports.into_iter().flat_map(|(ids, names)| ids.iter().copied().zip(names)).collect();
        for (id, name) in named.into_iter().filter(|(_, name)| !name.is_empty()) {
            graph[id].name = name;
        }
        let n_classes = graph.outputs().first().and_then(|&id| graph.dims(id).last().copied());
        if n_classes == Some(metadata.labels.len()) {
            graph.labels = metadata.labels;
        }
        Ok(())
    }

    /// The tensor of the graph for tensor `i` of the file; a constant is added at its first use.
    fn tensor(&mut self, i: usize) -> Result<TensorId> {
        if let Some(&id) = self.ids.get(&i) {
            return Ok(id);
        }
        let tensor = self.file.tensor(i)?;
        let Some(bytes) = tensor.data else {
            let what = "is read, but is no input, has no numbers, and nothing computes it before: the file is damaged";
            return Err(Error::graph(&tensor.name, what));
        };
        self.take_constant(bytes.len())?;
        let id = self.graph.constant(&tensor.name, &tensor.dims, data(&tensor, bytes)?)?;
        self.graph[id].ty.dtype = dtype(&tensor)?;
        self.graph[id].quant = tensor.quant;
        self.ids.insert(i, id);
        Ok(id)
    }

    /// The real numbers of tensor `i` of the file, if it is a constant that is stored in another way.
    fn real_constant(&mut self, i: usize) -> Result<Option<TensorId>> {
        if let Some(&id) = self.reals.get(&i) {
            return Ok(Some(id));
        }
        let tensor = self.file.tensor(i)?;
        let Some(reals) = reals(&tensor) else { return Ok(None) };
        self.take_constant(reals.len() * size_of::<f32>())?;
        let id = self.graph.constant(&tensor.name, &tensor.dims, Data::F32(reals))?;
        self.reals.insert(i, id);
        Ok(Some(id))
    }

    fn take_constant(&mut self, n_bytes: usize) -> Result<()> {
        self.constant_bytes += n_bytes;
        if self.constant_bytes > MAX_CONSTANT_BYTES {
            return Err(Error::Invalid(format!("has more than {MAX_CONSTANT_BYTES} bytes of constants")));
        }
        Ok(())
    }
}

/// The dtype of a tensor in real form.
fn dtype(tensor: &TensorRecord) -> Result<DType> {
    match (tensor.element, &tensor.quant) {
        (schema::element::F32, _) => Ok(DType::F32),
        (schema::element::I8 | schema::element::U8 | schema::element::I32, Some(_)) => Ok(DType::F32),
        (schema::element::I32, None) => Ok(DType::I32),
        _ => Err(wrong_element(tensor)),
    }
}

/// The elements of a constant.
fn data(tensor: &TensorRecord, bytes: &[u8]) -> Result<Data> {
    use flatbuffer::Scalar;
    fn elements<T: Scalar>(bytes: &[u8]) -> Vec<T> {
        bytes.chunks(T::BYTES).map_while(T::read).collect()
    }
    Ok(match tensor.element {
        schema::element::F32 => Data::F32(elements(bytes)),
        schema::element::I8 => Data::I8(elements(bytes)),
        schema::element::U8 if tensor.quant.is_some() => {
            Data::I8(bytes.iter().copied().map(from_u8).collect())
        }
        schema::element::I32 => Data::I32(elements(bytes)),
        _ => return Err(wrong_element(tensor)),
    })
}

fn wrong_element(tensor: &TensorRecord) -> Error {
    let element = usize::try_from(tensor.element).ok().and_then(|i| schema::ELEMENTS.get(i));
    let element = element.copied().unwrap_or("an unknown type");
    let what = match tensor.element {
        schema::element::I8 | schema::element::U8 => {
            format!("is {element} without a scale: quantize the whole network, or keep all of it in float32")
        }
        schema::element::I16 | schema::element::I64 if tensor.quant.is_some() => format!(
            "is {element}, as in networks with int16 activations: quantize the network to int8, or give it in float32 with --samples"
        ),
        _ => format!("holds {element}: convert the model to int8 or float32"),
    };
    Error::graph(&tensor.name, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_operators_of_the_schema_once() {
        let mut seen = HashSet::new();
        for rule in tflite_rules() {
            assert!(schema::OPERATORS.contains(&rule.name), "{}", rule.name);
            assert!(seen.insert(rule.name), "{} has two rules", rule.name);
        }
    }
}
