//! Expressions on a graph's tensors that take more than one node, or that are wanted often: what array
//! libraries write with operators.

use dunlin::Shape;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::pointwise::Function;
use dunlin::ops::{
    Add, BatchNorm, MatMul, Maximum, Mean, Minimum, Mul, Pointwise, Reshape, Sub, Tanh, Transpose,
};

use crate::{Data, Error, Graph, Result, TensorId};

impl Graph {
    /// A constant of equal elements.
    ///
    /// # Errors
    /// As [`Graph::constant`].
    pub fn filled(&mut self, name: &str, dims: &[usize], value: f32) -> Result<TensorId> {
        self.constant(name, dims, Data::F32(vec![value; dims.iter().product()]))
    }

    /// `a + b`, whose shapes broadcast.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn add(&mut self, name: &str, a: TensorId, b: TensorId) -> Result<TensorId> {
        self.apply(name, Add { bounds: Bounds::None, factors: None }, &[a, b])
    }

    /// `a * b`, whose shapes broadcast.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn mul(&mut self, name: &str, a: TensorId, b: TensorId) -> Result<TensorId> {
        self.apply(name, Mul { bounds: Bounds::None, factor: None }, &[a, b])
    }

    /// `a - b`, whose shapes broadcast.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn sub(&mut self, name: &str, a: TensorId, b: TensorId) -> Result<TensorId> {
        self.apply(name, Sub { bounds: Bounds::None, factors: None }, &[a, b])
    }

    /// `a / b`, whose shapes broadcast: the product with the reciprocal.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn div(&mut self, name: &str, a: TensorId, b: TensorId) -> Result<TensorId> {
        let reciprocal = self.pointwise(&format!("{name}/reciprocal"), Function::Reciprocal, b)?;
        self.mul(name, a, reciprocal)
    }

    /// The smaller of `a` and `b`, whose shapes broadcast.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn minimum(&mut self, name: &str, a: TensorId, b: TensorId) -> Result<TensorId> {
        self.apply(name, Minimum {}, &[a, b])
    }

    /// The greater of `a` and `b`, whose shapes broadcast.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn maximum(&mut self, name: &str, a: TensorId, b: TensorId) -> Result<TensorId> {
        self.apply(name, Maximum {}, &[a, b])
    }

    /// A function of every element; see [`Function`].
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn pointwise(&mut self, name: &str, function: Function, x: TensorId) -> Result<TensorId> {
        self.apply(name, Pointwise { function }, &[x])
    }

    /// `|x|`.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn abs(&mut self, name: &str, x: TensorId) -> Result<TensorId> {
        self.pointwise(name, Function::Abs, x)
    }

    /// `e^x`.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn exp(&mut self, name: &str, x: TensorId) -> Result<TensorId> {
        self.pointwise(name, Function::Exp, x)
    }

    /// Natural logarithm.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn ln(&mut self, name: &str, x: TensorId) -> Result<TensorId> {
        self.pointwise(name, Function::Ln, x)
    }

    /// Square root.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn sqrt(&mut self, name: &str, x: TensorId) -> Result<TensorId> {
        self.pointwise(name, Function::Sqrt, x)
    }

    /// `1 / sqrt(x)`.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn rsqrt(&mut self, name: &str, x: TensorId) -> Result<TensorId> {
        self.pointwise(name, Function::Rsqrt, x)
    }

    /// `x` to the power of `exponent`: products for whole exponents from -16 to 16, otherwise `e^(exponent * ln x)`, for
    /// positive x only.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn pow(&mut self, name: &str, x: TensorId, exponent: f32) -> Result<TensorId> {
        if exponent == 0.5 {
            return self.sqrt(name, x);
        }
        if exponent.fract() != 0.0 || exponent.abs() > 16.0 {
            let log = self.ln(&format!("{name}/ln"), x)?;
            let product = self.scale(&format!("{name}/product"), log, exponent)?;
            return self.exp(name, product);
        }
        let (mut power, mut square) = (None, x);
        let mut left = exponent.abs() as u32;
        while left > 0 {
            if left % 2 == 1 {
                power = Some(power.map_or(Ok(square), |power| self.mul(name, power, square))?);
            }
            left /= 2;
            if left > 0 {
                square = self.mul(&format!("{name}/square"), square, square)?;
            }
        }
        match power {
            None => self.filled(name, &self.dims(x), 1.0),
            Some(power) if exponent < 0.0 => self.pointwise(name, Function::Reciprocal, power),
            Some(power) => Ok(power),
        }
    }

    /// Of a number with the standard normal distribution, the share that is below `x`: GELU is `x` times it. Approximately
    /// it is `(1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2`.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn normal_share(&mut self, name: &str, x: TensorId, is_approximate: bool) -> Result<TensorId> {
        use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
        let curve = if is_approximate {
            let cube = self.pow(&format!("{name}/cube"), x, 3.0)?;
            let bent = self.scale(&format!("{name}/bent"), cube, 0.044715)?;
            let sum = self.add(&format!("{name}/sum"), x, bent)?;
            let scaled = self.scale(&format!("{name}/scaled"), sum, FRAC_2_SQRT_PI * FRAC_1_SQRT_2)?;
            self.apply(&format!("{name}/tanh"), Tanh {}, &[scaled])?
        } else {
            let scaled = self.scale(&format!("{name}/scaled"), x, FRAC_1_SQRT_2)?;
            self.pointwise(&format!("{name}/erf"), Function::Erf, scaled)?
        };
        let half = self.filled(&format!("{name}/half"), &[1], 0.5)?;
        let scaled = self.scale(&format!("{name}/halved"), curve, 0.5)?;
        self.add(&format!("{name}/share"), scaled, half)
    }

    /// `x`, through which no gradient flows back. (A reshape to its own shape, which the device does in place.)
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn stop_gradient(&mut self, name: &str, x: TensorId) -> Result<TensorId> {
        let same = Reshape::new(&self[x].ty.shape);
        self.no_grad(|graph| graph.apply(name, same, &[x]))
    }

    /// `value`, whose gradient is that of `surrogate`: a custom gradient, such as the straight-through estimator of a
    /// function that has none of use. Both have one shape; `surrogate` is computed as well, and adds exactly 0.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn with_gradient_of(&mut self, name: &str, value: TensorId, surrogate: TensorId) -> Result<TensorId> {
        let value = self.stop_gradient(&format!("{name}/value"), value)?;
        let fixed = self.stop_gradient(&format!("{name}/fixed"), surrogate)?;
        let zero = self.sub(&format!("{name}/zero"), surrogate, fixed)?;
        self.add(name, value, zero)
    }

    /// `factor * x`.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn scale(&mut self, name: &str, x: TensorId, factor: f32) -> Result<TensorId> {
        let factor = self.filled(&format!("{name}/factor"), &[1], factor)?;
        self.mul(name, x, factor)
    }

    /// `x` in the shape `dims`; `x` itself if it has it.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn reshape(&mut self, name: &str, x: TensorId, dims: &[usize]) -> Result<TensorId> {
        if self.dims(x) == dims {
            return Ok(x);
        }
        let shape = Shape::new(dims).map_err(|e| Error::graph(name, format!("{dims:?} is no shape: {e}")))?;
        self.apply(name, Reshape::new(&shape), &[x])
    }

    /// `x` with every vector along `axis` times a matrix `[from, to]`, `from` the length of the axis.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn along(&mut self, name: &str, x: TensorId, axis: usize, matrix: TensorId) -> Result<TensorId> {
        let last = self.dims(x).len() - 1;
        // Its own inverse: the axis and the last exchanged.
        let mut perm = [0, 1, 2, 3];
        perm.swap(axis, last);
        let swap = Transpose { perm };
        let swapped = if axis == last { x } else { self.apply(name, swap, &[x])? };
        let (mut dims, sizes) = (self.dims(swapped), self.dims(matrix));
        let flat = self.reshape(name, swapped, &[dims[..last].iter().product(), sizes[0]])?;
        let product = self.apply(name, MatMul::PLAIN, &[flat, matrix])?;
        dims[last] = sizes[1];
        let product = self.reshape(name, product, &dims)?;
        if axis == last { Ok(product) } else { self.apply(name, swap, &[product]) }
    }

    /// A constant `[n, n]` with ones on its diagonal.
    ///
    /// # Errors
    /// As [`Graph::constant`].
    pub fn identity(&mut self, name: &str, n: usize) -> Result<TensorId> {
        let ones = (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect();
        self.constant(name, &[n, n], Data::F32(ones))
    }

    /// Mean along `axes`, which stay as dimensions of 1; `x` itself if there are none.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn mean(&mut self, name: &str, x: TensorId, axes: &[usize]) -> Result<TensorId> {
        let axes = axes.iter().fold(0, |bits, &axis| bits | 1 << axis);
        match axes {
            0 => Ok(x),
            axes => self.apply(name, Mean { axes, keep_dims: true, factor: None }, &[x]),
        }
    }

    /// Mean of all elements, of shape `[1, ...]`.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn mean_of_all(&mut self, name: &str, x: TensorId) -> Result<TensorId> {
        let axes: Vec<usize> = (0..self[x].ty.shape.rank()).collect();
        self.mean(name, x, &axes)
    }

    /// The reverse of broadcasting a tensor of shape `dims` to that of `x`: sums of `x` over what was
    /// stretched.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn sum_to(&mut self, name: &str, x: TensorId, dims: &[usize]) -> Result<TensorId> {
        let from = self.dims(x);
        let stretched = |axis: usize| match (axis + dims.len()).checked_sub(from.len()) {
            Some(own) => dims[own] != from[axis],
            None => from[axis] != 1,
        };
        let axes: Vec<usize> = (0..from.len()).filter(|&axis| stretched(axis)).collect();
        let n: usize = axes.iter().map(|&axis| from[axis]).product();
        let mut sum = self.mean(&format!("{name}/mean"), x, &axes)?;
        if n != 1 {
            sum = self.scale(name, sum, n as f32)?;
        }
        self.reshape(name, sum, dims)
    }

    /// What to multiply `tensors` with so that all their elements together have at most the Euclidean norm `greatest`:
    /// `min(1, greatest / norm)`, `[1]`.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn norm_factor(&mut self, name: &str, tensors: &[TensorId], greatest: f32) -> Result<TensorId> {
        let zero = self.filled(&format!("{name}/zero"), &[1], 0.0)?;
        let one = self.filled(&format!("{name}/one"), &[1], 1.0)?;
        let mut sum = zero;
        for &tensor in tensors {
            let squares = self.mul(&format!("{name}/squares"), tensor, tensor)?;
            let squares = self.sum_to(&format!("{name}/squares"), squares, &[1])?;
            sum = self.add(&format!("{name}/sum"), sum, squares)?;
        }
        // Batch normalization divides by the root of a variance.
        let greatest = self.filled(&format!("{name}/greatest"), &[1], greatest)?;
        let quotient = BatchNorm { epsilon: 1e-12 };
        let quotient =
            self.apply(&format!("{name}/quotient"), quotient, &[greatest, one, zero, zero, sum])?;
        self.apply(name, Minimum {}, &[quotient, one])
    }
}
