//! Kernels for CPUs with wide vectors and large caches: hosts. Each is written once, over the vectors of a [`Cpu`]; a CPU's
//! folder says what its vectors do, and which of them the machine has. A file here has the name of the generic file whose
//! functions it replaces; the others hold what several of them share.
//!
//! A layer's weights are laid out for the vectors at each call, on the stack: a file made for any core runs, the
//! caller's memory is what the plan says, and a call computes many rows as a rule.

pub(crate) mod add;
pub(crate) mod conv;
pub(crate) mod depthwise;
pub(crate) mod fully_connected;
pub(crate) mod pool;

pub(crate) mod cpu;
mod numbers;
mod room;
mod tile;

#[cfg(test)]
mod tests;
