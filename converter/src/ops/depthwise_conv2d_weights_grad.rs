//! Gradient of a depthwise convolution's weights: see the runtime's operator of this name.

use dunlin::ops::DepthwiseConv2dWeightsGrad;

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for DepthwiseConv2dWeightsGrad {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is one itself, and second derivatives are not supported"))
    }
}
