//! The graph: tensors, and nodes that compute them.
//!
//! A graph has one of two forms. In *real* form every tensor stands for real numbers: its type says f32, and
//! a tensor that is stored quantized carries a [`Quant`] beside that. Training, importers and passes work
//! on it. In *device* form (after [`lower`](crate::lower::lower)) types say what is stored.

use std::collections::BTreeSet;

use dunlin::{DType, Shape, TensorType};

use crate::ops::Op;
use crate::{Error, Result};

/// A tensor of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub u32);

/// A node of a graph: its place in the order of execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// Elements of a constant, in row-major order.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Data {
    F32(Vec<f32>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
}

impl Data {
    /// Element type.
    pub fn dtype(&self) -> DType {
        match self {
            Data::F32(_) => DType::F32,
            Data::I8(_) => DType::I8,
            Data::I16(_) => DType::I16,
            Data::I32(_) => DType::I32,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F32(v) => v.len(),
            Data::I8(v) => v.len(),
            Data::I16(v) => v.len(),
            Data::I32(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as they are stored, little-endian.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Data::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::I8(v) => v.iter().map(|&x| x as u8).collect(),
            Data::I16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::I32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    /// The elements stored in `bytes`; see [`Data::bytes`]. Trailing bytes that fill no element are left out.
    pub fn from_bytes(dtype: DType, bytes: &[u8]) -> Data {
        match dtype {
            DType::F32 => Data::F32(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()),
            DType::I8 => Data::I8(bytes.iter().map(|&b| b as i8).collect()),
            DType::I16 => Data::I16(bytes.as_chunks().0.iter().map(|&b| i16::from_le_bytes(b)).collect()),
            DType::I32 => Data::I32(bytes.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b)).collect()),
        }
    }

    /// The elements if they are f32.
    pub fn as_f32(&self) -> Option<&[f32]> {
        if let Data::F32(v) = self { Some(v) } else { None }
    }

    /// The elements if they are int8.
    pub fn as_i8(&self) -> Option<&[i8]> {
        if let Data::I8(v) = self { Some(v) } else { None }
    }

    /// The elements if they are i32.
    pub fn as_i32(&self) -> Option<&[i32]> {
        if let Data::I32(v) = self { Some(v) } else { None }
    }
}

/// How real numbers are stored as integers: `real = scale * (q - zero_point)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quant {
    /// The stored type.
    pub dtype: DType,
    /// One scale, or one for each index along `axis`.
    pub scales: Vec<f32>,
    /// The stored number for 0.0; 0 for weights and biases.
    pub zero_point: i32,
    /// The dimension that `scales` runs along, for weights quantized per channel.
    pub axis: Option<usize>,
}

impl Quant {
    /// Per-tensor int8.
    pub fn i8(scale: f32, zero_point: i32) -> Quant {
        Quant { dtype: DType::I8, scales: vec![scale], zero_point, axis: None }
    }

    /// The scale of a per-tensor quantization (the first one otherwise).
    pub fn scale(&self) -> f32 {
        self.scales[0]
    }
}

/// What the types of a graph's tensors mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// What tensors stand for: real numbers.
    #[default]
    Real,
    /// What is stored.
    Device,
}

/// What a tensor is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Given by the caller before each run.
    Input,
    /// Fixed; lies in flash.
    Constant(Data),
    /// Kept between runs, with its first value: parameters in training.
    State(Data),
    /// Computed by a node.
    Value,
}

/// A tensor: what flows along the graph's edges.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// For reports and errors.
    pub name: String,
    /// Dtype and shape; in real form the dtype of the real numbers.
    pub ty: TensorType,
    /// What it is.
    pub kind: Kind,
    /// How it is stored, where that is quantized.
    pub quant: Option<Quant>,
}

/// An operator applied to tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// For reports and errors.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What it reads.
    pub inputs: Vec<TensorId>,
    /// What it writes.
    pub outputs: Vec<TensorId>,
}

/// A computation: nodes in an order in which they can run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The model's name.
    pub name: String,
    /// Labels of the first output's elements, if it is a classification.
    pub labels: Vec<String>,
    /// What its tensors' types mean.
    pub form: Form,
    tensors: Vec<Tensor>,
    nodes: Vec<Node>,
    inputs: Vec<TensorId>,
    outputs: Vec<TensorId>,
    /// Tensors that no gradient flows back through.
    constant_to_gradients: BTreeSet<TensorId>,
}

impl std::ops::Index<TensorId> for Graph {
    type Output = Tensor;
    fn index(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0 as usize]
    }
}

impl std::ops::IndexMut<TensorId> for Graph {
    fn index_mut(&mut self, id: TensorId) -> &mut Tensor {
        &mut self.tensors[id.0 as usize]
    }
}

impl Graph {
    /// An empty graph.
    pub fn new(name: &str) -> Graph {
        Graph { name: name.to_string(), ..Graph::default() }
    }

    /// Adds an input of f32 (real) numbers.
    ///
    /// # Errors
    /// If `dims` is no shape.
    pub fn input(&mut self, name: &str, dims: &[usize]) -> Result<TensorId> {
        self.input_of(name, DType::F32, dims)
    }

