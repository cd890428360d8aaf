//! Arithmetic on rows: one file a primitive. `generic/` is the specification and is compiled everywhere; a
//! CPU's folder holds a file of the same name where it is measurably faster. This file is the one place
//! that chooses.

mod generic;

pub(crate) use generic::*;

#[cfg(test)]
mod testing;

#[cfg(dunlin_mve)]
mod armv81m;
#[cfg(dunlin_mve)]
pub(crate) use armv81m::{
    add, conv, conv_vectors, depthwise, depthwise_vectors, fully_connected, pool, weighted_sum,
};

// Of the instructions that all these have.
#[cfg(any(dunlin_mve, dunlin_dsp, dunlin_armv7m))]
#[path = "armv7m/copy.rs"]
pub(crate) mod copy;

#[cfg(dunlin_dsp)]
mod armv7em;
#[cfg(dunlin_dsp_fpu)]
pub(crate) use armv7em::conv_pairs;
#[cfg(dunlin_dsp)]
pub(crate) use armv7em::{
    add, conv, conv_winograd, depthwise, depthwise_records, fully_connected, mul, pool, table,
    transpose_conv, weighted_sum,
};

/// Whether layers in f32 run on this host's vectors, several times as fast. Their sums then have another order and are
/// rounded once less, so that last digits differ from those of other machines; without it, which is the default, a host
/// computes what every chip computes. For the whole program; int8 has the same bytes either way. Where there are no kernels
/// for this host, it changes nothing.
///
/// Returns what was said before.
#[cfg(not(target_os = "none"))]
pub fn fast_f32(fast: bool) -> bool {
    FAST_F32.swap(fast, core::sync::atomic::Ordering::Relaxed)
}

/// The names of the vectors that kernels may take on this host, such as `avx2`, the narrowest first: they take the last.
#[cfg(not(target_os = "none"))]
pub fn host_vectors() -> impl Iterator<Item = &'static str> {
    #[cfg(dunlin_host)]
    return wide::vectors::names();
    #[cfg(not(dunlin_host))]
    core::iter::empty()
}

/// Has kernels take no wider vectors than those of this name, or none at all: to compare them. For the whole program; false,
/// and nothing changes, if this host has none of the name.
#[cfg(not(target_os = "none"))]
pub fn limit_host_vectors(name: Option<&str>) -> bool {
    #[cfg(dunlin_host)]
    return wide::vectors::limit(name);
    #[cfg(not(dunlin_host))]
    name.is_none()
}

#[cfg(not(target_os = "none"))]
static FAST_F32: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

#[cfg(dunlin_host)]
fn is_f32_fast() -> bool {
    FAST_F32.load(core::sync::atomic::Ordering::Relaxed)
}

#[cfg(dunlin_host)]
mod wide;
#[cfg(dunlin_host)]
pub(crate) use wide::{add, conv, depthwise, fully_connected, pool};

#[cfg(all(dunlin_host, target_arch = "x86_64"))]
mod x86_64;
#[cfg(all(dunlin_host, target_arch = "x86_64"))]
use x86_64 as host_cpu;

#[cfg(all(dunlin_host, target_arch = "aarch64"))]
mod aarch64;
#[cfg(all(dunlin_host, target_arch = "aarch64"))]
use aarch64 as host_cpu;

// On hosts these are only tested.
#[cfg(any(all(target_os = "none", not(any(dunlin_dsp, dunlin_mve))), test))]
#[cfg_attr(not(target_os = "none"), allow(dead_code, unused_imports))]
mod scalar;
#[cfg(all(target_os = "none", not(any(dunlin_dsp, dunlin_mve))))]
pub(crate) use scalar::{add, conv, depthwise, fully_connected, mul, pool};

#[cfg(dunlin_armv6m)]
mod armv6m;
#[cfg(dunlin_armv6m)]
use {
    armv6m::{outputs, sums, words},
    scalar::columns,
};

#[cfg(dunlin_armv7m)]
mod armv7m;
#[cfg(dunlin_armv7m)]
use armv7m::{columns, outputs, sums, words};

#[cfg(dunlin_rv32im)]
mod riscv32;
#[cfg(dunlin_rv32im)]
use {
    riscv32::words,
    scalar::{columns, outputs, sums},
};

#[cfg(all(
    any(target_os = "none", test),
    not(any(dunlin_mve, dunlin_dsp, dunlin_armv6m, dunlin_armv7m, dunlin_rv32im))
))]
use scalar::{columns, outputs, sums, words};
