//! Gradient of a depthwise convolution's image: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{DepthwiseConv2d, DepthwiseConv2dInputGrad, DepthwiseConv2dWeightsGrad};

use super::conv2d::taps;
use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for DepthwiseConv2dInputGrad {
    /// Linear in both: the convolution, and its gradient of the weights.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (dy, w, g) = (cx.input(0), cx.input(1), cx.grad()?);
        let kernel = taps(&cx.graph.dims(w));
        let window = self.window;
        let op = DepthwiseConv2d { window, bounds: Bounds::None };
        let ddy = cx.when_wanted(0, |cx| cx.apply("ddy", op, &[g, w]))?;
        let op = DepthwiseConv2dWeightsGrad { window, kernel };
        let dw = cx.when_wanted(1, |cx| cx.apply("dw", op, &[dy, g]))?;
        Ok(vec![ddy, dw])
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
        let op = DepthwiseConv2dInputGrad { window, image: [4, 3, 2] };
        Case::of(op, &[&[2, 2, 2, 4], &[1, 3, 2, 4]]).check();
    }
}
