//! From real form to device form: what is stored, in the parameters and constants that the runtime computes
//! with.

use std::collections::HashMap;

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Factor, Table};

use crate::graph::Form;
use crate::ops::{InputRole, Op, OutputQuant, i8_quant};
use crate::{Data, Error, Graph, Kind, Node, Quant, Result, TensorId};

/// The device form of `graph`: nodes with an int8 tensor compute in int8, the others in f32. Also returns
/// which tensor of it stores each tensor of `graph`.
///
/// # Errors
/// If a node is quantized in a way that the device does not compute; names the node.
pub fn lower(graph: &Graph) -> Result<(Graph, HashMap<TensorId, TensorId>)> {
    let mut cx = Lowering::new(graph);
    let inputs: Vec<TensorId> = graph.inputs().iter().map(|&id| cx.stored(id)).collect::<Result<_>>()?;
    for node in graph.nodes() {
        let quantized = |id: &TensorId| graph[*id].quant.is_some();
        if node.inputs.iter().chain(&node.outputs).any(quantized) {
            node.op.lower_i8(&mut cx, node)?;
        } else {
            let inputs: Vec<TensorId> = node.inputs.iter().map(|&id| cx.stored(id)).collect::<Result<_>>()?;
            cx.emit(node, node.op, &inputs)?;
        }
    }
    let outputs: Vec<TensorId> = graph.outputs().iter().map(|&id| cx.stored(id)).collect::<Result<_>>()?;
    if let Some(&constant) = outputs.iter().find(|&&id| cx.device.constant_data(id).is_some()) {
        return Err(Error::graph(
            &cx.device[constant].name,
            "is an output, but constant: nothing computes it",
        ));
    }
    cx.device.set_ports(inputs, outputs);
    cx.device.verify()?;
    Ok((cx.device, cx.stored))
}

/// What to try where the arithmetic does not reach from one scale to the other.
const ADVICE: &str = "quantize the network again with samples that look like its real inputs (one in float32: \
                      `dunlin convert FILE --samples X.npy`)";

/// A lowering in progress.
pub struct Lowering<'g> {
    /// The graph in real form.
    pub real: &'g Graph,
    device: Graph,
    stored: HashMap<TensorId, TensorId>,
}

