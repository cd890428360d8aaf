//! Networks in QDQ form, as `onnxruntime.quantization.quantize_static` writes them: operators on float32, with pairs of
//! QuantizeLinear and DequantizeLinear that say how tensors are stored.
//!
//! Such a pair becomes no node. The network is imported in float32, each tensor with the quantization of its pair; then
//! [`quantize_as`] makes int8 of all of it, as after calibration. uint8 is stored as int8, 128 less.

use std::rc::Rc;

use dunlin::DType;
use dunlin::ops::Quantize;
use dunlin::ops::bounds::Bounds;

use super::array::{Array, Numbers, element_name};
use super::operator::Operator;
use super::schema::element;
use crate::graph::{Kind, Tensor};
use crate::ops::{InputRole, Op, OutputQuant};
use crate::quantize::{Quants, Range, WEIGHT_MAX, quantize_as, weight_scales};
use crate::{Data, Error, Graph, Node, Quant, Result, TensorId, passes};

/// How the integers are to be read that an array was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Scales {
    /// One, or one for each index along `axis`.
    pub scales: Vec<f32>,
    /// The axis of the array that they run along; 0 if there is one.
    pub axis: usize,
    /// The stored number for 0.0, in int8.
    pub zero_point: i32,
}

impl Scales {
    /// Of an array whose axis `perm[i]` has become axis `i`.
    pub fn transposed(&self, perm: &[usize]) -> Scales {
        let axis = perm.iter().position(|&from| from == self.axis).unwrap_or(0);
        Scales { axis, ..self.clone() }
    }

    /// Of an array whose elements have got the dimensions `to`, if there still is an axis that they run along.
    pub fn reshaped(&self, from: &[usize], to: &[usize]) -> Option<Scales> {
        if self.scales.len() == 1 {
            return Some(self.clone());
        }
        let place = |dims: &[usize], axis: usize| (dims[..axis].iter().product::<usize>(), dims[axis]);
        let axis = (0..to.len()).find(|&axis| place(to, axis) == place(from, self.axis))?;
        Some(Scales { axis, ..self.clone() })
    }
}

/// The scales and the zero point that inputs 1 and 2 give, and the type that the numbers are stored in, which is `default` if
/// there is no zero point. In int8 uint8's is 128 less.
fn scales(cx: &mut Operator, default: i32) -> Result<(Scales, i32)> {
    if cx.int("block_size", 0)? != 0 {
        return Err(Error::Invalid(
            "has scales for blocks: scales for a tensor or its channels are".to_string(),
        ));
    }
    let scales = cx.reals(1)?;
    let zero_points = match cx.has_input(2) {
        true => Some(cx.constant_input(2)?),
        false => None,
    };
    let (zero_points, ty) = match zero_points.as_deref().map(|array| &array.numbers) {
        Some(Numbers::Whole(numbers, ty)) => (numbers.clone(), *ty),
        Some(Numbers::Real(_)) => {
            return Err(Error::Invalid("has zero points that are no integers".to_string()));
        }
        None => (vec![0], default),
    };
    let [least, greatest] = range_of(ty)?;
    let zero_point = zero_points.first().copied().unwrap_or(0);
    let is_valid = scales.iter().all(|scale| scale.is_finite() && *scale > 0.0) && !scales.is_empty();
    let is_one = zero_points.iter().all(|&z| z == zero_point) && (least..=greatest).contains(&zero_point);
    if !is_valid || !is_one || ty == element::I32 && zero_point != 0 {
        return Err(Error::Invalid("has scales that are not positive, or several zero points".to_string()));
    }
    let (n, dims) = (scales.len(), cx.dims(0)?);
    let axis = if n == 1 { 0 } else { cx.axis(cx.int("axis", 1)?, dims.len())? };
    if n != 1 && dims[axis] != n {
        return Err(Error::Invalid(format!("has {n} scales for {dims:?} along axis {axis}")));
    }
    Ok((Scales { scales, axis, zero_point: (zero_point - shift(ty)) as i32 }, ty))
}

