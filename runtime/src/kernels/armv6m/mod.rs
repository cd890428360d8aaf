//! What the scalar kernels spend their time on, for ARMv6-M (Cortex-M0 and M0+).

pub(crate) mod outputs;
pub(crate) mod sums;
pub(crate) mod words;
