//! Functions of each element, and of pairs.

use dunlin::DType;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::pointwise::Function;
use dunlin::ops::{
    Add, Clamp, HardSwish, LeakyRelu, Logistic, Maximum, Minimum, Mul, Pointwise, Prelu, Sub, Tanh,
};

use super::super::Placed;
use super::super::operator::Operator;
use super::broadcast::{self, Pair};
use crate::ops::Op;
use crate::{Error, Graph, Result, TensorId};

/// A sum without an activation.
pub const SUM: Add = Add { bounds: Bounds::None, factors: None };
/// A difference without an activation.
pub const DIFFERENCE: Sub = Sub { bounds: Bounds::None, factors: None };
/// A product without an activation.
pub const PRODUCT: Mul = Mul { bounds: Bounds::None, factor: None };

/// An operator on input 0 alone.
pub fn unary(cx: &mut Operator, op: impl Into<Op>) -> Result<()> {
    composed(cx, |graph, name, x| graph.apply(name, op, &[x]))
}

/// A function of each element.
pub fn function(cx: &mut Operator, function: Function) -> Result<()> {
    unary(cx, Pointwise { function })
}

/// What `build` makes of input 0 without moving elements.
fn composed(
    cx: &mut Operator,
    build: impl FnOnce(&mut Graph, &str, TensorId) -> Result<TensorId>,
) -> Result<()> {
    let (x, name) = (cx.placed(0)?, cx.name());
    let id = build(cx.graph(), &name, x.id)?;
    cx.emit(0, id, x.view)
}

pub fn logistic(cx: &mut Operator) -> Result<()> {
    unary(cx, Logistic {})
}

pub fn tanh(cx: &mut Operator) -> Result<()> {
    unary(cx, Tanh {})
}

pub fn hard_swish(cx: &mut Operator) -> Result<()> {
    unary(cx, HardSwish {})
}

pub fn relu(cx: &mut Operator) -> Result<()> {
    unary(cx, Clamp { bounds: Bounds::RELU })
}

/// The bounds are attributes, since version 11 inputs.
pub fn clip(cx: &mut Operator) -> Result<()> {
    let (mut lo, mut hi) = (cx.float("min", f32::NEG_INFINITY)?, cx.float("max", f32::INFINITY)?);
    if cx.version() >= 11 {
        (lo, hi) = (cx.real(1, lo)?, cx.real(2, hi)?);
    }
    let bounds = Bounds::F32 {
        lo: if lo <= f32::MIN { f32::NEG_INFINITY } else { lo },
        hi: if hi >= f32::MAX { f32::INFINITY } else { hi },
    };
    unary(cx, Clamp { bounds })
}

pub fn leaky_relu(cx: &mut Operator) -> Result<()> {
    let alpha = cx.float("alpha", 0.01)?;
    unary(cx, LeakyRelu { alpha })
}

/// Slopes stand for x in order, so that x itself is input 0 of the pair.
pub fn prelu(cx: &mut Operator) -> Result<()> {
    broadcast::import(cx, Prelu { factors: None })
}

/// `max(0, min(1, alpha * x + beta))`.
pub fn hard_sigmoid(cx: &mut Operator) -> Result<()> {
    let (alpha, beta) = (cx.float("alpha", 0.2)?, cx.float("beta", 0.5)?);
    composed(cx, |graph, name, x| {
        let scaled = graph.scale(&format!("{name}/scaled"), x, alpha)?;
        let beta = graph.filled(&format!("{name}/beta"), &[1], beta)?;
        let sum = graph.add(&format!("{name}/sum"), scaled, beta)?;
        graph.apply(name, Clamp { bounds: Bounds::F32 { lo: 0.0, hi: 1.0 } }, &[sum])
    })
}

/// `x` above 0, else `alpha * (e^x - 1)`.
pub fn elu(cx: &mut Operator) -> Result<()> {
    let alpha = cx.float("alpha", 1.0)?;
    if alpha == 1.0 {
        return function(cx, Function::Elu);
    }
    composed(cx, |graph, name, x| bent(graph, name, x, 1.0, 1.0, alpha))
}

