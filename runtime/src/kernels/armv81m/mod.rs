//! Kernels for ARMv8.1-M with its vector extension (Helium; Cortex-M55 and M85): sixteen 8-bit products an instruction. A
//! file here has the name of the generic file whose functions it replaces; the others hold what several of them share.

/// First in a naked function: to the assembler of those, the core is the target's, which has no vectors.
macro_rules! mve_core {
    () => {
        ".cpu cortex-m55"
    };
}

/// The products of a vector of two positions, at r9 and r11, and four channels, whose weights stand where these registers say:
/// 56 bytes of code. A load and a multiplication alternate where they can: the core's two pipelines then overlap.
#[rustfmt::skip]
macro_rules! vector {
    ($first:literal $second:literal $third:literal $fourth:literal) => {
        concat!(
            "vldrb.u8 q0, [", $first, "], #16\n",
            "vldrb.u8 q2, [r9], #16\n",
            "vmladava.s8 r0, q0, q2\n",
            "vldrb.u8 q3, [r11], #16\n",
            "vmladava.s8 r8, q0, q3\n",
            "vldrb.u8 q1, [", $second, "], #16\n",
            "vmladava.s8 r2, q1, q2\n",
            "vldrb.u8 q0, [", $third, "], #16\n",
            "vmladava.s8 r10, q1, q3\n",
            "vldrb.u8 q1, [", $fourth, "], #16\n",
            "vmladava.s8 r4, q0, q2\n",
            "vmladava.s8 r12, q0, q3\n",
            "vmladava.s8 r6, q1, q2\n",
            "vmladava.s8 lr, q1, q3\n",
        )
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