impl<'g> Lowering<'g> {
    fn new(real: &'g Graph) -> Lowering<'g> {
        let mut device = Graph::new(&real.name);
        device.labels = real.labels.clone();
        device.form = Form::Device;
        Lowering { real, device, stored: HashMap::new() }
    }

    /// The tensor of the device graph that stores `id`.
    ///
    /// # Errors
    /// If a constant's data do not agree with its quantization.
    pub fn stored(&mut self, id: TensorId) -> Result<TensorId> {
        if let Some(&stored) = self.stored.get(&id) {
            return Ok(stored);
        }
        let mut tensor = self.real[id].clone();
        if let Some(quant) = &tensor.quant {
            tensor.ty = tensor.ty.with_dtype(quant.dtype);
        }
        if let Kind::Constant(data) | Kind::State(data) = &tensor.kind
            && data.dtype() != tensor.ty.dtype
        {
            let (have, want) = (data.dtype().name(), tensor.ty.dtype.name());
            return Err(Error::graph(
                &tensor.name,
                format!("holds {have} where its quantization says {want}"),
            ));
        }
        let stored = self.device.add_tensor(tensor);
        self.stored.insert(id, stored);
        Ok(stored)
    }

    /// Emits `op` for `node` on tensors of the device graph, writing what stores the node's outputs.
    ///
    /// # Errors
    /// [`Error::Operator`] if the device does not take them; where it is for the scales, they are named.
    pub fn emit(&mut self, node: &Node, op: impl Into<Op>, inputs: &[TensorId]) -> Result<()> {
        let made = self.device.apply_all(&node.name, op, inputs).map_err(|error| match error {
            Error::Operator { source: dunlin::Error::Parameters, .. } => self.out_of_range(node),
            error => error,
        })?;
        for (&output, &made) in node.outputs.iter().zip(&made) {
            let wanted = &self.real[output];
            let stored_dtype = wanted.quant.as_ref().map_or(wanted.ty.dtype, |q| q.dtype);
            if matches!(wanted.kind, Kind::State(_)) {
                return self.emit_update(node);
            }
            if self.device[made].ty != wanted.ty.with_dtype(stored_dtype) {
                let (have, want) = (self.device[made].ty, wanted.ty.with_dtype(stored_dtype));
                return Err(Error::graph(
                    &node.name,
                    format!("would store {have:?} where {want:?} is wanted"),
                ));
            }
            self.device[made].name = wanted.name.clone();
            self.device[made].quant = wanted.quant.clone();
            self.stored.insert(output, made);
        }
        Ok(())
    }

    /// Emits `op` for `node` on its first input, where the operator moves stored numbers as they are.
    ///
    /// # Errors
    /// As [`Lowering::same_quant`] and [`Lowering::emit`].
    pub fn emit_copying(&mut self, node: &Node, op: impl Into<Op>) -> Result<()> {
        self.same_quant(node, 0)?;
        let x = self.stored(node.inputs[0])?;
        self.emit(node, op, &[x])
    }

    /// Turns the node just emitted into an update of the state that `node` writes.
    fn emit_update(&mut self, node: &Node) -> Result<()> {
        let states: Vec<TensorId> = node.outputs.iter().map(|&id| self.stored(id)).collect::<Result<_>>()?;
        if let Some(last) = self.device.nodes_mut().last_mut() {
            last.outputs = states;
        }
        Ok(())
    }

    /// Emits a table of the results of `node`; `None` says that there is none for the scales of input and output.
    ///
    /// # Errors
    /// Naming the node.
    pub fn emit_table(&mut self, node: &Node, table: Option<[i8; 256]>) -> Result<()> {
        let table = table.ok_or_else(|| self.out_of_range(node))?;
        let x = self.stored(node.inputs[0])?;
        let table = self.constant(&format!("{}/table", node.name), &[256], Data::I8(table.to_vec()))?;
        self.emit(node, Table { of: node.op.code() as u8 }, &[x, table])
    }

    /// The error for a node whose arithmetic does not reach from the scales of its inputs to that of its output.
    fn out_of_range(&self, node: &Node) -> Error {
        let described = |&id: &TensorId| {
            let tensor = &self.real[id];
            tensor.quant.as_ref().map(|quant| format!("`{}` {}", tensor.name, quant.scale()))
        };
        let list = |ids: &[TensorId]| ids.iter().filter_map(described).collect::<Vec<_>>().join(", ");
        let (from, to) = (list(&node.inputs), list(&node.outputs));
        let what =
            format!("{} in int8 does not reach from the scales of {from} to that of {to}", node.op.name());
        Error::graph(&node.name, format!("{what}: {ADVICE}"))
    }

    /// Emits an operator that has no node of its own, and returns its output with quantization `quant`.
    ///
    /// # Errors
    /// [`Error::Operator`] if the device does not take them.
    pub fn insert(
        &mut self,
        name: &str,
        op: impl Into<Op>,
        inputs: &[TensorId],
        quant: &Quant,
    ) -> Result<TensorId> {
        let made = self.device.apply(name, op, inputs)?;
        self.device[made].quant = Some(quant.clone());
        Ok(made)
    }

    /// Adds a constant to the device graph.
    ///
    /// # Errors
    /// If `data` does not have as many elements as `dims` says.
    pub fn constant(&mut self, name: &str, dims: &[usize], data: Data) -> Result<TensorId> {
        self.device.constant(name, dims, data)
    }

    /// The int8 quantization of a tensor of the real graph.
    ///
    /// # Errors
    /// If it has none.
    pub fn quant(&self, node: &Node, id: TensorId) -> Result<&'g Quant> {
        i8_quant(self.real, node, id)
    }

    /// The table `[c_out, 3]` of an int8 layer: bias, multiplier and shift of each of `c_out` channels, for
    /// activations `node.inputs[0]`, weights 1 and, if there is one, bias 2.
    ///
    /// The factor of channel c is scale(x) * scale(w, c) / scale(out) in f64.
    ///
    /// # Errors
    /// If a tensor is not quantized, a factor is out of range, or the accumulator could overflow.
    pub fn channel_table(&mut self, node: &Node, c_out: usize) -> Result<TensorId> {
        let x = self.quant(node, node.inputs[0])?;
        let out = self.quant(node, node.outputs[0])?;
        let bias = match node.inputs.get(2).map(|&id| self.real.constant_data(id)) {
            None => vec![0; c_out],
            Some(Some(Data::I32(bias))) if bias.len() == c_out => bias.clone(),
            Some(_) => {
                let what = "its bias is not a constant of i32, one for each channel: quantize the whole network to int8";
                return Err(Error::graph(&node.name, what));
            }
        };
        let step = out.scale() as f64;
        self.table(node, 1, x, &bias, step)
    }

