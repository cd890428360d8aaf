//! An operator of a file in the hands of its rule.

use std::rc::Rc;

use super::array::{self, Array};
use super::view::View;
use super::{Import, Placed, Value, fold, label, quantized, rules, schema};
use crate::import::grouped::Parts;
use crate::ops::Op;
use crate::ops::reshape::reshape_to;
use crate::{Data, Error, Graph, Result, TensorId};

/// An operator being imported: what it reads, and the graph that its nodes are appended to.
pub struct Operator<'i> {
    pub(super) import: &'i mut Import,
    pub(super) node: schema::Node,
}

impl Operator<'_> {
    /// Computes the outputs now, if everything is known that they follow from; else appends their nodes.
    pub(super) fn import(&mut self) -> Result<()> {
        if let Some(outputs) = fold::fold(self)? {
            for (i, array) in outputs.into_iter().enumerate() {
                self.bind(i, Value::Constant(Rc::new(array)))?;
            }
            return Ok(());
        }
        match rules::rule(&self.node.op_type) {
            Some(import) => import(self),
            None => Err(Error::Invalid(
                "is computed from what the network computes; only of shapes and constants it may be: export the model \
                 with fixed shapes, or replace this layer"
                    .to_string(),
            )),
        }
    }

    /// Says of a constant of the graph that was made of constant input `i` how it is stored as weights, whose output channels
    /// run along axis `from` of the input and `to` of the constant.
    ///
    /// # Errors
    /// If the input is not known.
    pub fn store_weights(&mut self, i: usize, weights: TensorId, from: usize, to: usize) -> Result<()> {
        if let Some(array) = self.known(i)? {
            self.import.graph[weights].quant = quantized::weights_quant(&array, from, to);
        }
        Ok(())
    }

    /// The operator's name: `Conv`.
    pub fn kind(&self) -> &str {
        &self.node.op_type
    }

    /// What to call the operator's nodes.
    pub fn name(&self) -> String {
        label(&self.node).trim_start_matches('/').to_string()
    }

    /// What to call one of its nodes; the last one, if `what` is empty, is called as the operator.
    pub fn named(&self, what: &str) -> String {
        if what.is_empty() { self.name() } else { format!("{}/{what}", self.name()) }
    }

    /// The operator, of which nodes in between are made; `n_elements` of constants will be copied for them.
    ///
    /// # Errors
    /// If those are too many.
    pub fn parts(&mut self, n_elements: usize) -> Result<Parts<'_>> {
        self.import.count_bytes(n_elements)?;
        let name = self.name();
        Ok(Parts { graph: &mut self.import.graph, name, quant: None })
    }

    /// The version of ONNX's operators.
    pub fn version(&self) -> i64 {
        self.import.file.version
    }

    /// The graph so far.
    pub fn graph(&mut self) -> &mut Graph {
        &mut self.import.graph
    }

    /// Number of inputs, those that are left out included.
    pub fn n_inputs(&self) -> usize {
        self.node.input.len()
    }

    /// Number of outputs.
    pub fn n_outputs(&self) -> usize {
        self.node.output.len()
    }

    /// Whether input `i` is there.
    pub fn has_input(&self, i: usize) -> bool {
        self.node.input.get(i).is_some_and(|name| !name.is_empty())
    }

    /// Whether output `i` is read by anything.
    pub fn has_output(&self, i: usize) -> bool {
        self.node.output.get(i).is_some_and(|name| self.import.read.contains(name))
    }

    /// Makes a constant output 0.
    ///
    /// # Errors
    /// As [`Operator::emit`].
    pub(super) fn emit_known(&mut self, array: Array) -> Result<()> {
        self.bind(0, Value::Constant(Rc::new(array)))
    }

    /// The name of input `i`.
    pub fn input_name(&self, i: usize) -> String {
        self.node.input.get(i).cloned().unwrap_or_default()
    }

    /// A constant that parts of the operator can read by the name that is returned.
    pub fn known_as(&mut self, what: &str, array: Array) -> String {
        let name = format!("{}/{what}", self.name());
        self.import.values.insert(name.clone(), Value::Constant(Rc::new(array)));
        name
    }

    /// Imports another operator as a part of this one; its output has the name that is returned.
    ///
    /// # Errors
    /// Those of that operator.
    pub fn part(&mut self, kind: &str, what: &str, inputs: &[String]) -> Result<String> {
        let name = format!("{}/{what}", self.name());
        let node = schema::Node {
            name: name.clone(),
            op_type: kind.to_string(),
            input: inputs.to_vec(),
            output: vec![name.clone()],
            ..schema::Node::default()
        };
        Operator { import: self.import, node }.import()?;
        Ok(name)
    }

    /// Imports another operator in the place of this one.
    ///
    /// # Errors
    /// Those of that operator.
    pub fn become_part(&mut self, kind: &str, inputs: &[String]) -> Result<()> {
        (self.node.op_type, self.node.input) = (kind.to_string(), inputs.to_vec());
        self.node.attribute.clear();
        self.import()
    }

    fn attribute(&self, name: &str, ty: i32) -> Result<Option<&schema::Attribute>> {
        let found = self.node.attribute.iter().find(|attribute| attribute.name == name);
        match found {
            Some(attribute) if attribute.r#type != 0 && attribute.r#type != ty => {
                Err(Error::Invalid(format!("has the attribute {name} of another type: the file is damaged")))
            }
            found => Ok(found),
        }
    }

    /// A whole number, or `default` if the attribute is absent.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn int(&self, name: &str, default: i64) -> Result<i64> {
        Ok(self.attribute(name, schema::attribute::INT)?.map_or(default, |attribute| attribute.i))
    }

    /// A real number, or `default` if the attribute is absent.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn float(&self, name: &str, default: f32) -> Result<f32> {
        Ok(self.attribute(name, schema::attribute::FLOAT)?.map_or(default, |attribute| attribute.f))
    }

    /// Whole numbers, if the attribute is there.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        Ok(self.attribute(name, schema::attribute::INTS)?.map(|attribute| attribute.ints.clone()))
    }

    /// Real numbers, if the attribute is there.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn floats(&self, name: &str) -> Result<Option<Vec<f32>>> {
        Ok(self.attribute(name, schema::attribute::FLOATS)?.map(|attribute| attribute.floats.clone()))
    }

    /// Text, or `default` if the attribute is absent.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn text(&self, name: &str, default: &str) -> Result<String> {
        let attribute = self.attribute(name, schema::attribute::STRING)?;
        Ok(attribute
            .map_or_else(|| default.to_string(), |found| String::from_utf8_lossy(&found.s).into_owned()))
    }

    /// Texts, if the attribute is there.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let attribute = self.attribute(name, schema::attribute::STRINGS)?;
        let texts = |found: &schema::Attribute| {
            found.strings.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
        };
        Ok(attribute.map(texts))
    }

    /// A tensor, if the attribute is there.
    ///
    /// # Errors
    /// If it is of another type, or does not hold together.
    pub fn tensor(&self, name: &str) -> Result<Option<Array>> {
        let attribute = self.attribute(name, schema::attribute::TENSOR)?;
        attribute.and_then(|found| found.t.as_ref()).map(|tensor| self.import.file.array(tensor)).transpose()
    }

    /// Input `i`.
    ///
    /// # Errors
    /// If it is left out, or nothing computes it.
    pub(super) fn value(&mut self, i: usize) -> Result<Value> {
        match self.node.input.get(i).filter(|name| !name.is_empty()) {
            Some(name) => self.import.value(&name.clone()),
            None => Err(Error::Invalid(format!("input {i} is missing"))),
        }
    }

    /// Input `i`, if it is known.
    ///
    /// # Errors
    /// If it is left out, or nothing computes it.
    pub fn known(&mut self, i: usize) -> Result<Option<Rc<Array>>> {
        Ok(match self.value(i)? {
            Value::Constant(array) => Some(array),
            Value::Computed(_) => None,
        })
    }

    /// Input `i`, which must be known.
    ///
    /// # Errors
    /// If it is not.
    pub fn constant_input(&mut self, i: usize) -> Result<Rc<Array>> {
        let known = self.known(i)?;
        known.ok_or_else(|| {
            let name = &self.node.input[i];
            Error::Invalid(format!("reads `{name}` as a constant, and the network computes it"))
        })
    }

    /// The real numbers of input `i`, which must be known.
    ///
    /// # Errors
    /// If it is not, or of whole numbers.
    pub fn reals(&mut self, i: usize) -> Result<Vec<f32>> {
        let array = self.constant_input(i)?;
        let reals = array.reals().map(<[f32]>::to_vec);
        reals.ok_or_else(|| Error::Invalid(format!("input {i} holds whole numbers, not float32")))
    }

    /// The one real number of input `i`, if it is there, or `default`.
    ///
    /// # Errors
    /// If it is not known, or several.
    pub fn real(&mut self, i: usize, default: f32) -> Result<f32> {
        if !self.has_input(i) {
            return Ok(default);
        }
        match self.reals(i)?[..] {
            [number] => Ok(number),
            ref several => Err(Error::Invalid(format!("input {i} holds {} numbers, not one", several.len()))),
        }
    }

    /// The whole numbers of input `i`, which must be known; `None` if it is left out.
    ///
    /// # Errors
    /// If it is not known, or holds real numbers.
    pub fn wholes(&mut self, i: usize) -> Result<Option<Vec<i64>>> {
        if !self.has_input(i) {
            return Ok(None);
        }
        let array = self.constant_input(i)?;
        let wholes = array.wholes().map(<[i64]>::to_vec);
        wholes
            .map(Some)
            .ok_or_else(|| Error::Invalid(format!("input {i} holds real numbers, not whole ones")))
    }

    /// Whole numbers that older versions give as an attribute and newer ones as input `i`.
    ///
    /// # Errors
    /// As [`Operator::wholes`].
    pub fn ints_or_input(&mut self, name: &str, i: usize) -> Result<Option<Vec<i64>>> {
        match self.ints(name)? {
            Some(ints) => Ok(Some(ints)),
            None => self.wholes(i),
        }
    }

    /// Input `i` in the graph; a constant with its axes in order.
    ///
    /// # Errors
    /// If it is left out, or nothing computes it.
    pub(super) fn placed(&mut self, i: usize) -> Result<Placed> {
        match self.value(i)? {
            Value::Computed(placed) => Ok(placed),
            Value::Constant(array) => self.place(i, &array, &View::row_major(&array.dims)),
        }
    }

    /// Constant input `i` in the graph, in the order of `view`.
    pub(super) fn place(&mut self, i: usize, array: &Array, view: &View) -> Result<Placed> {
        let name = self.node.input[i].clone();
        self.import.place(&name, array, view)
    }

    /// Dimensions of input `i`.
    ///
    /// # Errors
    /// As [`Operator::known`].
    pub fn dims(&mut self, i: usize) -> Result<Vec<usize>> {
        Ok(match self.value(i)? {
            Value::Constant(array) => array.dims.clone(),
            Value::Computed(placed) => placed.view.dims(),
        })
    }

    /// Input `i` with its axes in `order` in memory, as a tensor of dimensions `dims`.
    ///
    /// # Errors
    /// As [`Operator::placed`].
    pub(super) fn in_order(&mut self, i: usize, order: &[usize], dims: &[usize]) -> Result<TensorId> {
        let placed = match self.value(i)? {
            Value::Computed(placed) => placed,
            Value::Constant(array) => {
                let view = View::in_order(&array.dims, order);
                self.place(i, &array, &view)?
            }
        };
        let view = View::in_order(&placed.view.dims(), order);
        self.moved(&placed, &view, dims)
    }

    /// A tensor with its elements in the order of `view`, as one of dimensions `dims`.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub(super) fn moved(&mut self, placed: &Placed, view: &View, dims: &[usize]) -> Result<TensorId> {
        let name = self.name();
        let id = placed.view.moved(self.graph(), &name, placed.id, view)?;
        self.shaped(id, dims)
    }

    /// A tensor of the graph in other dimensions.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn shaped(&mut self, id: TensorId, dims: &[usize]) -> Result<TensorId> {
        let graph = &self.import.graph;
        if graph.dims(id) == dims {
            return Ok(id);
        }
        if let Some(data) = graph.constant_data(id).cloned() {
            let (name, quant) = (graph[id].name.clone(), graph[id].quant.clone());
            let shaped = self.import.constant(&name, dims, data)?;
            self.import.graph[shaped].quant = quant;
            return Ok(shaped);
        }
        self.apply("shaped", reshape_to(dims)?, &[id])
    }

    /// `axis` of a tensor of `rank`, where negative ones count from behind.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize> {
        let index = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
        let index = usize::try_from(index).ok().filter(|&index| index < rank);
        index.ok_or_else(|| Error::Invalid(format!("axis {axis} of {rank} dimensions")))
    }

    /// Several of these, sorted.
    ///
    /// # Errors
    /// If there is no such axis, or it is named twice.
    pub fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>> {
        let mut axes: Vec<usize> = axes.iter().map(|&axis| self.axis(axis, rank)).collect::<Result<_>>()?;
        axes.sort_unstable();
        if axes.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::Invalid(format!("names an axis twice: {axes:?}")));
        }
        Ok(axes)
    }

    /// Appends a node.
    ///
    /// # Errors
    /// If its shape rule refuses the inputs.
    pub fn apply(&mut self, what: &str, op: impl Into<Op>, inputs: &[TensorId]) -> Result<TensorId> {
        let name = self.named(what);
        self.import.graph.apply(&name, op, inputs)
    }

    /// Adds a constant of real numbers.
    ///
    /// # Errors
    /// If `numbers` are not as many as `dims` says.
    pub fn constant(&mut self, what: &str, dims: &[usize], numbers: Vec<f32>) -> Result<TensorId> {
        let name = format!("{}/{what}", self.name());
        self.import.constant(&name, dims, Data::F32(numbers))
    }

    /// Makes tensor `id`, seen by `view`, output `i`.
    ///
    /// # Errors
    /// If there is no such output, or it is there already.
    pub(super) fn emit(&mut self, i: usize, id: TensorId, view: View) -> Result<()> {
        self.bind(i, Value::Computed(Placed { id, view }))
    }

    /// Makes a tensor whose dimensions are those of the file in `order` output 0.
    ///
    /// # Errors
    /// As [`Operator::emit`].
    pub(super) fn emit_in_order(&mut self, id: TensorId, dims: &[usize], order: &[usize]) -> Result<()> {
        self.emit(0, id, View::in_order(dims, order))
    }

    /// Lets input 0 stand for output 0, seen by another view.
    ///
    /// # Errors
    /// As [`Operator::emit`].
    pub(super) fn forward(&mut self, view: impl FnOnce(View) -> View) -> Result<()> {
        let Placed { id, view: of_input } = self.placed(0)?;
        self.emit(0, id, view(of_input))
    }

    fn bind(&mut self, i: usize, value: Value) -> Result<()> {
        if let Value::Constant(array) = &value {
            // Empty ones, too, have dimensions whose products are small.
            array::count(&array.dims)?;
            self.import.count_bytes(array.numbers.len())?;
        }
        let name = self.node.output.get(i).ok_or_else(|| Error::Invalid(format!("output {i} is missing")))?;
        if name.is_empty() {
            return Ok(());
        }
        match self.import.values.insert(name.clone(), value) {
            None => Ok(()),
            Some(_) => Err(Error::Invalid(format!("computes `{name}`, which is there already"))),
        }
    }
}