/// The least and the greatest stored number of a type.
fn range_of(ty: i32) -> Result<[i64; 2]> {
    match ty {
        element::I8 => Ok([-128, 127]),
        element::U8 => Ok([0, 255]),
        element::I32 => Ok([i32::MIN.into(), i32::MAX.into()]),
        other => {
            let what = format!("stores {}: quantize activations and weights to 8 bits", element_name(other));
            Err(Error::Invalid(what))
        }
    }
}

/// What a number of a type is more than the device's.
fn shift(ty: i32) -> i64 {
    if ty == element::U8 { 128 } else { 0 }
}

/// QuantizeLinear: the tensor is stored so; in uint8 if it does not say.
pub fn quantize(cx: &mut Operator) -> Result<()> {
    let default = match cx.int("output_dtype", 0)? {
        0 => element::U8,
        other => i32::try_from(other).unwrap_or(0),
    };
    let (scales, ty) = scales(cx, default)?;
    let quant = per_tensor(&scales)?;
    if let Some(array) = cx.known(0)? {
        // As the pair's other half would read it.
        let Some(reals) = array.reals() else {
            return Err(Error::Invalid("quantizes whole numbers".to_string()));
        };
        let [least, greatest] = range_of(ty)?;
        let zero_point = i64::from(quant.zero_point) + shift(ty);
        let stored = |&x: &f32| (x / quant.scale()).round_ties_even() as i64;
        let stored = reals.iter().map(stored).map(|q| q.saturating_add(zero_point).clamp(least, greatest));
        let numbers = Numbers::Whole(stored.collect(), ty);
        return cx.emit_known(Array::plain(array.dims.clone(), numbers));
    }
    let x = cx.placed(0)?;
    if cx.import.quants.get(&x.id).is_some_and(|other| *other != quant) {
        return Err(Error::Invalid("quantizes in another way what is quantized already".to_string()));
    }
    cx.import.quants.insert(x.id, quant);
    cx.import.stored_types.insert(x.id, ty);
    cx.emit(0, x.id, x.view)
}

fn per_tensor(scales: &Scales) -> Result<Quant> {
    match scales.scales[..] {
        [scale] => Ok(Quant::i8(scale, scales.zero_point)),
        _ => Err(Error::Invalid("quantizes activations per channel: one scale a tensor is".to_string())),
    }
}

/// DequantizeLinear: of a constant the real numbers, which remember their scales; of a tensor itself.
pub fn dequantize(cx: &mut Operator) -> Result<()> {
    let Some(array) = cx.known(0)? else {
        return dequantize_computed(cx);
    };
    let Numbers::Whole(stored, of_array) = &array.numbers else {
        return Err(Error::Invalid("reads real numbers as stored ones".to_string()));
    };
    let (scales, ty) = scales(cx, *of_array)?;
    if ty != *of_array {
        let (zero, have) = (element_name(ty), element_name(*of_array));
        return Err(Error::Invalid(format!("has a zero point of {zero} for {have}: the file is damaged")));
    }
    let inner = array.dims.iter().skip(scales.axis + 1).product::<usize>().max(1);
    let zero_point = i64::from(scales.zero_point) + shift(ty);
    let real = |(i, &q): (usize, &i64)| {
        let scale = scales.scales[i / inner % scales.scales.len()];
        q.saturating_sub(zero_point) as f32 * scale
    };
    let reals = stored.iter().enumerate().map(real).collect();
    // Biases are stored as what they are added to needs it.
    let scales = (ty != element::I32).then(|| Rc::new(scales));
    cx.emit_known(Array { dims: array.dims.clone(), numbers: Numbers::Real(reals), scales })
}

