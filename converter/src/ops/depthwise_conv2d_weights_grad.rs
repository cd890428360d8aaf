//! Gradient of a depthwise convolution's weights: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{DepthwiseConv2d, DepthwiseConv2dInputGrad, DepthwiseConv2dWeightsGrad};

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for DepthwiseConv2dWeightsGrad {
    /// Linear in both: the convolution, and its gradient of the image.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (dy, x, g) = (cx.input(0), cx.input(1), cx.grad()?);
        let dims = cx.graph.dims(x);
        let (window, image) = (self.window, [dims[1], dims[2], dims[3]].map(|len| len as u32));
        let op = DepthwiseConv2d { window, bounds: Bounds::None };
        let ddy = cx.when_wanted(0, |cx| cx.apply("ddy", op, &[x, g]))?;
        let op = DepthwiseConv2dInputGrad { window, image };
        let dx = cx.when_wanted(1, |cx| cx.apply("dx", op, &[dy, g]))?;
        Ok(vec![ddy, dx])
    }
}

#[cfg(test)]
mod tests {
    use dunlin::ops::window::Window;

    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        let window = Window { stride: [2, 1], dilation: [1, 1], pads: [1, 0, 0, 0] };
        let op = DepthwiseConv2dWeightsGrad { window, kernel: [3, 2] };
        Case::of(op, &[&[2, 2, 2, 4], &[2, 4, 3, 2]]).check();
    }
}
