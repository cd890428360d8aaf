//! Fused activations: the range that outputs are clamped to.

use serde::{Deserialize, Serialize};

use crate::{DType, Error};

/// Range of an operator's outputs, in the units that the output tensor stores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Bounds {
    /// No activation.
    None,
    /// f32 outputs: ReLU is `[0, inf]`, ReLU6 `[0, 6]`.
    F32 {
        /// Least output.
        lo: f32,
        /// Greatest output.
        hi: f32,
    },
    /// int8 outputs: the quantized ends of the real range.
    I8 {
        /// Least output.
        lo: i8,
        /// Greatest output.
        hi: i8,
    },
}

impl Bounds {
    /// ReLU on f32.
    pub const RELU: Bounds = Bounds::F32 { lo: 0.0, hi: f32::INFINITY };
    /// ReLU6 on f32.
    pub const RELU6: Bounds = Bounds::F32 { lo: 0.0, hi: 6.0 };

    /// That the range is one of `dtype`, and not empty.
    ///
    /// # Errors
    /// [`Error::Parameters`].
    pub fn check(&self, dtype: DType) -> Result<(), Error> {
        let fits = match *self {
            Bounds::None => true,
            Bounds::F32 { lo, hi } => dtype == DType::F32 && lo <= hi,
            Bounds::I8 { lo, hi } => dtype == DType::I8 && lo <= hi,
        };
        if fits { Ok(()) } else { Err(Error::Parameters) }
    }

    /// The range in f32.
    pub fn f32(&self) -> (f32, f32) {
        match *self {
            Bounds::F32 { lo, hi } => (lo, hi),
            _ => (f32::NEG_INFINITY, f32::INFINITY),
        }
    }

    /// The range in int8.
    pub fn i8(&self) -> (i8, i8) {
        match *self {
            Bounds::I8 { lo, hi } => (lo, hi),
            _ => (i8::MIN, i8::MAX),
        }
    }
}
