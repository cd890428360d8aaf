//! Matrix product: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{FullyConnected, MatMul};

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for MatMul {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (a, b, dy) = (cx.input(0), cx.input(1), cx.grad()?);
        let times_transposed = FullyConnected::new(Bounds::None);
        // For y = a b: da = dy bᵀ. For y = aᵀ b: da = b dyᵀ.
        let factors = if self.transpose_a { [b, dy] } else { [dy, b] };
        let da = cx.when_wanted(0, |cx| cx.apply("da", times_transposed, &factors))?;
        let op = MatMul { transpose_a: !self.transpose_a };
        let db = cx.when_wanted(1, |cx| cx.apply("db", op, &[a, dy]))?;
        Ok(vec![da, db])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(MatMul { transpose_a: false }, &[&[3, 4], &[4, 2]]).check();
        Case::of(MatMul { transpose_a: true }, &[&[4, 3], &[4, 2]]).check();
    }
}
