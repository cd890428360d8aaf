//! Building a board's firmware.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::pack::Packing;

use super::{
    Error, Result,
    boards::Board,
    build_dir, create_dir, elf, process, read,
    setup::{self, target_installed},
    write,
};

/// The stack that a firmware must have room for: `tests/tests/firmware.rs` shows that it needs less.
const STACK_BYTES: u64 = 2048;

/// The way from a board to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    /// The board's serial port.
    #[default]
    Serial,
    /// The debug probe (RTT).
    Rtt,
    /// The chip's own USB: for the host a serial port, too.
    Usb,
}

impl Line {
    /// The stack that a firmware which serves the line must have room for: what `boards/support` leaves of the RAM for it.
    pub(super) fn stack_bytes(self) -> u64 {
        match self {
            Line::Serial | Line::Rtt => 4096,
            Line::Usb => 8192,
        }
    }
}

/// What the firmware is to do.
#[derive(Clone, Copy, Debug)]
pub enum Program<'a> {
    /// Run the one model in this folder, written by the converter: `net.dunlin` and `net.rs`.
    Baked(&'a Path),
    /// The same, counting the instructions of each step.
    BakedBySteps(&'a Path),
    /// Serve the model in this folder over a line; see `boards/link`.
    Linked(&'a Path, Line),
    /// Run whatever models the host sends, with all operators.
    Suite,
}

impl<'a> Program<'a> {
    /// The folder of the model, if there is one.
    fn dir(self) -> Option<&'a Path> {
        match self {
            Program::Baked(dir) | Program::BakedBySteps(dir) | Program::Linked(dir, _) => Some(dir),
            Program::Suite => None,
        }
    }

    /// What tells its file from those of the other programs with the same model.
    fn suffix(self) -> &'static str {
        match self {
            Program::Baked(_) | Program::Suite => "",
            Program::BakedBySteps(_) => "-by-steps",
            Program::Linked(_, Line::Serial) => "-linked",
            Program::Linked(_, Line::Rtt) => "-linked-rtt",
            Program::Linked(_, Line::Usb) => "-linked-usb",
        }
    }
}

/// A built firmware.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// The ELF file, which later builds leave alone.
    pub path: PathBuf,
    /// Its content.
    pub elf: Vec<u8>,
}

impl Firmware {
    /// Its sizes.
    pub fn sizes(&self) -> Result<elf::Sizes> {
        elf::sizes(&self.path, &self.elf)
    }
}

/// Compiles and links `program` for `board`. `logs` decides whether it has logs: they cost flash, and nothing else
/// changes.
pub fn build(home: &Path, board: &Board, program: Program, logs: bool) -> Result<Firmware> {
    if !target_installed(&setup::sysroot()?, &board.target) {
        return Err(Error::Missing {
            what: format!("Rust's library for {} (the target of {})", board.target, board.name),
            advice: format!("run `dunlin setup`, or `rustup target add {}`", board.target),
        });
    }
    // All builds of a board write the same file: one at a time, until it is read.
    static ONE_BUILD: Mutex<()> = Mutex::new(());
    let _one_build = ONE_BUILD.lock().unwrap_or_else(PoisonError::into_inner);
    let build_dir = build_dir(home);
    let mut cargo = process::cargo(home);
    cargo.args([
        "build",
        "--quiet",
        "--profile",
        "firmware",
        "--package",
        &board.name,
        "--target",
        &board.target,
    ]);
    cargo.arg("--target-dir").arg(&build_dir);
    if !logs {
        cargo.arg("--no-default-features");
    }
    if board.packing() != Packing::Dsp {
        // What is compiled of these cores' kernels would be 2 to 7 % slower for the least size.
        cargo.env("CARGO_PROFILE_FIRMWARE_OPT_LEVEL", "s");
    }
    if let Some(cpu) = &board.cpu {
        let variable =
            format!("CARGO_TARGET_{}_RUSTFLAGS", board.target.to_uppercase().replace(['-', '.'], "_"));
        cargo.env(variable, format!("-Ctarget-cpu={cpu}"));
    }
    cargo.env_remove("DUNLIN_FIRMWARE_DIR").env_remove("DUNLIN_COUNT_STEPS");
    if let Some(dir) = program.dir() {
        cargo.env("DUNLIN_FIRMWARE_DIR", dir);
    }
    if let Program::BakedBySteps(_) = program {
        cargo.env("DUNLIN_COUNT_STEPS", "1");
    }
    for feature in features(board, program, logs)? {
        cargo.args(["--features", feature]);
    }
    process::run_checked(&mut cargo, process::LONG).map_err(|error| explain_overflow(board, error))?;
    let elf = read(&build_dir.join(&board.target).join("firmware").join(&board.name))?;

    let out_dir = program.dir().map_or_else(|| build_dir.join("suite"), Path::to_owned);
    create_dir(&out_dir)?;
    let firmware = Firmware { path: out_dir.join(format!("{}{}.elf", board.name, program.suffix())), elf };
    check_model(&firmware, program)?;
    check_stack(board, &firmware, program)?;
    write(&firmware.path, &firmware.elf)?;
    Ok(firmware)
}

