//! Functions of arrays with gradients: written like NumPy, run like a graph.
//!
//! ```
//! use dunlin_arrays::{Array, axes};
//! use dunlin_converter::function::Function;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The mean squared error of a line through points, and its gradient.
//! let loss = Function::new(&[&[4], &[4], &[1], &[1]], |v| {
//!     let [x, y, slope, offset] = [v[0], v[1], v[2], v[3]];
//!     let loss = (x * slope + offset - y).square().mean(..);
//!     [vec![loss], loss.gradients(&[slope, offset])].concat()
//! })?;
//! let (x, y) = (Array::from([0.0f32, 1.0, 2.0, 3.0]), Array::from([1.0f32, 3.0, 5.0, 7.0]));
//! let (mut slope, mut offset) = (Array::from([0.0f32]), Array::from([0.0f32]));
//! for _ in 0..200 {
//!     let results = loss.call(&[&x, &y, &slope, &offset])?;
//!     slope = slope - &results[1] * 0.1;
//!     offset = offset - &results[2] * 0.1;
//! }
//! assert!((slope.item()? - 2.0).abs() < 1e-3 && (offset.item()? - 1.0).abs() < 1e-2);
//! # Ok(()) }
//! ```
//!
//! A function is traced once: its [`Var`]s stand for arrays of known shapes, and what is done with them becomes nodes of
//! a [`Graph`] like that of any network. So it is planned, compiled, and run by the host's fast kernels, and gradients are
//! nodes too, of which gradients can be taken again.

use std::cell::{Ref, RefCell, RefMut};
use std::ops::{Add, Div, Mul, Neg, Sub};

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{self, Concat, MatMul, Maximum, Minimum, Slice, Transpose};
use dunlin::shape::MAX_RANK;
use dunlin_arrays::{Array, Axes};

use crate::autograd::{gradients, padded_dims};
use crate::host::Executor;
use crate::ops::Op;
use crate::pack::Packing;
use crate::plan::whole;
use crate::program::{output, set_input};
use crate::{Data, Error, Graph, Program, Result, TensorId};

/// A function of f32 arrays of fixed shapes.
pub struct Function {
    program: Program,
    executor: RefCell<Executor>,
    input_dims: Vec<Vec<usize>>,
    output_dims: Vec<Vec<usize>>,
}

/// What tracing has made so far.
struct Tape {
    graph: Graph,
    /// The first thing that went wrong; what comes after it is not traced.
    error: Option<Error>,
}

/// An array of a function that is being traced: f32, of at most four dimensions.
#[derive(Clone, Copy)]
pub struct Var<'t> {
    tape: &'t RefCell<Tape>,
    id: TensorId,
}

