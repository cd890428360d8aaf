//! Padding by the rules that frameworks name.

use crate::{Error, Result};

/// Padding `[before, after]` along one axis by TensorFlow's rule SAME: as many outputs as `len / stride`,
/// rounded up, and the odd one behind.
///
/// # Errors
/// If one of them is beyond 255.
pub fn same(kernel: usize, stride: u8, dilation: u8, len: usize) -> Result<[u8; 2]> {
    let stride = stride.max(1) as usize; // the window's check refuses 0
    let span = kernel.saturating_sub(1).saturating_mul(dilation as usize).saturating_add(1);
    let n_out = len.div_ceil(stride);
    let total = (n_out.saturating_sub(1) * stride).saturating_add(span).saturating_sub(len);
    let pad = |pad: usize| {
        u8::try_from(pad).map_err(|_| Error::Invalid(format!("pads by {pad}; at most 255 are taken")))
    };
    Ok([pad(total / 2)?, pad(total - total / 2)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_is_tensorflows() {
        let pads = |kernel, stride, dilation, len| same(kernel, stride, dilation, len).unwrap();
        assert_eq!(pads(3, 1, 1, 5), [1, 1]);
        assert_eq!(pads(3, 2, 1, 6), [0, 1]);
        assert_eq!(pads(4, 2, 1, 5), [1, 2]);
        assert_eq!(pads(10, 2, 1, 49), [4, 5]);
        assert_eq!(pads(3, 1, 2, 5), [2, 2]);
        assert_eq!(pads(1, 3, 1, 7), [0, 0]);
        assert!(same(600, 1, 1, 5).is_err());
    }
}
