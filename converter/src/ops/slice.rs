//! A part of a tensor: see the runtime's operator of this name.

use dunlin::ops::{Pad, Slice};

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for Slice {
    /// Zeros around the part.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let mut pads = [[0u16; 2]; 4];
        for (axis, &dim) in cx.graph.dims(cx.input(0)).iter().enumerate() {
            let (begin, len) = (self.begin[axis], self.len[axis]);
            let around = [begin, dim as u32 - begin - len].map(u16::try_from);
            let [Ok(before), Ok(after)] = around else {
                return Err(cx.none("more than 65535 elements are cut off"));
            };
            pads[axis] = [before, after];
        }
        let dy = cx.grad()?;
        Ok(vec![Some(cx.apply("dx", Pad { pads }, &[dy])?)])
    }
}
