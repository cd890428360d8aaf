//! What an `.onnx` file says: operators in an order in which they can run, constants, inputs and outputs.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use prost::Message;

use super::array::Array;
use super::schema;
use crate::{Error, Result};

/// The most bytes of a file.
const MAX_FILE_BYTES: usize = 256 << 20;
/// The most operators; far beyond any network of a microcontroller.
const MAX_OPERATORS: usize = 16384;
/// The most inputs or outputs of an operator.
const MAX_ARITY: usize = 256;
/// The oldest version of the operators that is taken: of ONNX 1.2.
const OLDEST_VERSION: i64 = 7;

/// An `.onnx` file.
pub struct File {
    /// Operators that the outputs need, each behind those whose results it reads.
    pub operators: Vec<schema::Node>,
    /// Inputs that are no constants.
    pub inputs: Vec<Port>,
    /// Names of the outputs.
    pub outputs: Vec<String>,
    /// The version of ONNX's operators.
    pub version: i64,
    constants: HashMap<String, schema::Tensor>,
    folder: Option<PathBuf>,
}

/// An input of the network.
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its dimensions; those that are left open are 1.
    pub dims: Vec<usize>,
    /// The type of its elements: see [`schema::element`].
    pub element: i32,
}

impl File {
    /// Reads the outline. Constants that are in other files will be looked for in `folder`.
    ///
    /// # Errors
    /// If the bytes are no ONNX model, or contradict themselves.
    pub fn new(bytes: &[u8], folder: Option<&Path>) -> Result<File> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(Error::Invalid(format!(
                "has {} bytes; at most {MAX_FILE_BYTES} are read",
                bytes.len()
            )));
        }
        let model = schema::Model::decode(bytes).map_err(|error| {
            Error::Invalid(format!("is no whole ONNX model, it is truncated or damaged: {error}"))
        })?;
        let mut graph =
            model.graph.ok_or_else(|| Error::Invalid("is an ONNX model without a graph".into()))?;
        let version = version(&model.opset_import)?;
        if graph.node.len() > MAX_OPERATORS {
            let what = format!("has {} operators; at most {MAX_OPERATORS} are taken", graph.node.len());
            return Err(Error::Invalid(what));
        }
        let constants: HashMap<String, schema::Tensor> =
            graph.initializer.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        graph.input.retain(|input| !constants.contains_key(&input.name));
        let inputs: Vec<Port> = graph.input.iter().map(port).collect::<Result<_>>()?;
        let outputs: Vec<String> = graph.output.into_iter().map(|output| output.name).collect();
        if outputs.is_empty() {
            return Err(Error::Invalid("has no outputs".into()));
        }
        let given = inputs.iter().map(|input| &input.name[..]).chain(constants.keys().map(String::as_str));
        let operators = in_order(graph.node, given.collect(), &outputs)?;
        let folder = folder.map(Path::to_owned);
        Ok(File { operators, inputs, outputs, version, constants, folder })
    }

    /// The constant of that name, if there is one.
    ///
    /// # Errors
    /// If it does not hold together.
    pub fn constant(&self, name: &str) -> Result<Option<Array>> {
        self.constants.get(name).map(|tensor| self.array(tensor)).transpose()
    }

    /// The elements of a tensor of the file.
    ///
    /// # Errors
    /// If it does not hold together.
    pub fn array(&self, tensor: &schema::Tensor) -> Result<Array> {
        Array::of(tensor, self.folder.as_deref())
    }
}

fn version(sets: &[schema::OperatorSet]) -> Result<i64> {
    let own = sets.iter().find(|set| set.domain.is_empty() || set.domain == "ai.onnx");
    let version = own.map_or(1, |set| set.version);
    if version < OLDEST_VERSION {
        let what = format!("has operators of version {version}: export it with opset_version=17 or so");
        return Err(Error::Invalid(what));
    }
    Ok(version)
}

fn port(info: &schema::ValueInfo) -> Result<Port> {
    let name = info.name.clone();
    let tensor = info.r#type.as_ref().and_then(|ty| ty.tensor_type.as_ref());
    let (Some(tensor), Some(shape)) = (tensor, tensor.and_then(|tensor| tensor.shape.as_ref())) else {
        return Err(Error::graph(&name, "is an input without a shape: export the model with fixed shapes"));
    };
    let mut dims = Vec::new();
    for (i, dim) in shape.dim.iter().enumerate() {
        dims.push(match dim.dim_value {
            Some(n @ 1..=0x7FFF_FFFF) => n as usize,
            Some(-1 | 0) | None if i == 0 => 1,
            Some(n) if n > 0 => return Err(Error::graph(&name, format!("has a dimension of {n}"))),
            _ => {
                let called = dim.dim_param.as_deref().filter(|name| !name.is_empty()).unwrap_or("no length");
                let what = format!(
                    "leaves dimension {i} open ({called}): only the batch, dimension 0, may be; export \
                                    it without dynamic axes"
                );
                return Err(Error::graph(&name, what));
            }
        });
    }
    Ok(Port { name, dims, element: tensor.elem_type })
}

/// What to call an operator.
pub fn label(node: &schema::Node) -> &str {
    let outputs = node.output.iter().map(String::as_str);
    std::iter::once(&node.name[..]).chain(outputs).find(|name| !name.is_empty()).unwrap_or("nameless")
}

/// The operators that `outputs` need, each behind those whose results it reads. `given` is there before.
fn in_order(nodes: Vec<schema::Node>, given: HashSet<&str>, outputs: &[String]) -> Result<Vec<schema::Node>> {
    let mut producers: HashMap<&str, usize> = HashMap::new();
    for (i, node) in nodes.iter().enumerate() {
        if node.input.len().max(node.output.len()) > MAX_ARITY {
            return Err(Error::graph(label(node), format!("has more than {MAX_ARITY} inputs or outputs")));
        }
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if given.contains(&output[..]) || producers.insert(output, i).is_some() {
                return Err(Error::graph(
                    label(node),
                    format!("computes `{output}`, which is there already"),
                ));
            }
        }
    }
    let mut order = Vec::new();
    // What is to be visited, with whether all before it has been.
    let mut stack: Vec<(usize, bool)> = Vec::new();
    let mut is_open = vec![false; nodes.len()];
    let mut is_done = vec![false; nodes.len()];
    let find = |name: &str, reader: &str| match producers.get(name) {
        Some(&i) => Ok(Some(i)),
        None if given.contains(name) || name.is_empty() => Ok(None),
        None => Err(Error::graph(reader, format!("reads `{name}`, which nothing computes"))),
    };
    for output in outputs.iter().rev() {
        stack.extend(find(output, "the model's output")?.map(|i| (i, false)));
    }
    while let Some((i, is_last)) = stack.pop() {
        if is_last {
            (is_open[i], is_done[i]) = (false, true);
            order.push(i);
            continue;
        }
        if is_done[i] {
            continue;
        }
        if is_open[i] {
            return Err(Error::graph(label(&nodes[i]), "reads what is computed from its own result"));
        }
        is_open[i] = true;
        stack.push((i, true));
        for input in nodes[i].input.iter().rev() {
            stack.extend(find(input, label(&nodes[i]))?.filter(|&j| !is_done[j]).map(|j| (j, false)));
        }
    }
    let mut nodes: Vec<Option<schema::Node>> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|i| nodes[i].take()).collect())
}