/// `max(0, x) + min(0, alpha * (e^(x / alpha) - 1))`.
pub fn celu(cx: &mut Operator) -> Result<()> {
    let alpha = cx.float("alpha", 1.0)?;
    composed(cx, |graph, name, x| bent(graph, name, x, 1.0, 1.0 / alpha, alpha))
}

/// `gamma * x` above 0, else `gamma * alpha * (e^x - 1)`.
pub fn selu(cx: &mut Operator) -> Result<()> {
    let (alpha, gamma) = (cx.float("alpha", 1.673_263_2)?, cx.float("gamma", 1.050_701)?);
    composed(cx, |graph, name, x| bent(graph, name, x, gamma, 1.0, gamma * alpha))
}

/// `above * x` above 0, else `below * (e^(inner * x) - 1)`.
fn bent(graph: &mut Graph, name: &str, x: TensorId, above: f32, inner: f32, below: f32) -> Result<TensorId> {
    let negative = Clamp { bounds: Bounds::F32 { lo: f32::NEG_INFINITY, hi: 0.0 } };
    let negative = graph.apply(&format!("{name}/negative"), negative, &[x])?;
    let negative = graph.scale(&format!("{name}/inner"), negative, inner)?;
    let curve = graph.pointwise(&format!("{name}/curve"), Function::Elu, negative)?;
    let curve = graph.scale(&format!("{name}/below"), curve, below)?;
    let positive = Clamp { bounds: Bounds::RELU };
    let positive = graph.apply(&format!("{name}/positive"), positive, &[x])?;
    let positive = graph.scale(&format!("{name}/above"), positive, above)?;
    graph.add(name, positive, curve)
}

pub fn gelu(cx: &mut Operator) -> Result<()> {
    let is_approximate = cx.text("approximate", "none")? == "tanh";
    composed(cx, |graph, name, x| {
        let share = graph.normal_share(name, x, is_approximate)?;
        graph.mul(name, x, share)
    })
}

/// `ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|)`, which does not overflow.
pub fn softplus(cx: &mut Operator) -> Result<()> {
    composed(cx, softplus_of)
}

/// `x * tanh(softplus(x))`.
pub fn mish(cx: &mut Operator) -> Result<()> {
    composed(cx, |graph, name, x| {
        let soft = softplus_of(graph, &format!("{name}/softplus"), x)?;
        let curve = graph.apply(&format!("{name}/tanh"), Tanh {}, &[soft])?;
        graph.mul(name, x, curve)
    })
}

fn softplus_of(graph: &mut Graph, name: &str, x: TensorId) -> Result<TensorId> {
    let distance = graph.abs(&format!("{name}/distance"), x)?;
    let negative = graph.scale(&format!("{name}/negative"), distance, -1.0)?;
    let exp = graph.exp(&format!("{name}/exp"), negative)?;
    let one = graph.filled(&format!("{name}/one"), &[1], 1.0)?;
    let sum = graph.add(&format!("{name}/sum"), exp, one)?;
    let ln = graph.ln(&format!("{name}/ln"), sum)?;
    let positive = graph.apply(&format!("{name}/positive"), Clamp { bounds: Bounds::RELU }, &[x])?;
    graph.add(name, positive, ln)
}

/// `x / (1 + |x|)`.
pub fn softsign(cx: &mut Operator) -> Result<()> {
    composed(cx, |graph, name, x| {
        let distance = graph.abs(&format!("{name}/distance"), x)?;
        let one = graph.filled(&format!("{name}/one"), &[1], 1.0)?;
        let sum = graph.add(&format!("{name}/sum"), distance, one)?;
        graph.div(name, x, sum)
    })
}

/// `x * logistic(alpha * x)`.
pub fn swish(cx: &mut Operator) -> Result<()> {
    let alpha = cx.float("alpha", 1.0)?;
    composed(cx, |graph, name, x| {
        let scaled = if alpha == 1.0 { x } else { graph.scale(&format!("{name}/scaled"), x, alpha)? };
        let share = graph.apply(&format!("{name}/share"), Logistic {}, &[scaled])?;
        graph.mul(name, x, share)
    })
}

