//! Tells the kernels which instructions the target has, where stable Rust does not: `kernels/mod.rs` chooses.

use std::env;

/// Cores that have the DSP extension although their target's name does not say so.
const DSP_CPUS: [&str; 2] = ["cortex-m33", "cortex-m35p"];
/// Cores that have the vector extension (Helium).
const MVE_CPUS: [&str; 3] = ["cortex-m52", "cortex-m55", "cortex-m85"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-check-cfg=cfg(dunlin_mve, dunlin_dsp, dunlin_dsp_of_cpu, dunlin_dsp_fpu, dunlin_armv6m, dunlin_armv7m, dunlin_rv32im, dunlin_host)"
    );
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let is_for = |cpu: &&str| flags.contains(&format!("target-cpu={cpu}"));
    let of_cpu = DSP_CPUS.iter().any(is_for);
    let is_any_of = |names: &[&str]| names.iter().any(|name| target.starts_with(name));
    // ARMv7E-M is ARMv7-M with the DSP extension; ARMv8-M has the instructions of the older one beside it.
    if MVE_CPUS.iter().any(is_for) {
        println!("cargo::rustc-cfg=dunlin_mve");
    } else if is_any_of(&["thumbv7em-"]) || of_cpu {
        println!("cargo::rustc-cfg=dunlin_dsp");
        // Whose registers some kernels use.
        if target.ends_with("eabihf") {
            println!("cargo::rustc-cfg=dunlin_dsp_fpu");
        }
    } else if is_any_of(&["thumbv7m-", "thumbv8m.main-"]) {
        println!("cargo::rustc-cfg=dunlin_armv7m");
    } else if is_any_of(&["thumbv6m-", "thumbv8m.base-"]) {
        println!("cargo::rustc-cfg=dunlin_armv6m");
    } else if is_any_of(&["riscv32im"]) {
        println!("cargo::rustc-cfg=dunlin_rv32im");
    }
    // Which vectors a host has, its operating system tells when the program runs. Miri has those that it is told of, and
    // knows what AVX2 is; without it, it takes the portable kernels.
    let of_target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let is_host = matches!(of_target("ARCH").as_str(), "x86_64" | "aarch64") && of_target("OS") != "none";
    let is_interpreted = env::var_os("CARGO_CFG_MIRI").is_some();
    if is_host && (!is_interpreted || of_target("FEATURE").contains("avx2")) {
        println!("cargo::rustc-cfg=dunlin_host");
    }
    if of_cpu {
        println!("cargo::rustc-cfg=dunlin_dsp_of_cpu");
    }
}
