//! For emulated boards, which have none, the list of interrupt handlers that cortex-m-rt's linker script asks for.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_EMULATED").is_some() {
        let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR for build scripts"));
        fs::write(out_dir.join("device.x"), "").expect("OUT_DIR is writable");
        println!("cargo::rustc-link-search={}", out_dir.display());
    }
}
