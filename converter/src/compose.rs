//! Expressions on a graph's tensors that take more than one node, or that are wanted often: what array
//! libraries write with operators.

use dunlin::Shape;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Add, BatchNorm, Mean, Minimum, Mul, Reshape};

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