    /// Adds an input of any dtype.
    ///
    /// # Errors
    /// If `dims` is no shape.
    pub fn input_of(&mut self, name: &str, dtype: DType, dims: &[usize]) -> Result<TensorId> {
        let ty = TensorType::new(dtype, shape_of(name, dims)?);
        let id = self.add_tensor(Tensor { name: name.to_string(), ty, kind: Kind::Input, quant: None });
        self.inputs.push(id);
        Ok(id)
    }

    /// Adds a constant.
    ///
    /// # Errors
    /// If `data` does not have as many elements as `dims` says.
    pub fn constant(&mut self, name: &str, dims: &[usize], data: Data) -> Result<TensorId> {
        let ty = check_data(name, dims, &data)?;
        Ok(self.add_tensor(Tensor { name: name.to_string(), ty, kind: Kind::Constant(data), quant: None }))
    }

    /// Adds a tensor that keeps its value between runs.
    ///
    /// # Errors
    /// If `data` does not have as many elements as `dims` says.
    pub fn state(&mut self, name: &str, dims: &[usize], data: Data) -> Result<TensorId> {
        let ty = check_data(name, dims, &data)?;
        Ok(self.add_tensor(Tensor { name: name.to_string(), ty, kind: Kind::State(data), quant: None }))
    }

    /// Adds a tensor as it is; a node or the caller's lists must account for it.
    pub fn add_tensor(&mut self, tensor: Tensor) -> TensorId {
        self.tensors.push(tensor);
        TensorId(self.tensors.len() as u32 - 1)
    }

    /// Applies an operator with one output; the shape rule is checked here.
    ///
    /// # Errors
    /// [`Error::Operator`] naming `name` and the inputs.
    pub fn apply(&mut self, name: &str, op: impl Into<Op>, inputs: &[TensorId]) -> Result<TensorId> {
        let outputs = self.apply_all(name, op, inputs)?;
        match outputs[..] {
            [output] => Ok(output),
            _ => Err(Error::graph(name, format!("has {} outputs where one was expected", outputs.len()))),
        }
    }

    /// Applies an operator; the shape rule is checked here.
    ///
    /// # Errors
    /// [`Error::Operator`] naming `name` and the inputs.
    pub fn apply_all(&mut self, name: &str, op: impl Into<Op>, inputs: &[TensorId]) -> Result<Vec<TensorId>> {
        let op = op.into();
        let types = self.infer(name, &op, inputs)?;
        let outputs: Vec<TensorId> = types
            .into_iter()
            .enumerate()
            .map(|(i, ty)| {
                let name = if i == 0 { name.to_string() } else { format!("{name}:{i}") };
                self.add_tensor(Tensor { name, ty, kind: Kind::Value, quant: None })
            })
            .collect();
        self.add_node(Node { name: name.to_string(), op, inputs: inputs.to_vec(), outputs: outputs.clone() });
        Ok(outputs)
    }

    /// Applies an operator that writes its outputs over existing state (an optimizer's update).
    ///
    /// # Errors
    /// If the shape rule is violated or an output is not state of the type that the operator makes.
    pub fn update(
        &mut self,
        name: &str,
        op: impl Into<Op>,
        inputs: &[TensorId],
        states: &[TensorId],
    ) -> Result<()> {
        let op = op.into();
        let types = self.infer(name, &op, inputs)?;
        let fits = |(&id, ty): (&TensorId, &TensorType)| {
            matches!(self[id].kind, Kind::State(_)) && self[id].ty == *ty
        };
        if types.len() != states.len() || !states.iter().zip(&types).all(fits) {
            return Err(Error::graph(name, "its outputs are not state of the types that it makes"));
        }
        self.add_node(Node { name: name.to_string(), op, inputs: inputs.to_vec(), outputs: states.to_vec() });
        Ok(())
    }

    /// Adds a node as it is, behind all others.
    pub fn add_node(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// Types that `op` makes of `inputs`.
    fn infer(&self, node: &str, op: &Op, inputs: &[TensorId]) -> Result<Vec<TensorType>> {
        let types: Vec<TensorType> = inputs.iter().map(|&id| self[id].ty).collect();
        let inferred = match self.form {
            Form::Real => op.infer(&types),
            Form::Device => op.infer_device(&types),
        };
        inferred.map_err(|source| Error::Operator {
            node: node.to_string(),
            op: op.name(),
            inputs: types
                .iter()
                .map(|t| format!("{}[{}]", t.dtype.name(), t.shape))
                .collect::<Vec<_>>()
                .join(", "),
            source,
        })
    }

    /// What `build` appends, as constants to [`gradients`](crate::autograd::gradients): none flow back through any of it.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn no_grad<T>(&mut self, build: impl FnOnce(&mut Graph) -> Result<T>) -> Result<T> {
        let first = self.tensors.len() as u32;
        let built = build(self);
        self.constant_to_gradients.extend((first..self.tensors.len() as u32).map(TensorId));
        built
    }

