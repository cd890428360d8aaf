//! Mean and variance per channel: see the runtime's operator of this name.

use dunlin::ops::{BatchNorm, Moments};

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for Moments {
    /// `dmean / n + 2 * dvariance / n * (x - mean)`: per channel a shift and a scale, as batch normalization
    /// with variance 1 computes them. (The variance does not change with the mean: the differences' sum is 0.)
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (x, mean) = (cx.input(0), cx.output(0));
        let dims = cx.graph.dims(mean);
        let n = (cx.graph[x].ty.shape.count() / dims[0]) as f32;
        let (dmean, dvariance) = (cx.grad_or_zeros(0)?, cx.grad_or_zeros(1)?);
        let shift = cx.scale("dmean", dmean, 1.0 / n)?;
        let scale = cx.scale("dvariance", dvariance, 2.0 / n)?;
        let one = cx.filled("one", &dims, 1.0)?;
        let dx = cx.apply("dx", BatchNorm { epsilon: 0.0 }, &[x, scale, shift, mean, one])?;
        Ok(vec![Some(dx)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for output in 0..2 {
            Case::new(&[&[3, 2, 2, 2]], |graph, x| Ok(graph.apply_all("moments", Moments, x)?[output]))
                .check();
        }
    }
}
