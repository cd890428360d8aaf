//! Tells the kernels which instructions the target has, where stable Rust does not: `kernels/mod.rs` chooses.

use std::env;

/// Cores that have the DSP extension although their target's name does not say so.
const DSP_CPUS: [&str; 4] = ["cortex-m33", "cortex-m35p", "cortex-m55", "cortex-m85"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(dunlin_dsp, dunlin_dsp_of_cpu)");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let is_for = |cpu: &&str| flags.contains(&format!("target-cpu={cpu}"));
    let of_cpu = DSP_CPUS.iter().any(is_for);
    // ARMv7E-M is ARMv7-M with the DSP extension.
    if target.starts_with("thumbv7em-") || of_cpu {
        println!("cargo::rustc-cfg=dunlin_dsp");
    }
    if of_cpu {
        println!("cargo::rustc-cfg=dunlin_dsp_of_cpu");
    }
}
