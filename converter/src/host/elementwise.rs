//! Functions of single elements, or of pairs of them.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Add, Clamp, ClampGrad, Mul};
use rayon::prelude::*;

use super::Kernel;
use super::operands::{Operands, Shapes};
use super::simd::{load, store, vectorized};

/// Elements that are worth a task of their own.
const PART: usize = 1 << 14;

/// A function of every element, or of the pairs of two tensors of one shape; the first may stand on the output.
struct Elementwise<F> {
    operands: Operands,
    function: F,
}

/// Computes `out` from `x` and `y`; without `x`, from what stands in `out`.
trait Function: Sync + Send {
    fn compute(&self, x: Option<&[f32]>, y: &[f32], out: &mut [f32]);
}

impl<F: Function> Kernel for Elementwise<F> {
    fn run(&mut self, arena: &mut [f32]) {
        let in_place = !self.operands.is_apart(0);
        let opened = self.operands.open(arena);
        let ([x, y, ..], [out, ..]) = (opened.inputs, opened.outputs);
        out.par_chunks_mut(PART).enumerate().for_each(|(i, out)| {
            let part = i * PART..i * PART + out.len();
            let x = if in_place { None } else { Some(&x[part.clone()]) };
            self.function.compute(x, y.get(part).unwrap_or(y), out);
        });
    }
}

fn of<F: Function + 'static>(operands: Operands, function: F) -> Option<Box<dyn Kernel>> {
    let fits = operands.n_inputs() < 2 || operands.is_apart(1);
    fits.then(|| Box::new(Elementwise { operands, function }) as Box<dyn Kernel>)
}

pub(super) fn clamp(op: Clamp, operands: Operands) -> Option<Box<dyn Kernel>> {
    of(operands, op)
}

impl Function for Clamp {
    fn compute(&self, x: Option<&[f32]>, _y: &[f32], out: &mut [f32]) {
        clamp_all(x, self.bounds.f32(), out);
    }
}

pub(super) fn clamp_grad(op: ClampGrad, operands: Operands) -> Option<Box<dyn Kernel>> {
    of(operands, op)
}

impl Function for ClampGrad {
    fn compute(&self, x: Option<&[f32]>, y: &[f32], out: &mut [f32]) {
        pass(x, y, self.bounds.f32(), out);
    }
}

/// Only of tensors of one shape.
pub(super) fn add(op: Add, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let same = shapes.inputs[0] == shapes.inputs[1] && op.factors.is_none() && op.bounds == Bounds::None;
    if same { of(operands, op) } else { None }
}

impl Function for Add {
    fn compute(&self, x: Option<&[f32]>, y: &[f32], out: &mut [f32]) {
        add_all(x, y, out);
    }
}

/// Only of tensors of one shape, or by a single number.
pub(super) fn mul(op: Mul, shapes: &Shapes, operands: Operands) -> Option<Box<dyn Kernel>> {
    let [x, y] = [&shapes.inputs[0], &shapes.inputs[1]];
    let plain = op.factor.is_none() && op.bounds == Bounds::None && *x == shapes.outputs[0];
    if plain && (x == y || y.count() == 1) { of(operands, op) } else { None }
}

impl Function for Mul {
    fn compute(&self, x: Option<&[f32]>, y: &[f32], out: &mut [f32]) {
        match *y {
            [factor] => scale_all(x, factor, out),
            _ => multiply_all(x, y, out),
        }
    }
}

/// `$out = $f(x)` by vectors, or in place.
macro_rules! map {
    ($simd:ident, $S:ident, $x:ident, $y:expr, $out:ident, $f:expr) => {{
        let lanes = <$S as pulp::Simd>::F32_LANES;
        for (i, out) in $out.chunks_mut(lanes).enumerate() {
            let part = i * lanes..i * lanes + out.len();
            let x = match $x {
                Some(x) => load($simd, &x[part.clone()]),
                None => load($simd, out),
            };
            store($simd, out, $f(x, part));
        }
    }};
}

vectorized! {
    fn clamp_all[simd: S](x: Option<&[f32]>, bounds: (f32, f32), out: &mut [f32]) {
        let (lo, hi) = (simd.splat_f32s(bounds.0), simd.splat_f32s(bounds.1));
        map!(simd, S, x, (), out, |x, _| simd.min_f32s(hi, simd.max_f32s(lo, x)));
    }

    /// `x` where `y` is strictly inside the bounds.
    fn pass[simd: S](x: Option<&[f32]>, y: &[f32], bounds: (f32, f32), out: &mut [f32]) {
        let (lo, hi) = (simd.splat_f32s(bounds.0), simd.splat_f32s(bounds.1));
        let zero = simd.splat_f32s(0.0);
        map!(simd, S, x, y, out, |x, part: std::ops::Range<usize>| {
            let y = load(simd, &y[part]);
            let above = simd.select_f32s(simd.less_than_f32s(lo, y), x, zero);
            simd.select_f32s(simd.less_than_f32s(y, hi), above, zero)
        });
    }

    fn add_all[simd: S](x: Option<&[f32]>, y: &[f32], out: &mut [f32]) {
        map!(simd, S, x, y, out, |x, part: std::ops::Range<usize>| {
            simd.add_f32s(x, load(simd, &y[part]))
        });
    }

    fn multiply_all[simd: S](x: Option<&[f32]>, y: &[f32], out: &mut [f32]) {
        map!(simd, S, x, y, out, |x, part: std::ops::Range<usize>| {
            simd.mul_f32s(x, load(simd, &y[part]))
        });
    }

    fn scale_all[simd: S](x: Option<&[f32]>, factor: f32, out: &mut [f32]) {
        let factor = simd.splat_f32s(factor);
        map!(simd, S, x, (), out, |x, _| simd.mul_f32s(x, factor));
    }
}