    /// The table `[rows, 3]` of weights `node.inputs[w]` on numbers quantized as `x`: the biases, and the factors that make
    /// multiples of `step` of the sums.
    ///
    /// # Errors
    /// As [`Lowering::channel_table`].
    pub fn table(&mut self, node: &Node, w: usize, x: &Quant, bias: &[i32], step: f64) -> Result<TensorId> {
        let weights = self.quant(node, node.inputs[w])?;
        check_weight_quant(node, w, weights, bias.len())?;
        self.prove_accumulator(node, w, bias, x.zero_point)?;
        let mut table = Vec::with_capacity(3 * bias.len());
        for (c, &bias) in bias.iter().enumerate() {
            let w_scale = weights.scales[if weights.scales.len() == 1 { 0 } else { c }];
            let product = x.scale() as f64 * w_scale as f64;
            let factor = factor(node, product / step)?;
            table.extend([bias, factor.multiplier, factor.shift as i32]);
        }
        let name = if w == 1 { "channels".to_string() } else { format!("channels_{w}") };
        self.constant(&format!("{}/{name}", node.name), &[bias.len(), 3], Data::I32(table))
    }

    /// [`Lowering::table`] with the biases `node.inputs[bias]`: reals are stored here in multiples of what a unit of
    /// activation times weight stands for, rounded to nearest; i32 are so already.
    ///
    /// # Errors
    /// As [`Lowering::channel_table`], and if the biases are no constant of f32 or i32.
    pub fn table_of_reals(
        &mut self,
        node: &Node,
        [w, bias]: [usize; 2],
        x: &Quant,
        step: f64,
    ) -> Result<TensorId> {
        let weights = self.quant(node, node.inputs[w])?;
        let stored = match self.real.constant_data(node.inputs[bias]) {
            Some(Data::I32(stored)) => stored.clone(),
            Some(Data::F32(reals)) => {
                let stored = |(c, &real): (usize, &f32)| {
                    let w_scale = weights.scales[c.min(weights.scales.len() - 1)];
                    (real as f64 / (x.scale() as f64 * w_scale as f64)).round() as i32
                };
                reals.iter().enumerate().map(stored).collect()
            }
            _ => return Err(Error::graph(&node.name, "its biases are not constants of f32 or i32")),
        };
        self.table(node, w, x, &stored, step)
    }

    /// Proves from the real weights that no sum of a channel can leave 32 bits, for any input.
    fn prove_accumulator(&self, node: &Node, w: usize, bias: &[i32], zero_point: i32) -> Result<()> {
        let InputRole::Weights { axis } = node.op.input_role(w) else {
            return Err(Error::graph(&node.name, "has no weights"));
        };
        let weights = node.inputs[w];
        let Some(Data::I8(w)) = self.real.constant_data(weights) else {
            return Err(Error::graph(&node.name, "its weights are not a constant of int8"));
        };
        let dims = self.real.dims(weights);
        let inner: usize = dims[axis + 1..].iter().product();
        let mut sums = vec![0i64; bias.len()];
        for (i, &w) in w.iter().enumerate() {
            let channel = (i / inner) % dims[axis];
            // x - zero_point lies in [-128 - zp, 127 - zp].
            let (lo, hi) = ((-128 - zero_point) as i64, (127 - zero_point) as i64);
            sums[channel] += (lo * w as i64).abs().max((hi * w as i64).abs());
        }
        for (c, (sum, &bias)) in sums.iter().zip(bias).enumerate() {
            let bound = sum + (bias as i64).abs();
            if bound > i32::MAX as i64 {
                return Err(Error::graph(
                    &node.name,
                    format!("channel {c} may reach ±{bound}, beyond 32 bits: scale its weights or bias down"),
                ));
            }
        }
        Ok(())
    }

    /// The stored tensors of the first two inputs: activations and weights of a layer.
    ///
    /// # Errors
    /// As [`Lowering::stored`].
    pub fn stored_pair(&mut self, node: &Node) -> Result<[TensorId; 2]> {
        Ok([self.stored(node.inputs[0])?, self.stored(node.inputs[1])?])
    }

