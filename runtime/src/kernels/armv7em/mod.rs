//! Kernels for ARMv7E-M (Cortex-M4 and M7): two 16-bit products an instruction. A file here has the name of the generic
//! file whose functions it replaces; the others hold what several of them share.

/// First in a naked function: to the assembler of those, the core is the target's, which may not have the extension.
#[cfg(dunlin_dsp_of_cpu)]
macro_rules! dsp_core {
    () => {
        ".cpu cortex-m33"
    };
}
#[cfg(not(dunlin_dsp_of_cpu))]
macro_rules! dsp_core {
    () => {
        ""
    };
}

/// Requantizes a sum to int8, by twice the multiplier and the shift to the right: see [`sums`].
#[rustfmt::skip]
macro_rules! round {
    ($acc:literal: $multiplier:literal $shift:literal $zero_point:literal) => {
        concat!(
            "smmlar ", $acc, ", ", $acc, ", ", $multiplier, ", ", $acc, "\n",
            "add.w ", $acc, ", ", $acc, ", ", $acc, ", asr #31\n",
            "asrs.w ", $acc, ", ", $acc, ", ", $shift, "\n",
            "adc.w ", $acc, ", ", $acc, ", ", $zero_point, "\n",
            "ssat ", $acc, ", #8, ", $acc, "\n",
        )
    };
}

pub(crate) mod add;
pub(crate) mod conv;
#[cfg(dunlin_dsp_fpu)]
pub(crate) mod conv_pairs;
pub(crate) mod conv_winograd;
pub(crate) mod depthwise;
pub(crate) mod depthwise_records;
pub(crate) mod fully_connected;
pub(crate) mod mul;

pub(crate) mod pool;
pub(crate) mod table;
pub(crate) mod transpose_conv;
pub(crate) mod weighted_sum;

mod block;
mod columns;
mod gather;
#[cfg(dunlin_dsp_fpu)]
mod pairs;
mod quads;
mod requantize;
#[cfg(dunlin_dsp_fpu)]
mod runs;
mod sums;
mod tile;
mod winograd_input;
mod winograd_products;
