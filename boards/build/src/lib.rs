//! The build script of every board crate: linker scripts, and the choice between the firmware's two uses.

use std::{env, fs};

/// The folder with the model to bake in (`net.dunlin`, `net.rs`); without it the firmware runs the operator suite.
const FIRMWARE_DIR: &str = "DUNLIN_FIRMWARE_DIR";
/// With a model: count the instructions of each step, not of each run.
const COUNT_STEPS: &str = "DUNLIN_COUNT_STEPS";
/// The region of flash that a board keeps for models from the host, in its `memory.x`.
const MODELS: &str = "  MODELS ";

/// Tells Cargo how to link the board crate whose build script calls this.
pub fn emit() {
    // The startup crates find their `link.x` by themselves; cortex-m-rt's includes memory.x, riscv-rt's does not.
    if variable("CARGO_CFG_TARGET_ARCH").starts_with("riscv") {
        link_arg("-Tmemory.x");
    }
    emit_with(&["-Tlink.x"]);
}

/// The same with these arguments to the linker: the scripts of the board's HAL.
pub fn emit_with(arguments: &[&str]) {
    let board_dir = variable("CARGO_MANIFEST_DIR");
    println!("cargo::rustc-link-search={board_dir}");
    println!("cargo::rerun-if-changed={board_dir}/memory.x");
    arguments.iter().for_each(|argument| link_arg(argument));
    // Otherwise the linker pads segments to 64 KiB pages, which no microcontroller has.
    link_arg("--nmagic");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        link_arg("-Tdefmt.x");
    }

    println!("cargo::rerun-if-env-changed={FIRMWARE_DIR}");
    println!("cargo::rerun-if-env-changed={COUNT_STEPS}");
    println!("cargo::rustc-check-cfg=cfg(dunlin_baked, dunlin_count_steps, dunlin_models)");
    if fs::read_to_string(format!("{board_dir}/memory.x")).is_ok_and(|map| map.contains(MODELS)) {
        println!("cargo::rustc-cfg=dunlin_models");
    }
    if env::var_os(COUNT_STEPS).is_some() {
        println!("cargo::rustc-cfg=dunlin_count_steps");
    }
    println!("cargo::rerun-if-changed={board_dir}/Cargo.toml");
    println!("cargo::rustc-env=DUNLIN_CORE={}", core(&board_dir));
    if let Ok(firmware_dir) = env::var(FIRMWARE_DIR) {
        println!("cargo::rustc-cfg=dunlin_baked");
        println!("cargo::rustc-env={FIRMWARE_DIR}={firmware_dir}");
    }
}

/// The core that `[package.metadata.dunlin]` names, on a line of its own.
fn core(board_dir: &str) -> String {
    let path = format!("{board_dir}/Cargo.toml");
    let manifest = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = manifest.lines().find_map(|line| line.strip_prefix("core = "));
    line.unwrap_or_else(|| panic!("{path}: [package.metadata.dunlin] has no line core = \"...\""))
        .trim_matches('"')
        .to_owned()
}

fn variable(name: &str) -> String {
    env::var(name)
        .unwrap_or_else(|_| panic!("Cargo sets {name} for build scripts; run `cargo build`, not this binary"))
}

fn link_arg(argument: &str) {
    println!("cargo::rustc-link-arg-bins={argument}");
}
