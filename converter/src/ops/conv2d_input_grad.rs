//! Gradient of a convolution's image: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Conv2d, Conv2dInputGrad, Conv2dWeightsGrad};

use super::conv2d::taps;
use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for Conv2dInputGrad {
    /// Linear in both: the convolution, and its gradient of the weights.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (dy, w, g) = (cx.input(0), cx.input(1), cx.grad()?);
        let kernel = taps(&cx.graph.dims(w));
        let window = self.window;
        let ddy =
            cx.when_wanted(0, |cx| cx.apply("ddy", Conv2d { window, bounds: Bounds::None }, &[g, w]))?;
        let dw = cx.when_wanted(1, |cx| cx.apply("dw", Conv2dWeightsGrad { window, kernel }, &[dy, g]))?;
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
        let op = Conv2dInputGrad { window, image: [4, 3] };
        Case::of(op, &[&[2, 2, 2, 2], &[2, 3, 2, 3]]).check();
    }
}
