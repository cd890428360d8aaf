//! Gradient of a long short-term memory: see the runtime's operator of this name.

use dunlin::ops::LstmGrad;

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for LstmGrad {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is one itself, and second derivatives are not supported"))
    }
}
