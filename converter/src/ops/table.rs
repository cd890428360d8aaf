//! Table of a function of int8: see the runtime's operator of this name.

use dunlin::ops::Table;

use super::{Backward, Channels, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for Table {
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("it is made of operators that are quantized"))
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Elementwise { operands: 1 }
    }
}
