//! What the scalar kernels spend their time on, for RV32 with multiplication.

pub(crate) mod words;