    /// Whether gradients take a tensor for a constant.
    pub fn stops_gradient(&self, id: TensorId) -> bool {
        self.constant_to_gradients.contains(&id)
    }

    /// Marks a tensor as an output of the graph.
    pub fn mark_output(&mut self, id: TensorId) {
        self.outputs.push(id);
    }

    /// Inputs in their order.
    pub fn inputs(&self) -> &[TensorId] {
        &self.inputs
    }

    /// Outputs in their order.
    pub fn outputs(&self) -> &[TensorId] {
        &self.outputs
    }

    /// Replaces the lists of inputs and outputs.
    pub fn set_ports(&mut self, inputs: Vec<TensorId>, outputs: Vec<TensorId>) {
        (self.inputs, self.outputs) = (inputs, outputs);
    }

    /// Nodes in the order of execution.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Nodes, to rewrite; [`Graph::verify`] tells whether the result holds together.
    pub fn nodes_mut(&mut self) -> &mut Vec<Node> {
        &mut self.nodes
    }

    /// Tensors in the order in which they were added.
    pub fn tensors(&self) -> impl Iterator<Item = (TensorId, &Tensor)> {
        self.tensors.iter().enumerate().map(|(i, t)| (TensorId(i as u32), t))
    }

    /// Number of tensors.
    pub fn n_tensors(&self) -> usize {
        self.tensors.len()
    }

    /// Dimensions of a tensor.
    pub fn dims(&self, id: TensorId) -> Vec<usize> {
        self[id].ty.shape.dims().iter().map(|&d| d as usize).collect()
    }

    /// Elements of a constant.
    pub fn constant_data(&self, id: TensorId) -> Option<&Data> {
        if let Kind::Constant(data) = &self[id].kind { Some(data) } else { None }
    }

    /// The node that computes a tensor.
    pub fn producer(&self, id: TensorId) -> Option<&Node> {
        self.nodes.iter().find(|n| n.outputs.contains(&id))
    }

    /// Nodes that read a tensor, in order, one entry a use.
    pub fn consumers(&self, id: TensorId) -> Vec<NodeId> {
        let uses = |(i, n): (usize, &Node)| {
            let count = n.inputs.iter().filter(|&&input| input == id).count();
            std::iter::repeat_n(NodeId(i as u32), count)
        };
        self.nodes.iter().enumerate().flat_map(uses).collect()
    }

    /// Makes every use of `from` (outputs of the graph included) a use of `to`.
    pub fn replace_uses(&mut self, from: TensorId, to: TensorId) {
        let ids = self.nodes.iter_mut().flat_map(|n| n.inputs.iter_mut()).chain(self.outputs.iter_mut());
        for id in ids.filter(|id| **id == from) {
            *id = to;
        }
    }

    /// Checks that every node reads what exists before it, that values are computed once, that types are
    /// those of the shape rules, and that constants have as many elements as their shapes say.
    ///
    /// # Errors
    /// The first contradiction, by node.
    pub fn verify(&self) -> Result<()> {
        let mut defined: Vec<bool> = self.tensors.iter().map(|t| t.kind != Kind::Value).collect();
        for node in &self.nodes {
            if let Some(&missing) = node.inputs.iter().find(|id| !defined[id.0 as usize]) {
                return Err(Error::graph(
                    &node.name,
                    format!("reads `{}` before it is computed", self[missing].name),
                ));
            }
            let types = self.infer(&node.name, &node.op, &node.inputs)?;
            let actual: Vec<TensorType> = node.outputs.iter().map(|&id| self[id].ty).collect();
            if types != actual {
                return Err(Error::graph(&node.name, format!("makes {types:?}, its outputs say {actual:?}")));
            }
            for &id in &node.outputs {
                let was = std::mem::replace(&mut defined[id.0 as usize], true);
                if was && !matches!(self[id].kind, Kind::State(_)) {
                    return Err(Error::graph(&node.name, format!("computes `{}` again", self[id].name)));
                }
            }
        }
        if let Some(&missing) = self.outputs.iter().find(|id| !defined[id.0 as usize]) {
            return Err(Error::graph(&self[missing].name, "is an output that nothing computes"));
        }
        for tensor in &self.tensors {
            if let Kind::Constant(data) | Kind::State(data) = &tensor.kind
                && data.len() != tensor.ty.shape.count()
            {
                let (have, want) = (data.len(), tensor.ty.shape);
                return Err(Error::graph(&tensor.name, format!("has {have} elements for shape {want}")));
            }
        }
        Ok(())
    }
}

fn shape_of(name: &str, dims: &[usize]) -> Result<Shape> {
    Shape::new(dims)
        .map_err(|e| Error::graph(name, format!("{dims:?} is no shape of at most 4 dimensions: {e}")))
}

fn check_data(name: &str, dims: &[usize], data: &Data) -> Result<TensorType> {
    let shape = shape_of(name, dims)?;
    if shape.count() != data.len() {
        return Err(Error::graph(name, format!("{} elements given for shape {shape}", data.len())));
    }
    Ok(TensorType::new(data.dtype(), shape))
}
