//! Kernels for cores that multiply one pair of numbers at a time: ARMv6-M, ARMv7-M, RV32. A file here has the name of
//! the generic file whose functions it replaces; the others hold what several of them share.

pub(crate) mod add;
pub(crate) mod conv;
pub(crate) mod depthwise;
pub(crate) mod fully_connected;
pub(crate) mod mul;
pub(crate) mod pool;

mod group;
pub(crate) mod requantize;
// Some cores have their own of these.
#[cfg_attr(dunlin_armv7m, allow(dead_code))]
pub(crate) mod columns;
#[cfg_attr(any(dunlin_armv6m, dunlin_armv7m), allow(dead_code))]
pub(crate) mod outputs;
#[cfg_attr(any(dunlin_armv6m, dunlin_armv7m), allow(dead_code))]
pub(crate) mod sums;
#[cfg_attr(any(dunlin_armv6m, dunlin_armv7m), allow(dead_code))]
pub(crate) mod words;

#[cfg(test)]
mod tests;
