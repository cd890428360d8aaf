//! Gradient of a convolution's weights: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{Conv2d, Conv2dInputGrad, Conv2dWeightsGrad};

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for Conv2dWeightsGrad {
    /// Linear in both: the convolution, and its gradient of the image.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (dy, x, g) = (cx.input(0), cx.input(1), cx.grad()?);
        let dims = cx.graph.dims(x);
        let (window, image) = (self.window, [dims[1] as u32, dims[2] as u32]);
        let ddy =
            cx.when_wanted(0, |cx| cx.apply("ddy", Conv2d { window, bounds: Bounds::None }, &[x, g]))?;
        let dx = cx.when_wanted(1, |cx| cx.apply("dx", Conv2dInputGrad { window, image }, &[dy, g]))?;
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
        let op = Conv2dWeightsGrad { window, kernel: [3, 2] };
        Case::of(op, &[&[2, 2, 2, 2], &[2, 4, 3, 3]]).check();
    }
}