pub fn negative(cx: &mut Operator) -> Result<()> {
    composed(cx, |graph, name, x| graph.scale(name, x, -1.0))
}

pub fn add(cx: &mut Operator) -> Result<()> {
    broadcast::import(cx, SUM)
}

pub fn sub(cx: &mut Operator) -> Result<()> {
    broadcast::import(cx, DIFFERENCE)
}

pub fn mul(cx: &mut Operator) -> Result<()> {
    broadcast::import(cx, PRODUCT)
}

pub fn div(cx: &mut Operator) -> Result<()> {
    let Pair { inputs: [a, b], view } = broadcast::pair(cx)?;
    let name = cx.name();
    let id = cx.graph().div(&name, a, b)?;
    cx.emit(0, id, view)
}

/// Of a fixed exponent, or of a fixed positive base: `e^(ln(base) * x)`.
pub fn pow(cx: &mut Operator) -> Result<()> {
    if let (Some(base), None) = (cx.known(0)?, cx.known(1)?) {
        let is_scalar = base.dims.len() <= cx.dims(1)?.len();
        let Some(&[base]) = base.reals().filter(|base| is_scalar && matches!(base, [base] if *base > 0.0))
        else {
            return Err(Error::Invalid("has a base that is not one positive number".to_string()));
        };
        let (Placed { id, view }, name) = (cx.placed(1)?, cx.name());
        let scaled = cx.graph().scale(&format!("{name}/scaled"), id, base.ln())?;
        let id = cx.graph().exp(&name, scaled)?;
        return cx.emit(0, id, view);
    }
    let exponent = cx.constant_input(1)?;
    let exponent = match (exponent.reals(), exponent.wholes()) {
        (Some(&[number]), _) => number,
        (_, Some(&[number])) => number as f32,
        _ => return Err(Error::Invalid("has more than one exponent".to_string())),
    };
    // Others that are no whole numbers have no power of negative ones anyway.
    if exponent.fract() == 0.0 && exponent.abs() > 16.0 || !exponent.is_finite() {
        return Err(Error::Invalid(format!("takes the power of {exponent}: -16 to 16 are computed")));
    }
    composed(cx, |graph, name, x| graph.pow(name, x, exponent))
}

/// The least or greatest of any number of tensors.
pub fn minimum(cx: &mut Operator) -> Result<()> {
    several(cx, Minimum {}.into())
}

pub fn maximum(cx: &mut Operator) -> Result<()> {
    several(cx, Maximum {}.into())
}

/// The sum of any number of tensors.
pub fn sum(cx: &mut Operator) -> Result<()> {
    several(cx, SUM.into())
}

fn several(cx: &mut Operator, op: Op) -> Result<()> {
    match cx.n_inputs() {
        1 => cx.forward(|view| view),
        2 => broadcast::import(cx, op),
        n => Err(Error::Invalid(format!("takes {n} tensors at once: write it as operators of two each"))),
    }
}

/// What moves nothing and computes nothing.
pub fn identity(cx: &mut Operator) -> Result<()> {
    cx.forward(|view| view)
}

/// Of numbers that are real anyway to real ones or to truth values, or of indices to indices.
pub fn cast(cx: &mut Operator) -> Result<()> {
    use super::super::schema::element;
    let (x, to) = (cx.placed(0)?, cx.int("to", 0)?);
    let is_real = [element::F32, element::F16, element::F64].map(i64::from).contains(&to);
    let is_index = [element::I32, element::I64].map(i64::from).contains(&to);
    match cx.graph()[x.id].ty.dtype {
        DType::F32 if is_real => cx.emit(0, x.id, x.view),
        DType::I32 if is_index => cx.emit(0, x.id, x.view),
        DType::F32 if to == i64::from(element::BOOL) => {
            let sign = cx.part("Sign", "sign", &[cx.input_name(0)])?;
            cx.become_part("Abs", &[sign])
        }
        _ => Err(Error::Invalid("makes numbers of another type of what the network computes".to_string())),
    }
}
