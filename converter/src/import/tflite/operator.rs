//! An operator of a file in the hands of its rule.

use dunlin::DType;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::ops::{Concat, Conv2d};

use super::flatbuffer::Scalar;
use super::joins::Repetition;
use super::{Import, OperatorRecord, schema};
use crate::import::grouped::Parts;
use crate::ops::Op;
use crate::ops::reshape::reshape_to;
use crate::padding::same;
use crate::{Data, Error, Graph, Quant, Result, TensorId};

/// An operator being imported: what it reads, and the graph that its nodes are appended to.
pub struct Operator<'i, 'a> {
    pub(super) import: &'i mut Import<'a>,
    pub(super) record: OperatorRecord<'a>,
}

impl Operator<'_, '_> {
    /// Its name in the schema.
    pub fn name(&self) -> &'static str {
        self.record.name
    }

    /// The name of its first output.
    ///
    /// # Errors
    /// If it has none.
    pub fn output_name(&self) -> Result<String> {
        self.import.file.tensor_name(self.output(0)?)
    }

    /// Number of inputs, those that are left out included.
    pub fn n_inputs(&self) -> usize {
        self.record.inputs.len()
    }

    /// Number of outputs.
    pub fn n_outputs(&self) -> usize {
        self.record.outputs.len()
    }

    /// Refuses int8, which TensorFlow Lite Micro rounds in a way of its own for each operator.
    ///
    /// # Errors
    /// If output 0 is quantized.
    pub fn check_real(&self) -> Result<()> {
        match self.output_quant(0)? {
            Some(_) => Err(Error::Invalid(
                "is not supported in int8: quantize the float32 model with `dunlin convert --samples`, or keep it in float32"
                    .to_string(),
            )),
            None => Ok(()),
        }
    }

    /// The graph so far.
    pub fn graph(&mut self) -> &mut Graph {
        &mut self.import.graph
    }

    /// Input `i`.
    ///
    /// # Errors
    /// If it is left out, or nothing computes it.
    pub fn input(&mut self, i: usize) -> Result<TensorId> {
        self.optional_input(i)?.ok_or_else(|| Error::Invalid(format!("input {i} is missing")))
    }

    /// Input `i`, or `None` if it is left out.
    ///
    /// # Errors
    /// If nothing computes it.
    pub fn optional_input(&mut self, i: usize) -> Result<Option<TensorId>> {
        let Some(tensor) = self.record.inputs.get(i).copied().flatten() else { return Ok(None) };
        if self.computes_reals()?
            && let Some(id) = self.import.real_constant(tensor)?
        {
            return Ok(Some(id));
        }
        self.import.tensor(tensor).map(Some)
    }

    /// Whether its result is in float32, so that int8 weights ("dynamic range quantization") stand for their real numbers.
    fn computes_reals(&self) -> Result<bool> {
        let output = self.import.file.tensor(self.output(0)?)?;
        Ok(output.element == schema::element::F32 && self.name() != "DEQUANTIZE")
    }

    /// How operators around it, which are joined with it, repeat its input's elements.
    pub fn repetition(&mut self) -> Option<Repetition> {
        self.record.repetition.take()
    }

    /// Whether input `i` is there.
    pub fn has_input(&self, i: usize) -> bool {
        matches!(self.record.inputs.get(i), Some(Some(_)))
    }

    /// The quantization of input `i`, which may be a variable.
    ///
    /// # Errors
    /// If the file is damaged there, or the input is left out.
    pub fn input_quant(&self, i: usize) -> Result<Option<Quant>> {
        let tensor = self.record.inputs.get(i).copied().flatten();
        let tensor = tensor.ok_or_else(|| Error::Invalid(format!("input {i} is missing")))?;
        self.import.file.quant(tensor)
    }

    /// All inputs.
    ///
    /// # Errors
    /// If one is left out, or nothing computes it.
    pub fn inputs(&mut self) -> Result<Vec<TensorId>> {
        (0..self.n_inputs()).map(|i| self.input(i)).collect()
    }

    /// Dimensions of input `i`.
    ///
    /// # Errors
    /// As [`Operator::input`].
    pub fn dims(&mut self, i: usize) -> Result<Vec<usize>> {
        let id = self.input(i)?;
        Ok(self.import.graph.dims(id))
    }

    /// Dimensions of output `i`, as the file declares them.
    ///
    /// # Errors
    /// If there is no such output.
    pub fn output_dims(&self, i: usize) -> Result<Vec<usize>> {
        Ok(self.import.file.tensor(self.output(i)?)?.dims)
    }

    /// The quantization of output `i`.
    ///
    /// # Errors
    /// If there is no such output.
    pub fn output_quant(&self, i: usize) -> Result<Option<Quant>> {
        Ok(self.import.file.tensor(self.output(i)?)?.quant)
    }

    fn output(&self, i: usize) -> Result<usize> {
        self.record.outputs.get(i).copied().ok_or_else(|| Error::Invalid(format!("output {i} is missing")))
    }

    /// The integers of input `i`, which describes a shape, axes, paddings.
    ///
    /// # Errors
    /// If it is neither a constant of int32 nor computed from shapes alone.
    pub fn ints(&self, i: usize) -> Result<Vec<i32>> {
        let tensor = self.record.inputs.get(i).copied().flatten();
        let tensor = tensor.ok_or_else(|| Error::Invalid(format!("input {i} is missing")))?;
        let import = &self.import;
        let dims = |tensor| import.ids.get(&tensor).map(|&id| import.graph.dims(id));
        match import.shapes.ints(&import.file, tensor, &dims)? {
            Some(ints) => Ok(ints),
            None => {
                let what = "must be a constant of int32, or follow from shapes: export with fixed shapes";
                Err(Error::graph(&import.file.tensor_name(tensor)?, what))
            }
        }
    }

    /// The size `[h, w]` that input `i` gives.
    ///
    /// # Errors
    /// If it is no constant of two sizes below 65536.
    pub fn image_size(&self, i: usize) -> Result<[u16; 2]> {
        let sizes = self.ints(i)?;
        let size = |n: i32| u16::try_from(n).ok();
        let pair = match sizes[..] {
            [h, w] => size(h).zip(size(w)),
            _ => None,
        };
        let (h, w) = pair.ok_or_else(|| Error::Invalid(format!("resizes to {sizes:?}, no image size")))?;
        Ok([h, w])
    }

    /// `axis` of a tensor of `rank`, where negative ones count from the innermost.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn axis(&self, axis: i32, rank: usize) -> Result<usize> {
        let index = if axis < 0 { axis as i64 + rank as i64 } else { axis as i64 };
        let index = usize::try_from(index).ok().filter(|&index| index < rank);
        index.ok_or_else(|| Error::Invalid(format!("axis {axis} of {rank} dimensions")))
    }

    /// An option, or `default` if it is absent; `field` is one of [`schema`].
    ///
    /// # Errors
    /// If the file is damaged there.
    pub fn option<T: Scalar>(&self, field: u16, default: T) -> Result<T> {
        self.record.option(field, default)
    }

    /// A boolean option, false if it is absent.
    ///
    /// # Errors
    /// If the file is damaged there.
    pub fn flag(&self, field: u16) -> Result<bool> {
        Ok(self.option(field, 0u8)? != 0)
    }

    /// A fused activation.
    ///
    /// # Errors
    /// If it is none that clamps.
    pub fn activation(&self, field: u16) -> Result<Bounds> {
        match self.option(field, schema::activation::NONE)? {
            schema::activation::NONE => Ok(Bounds::None),
            schema::activation::RELU => Ok(Bounds::RELU),
            schema::activation::RELU_N1_TO_1 => Ok(Bounds::F32 { lo: -1.0, hi: 1.0 }),
            schema::activation::RELU6 => Ok(Bounds::RELU6),
            other => {
                let what =
                    "only ReLUs are taken there: give the network an activation of its own behind this";
                Err(Error::Invalid(format!("has the fused activation {other}, and {what}")))
            }
        }
    }

    /// A pair `[y, x]` of options, each absent as 1.
    ///
    /// # Errors
    /// If one is not in [1, 255].
    pub fn pair(&self, what: &str, [y, x]: [u16; 2]) -> Result<[u8; 2]> {
        let one = |field| {
            let number: i32 = self.option(field, 1)?;
            let fits = u8::try_from(number).ok().filter(|&number| number > 0);
            fits.ok_or_else(|| Error::Invalid(format!("has {what} {number}, not in 1 to 255")))
        };
        Ok([one(y)?, one(x)?])
    }

    /// The window of `kernel` on input 0, padded by the rule that the option `padding` names.
    ///
    /// # Errors
    /// If input 0 is no image, or a padding is beyond 255.
    pub fn window(
        &mut self,
        kernel: [usize; 2],
        padding: u16,
        stride: [u8; 2],
        dilation: [u8; 2],
    ) -> Result<Window> {
        if let Some(dilation) = &self.record.dilation {
            return dilation.window(kernel, self.option(padding, schema::padding::SAME)?, stride);
        }
        let dims = self.dims(0)?;
        let &[_, h, w, _] = &dims[..] else {
            return Err(Error::Invalid(format!("its input has {} dimensions, not 4", dims.len())));
        };
        let padded = match self.option(padding, schema::padding::SAME)? {
            schema::padding::SAME => true,
            schema::padding::VALID => false,
            other => return Err(Error::Invalid(format!("has the unknown padding rule {other}"))),
        };
        let pads = |axis: usize, len| match padded {
            true => same(kernel[axis], stride[axis], dilation[axis], len),
            false => Ok([0, 0]),
        };
        let ([top, bottom], [left, right]) = (pads(0, h)?, pads(1, w)?);
        Ok(Window { stride, dilation, pads: [top, left, bottom, right] })
    }

    /// The pooling that the options describe.
    ///
    /// # Errors
    /// As [`Operator::window`].
    pub fn pooling(&mut self) -> Result<Pooling> {
        use schema::pool2d::*;
        let kernel = self.pair("kernel", [FILTER_H, FILTER_W])?;
        let stride = self.pair("stride", [STRIDE_H, STRIDE_W])?;
        let window = self.window(kernel.map(usize::from), PADDING, stride, [1, 1])?;
        Ok(Pooling { kernel, window, bounds: self.activation(ACTIVATION)? })
    }

    /// The inputs of a layer: activations, weights and, unless it is left out, the bias.
    ///
    /// # Errors
    /// As [`Operator::input`].
    pub fn layer_inputs(&mut self) -> Result<Vec<TensorId>> {
        self.layer_inputs_at([0, 1, 2])
    }

    /// The same of inputs with other numbers.
    ///
    /// # Errors
    /// As [`Operator::input`].
    pub fn layer_inputs_at(&mut self, [x, weights, bias]: [usize; 3]) -> Result<Vec<TensorId>> {
        let mut inputs = vec![self.input(x)?, self.input(weights)?];
        let (dims, taps) = (self.import.graph.dims(inputs[0]), self.import.graph.dims(inputs[1]));
        if let (Some(_), &[n, len, c], &[_, kh, _, _]) = (&self.record.dilation, &dims[..], &taps[..]) {
            let image = if kh == 1 { [n, 1, len, c] } else { [n, len, 1, c] };
            inputs[0] = self.apply("image", reshape_to(&image)?, &inputs[..1], self.input_quant(x)?)?;
        }
        if let Some(bias) = self.optional_input(bias)? {
            let tensor = &mut self.import.graph[bias];
            if tensor.ty.dtype == DType::I32 {
                // Written without a scale, which nothing needs: it follows from those of the other inputs.
                tensor.ty.dtype = DType::F32;
                tensor.quant = Some(Quant { dtype: DType::I32, ..Quant::i8(1.0, 0) });
            }
            inputs.push(bias);
        }
        Ok(inputs)
    }

    /// Lets input `i` stand for the output, too.
    ///
    /// # Errors
    /// As [`Operator::input`].
    pub fn forward(&mut self, i: usize) -> Result<()> {
        let (input, output) = (self.input(i)?, self.output(0)?);
        self.import.ids.insert(output, input);
        Ok(())
    }

    /// Makes a constant of `dims`, everywhere as constant input `i`, the output.
    ///
    /// # Errors
    /// If input `i` is no constant of one number.
    pub fn emit_filled(&mut self, dims: &[usize], i: usize) -> Result<()> {
        let id = self.input(i)?;
        let graph = &self.import.graph;
        let number = graph.constant_data(id).filter(|data| data.len() == 1);
        let number = number.ok_or_else(|| Error::Invalid(format!("input {i} is no constant number")))?;
        let number_bytes = number.bytes();
        let n_bytes = dims.iter().fold(number_bytes.len(), |product, &dim| product.saturating_mul(dim));
        self.import.constant_bytes = self.import.constant_bytes.saturating_add(n_bytes);
        if self.import.constant_bytes > super::MAX_CONSTANT_BYTES {
            return Err(Error::Invalid(format!("fills {dims:?}, more than a network may hold")));
        }
        let bytes = number_bytes.repeat(n_bytes / number_bytes.len().max(1));
        let data = Data::from_bytes(number.dtype(), &bytes);
        let (dtype, output) = (graph[id].ty.dtype, self.output(0)?);
        let made = self.constant("filled", dims, data)?;
        self.import.graph[made].ty.dtype = dtype;
        self.bind(output, made)
    }

    /// If input 0 is a constant, makes the real numbers that it stands for the output, and returns whether it
    /// is.
    ///
    /// # Errors
    /// If the file is damaged there.
    pub fn emit_real_constant(&mut self) -> Result<bool> {
        let Some(&Some(input)) = self.record.inputs.first() else { return Ok(false) };
        let Some(id) = self.import.real_constant(input)? else { return Ok(false) };
        let output = self.output(0)?;
        self.bind(output, id)?;
        Ok(true)
    }

    /// Appends the node that makes the operator's outputs.
    ///
    /// # Errors
    /// If its shape rule refuses the inputs, or does not agree with the outputs that the file declares.
    pub fn emit(&mut self, op: impl Into<Op>, inputs: &[TensorId]) -> Result<()> {
        let outputs = self.record.outputs.clone();
        let name = self.import.file.tensor_name(self.output(0)?)?;
        let made = self.import.graph.apply_all(&name, op, inputs)?;
        if made.len() != outputs.len() {
            return Err(Error::Invalid(format!("has {} outputs, not {}", outputs.len(), made.len())));
        }
        for (output, made) in outputs.into_iter().zip(made) {
            self.bind(output, made)?;
        }
        Ok(())
    }

    /// Appends the node of a layer with a window, whose image may have been a series: see [`Operator::layer_inputs`].
    ///
    /// # Errors
    /// As [`Operator::emit`].
    pub fn emit_layer(&mut self, op: impl Into<Op>, inputs: &[TensorId]) -> Result<()> {
        let dims = self.output_dims(0)?;
        if self.record.dilation.is_none() || dims.len() == 4 {
            return self.emit(op, inputs);
        }
        let image = self.apply("outputs", op, inputs, self.output_quant(0)?)?;
        self.emit(reshape_to(&dims)?, &[image])
    }

    /// Appends the nodes of a convolution, of groups of channels if the weights do not read all.
    ///
    /// # Errors
    /// If the channels cannot be shared out evenly, or weights of groups are not constant.
    pub fn emit_convolution(&mut self, op: Conv2d, inputs: &[TensorId]) -> Result<()> {
        match self.parts()?.last_node(op, inputs)? {
            (Op::Concat(joins), parts) => self.emit_joined(joins, parts),
            (op, inputs) => self.emit_layer(op, &inputs),
        }
    }

    /// Appends what joins `inputs` to the operator's output, step by step where there are more than the device takes at
    /// once.
    ///
    /// # Errors
    /// As [`Operator::emit`].
    pub fn emit_joined(&mut self, op: Concat, inputs: Vec<TensorId>) -> Result<()> {
        let inputs = self.parts()?.join_first(op, inputs)?;
        self.emit_layer(op, &inputs)
    }

    /// Appends what joins `inputs`, in between.
    ///
    /// # Errors
    /// As [`Operator::apply`].
    pub fn join(&mut self, what: &str, op: Concat, inputs: Vec<TensorId>) -> Result<TensorId> {
        let (inputs, quant) = (self.parts()?.join_first(op, inputs)?, self.output_quant(0)?);
        self.apply(what, op, &inputs, quant)
    }

    /// The operator, of which nodes in between are made.
    fn parts(&mut self) -> Result<Parts<'_>> {
        let name = self.import.file.tensor_name(self.output(0)?)?;
        let quant = self.output_quant(0)?;
        Ok(Parts { graph: &mut self.import.graph, name, quant })
    }

    /// Appends a node with input 0 only.
    ///
    /// # Errors
    /// As [`Operator::emit`].
    pub fn emit_unary(&mut self, op: impl Into<Op>) -> Result<()> {
        let x = self.input(0)?;
        self.emit(op, &[x])
    }

    /// Makes `made` output `i` of the operator.
    ///
    /// # Errors
    /// As [`Operator::emit`].
    pub fn emit_output(&mut self, i: usize, op: impl Into<Op>, inputs: &[TensorId]) -> Result<()> {
        let output = self.output(i)?;
        let name = self.import.file.tensor_name(output)?;
        let made = self.import.graph.apply(&name, op, inputs)?;
        self.bind(output, made)
    }

    /// Appends a node in between, whose output is quantized as `quant`.
    ///
    /// # Errors
    /// If its shape rule refuses the inputs.
    pub fn apply(
        &mut self,
        what: &str,
        op: impl Into<Op>,
        inputs: &[TensorId],
        quant: Option<Quant>,
    ) -> Result<TensorId> {
        let name = format!("{}/{what}", self.import.file.tensor_name(self.output(0)?)?);
        let made = self.import.graph.apply(&name, op, inputs)?;
        self.import.graph[made].quant = quant;
        Ok(made)
    }

    /// Adds a constant that stands in no tensor of the file.
    ///
    /// # Errors
    /// If `data` does not have as many elements as `dims` says.
    pub fn constant(&mut self, what: &str, dims: &[usize], data: Data) -> Result<TensorId> {
        let name = format!("{}/{what}", self.import.file.tensor_name(self.output(0)?)?);
        self.import.graph.constant(&name, dims, data)
    }

    /// Lets tensor `made` of the graph stand for tensor `output` of the file.
    fn bind(&mut self, output: usize, made: TensorId) -> Result<()> {
        let declared = self.import.file.tensor(output)?;
        let graph = &mut self.import.graph;
        let (have, want) = (graph.dims(made), declared.dims.clone());
        let is_open = |i: usize| declared.open.get(i).is_some_and(|&open| open);
        let fits = |(i, (have, want)): (usize, (&usize, &usize))| have == want || is_open(i);
        if have.len() != want.len() || !have.iter().zip(&want).enumerate().all(fits) {
            return Err(Error::graph(&declared.name, format!("is declared {want:?}, and computed {have:?}")));
        }
        if graph[made].ty.dtype != super::dtype(&declared)? {
            let (have, want) = (graph[made].ty.dtype.name(), super::dtype(&declared)?.name());
            let what = format!("is declared {want}, and computed {have}: export the network again");
            return Err(Error::graph(&declared.name, what));
        }
        graph[made].name = declared.name;
        graph[made].quant = declared.quant;
        if self.import.ids.insert(output, made).is_some() {
            return Err(Error::Invalid("writes a tensor that is there already".to_string()));
        }
        Ok(())
    }
}
