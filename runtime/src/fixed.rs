//! Fixed-point scalars.
