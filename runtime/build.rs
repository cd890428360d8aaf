//! Tells the kernels which instructions the target has, where stable Rust does not: `kernels/mod.rs` chooses.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(dunlin_dsp)");
    let target = env::var("TARGET").unwrap_or_default();
    // ARMv7E-M is ARMv7-M with the DSP extension.
    if target.starts_with("thumbv7em-") {
        println!("cargo::rustc-cfg=dunlin_dsp");
    }
}