fn dequantize_computed(cx: &mut Operator) -> Result<()> {
    let x = cx.placed(0)?;
    let stored_type = cx.import.stored_types.get(&x.id).copied();
    let (scales, ty) = scales(cx, stored_type.unwrap_or(element::U8))?;
    if stored_type != Some(ty) || cx.import.quants.get(&x.id) != Some(&per_tensor(&scales)?) {
        let what = "reads a tensor in another way than it is quantized, or one that is not: give the network in QDQ form";
        return Err(Error::Invalid(what.to_string()));
    }
    cx.emit(0, x.id, x.view)
}

/// How weights are stored whose output channels run along axis `from` of the file's array and `to` of the graph's tensor, if
/// the file says it. Others get scales of their own: weights of int8 are symmetric on the device, and have scales for output
/// channels.
pub fn weights_quant(array: &Array, from: usize, to: usize) -> Option<Quant> {
    let scales = array.scales.as_ref().filter(|scales| scales.zero_point == 0)?;
    let is_one = scales.scales.len() == 1;
    let quant = Quant {
        dtype: DType::I8,
        scales: scales.scales.clone(),
        zero_point: 0,
        axis: (!is_one).then_some(to),
    };
    (is_one || scales.axis == from).then_some(quant)
}

/// How a constant is stored that is no weight, if the file says it.
pub fn constant_quant(array: &Array) -> Option<Quant> {
    per_tensor(array.scales.as_deref()?).ok()
}

/// `graph`, a network in float32, in int8 as `quants` says of its activations and the tensors themselves of its constants.
///
/// # Errors
/// If it says nothing of an activation that must be stored.
pub fn quantized(mut graph: Graph, mut quants: Quants) -> Result<Graph> {
    let of_constants: Vec<(TensorId, Quant)> =
        graph.tensors().filter_map(|(id, tensor)| Some((id, tensor.quant.clone()?))).collect();
    for (id, quant) in of_constants {
        graph[id].quant = None;
        quants.insert(id, quant);
    }
    passes::simplify(&mut graph)?;
    spread_back(&graph, &mut quants);
    requantize(&mut graph, &mut quants)?;
    complete(&graph, &mut quants)?;
    quantize_as(&graph, &quants, WEIGHT_MAX)
}

/// What is only moved, or joined, is stored before as it is behind.
fn spread_back(graph: &Graph, quants: &mut Quants) {
    for node in graph.nodes().iter().rev() {
        let moves = node.op.output_quant() == OutputQuant::SameAs(0) || matches!(node.op, Op::Concat(_));
        let Some(quant) = quants.get(&node.outputs[0]).filter(|_| moves).cloned() else { continue };
        for &input in &node.inputs {
            let is_made = graph[input].kind == Kind::Value || graph[input].kind == Kind::Input;
            if is_made && graph[input].ty.dtype == DType::F32 {
                quants.entry(input).or_insert_with(|| quant.clone());
            }
        }
    }
}

/// Where the device stores an output in a way of its own, it is stored anew as the file says.
fn requantize(graph: &mut Graph, quants: &mut Quants) -> Result<()> {
    let mut nodes: Vec<Node> = Vec::new();
    for mut node in std::mem::take(graph.nodes_mut()) {
        let output = node.outputs[0];
        let own = match node.op.output_quant() {
            OutputQuant::Fixed { scale, zero_point } => Some(Quant::i8(scale, zero_point)),
            OutputQuant::SameAs(i) => quants.get(&node.inputs[i]).cloned(),
            OutputQuant::Calibrated | OutputQuant::Real => None,
        };
        let Some(own) = own else {
            nodes.push(node);
            continue;
        };
        match quants.get(&output) {
            Some(wanted) if *wanted != own => {
                let name = format!("{}/own", graph[output].name);
                let made = Tensor { name, kind: Kind::Value, quant: None, ..graph[output].clone() };
                let made = graph.add_tensor(made);
                quants.insert(made, own);
                let store = Node {
                    name: format!("{}/stored", node.name),
                    op: Quantize::F32 { scale: 1.0 }.into(),
                    inputs: vec![made],
                    outputs: vec![output],
                };
                node.outputs[0] = made;
                nodes.extend([node, store]);
            }
            _ => {
                quants.insert(output, own);
                nodes.push(node);
            }
        }
    }
    *graph.nodes_mut() = nodes;
    graph.verify()
}

