//! Arithmetic on rows: one file a primitive. `generic/` is the specification and is compiled everywhere; a
//! CPU's folder holds a file of the same name where it is measurably faster. This file is the one place
//! that chooses.

mod generic;

pub(crate) use generic::*;

#[cfg(dunlin_dsp)]
mod armv7em;
#[cfg(dunlin_dsp)]
pub(crate) use armv7em::{add, conv, depthwise, fully_connected};
