//! ONNX: from the bytes of an `.onnx` file, as PyTorch exports it, to a graph in real form.
//!
//! [`schema`] has the messages, `file` puts operators in order, `array` reads constants. Each operator is either computed
//! here, if all that it reads is known (`fold`), or becomes nodes by its rule (`rules`). Dimensions are moved about in `view`
//! alone; `quantized` makes int8 of what the file quantizes.

#[cfg(test)]
mod answers;
mod arithmetic;
mod array;
mod file;
mod fold;
mod operator;
mod ops;
mod quantized;
mod rules;
pub mod schema;
#[cfg(test)]
mod tests;
mod tidy;
mod view;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use dunlin::DType;

use array::{Array, MAX_CONSTANT_BYTES, element_name};
use file::{File, Port, label};
use operator::Operator;
use view::View;

use super::Layout;
use crate::graph::Kind;
use crate::ops::reshape::reshape_to;
use crate::quantize::Quants;
use crate::{Data, Error, Graph, Result, TensorId, passes};

/// Whether `bytes` look like an `.onnx` file: ONNX has no mark of its own, but every writer puts the version of the format
/// first, and then a name, the operators' versions or the graph.
pub fn recognizes(bytes: &[u8]) -> bool {
    const VERSION: u8 = 1 << 3;
    /// Fields of a model that are text or messages.
    const OTHERS: [u8; 7] = [2, 3, 4, 6, 7, 8, 14];
    let follows = |key: &u8| OTHERS.iter().any(|field| *key == field << 3 | 2);
    matches!(bytes, [VERSION, 1..=127, key, ..] if follows(key))
}

/// The graph of an `.onnx` file, in real form. An open batch is 1. `name` becomes the graph's; constants that are in other
/// files are read from `folder`.
///
/// # Errors
/// If the bytes are no such file, or hold what Dunlin does not compute: all unsupported operators at once.
pub fn read(bytes: &[u8], name: &str, folder: Option<&Path>, layout: Layout) -> Result<Graph> {
    let mut file = File::new(bytes, folder)?;
    let operators = std::mem::take(&mut file.operators);
    refuse_unsupported(&operators)?;
    let names = operators.iter().flat_map(|node| &node.input).chain(&file.outputs);
    let read = names.filter(|name| !name.is_empty()).cloned().collect();
    let mut import = Import {
        file,
        layout,
        graph: Graph::new(name),
        values: HashMap::new(),
        read,
        quants: Quants::new(),
        stored_types: HashMap::new(),
        constant_bytes: 0,
    };
    for port in std::mem::take(&mut import.file.inputs) {
        import.input(port, &operators)?;
    }
    for node in operators {
        import.operator(node)?;
    }
    for output in import.file.outputs.clone() {
        import.output(&output)?;
    }
    let Import { mut graph, quants, .. } = import;
    tidy::tidy(&mut graph, &quants)?;
    if quants.is_empty() { Ok(graph) } else { quantized::quantized(graph, quants) }
}

/// One error for all operators that no rule takes.
fn refuse_unsupported(operators: &[schema::Node]) -> Result<()> {
    let mut unsupported: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in operators {
        let is_own = matches!(&node.domain[..], "" | "ai.onnx");
        if !is_own || rules::rule(&node.op_type).is_none() && !fold::knows(&node.op_type) {
            let domain = if is_own { String::new() } else { format!(" of {}", node.domain) };
            let name = format!("{}{domain}", node.op_type);
            unsupported.entry(name).or_default().push(format!("`{}`", label(node)));
        }
    }
    if unsupported.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = unsupported
        .iter()
        .map(|(name, nodes)| format!("{} × {name} ({})", nodes.len(), nodes.join(", ")))
        .collect();
    let is_integer = |name: &String| {
        name.starts_with("QLinear") || name.contains("Integer") || name.starts_with("Dynamic")
    };
    let what = match unsupported.keys().any(is_integer) {
        true => "quantize with quantize_static and QuantFormat.QDQ, or not at all and give --samples",
        false => "replace these layers",
    };
    let what = format!("uses operators that Dunlin does not have: {}; {what}", list.join("; "));
    Err(Error::Invalid(what))
}

/// A tensor of the file.
#[derive(Clone)]
enum Value {
    /// Known now.
    Constant(Rc<Array>),
    /// Computed on the device.
    Computed(Placed),
}

/// A tensor of the graph, and how one of the file lies in it.
#[derive(Clone)]
struct Placed {
    id: TensorId,
    view: View,
}

impl Placed {
    /// A tensor of the graph whose dimensions are those of the file in another order.
    fn in_order(id: TensorId, dims: &[usize], order: &[usize]) -> Placed {
        Placed { id, view: View::in_order(dims, order) }
    }
}

/// An import in progress.
struct Import {
    file: File,
    layout: Layout,
    graph: Graph,
    /// Tensors of the file that are known or in the graph.
    values: HashMap<String, Value>,
    /// Names of those that are read.
    read: HashSet<String>,
    /// How the tensors of the graph are stored that the file quantizes.
    quants: Quants,
    /// In which type the file stores these.
    stored_types: HashMap<TensorId, i32>,
    constant_bytes: usize,
}

