//! Gradient of a clamp: see the runtime's operator of this name.

use dunlin::ops::ClampGrad;

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for ClampGrad {
    /// What passes there passes back; where it passes does not change with the output.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (y, g) = (cx.input(1), cx.grad()?);
        Ok(vec![Some(cx.apply("ddy", *self, &[g, y])?), None])
    }
}
