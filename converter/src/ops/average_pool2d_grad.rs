//! Gradient of average pooling: see the runtime's operator of this name.

use dunlin::ops::AveragePool2dGrad;

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for AveragePool2dGrad {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is one itself, and second derivatives are not supported"))
    }
}
