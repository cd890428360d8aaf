//! Functions of single numbers: see the runtime's operator of this name.

use dunlin::ops::pointwise::Function;
use dunlin::ops::{Factor, Minimum, Pointwise};

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
        Rule::new("ELU", |cx| import(cx, Function::Elu)),
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
            Function::Gelu => gelu_slope(cx, x)?,
            Function::GeluTanh => gelu_tanh_slope(cx, x)?,
        };
        Ok(vec![Some(cx.mul("dx", dy, slope)?)])
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 1 }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let (x, out) = (cx.quant(node, node.inputs[0])?, cx.quant(node, node.outputs[0])?);
        let [x, out] = [x, out].map(|quant| (quant.scale(), quant.zero_point));
        let table = match self.function {
            Function::Abs => Pointwise::abs_table(x, out),
            Function::Rsqrt => {
                let factor = Factor::from_real(1.0 / (f64::from(x.0).sqrt() * f64::from(out.0)));
                factor.and_then(|factor| Pointwise::rsqrt_table(factor, x.1, out.1))
            }
            function => Some(nearest_table(function, x, out)),
        };
        cx.emit_table(node, table)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let name = match self.function {
            Function::Elu => Some("ELU"),
            Function::Abs => Some("ABS"),
            Function::Rsqrt => Some("RSQRT"),
            _ if cx.graph[node.inputs[0]].quant.is_some() => None,
            Function::Exp => Some("EXP"),
            Function::Ln => Some("LOG"),
            Function::Sqrt => Some("SQRT"),
            Function::Sign | Function::Reciprocal | Function::Erf | Function::Gelu | Function::GeluTanh => {
                None
            }
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

/// With the share s of the normal distribution below x: `s + x exp(-x^2 / 2) / sqrt(2 pi)`.
fn gelu_slope(cx: &mut Backward, x: TensorId) -> Result<TensorId> {
    use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
    let share = cx.graph.normal_share("share", x, false)?;
    let square = cx.mul("square", x, x)?;
    let negative = cx.scale("negative", square, -0.5)?;
    let bell = cx.apply("bell", Pointwise { function: Function::Exp }, &[negative])?;
    let product = cx.mul("product", x, bell)?;
    let scaled = cx.scale("scaled", product, 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2)?;
    cx.add("slope", share, scaled)
}

/// With the approximate share s: `s + 2 s (1 - s) x sqrt(2 / pi) (1 + 3 · 0.044715 x^2)`.
fn gelu_tanh_slope(cx: &mut Backward, x: TensorId) -> Result<TensorId> {
    use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
    let share = cx.graph.normal_share("share", x, true)?;
    let squared_share = cx.mul("squared_share", share, share)?;
    let minus = cx.scale("minus", squared_share, -1.0)?;
    let spread = cx.add("spread", share, minus)?;
    let square = cx.mul("square", x, x)?;
    let bend = cx.scale("bend", square, 3.0 * 0.044715)?;
    let one = cx.filled("one", &[1], 1.0)?;
    let slope = cx.add("bent", bend, one)?;
    let along = cx.mul("along", x, slope)?;
    let product = cx.mul("product", spread, along)?;
    let scaled = cx.scale("scaled", product, 2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2)?;
    cx.add("slope", share, scaled)
}

/// The table of a function from `(scale, zero point)` `x` to `out`, in f32 with the product, the function and the quotient each
/// rounded, as TensorFlow Lite makes its tables; infinities become the ends, and NaN (of no number there is) stands for 0.
fn nearest_table(function: Function, x: (f32, i32), out: (f32, i32)) -> [i8; 256] {
    let per_step = 1.0 / out.0;
    std::array::from_fn(|i| {
        let y = exact(function, x.0 * (i as i32 - 128 - x.1) as f32) * per_step;
        (if y.is_nan() { 0.0 } else { y.round() } + out.1 as f32).clamp(-128.0, 127.0) as i8
    })
}

/// The nearest f32 to the function's value, from a library that is the same everywhere.
fn exact(function: Function, x: f32) -> f32 {
    use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
    let real = f64::from(x);
    let value = match function {
        Function::Abs => real.abs(),
        Function::Sign if x == 0.0 => 0.0,
        Function::Sign => real.signum(),
        Function::Exp => libm::exp(real),
        Function::Ln => libm::log(real),
        Function::Sqrt => libm::sqrt(real),
        Function::Rsqrt => 1.0 / libm::sqrt(real),
        Function::Reciprocal => 1.0 / real,
        Function::Elu if x > 0.0 => real,
        // TensorFlow Lite rounds before the difference, too.
        Function::Elu => return libm::exp(real) as f32 - 1.0,
        Function::Erf => libm::erf(real),
        Function::Gelu => 0.5 * real * libm::erfc(-real * FRAC_1_SQRT_2),
        Function::GeluTanh => {
            let bent = real + 0.044715 * real * real * real;
            0.5 * real * (1.0 + libm::tanh(FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * bent))
        }
    };
    value as f32
}

fn import(cx: &mut Operator, function: Function) -> Result<()> {
    cx.emit_unary(Pointwise { function })
}

/// GELU, exactly or by its usual approximation.
fn import_gelu(cx: &mut Operator) -> Result<()> {
    let approximate = cx.flag(schema::gelu::APPROXIMATE)?;
    import(cx, if approximate { Function::GeluTanh } else { Function::Gelu })
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
            Function::Gelu,
            Function::GeluTanh,
        ] {
            // Far enough from 0 for differences to be slopes.
            let shift = match function {
                Function::Ln | Function::Sqrt | Function::Rsqrt | Function::Reciprocal => 4.0,
                _ => 0.0,
            };
            Case::of(Pointwise { function }, &[&[3, 4]]).shifted(0, shift).check();
        }
    }
}
