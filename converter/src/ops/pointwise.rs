//! Functions of single numbers: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pointwise::Function;
use dunlin::ops::{Minimum, Mul, Pointwise};

use super::{Backward, Channels, HostOperator};
use crate::export::tflite::Writer;
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Pointwise {
    const TFLITE: &'static [Rule] = &[
        Rule::new("ABS", |cx| import(cx, Function::Abs)),
        Rule::new("EXP", |cx| import(cx, Function::Exp)),
        Rule::new("LOG", |cx| import(cx, Function::Ln)),
        Rule::new("SQRT", |cx| import(cx, Function::Sqrt)),
        Rule::new("RSQRT", |cx| import(cx, Function::Rsqrt)),
        Rule::new("ELU", |cx| cx.emit_unary(Pointwise { function: Function::Elu })),
        Rule::new("GELU", import_gelu),
    ];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, y, dy) = (cx.input(0), cx.output(0), cx.grad()?);
        let of = |cx: &mut Backward, function, x| cx.apply("slope", Pointwise { function }, &[x]);
        let slope = match self.function {
            Function::Abs => of(cx, Function::Sign, x)?,
            Function::Sign => return Ok(vec![None]),
            Function::Erf => {
                let square = cx.mul("square", x, x)?;
                let negative = cx.scale("negative", square, -1.0)?;
                let bell = of(cx, Function::Exp, negative)?;
                cx.scale("slope", bell, std::f32::consts::FRAC_2_SQRT_PI)?
            }
            Function::Elu => {
                let dims = cx.graph.dims(x);
                let zeros = cx.filled("zeros", &dims, 0.0)?;
                let negative = cx.apply("negative", Minimum {}, &[x, zeros])?;
                of(cx, Function::Exp, negative)?
            }
            Function::Exp => y,
            Function::Ln => of(cx, Function::Reciprocal, x)?,
            Function::Sqrt => {
                let reciprocal = of(cx, Function::Reciprocal, y)?;
                cx.scale("slope", reciprocal, 0.5)?
            }
            Function::Rsqrt => {
                let square = cx.mul("square", y, y)?;
                let cube = cx.mul("cube", square, y)?;
                cx.scale("slope", cube, -0.5)?
            }
            Function::Reciprocal => {
                let square = cx.mul("square", y, y)?;
                cx.scale("slope", square, -1.0)?
            }
        };
        Ok(vec![Some(cx.mul("dx", dy, slope)?)])
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 1 }
    }

    /// The function in f64 of what each stored number stands for, rounded to nearest with ties away from zero; infinities
    /// become the ends, and NaN (of no number there is) stands for 0.
    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let (x, out) = (cx.quant(node, node.inputs[0])?, cx.quant(node, node.outputs[0])?);
        let table = std::array::from_fn(|i| {
            let real = f64::from(x.scale()) * (i as i32 - 128 - x.zero_point) as f64;
            let y = exact(self.function, real) / f64::from(out.scale());
            (if y.is_nan() { 0.0 } else { y.round() } + f64::from(out.zero_point)).clamp(-128.0, 127.0) as i8
        });
        cx.emit_table(node, *self, Some(table))
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let name = match self.function {
            Function::Elu => Some("ELU"),
            _ if cx.graph[node.inputs[0]].quant.is_some() => None,
            Function::Abs => Some("ABS"),
            Function::Exp => Some("EXP"),
            Function::Ln => Some("LOG"),
            Function::Sqrt => Some("SQRT"),
            Function::Rsqrt => Some("RSQRT"),
            Function::Sign | Function::Reciprocal | Function::Erf => None,
        };
        match name {
            Some(name) => cx.operator_of(node, (name, 1), None),
            None => {
                let what = format!("TensorFlow Lite Micro has no {:?} that gives these bits", self.function);
                Err(Error::graph(&node.name, what))
            }
        }
    }
}

/// In double precision, from a library that is the same everywhere.
fn exact(function: Function, x: f64) -> f64 {
    match function {
        Function::Abs => x.abs(),
        Function::Sign if x == 0.0 => 0.0,
        Function::Sign => x.signum(),
        Function::Exp => libm::exp(x),
        Function::Ln => libm::log(x),
        Function::Sqrt => libm::sqrt(x),
        Function::Rsqrt => 1.0 / libm::sqrt(x),
        Function::Reciprocal => 1.0 / x,
        Function::Elu if x > 0.0 => x,
        Function::Elu => libm::expm1(x),
        Function::Erf => libm::erf(x),
    }
}

/// Only f32; ELU is a table in TensorFlow Lite Micro, too.
fn import(cx: &mut Operator, function: Function) -> Result<()> {
    cx.check_real()?;
    cx.emit_unary(Pointwise { function })
}

/// GELU: x times the share of a normal distribution below it, exactly or by its usual approximation.
fn import_gelu(cx: &mut Operator) -> Result<()> {
    cx.check_real()?;
    let (x, is_approximate) = (cx.input(0)?, cx.flag(schema::gelu::APPROXIMATE)?);
    let name = cx.output_name()?;
    let graph = cx.graph();
    let share = graph.normal_share(&name, x, is_approximate)?;
    cx.emit(Mul { bounds: Bounds::None, factor: None }, &[x, share])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for function in [
            Function::Abs,
            Function::Exp,
            Function::Ln,
            Function::Sqrt,
            Function::Rsqrt,
            Function::Reciprocal,
            Function::Elu,
            Function::Erf,
        ] {
            // Far enough from 0 for differences to be slopes.
            let shift = if matches!(function, Function::Abs | Function::Exp | Function::Elu | Function::Erf) {
                0.0
            } else {
                4.0
            };
            Case::of(Pointwise { function }, &[&[3, 4]]).shifted(0, shift).check();
        }
    }
}