impl Import {
    fn input(&mut self, port: Port, operators: &[schema::Node]) -> Result<()> {
        let dtype = match port.element {
            schema::element::F32 | schema::element::F16 | schema::element::F64 => DType::F32,
            schema::element::I32 | schema::element::I64 => DType::I32,
            other => {
                let what =
                    format!("is an input of {}: float32, int32 and int64 are taken", element_name(other));
                return Err(Error::graph(&port.name, what));
            }
        };
        let rank = port.dims.len();
        let is_image = self.layout == Layout::ChannelsLast && rules::reads_channels(operators, &port.name);
        let order = if is_image && rank >= 3 { channels_last(rank) } else { (0..rank).collect() };
        let dims = device_dims(&port.dims, &order);
        let id = self.graph.input_of(&port.name, dtype, &dims)?;
        let placed = Placed::in_order(id, &port.dims, &order);
        if self.values.insert(port.name.clone(), Value::Computed(placed)).is_some() {
            return Err(Error::graph(&port.name, "is named twice as an input"));
        }
        Ok(())
    }

    fn operator(&mut self, node: schema::Node) -> Result<()> {
        let what = format!("`{}`, {}", label(&node), node.op_type);
        let outcome = Operator { import: self, node }.import();
        outcome.map_err(|error| Error::graph(&what, error.to_string()))
    }

    fn output(&mut self, name: &str) -> Result<()> {
        let placed = match self.value(name)? {
            Value::Constant(array) => self.place(name, &array, &View::row_major(&array.dims))?,
            Value::Computed(placed) => placed,
        };
        let dims = placed.view.dims();
        let order = self.output_order(&placed);
        let mut id = placed.view.moved(&mut self.graph, name, placed.id, &View::in_order(&dims, &order))?;
        let dims = device_dims(&dims, &order);
        let is_taken = self.graph[id].kind != Kind::Value || self.graph.outputs().contains(&id);
        if is_taken || self.graph.dims(id) != dims {
            id = self.graph.apply(name, reshape_to(&dims)?, &[id])?;
        }
        self.graph[id].name = name.to_string();
        self.graph.mark_output(id);
        Ok(())
    }

    /// The order of an output's axes: with channels last if they lie so, and that is asked.
    fn output_order(&self, placed: &Placed) -> Vec<usize> {
        let dims = placed.view.dims();
        let (plain, last) = ((0..dims.len()).collect(), channels_last(dims.len()));
        if self.layout == Layout::AsInFile || dims.len() < 3 {
            return plain;
        }
        let is_last = if placed.view == View::in_order(&dims, &last) && placed.view == View::row_major(&dims)
        {
            // Lengths of 1 leave it open: what has been an image of the device has channels.
            let in_order: Vec<usize> = last.iter().map(|&axis| dims[axis]).collect();
            let of_series = [&in_order[..1], &[1], &in_order[1..]].concat();
            [in_order, of_series].contains(&self.graph.dims(placed.id))
        } else {
            placed.view.has_channels_last()
        };
        if is_last { last } else { plain }
    }

    /// The tensor of that name.
    fn value(&mut self, name: &str) -> Result<Value> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let array = self.file.constant(name)?;
        let array = array.ok_or_else(|| Error::graph(name, "is read, but nothing computes it before"))?;
        self.count_bytes(array.numbers.len())?;
        let value = Value::Constant(Rc::new(array));
        self.values.insert(name.to_string(), value.clone());
        Ok(value)
    }

    /// Puts a constant into the graph, with its elements in the order of `view`; once if it is read again.
    fn place(&mut self, name: &str, array: &Array, view: &View) -> Result<Placed> {
        if array.numbers.len() == 0 {
            return Err(Error::graph(name, format!("has no elements ({:?})", array.dims)));
        }
        let numbers = array.numbers.at(&view.places());
        let data = match numbers {
            array::Numbers::Real(numbers) => Data::F32(numbers),
            array::Numbers::Whole(numbers, _) => Data::I32(numbers.into_iter().map(saturated).collect()),
        };
        let dims = if view.factors().len() <= 4 { view.factors() } else { &[view.count()] };
        let id = self.constant(name, dims, data)?;
        self.graph[id].quant = quantized::constant_quant(array);
        Ok(Placed { id, view: view.clone() })
    }

    /// A constant of the graph; the one that is there if its name and elements are the same.
    fn constant(&mut self, name: &str, dims: &[usize], data: Data) -> Result<TensorId> {
        let (n_tensors, n_elements) = (self.graph.n_tensors(), data.len());
        let id = passes::constant_once(&mut self.graph, name, dims, data)?;
        if self.graph.n_tensors() > n_tensors {
            self.count_bytes(n_elements)?;
        }
        Ok(id)
    }

    /// Counts the elements of a constant that is read or made at import: many may be in the same bytes of the file.
    fn count_bytes(&mut self, n_elements: usize) -> Result<()> {
        self.constant_bytes = self.constant_bytes.saturating_add(n_elements.saturating_mul(4));
        if self.constant_bytes > 2 * MAX_CONSTANT_BYTES {
            return Err(Error::Invalid(format!(
                "has or makes more than {} bytes of constants",
                2 * MAX_CONSTANT_BYTES
            )));
        }
        Ok(())
    }
}

/// Of an index or a number of them.
fn saturated(number: i64) -> i32 {
    number.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// The order of dimensions `[n, c, ...]` with the channels innermost.
fn channels_last(rank: usize) -> Vec<usize> {
    std::iter::once(0).chain(2..rank).chain((rank > 1).then_some(1)).take(rank).collect()
}

/// Dimensions in `order` for the graph, without leading ones that are more than it has.
fn device_dims(dims: &[usize], order: &[usize]) -> Vec<usize> {
    let mut dims: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
    while dims.len() > dunlin::shape::MAX_RANK && dims.contains(&1) {
        dims.remove(dims.iter().position(|&dim| dim == 1).unwrap_or(0));
    }
    dims
}