/// Constants of which the file says nothing are stored as they need; activations have to be told of.
fn complete(graph: &Graph, quants: &mut Quants) -> Result<()> {
    let unknown = |id: TensorId| {
        let what = "has no QuantizeLinear behind it, and others have: quantize all of the network (quantize_static's \
                    op_types_to_quantize), or none and give --samples";
        Err(Error::graph(&graph[id].name, what))
    };
    for &id in graph.inputs().iter().filter(|&&id| graph[id].ty.dtype == DType::F32) {
        if !quants.contains_key(&id) {
            return unknown(id);
        }
    }
    for node in graph.nodes() {
        for (i, &id) in node.inputs.iter().enumerate() {
            let Some(numbers) = graph.constant_data(id).and_then(Data::as_f32) else { continue };
            match node.op.input_role(i) {
                InputRole::Activation => {
                    let mut range = Range { min: 0.0, max: 0.0 };
                    for &x in numbers {
                        (range.min, range.max) = (range.min.min(x), range.max.max(x));
                    }
                    quants.entry(id).or_insert_with(|| range.quant());
                }
                InputRole::Weights { axis } => {
                    quants.entry(id).or_insert_with(|| Quant {
                        dtype: DType::I8,
                        scales: weight_scales(numbers, &graph.dims(id), axis, WEIGHT_MAX),
                        zero_point: 0,
                        axis: Some(axis),
                    });
                }
                InputRole::Bias | InputRole::Index | InputRole::Parameter | InputRole::Real => {}
            }
        }
        for &id in node.outputs.iter().filter(|&&id| graph[id].ty.dtype == DType::F32) {
            if node.op.output_quant() == OutputQuant::Calibrated && !quants.contains_key(&id) {
                match range(quants, node) {
                    Some(range) => quants.insert(id, range.quant()),
                    None => return unknown(id),
                };
            }
        }
    }
    Ok(())
}

/// Between which numbers the output of a node stays that computes each element on its own: what one operator of the file is
/// made of, of which that says nothing.
fn range(quants: &Quants, node: &Node) -> Option<Range> {
    let of = |i: usize| {
        let quant = quants.get(node.inputs.get(i)?)?;
        Some([-128, 127].map(|q| (q - quant.zero_point) as f32 * quant.scale()))
    };
    let [lo, hi] = of(0)?;
    let pairs = |f: fn(f32, f32) -> f32| {
        let [other_lo, other_hi] = of(1)?;
        Some([f(lo, other_lo), f(lo, other_hi), f(hi, other_lo), f(hi, other_hi)].to_vec())
    };
    let samples = |f: &dyn Fn(f32) -> f32| (0..256).map(|i| f(lo + (hi - lo) * i as f32 / 255.0)).collect();
    let ends: Vec<f32> = match node.op {
        Op::Mul(_) => pairs(|a, b| a * b)?,
        Op::Add(_) => pairs(|a, b| a + b)?,
        Op::Sub(_) => pairs(|a, b| a - b)?,
        Op::Clamp(_) => vec![lo, hi],
        Op::Pointwise(op) => samples(&|x| op.function.apply(x)),
        _ => return None,
    };
    let bounds = match node.op {
        Op::Mul(op) => op.bounds,
        Op::Add(op) => op.bounds,
        Op::Sub(op) => op.bounds,
        Op::Clamp(op) => op.bounds,
        _ => Bounds::None,
    };
    let (least, greatest) = bounds.f32();
    let ends = ends.into_iter().map(|end| end.clamp(least, greatest));
    let range = ends.fold(Range { min: 0.0, max: 0.0 }, |range, end| Range {
        min: range.min.min(end),
        max: range.max.max(end),
    });
    (range.min.is_finite() && range.max.is_finite()).then_some(range)
}
