//! Gradient of a convolution's weights: see the runtime's operator of this name.

use dunlin::ops::Conv2dWeightsGrad;

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for Conv2dWeightsGrad {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is one itself, and second derivatives are not supported"))
    }
}
