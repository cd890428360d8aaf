//! Gradient of an average pooling: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::{AveragePool2d, AveragePool2dGrad};

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for AveragePool2dGrad {
    /// Linear: the pooling.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let g = cx.grad()?;
        let op = AveragePool2d(Pooling { bounds: Bounds::None, ..self.pooling });
        Ok(vec![Some(cx.apply("ddy", op, &[g])?)])
    }
}
