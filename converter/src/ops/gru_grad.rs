//! Gradient of a gated recurrent unit: see the runtime's operator of this name.

use dunlin::ops::GruGrad;

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for GruGrad {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is one itself, and second derivatives are not supported"))
    }
}
