//! Kernels for ARMv7E-M (Cortex-M4 and M7): two 16-bit products an instruction. A file here has the name of the generic
//! file whose functions it replaces; the others hold what several of them share.

pub(crate) mod add;
pub(crate) mod conv;
pub(crate) mod depthwise;
pub(crate) mod fully_connected;

mod block;
mod requantize;
mod sums;
mod tile;
