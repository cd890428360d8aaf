//! Gradient of an embedding's table: see the runtime's operator of this name.

use dunlin::ops::{Embedding, EmbeddingGrad};

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for EmbeddingGrad {
    /// A sum of rows passes its gradient to each of them.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let (indices, g) = (cx.input(0), cx.grad()?);
        Ok(vec![None, Some(cx.apply("ddy", Embedding {}, &[g, indices])?)])
    }
}