    /// The scales of the first two inputs and of the first output, in which factors are computed.
    ///
    /// # Errors
    /// If one is not quantized.
    pub fn pair_scales(&self, node: &Node) -> Result<[f64; 3]> {
        let scale = |id| self.quant(node, id).map(|quant| quant.scale() as f64);
        Ok([scale(node.inputs[0])?, scale(node.inputs[1])?, scale(node.outputs[0])?])
    }

    /// `bounds` of the real output of `node` in stored numbers.
    ///
    /// # Errors
    /// If the output is not quantized.
    pub fn bounds(&self, node: &Node, bounds: Bounds) -> Result<Bounds> {
        Ok(quantize_bounds(bounds, self.quant(node, node.outputs[0])?))
    }

    /// Refuses a node whose output is not quantized as its operator defines.
    ///
    /// # Errors
    /// Naming the node.
    pub fn fixed_quant(&self, node: &Node) -> Result<()> {
        let OutputQuant::Fixed { scale, zero_point } = node.op.output_quant() else { return Ok(()) };
        let out = self.quant(node, node.outputs[0])?;
        if out.scale() == scale && out.zero_point == zero_point {
            return Ok(());
        }
        let (op, have, at) = (node.op.name(), out.scale(), out.zero_point);
        let what =
            format!("{op} gives scale {scale} and zero point {zero_point}, its output has {have} and {at}");
        Err(Error::graph(&node.name, format!("{what}: leave the choice of its scale to the quantizer")))
    }

    /// Refuses a node whose input and output are quantized differently where the arithmetic moves stored
    /// numbers as they are.
    ///
    /// # Errors
    /// Naming the node.
    pub fn same_quant(&self, node: &Node, input: usize) -> Result<()> {
        let (x, out) = (self.quant(node, node.inputs[input])?, self.quant(node, node.outputs[0])?);
        if x.scale() == out.scale() && x.zero_point == out.zero_point {
            return Ok(());
        }
        let of = |quant: &Quant| format!("scale {} and zero point {}", quant.scale(), quant.zero_point);
        let what = format!(
            "{} needs one quantization for input and output, which have {} and {}: requantize between them",
            node.op.name(),
            of(x),
            of(out)
        );
        Err(Error::graph(&node.name, what))
    }
}

/// That weights are symmetric, with one scale or one for each of `c_out` channels.
fn check_weight_quant(node: &Node, w: usize, quant: &Quant, c_out: usize) -> Result<()> {
    let (n, zero_point) = (quant.scales.len(), quant.zero_point);
    let what = match node.op.input_role(w) {
        _ if zero_point != 0 => format!("its weights have zero point {zero_point}, and are to have 0"),
        InputRole::Weights { axis } if n == 1 || n == c_out && quant.axis == Some(axis) => return Ok(()),
        InputRole::Weights { axis } => {
            let along = quant.axis.map_or(String::new(), |axis| format!(" along dimension {axis}"));
            format!(
                "its weights have {n} scales{along}, and are to have one, or {c_out} along dimension {axis}"
            )
        }
        _ => format!("its weights have {n} scales for {c_out} channels"),
    };
    Err(Error::graph(&node.name, format!("{what}: {ADVICE}")))
}

/// The factor for the real number `real`.
///
/// # Errors
/// If it is negative, not finite, or 2^30 or more.
pub fn factor(node: &Node, real: f64) -> Result<Factor> {
    Factor::from_real(real).ok_or_else(|| {
        let what = format!("its scales give {} the factor {real}, beyond 31 bits", node.op.name());
        Error::graph(&node.name, format!("{what}: {ADVICE}"))
    })
}

/// `bounds` in the stored numbers of `quant`, as TensorFlow Lite computes them: the quotient in f32, rounded
/// with ties away from zero.
pub fn quantize_bounds(bounds: Bounds, quant: &Quant) -> Bounds {
    if bounds == Bounds::None {
        return Bounds::None;
    }
    let (lo, hi) = bounds.f32();
    let stored = |real: f32| {
        let q = ((real / quant.scale()).round() as i64).saturating_add(quant.zero_point as i64);
        q.clamp(i8::MIN as i64, i8::MAX as i64) as i8
    };
    Bounds::I8 { lo: stored(lo), hi: stored(hi) }
}
