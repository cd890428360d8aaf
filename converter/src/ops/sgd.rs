//! Stochastic gradient descent: see the runtime's operator of this name.

use dunlin::ops::Sgd;

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for Sgd {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it updates state"))
    }
}
