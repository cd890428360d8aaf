//! What the scalar kernels spend their time on, for ARMv7-M (Cortex-M3).

pub(crate) mod columns;
pub(crate) mod outputs;
pub(crate) mod sums;
pub(crate) mod words;