impl Function {
    /// Traces `body`, a function of arrays of these dimensions.
    ///
    /// # Errors
    /// The first operation in `body` whose shapes do not fit, or that has no gradient where one is taken.
    pub fn new(dims: &[&[usize]], body: impl for<'t> FnOnce(&[Var<'t>]) -> Vec<Var<'t>>) -> Result<Function> {
        let mut graph = Graph::new("function");
        let inputs: Vec<TensorId> = dims
            .iter()
            .enumerate()
            .map(|(i, dims)| graph.input(&format!("argument {i}"), dims))
            .collect::<Result<_>>()?;
        let tape = RefCell::new(Tape { graph, error: None });
        let arguments: Vec<Var> = inputs.iter().map(|&id| Var { tape: &tape, id }).collect();
        let results: Vec<TensorId> = body(&arguments).iter().map(|var| var.id).collect();
        let Tape { mut graph, error } = tape.into_inner();
        if let Some(error) = error {
            return Err(error);
        }
        let mut output_dims = Vec::new();
        for id in results {
            let computed = graph.producer(id).is_some() && !graph.outputs().contains(&id);
            // What is handed through, or returned twice, is copied.
            let id = if computed { id } else { graph.scale("copy", id, 1.0)? };
            graph.mark_output(id);
            output_dims.push(graph.dims(id));
        }
        let program = Program::compile_with(&graph, Packing::Portable, |graph| Ok(whole(graph)))?;
        let executor = RefCell::new(Executor::new(&program));
        let input_dims = dims.iter().map(|dims| dims.to_vec()).collect();
        Ok(Function { program, executor, input_dims, output_dims })
    }

    /// What the function makes of `arguments`.
    ///
    /// # Errors
    /// If there are more or fewer arguments than when it was traced, or their shapes are others; names both.
    pub fn call(&self, arguments: &[&Array<f32>]) -> Result<Vec<Array<f32>>> {
        let have: Vec<&[usize]> = arguments.iter().map(|array| array.dims()).collect();
        if have != self.input_dims {
            let want = &self.input_dims;
            return Err(Error::Invalid(format!("arguments of shapes {have:?}, traced for {want:?}")));
        }
        let (model, mut arena) = (self.program.model()?, self.program.arena());
        let mut session = self.program.session(&model, &mut arena)?;
        for (i, array) in arguments.iter().enumerate() {
            set_input(&mut session, i, &Data::F32(array.to_vec()))
                .map_err(|source| Error::Model { what: format!("argument {i}"), source })?;
        }
        self.executor.borrow_mut().run(&mut session);
        let array = |(i, dims): (usize, &Vec<usize>)| {
            let Data::F32(elements) = output(&session, i)? else {
                return Err(Error::Invalid(format!("result {i} holds no f32")));
            };
            Array::new(dims, elements).map_err(|error| Error::Invalid(error.to_string()))
        };
        self.output_dims.iter().enumerate().map(array).collect()
    }
}

