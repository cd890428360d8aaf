//! The gradient that resizings share.

use dunlin::ops::resize::Resize;

use super::{Backward, Op};
use crate::{Result, TensorId};

/// Resizing is linear, along rows and along columns on its own: `along` is the operator that resizes, and what it makes of
/// an identity is the matrix by which it multiplies. The gradient takes the transposed one.
pub(super) fn gradient(
    cx: &mut Backward,
    resize: Resize,
    op: impl Fn(Resize) -> Op,
) -> Result<Vec<Option<TensorId>>> {
    let (dims, mut grad) = (cx.graph.dims(cx.input(0)), cx.grad()?);
    let name = cx.name("dx");
    for axis in [1, 2] {
        let (from, to) = (dims[axis], resize.size[axis - 1]);
        let identity = cx.graph.identity(&name, from)?;
        let image = cx.graph.reshape(&name, identity, &[1, from, 1, from])?;
        let weights = cx.graph.apply(&name, op(Resize { size: [to, 1], ..resize }), &[image])?;
        let weights = cx.graph.reshape(&name, weights, &[to.into(), from])?;
        grad = cx.graph.along(&name, grad, axis, weights)?;
    }
    Ok(vec![Some(grad)])
}
