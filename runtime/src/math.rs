//! The f32 functions that operators need, from `libm` (default) or `micromath`.
//!
//! `libm` is accurate to about 1 ulp. `micromath` is small and fast: its worst relative errors against
//! `libm` over the range that operators use are measured by the tests of this module.

#[cfg(not(any(feature = "libm", feature = "micromath")))]
compile_error!("choose the f32 functions: feature `libm` or `micromath`");

#[cfg(feature = "libm")]
mod imp {
    pub use libm::{expf as exp, logf as ln, roundf as round, sqrtf as sqrt, tanhf as tanh};
}

#[cfg(not(feature = "libm"))]
mod imp {
    use micromath::F32Ext;
    pub fn exp(x: f32) -> f32 {
        F32Ext::exp(x)
    }
    pub fn ln(x: f32) -> f32 {
        F32Ext::ln(x)
    }
    pub fn round(x: f32) -> f32 {
        F32Ext::round(x)
    }
    pub fn sqrt(x: f32) -> f32 {
        F32Ext::sqrt(x)
    }
    pub fn tanh(x: f32) -> f32 {
        F32Ext::tanh(x)
    }
}

/// e^x.
pub fn exp(x: f32) -> f32 {
    imp::exp(x)
}

/// Natural logarithm.
pub fn ln(x: f32) -> f32 {
    imp::ln(x)
}

/// To the nearest integer, ties away from zero.
pub fn round(x: f32) -> f32 {
    imp::round(x)
}

/// Square root.
pub fn sqrt(x: f32) -> f32 {
    imp::sqrt(x)
}

/// Hyperbolic tangent.
pub fn tanh(x: f32) -> f32 {
    imp::tanh(x)
}

/// 1 / (1 + e^-x).
pub fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}
