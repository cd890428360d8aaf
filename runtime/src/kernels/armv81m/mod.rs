//! Kernels for ARMv8.1-M with its vector extension (Helium; Cortex-M55 and M85): sixteen 8-bit products an instruction. A
//! file here has the name of the generic file whose functions it replaces; the others hold what several of them share.

/// First in a naked function: to the assembler of those, the core is the target's, which has no vectors.
macro_rules! mve_core {
    () => {
        ".cpu cortex-m55"
    };
}

pub(crate) mod add;
pub(crate) mod conv;
pub(crate) mod conv_vectors;
pub(crate) mod depthwise;
pub(crate) mod depthwise_vectors;
pub(crate) mod fully_connected;
pub(crate) mod pool;
pub(crate) mod weighted_sum;

mod blocks;
mod patch;
mod requantize;
mod sums;
mod vectors;