/// What the board's crate is built with.
fn features(board: &Board, program: Program, logs: bool) -> Result<Vec<&'static str>> {
    let Program::Linked(_, line) = program else { return Ok(Vec::new()) };
    let mut features = Vec::new();
    if board.is_emulated() {
        // Others know no other way to talk.
        features.push("link");
    }
    match line {
        Line::Serial => {}
        Line::Usb if board.has_usb => features.push("usb"),
        Line::Usb => {
            return Err(Error::Missing {
                what: format!("a line over USB on {}", board.name),
                advice: "use its serial port (--line serial) or its debug probe (--line rtt)".to_owned(),
            });
        }
        Line::Rtt => {
            features.push("dunlin-board-support/rtt-line");
            if board.is_emulated() && logs {
                // In place of the emulator's console.
                features.push("dunlin-board-support/rtt");
            }
        }
    }
    Ok(features)
}

/// The linker knows whether code and variables fit, and nothing of the stack that grows towards them.
fn check_stack(board: &Board, firmware: &Firmware, program: Program) -> Result<()> {
    let stack_bytes = if let Program::Linked(_, line) = program { line.stack_bytes() } else { STACK_BYTES };
    let sizes = firmware.sizes()?;
    let available_bytes = board.memory()?.ram_bytes;
    let needed_bytes = sizes.static_bytes() + sizes.arena_bytes + stack_bytes;
    match needed_bytes.checked_sub(available_bytes) {
        None | Some(0) => Ok(()),
        Some(missing_bytes) => {
            Err(Error::TooLarge { board: board.name.clone(), region: "RAM", available_bytes, missing_bytes })
        }
    }
}

/// Of the linker's many words about an overflow the number.
fn explain_overflow(board: &Board, error: Error) -> Error {
    let Ok(memory) = board.memory() else { return error };
    let text = error.to_string();
    for (region, available_bytes) in [("FLASH", memory.flash_bytes), ("RAM", memory.ram_bytes)] {
        if let Some(missing_bytes) = overflow_bytes(&text, region) {
            return Error::TooLarge { board: board.name.clone(), region, available_bytes, missing_bytes };
        }
    }
    error
}

/// The most by which a section does not fit, in what the linker prints.
fn overflow_bytes(text: &str, region: &str) -> Option<u64> {
    let mark = format!("will not fit in region '{region}': overflowed by ");
    let numbers = text.split(&mark).skip(1).filter_map(|rest| rest.split(' ').next()?.parse().ok());
    numbers.max()
}

/// Another process may build the same board for another use between our build and our reading of its result.
fn check_model(firmware: &Firmware, program: Program) -> Result<()> {
    let baked = elf::constant(&firmware.path, &firmware.elf, elf::MODEL_SYMBOL)?;
    let as_asked = match (program.dir(), baked) {
        (Some(dir), Some(baked)) => baked.starts_with(&read(&dir.join("net.dunlin"))?),
        (None, None) => true,
        _ => false,
    };
    if as_asked {
        return Ok(());
    }
    Err(Error::Content {
        path: firmware.path.clone(),
        problem: "the firmware does not hold the model that it was built for: the model changed during the build, or \
                  another build of the same board ran at the same time; try again"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_overflow_is_found() {
        let text = "rust-lld: error: section '.bss' will not fit in region 'RAM': overflowed by 32 bytes\n\
                    rust-lld: error: section '.uninit' will not fit in region 'RAM': overflowed by 48 bytes\n";
        assert_eq!(overflow_bytes(text, "RAM"), Some(48));
        assert_eq!(overflow_bytes(text, "FLASH"), None);
    }
}