impl<'t> Var<'t> {
    fn graph(&self) -> Ref<'t, Graph> {
        Ref::map(self.tape.borrow(), |tape| &tape.graph)
    }

    /// What `make` adds to the graph. After an error nothing is added any more.
    fn make(self, make: impl FnOnce(&mut Graph) -> Result<TensorId>) -> Var<'t> {
        let mut tape: RefMut<Tape> = self.tape.borrow_mut();
        if tape.error.is_some() {
            return self;
        }
        match make(&mut tape.graph) {
            Ok(id) => Var { id, ..self },
            Err(error) => {
                tape.error = Some(error);
                self
            }
        }
    }

    fn apply(self, name: &str, op: impl Into<Op>, others: &[Var<'t>]) -> Var<'t> {
        let inputs: Vec<TensorId> = [self].iter().chain(others).map(|var| var.id).collect();
        self.make(|graph| graph.apply(name, op, &inputs))
    }

    /// An array that does not depend on the arguments.
    pub fn constant(self, array: &Array<f32>) -> Var<'t> {
        self.make(|graph| graph.constant("constant", array.dims(), Data::F32(array.to_vec())))
    }

    /// The dimensions.
    pub fn dims(self) -> Vec<usize> {
        self.graph().dims(self.id)
    }

    /// The product of matrices `[.., m, k]` and `[.., k, n]`, one for each index of the outer dimensions.
    pub fn matmul(self, other: Var<'t>) -> Var<'t> {
        self.apply("matmul", MatMul::PLAIN, &[other])
    }

    /// The product of matrices `[.., m, k]` and the transpose of others, `[.., n, k]`.
    pub fn matmul_t(self, other: Var<'t>) -> Var<'t> {
        self.apply("matmul_t", MatMul::TRANSPOSED_B, &[other])
    }

    /// `e^x`.
    pub fn exp(self) -> Var<'t> {
        self.make(|graph| graph.exp("exp", self.id))
    }

    /// Natural logarithm.
    pub fn ln(self) -> Var<'t> {
        self.make(|graph| graph.ln("ln", self.id))
    }

    /// Square root.
    pub fn sqrt(self) -> Var<'t> {
        self.make(|graph| graph.sqrt("sqrt", self.id))
    }

    /// `|x|`.
    pub fn abs(self) -> Var<'t> {
        self.make(|graph| graph.abs("abs", self.id))
    }

    /// `x` to a power: of any x for whole exponents from -16 to 16, else of positive ones.
    pub fn powf(self, exponent: f32) -> Var<'t> {
        self.make(|graph| graph.pow("pow", self.id, exponent))
    }

    /// `x`, through which no gradient flows back.
    pub fn stop_gradient(self) -> Var<'t> {
        self.make(|graph| graph.stop_gradient("stopped", self.id))
    }

    /// The greater of both, element by element, broadcast.
    pub fn maximum(self, other: Var<'t>) -> Var<'t> {
        self.apply("maximum", Maximum {}, &[other])
    }

    /// The lesser of both, element by element, broadcast.
    pub fn minimum(self, other: Var<'t>) -> Var<'t> {
        self.apply("minimum", Minimum {}, &[other])
    }

    /// `max(x, 0)`.
    pub fn relu(self) -> Var<'t> {
        self.apply("relu", ops::Clamp { bounds: Bounds::RELU }, &[])
    }

    /// Hyperbolic tangent.
    pub fn tanh(self) -> Var<'t> {
        self.apply("tanh", ops::Tanh {}, &[])
    }

    /// `1 / (1 + exp(-x))`.
    pub fn sigmoid(self) -> Var<'t> {
        self.apply("sigmoid", ops::Logistic {}, &[])
    }

    /// Softmax along the last dimension.
    pub fn softmax(self) -> Var<'t> {
        self.apply("softmax", ops::Softmax::F32 { beta: 1.0 }, &[])
    }

    /// `x * x`.
    pub fn square(self) -> Var<'t> {
        self * self
    }

    /// Mean along dimensions: `..` for all, `-1`, `[0, 2]`, or `axes(1).keep()`.
    pub fn mean(self, along: impl Into<Axes>) -> Var<'t> {
        self.reduced(along.into(), false)
    }

    /// Sum along dimensions; see [`Var::mean`].
    pub fn sum(self, along: impl Into<Axes>) -> Var<'t> {
        self.reduced(along.into(), true)
    }

    fn reduced(self, along: Axes, is_sum: bool) -> Var<'t> {
        let dims = self.dims();
        self.make(|graph| {
            let reduced = along.reduced(&dims).map_err(|error| Error::graph("mean", error.to_string()))?;
            let gone: Vec<usize> = (0..dims.len()).filter(|&axis| reduced[axis]).collect();
            let mut mean = graph.mean("mean", self.id, &gone)?;
            if is_sum {
                let n: usize = gone.iter().map(|&axis| dims[axis]).product();
                mean = graph.scale("sum", mean, n as f32)?;
            }
            let kept: Vec<usize> =
                (0..dims.len()).filter(|axis| !reduced[*axis]).map(|axis| dims[axis]).collect();
            if along.keeps() { Ok(mean) } else { graph.reshape("mean", mean, &kept) }
        })
    }

    /// The same elements in another shape.
    pub fn reshape(self, dims: &[usize]) -> Var<'t> {
        self.make(|graph| graph.reshape("reshape", self.id, dims))
    }

    /// The dimensions in another order.
    pub fn transpose(self, order: &[usize]) -> Var<'t> {
        let rank = self.dims().len();
        self.make(|graph| {
            if order.len() != rank {
                return Err(Error::graph("transpose", format!("{order:?} is no order of {rank} dimensions")));
            }
            let mut perm = [0, 1, 2, 3];
            perm.iter_mut().zip(order).for_each(|(slot, &from)| *slot = from.min(255) as u8);
            graph.apply("transpose", Transpose { perm }, &[self.id])
        })
    }

    /// A part, as [`Array::slice`] takes it; no dimension is added or goes.
    pub fn slice(self, ranges: &[dunlin_arrays::Slice]) -> Var<'t> {
        let dims = self.dims();
        self.make(|graph| {
            let wrong = || Error::graph("slice", format!("{ranges:?} cannot be taken of {dims:?}"));
            let (mut begin, mut len, mut stride) = ([0; MAX_RANK], padded_dims(&dims, 1), [1; MAX_RANK]);
            if ranges.len() > dims.len() {
                return Err(wrong());
            }
            for (axis, range) in ranges.iter().enumerate() {
                let (first, n, step) = range.indices(dims[axis]).ok_or_else(wrong)?;
                (begin[axis], len[axis]) = (first as u32, n as u32);
                stride[axis] = i32::try_from(step).map_err(|_| wrong())?;
            }
            graph.apply("slice", Slice { begin, len, stride }, &[self.id])
        })
    }

    /// The arrays one behind the other along a dimension.
    pub fn concatenate(self, others: &[Var<'t>], axis: usize) -> Var<'t> {
        self.apply("concatenate", Concat { axis: axis.min(255) as u8 }, others)
    }

    /// The gradients of this single number with respect to `wrt`, from which it must be computed.
    pub fn gradients(self, wrt: &[Var<'t>]) -> Vec<Var<'t>> {
        let ids: Vec<TensorId> = wrt.iter().map(|var| var.id).collect();
        let mut found = Vec::new();
        let last = self.make(|graph| {
            found = gradients(graph, self.id, &ids)?;
            Ok(self.id)
        });
        // After an error there are none; something of their number must be returned.
        let gradient = |i: usize| Var { id: found.get(i).copied().unwrap_or(last.id), ..self };
        (0..wrt.len()).map(gradient).collect()
    }
}

macro_rules! operator {
    ($($trait:ident $method:ident $name:literal $op:expr;)*) => { $(
        impl<'t> $trait<Var<'t>> for Var<'t> {
            type Output = Var<'t>;
            fn $method(self, other: Var<'t>) -> Var<'t> {
                self.apply($name, $op, &[other])
            }
        }
        impl<'t> $trait<f32> for Var<'t> {
            type Output = Var<'t>;
            fn $method(self, other: f32) -> Var<'t> {
                self.$method(self.constant(&Array::from([other])))
            }
        }
        impl<'t> $trait<Var<'t>> for f32 {
            type Output = Var<'t>;
            fn $method(self, other: Var<'t>) -> Var<'t> {
                other.constant(&Array::from([self])).$method(other)
            }
        }
    )* };
}

operator! {
    Add add "sum" ops::Add { bounds: Bounds::None, factors: None };
    Sub sub "difference" ops::Sub { bounds: Bounds::None, factors: None };
    Mul mul "product" ops::Mul { bounds: Bounds::None, factor: None };
}

impl<'t> Div<Var<'t>> for Var<'t> {
    type Output = Var<'t>;
    fn div(self, other: Var<'t>) -> Var<'t> {
        self.make(|graph| graph.div("quotient", self.id, other.id))
    }
}

impl<'t> Div<f32> for Var<'t> {
    type Output = Var<'t>;
    fn div(self, other: f32) -> Var<'t> {
        self * (1.0 / other)
    }
}

impl<'t> Div<Var<'t>> for f32 {
    type Output = Var<'t>;
    fn div(self, other: Var<'t>) -> Var<'t> {
        other.constant(&Array::from([self])) / other
    }
}

impl<'t> Neg for Var<'t> {
    type Output = Var<'t>;
    fn neg(self) -> Var<'t> {
        self * -1.0
    }
}

#[cfg(test)]
mod tests {
    use dunlin_arrays::{axes, s};

    use super::*;

    fn array(dims: &[usize]) -> Array<f32> {
        let n = dims.iter().product::<usize>();
        Array::new(dims, (0..n).map(|i| ((i * 7 + 3) % 11) as f32 / 5.0 - 1.0).collect()).unwrap()
    }

    #[test]
    fn what_is_traced_is_what_arrays_compute() {
        let f = Function::new(&[&[3, 4], &[4, 2], &[2]], |v| {
            let y = v[0].matmul(v[1]) + v[2];
            vec![
                y,
                y.mean(0),
                y.sum(axes(1).keep()),
                (1.0 - y).maximum(y * 0.5),
                -y.transpose(&[1, 0]),
                v[0].slice(&[s(1..), s(..).by(-2)]),
                y.concatenate(&[v[1]], 0).reshape(&[14]),
                y.sum(..),
                v[2],
                y,
            ]
        });
        let (a, b, c) = (array(&[3, 4]), array(&[4, 2]), array(&[2]));
        let results = f.unwrap().call(&[&a, &b, &c]).unwrap();
        let y = &a.matmul(&b).unwrap() + &c;
        let want = [
            y.clone(),
            y.mean(0).unwrap(),
            y.sum(axes(1).keep()).unwrap(),
            (-&y + 1.0).zip(&(&y * 0.5), f32::max).unwrap(),
            &y.t() * -1.0,
            a.slice(&[s(1..), s(..).by(-2)]).unwrap(),
            dunlin_arrays::concatenate(&[&y, &b], 0).unwrap().flatten(),
            y.sum(..).unwrap(),
            c,
            y,
        ];
        for (i, (have, want)) in results.iter().zip(&want).enumerate() {
            assert_eq!(have.dims(), want.dims(), "{i}");
            assert!(
                have.iter().zip(want.iter()).all(|(a, b)| (a - b).abs() < 1e-5),
                "{i}: {have:?} {want:?}"
            );
        }
    }

    #[test]
    fn functions_of_elements() {
        let f = Function::new(&[&[5]], |v| {
            let x = v[0] * v[0] + 0.5;
            let fixed = (v[0].stop_gradient() * v[0]).sum(..).gradients(&[v[0]])[0];
            vec![v[0].exp(), x.ln(), x.sqrt(), v[0].abs(), x.powf(-1.5), v[0] / x, 2.0 / x, fixed]
        });
        let x = array(&[5]);
        let results = f.unwrap().call(&[&x]).unwrap();
        for (i, x) in x.iter().enumerate() {
            let y = x * x + 0.5;
            let want = [x.exp(), y.ln(), y.sqrt(), x.abs(), y.powf(-1.5), x / y, 2.0 / y, x];
            for (have, want) in results.iter().zip(want) {
                let have = have.get(&[i as isize]).unwrap();
                assert!((have - want).abs() < 1e-5 * want.abs().max(1.0), "{x}: {have} {want}");
            }
        }
    }

    /// The second derivative of `sum(tanh(a x))`, which is a gradient of a gradient.
    #[test]
    fn gradients_have_gradients() {
        let f = Function::new(&[&[5]], |v| {
            let first = v[0].tanh().sum(..).gradients(&[v[0]])[0];
            let second = first.sum(..).gradients(&[v[0]])[0];
            vec![first, second]
        });
        let x = array(&[5]);
        let results = f.unwrap().call(&[&x]).unwrap();
        for (i, x) in x.iter().enumerate() {
            let t = x.tanh();
            let [first, second] = [&results[0], &results[1]].map(|array| array.get(&[i as isize]).unwrap());
            assert!((first - (1.0 - t * t)).abs() < 1e-5 && (second + 2.0 * t * (1.0 - t * t)).abs() < 1e-5);
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let wrong = |f: Result<Function>| f.err().unwrap().to_string();
        let shapes = Function::new(&[&[2, 3], &[2]], |v| vec![(v[0] + v[1]).tanh()]);
        assert!(wrong(shapes).starts_with("sum: add does not take inputs f32[2×3], f32[2]"));
        let axis = Function::new(&[&[2, 3]], |v| vec![v[0].mean(2)]);
        assert!(wrong(axis).contains("shape [2, 3] has no axis 2"));
        let loss = Function::new(&[&[2]], |v| v[0].gradients(&[v[0]]));
        assert!(wrong(loss).contains("a loss is a single number"));
        let f = Function::new(&[&[2]], |v| vec![v[0].relu()]).unwrap();
        let error = f.call(&[&array(&[3])]).unwrap_err().to_string();
        assert_eq!(error, "arguments of shapes [[3]], traced for [[2]]");
    }
}
