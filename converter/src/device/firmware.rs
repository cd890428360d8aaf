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

/// The same of a firmware that serves the line: what `boards/support` leaves of the RAM for it.
pub(super) const LINKED_STACK_BYTES: u64 = 4096;

/// What the firmware is to do.
#[derive(Clone, Copy, Debug)]
pub enum Program<'a> {
    /// Run the one model in this folder, written by the converter: `net.dunlin` and `net.rs`.
    Baked(&'a Path),
    /// The same, counting the instructions of each step.
    BakedBySteps(&'a Path),
    /// Serve the model in this folder over the board's UART; see `boards/link`.
    Linked(&'a Path),
    /// Run whatever models the host sends, with all operators.
    Suite,
}

impl<'a> Program<'a> {
    /// The folder of the model, if there is one.
    fn dir(self) -> Option<&'a Path> {
        match self {
            Program::Baked(dir) | Program::BakedBySteps(dir) | Program::Linked(dir) => Some(dir),
            Program::Suite => None,
        }
    }

    /// What tells its file from those of the other programs with the same model.
    fn suffix(self) -> &'static str {
        match self {
            Program::Baked(_) | Program::Suite => "",
            Program::BakedBySteps(_) => "-by-steps",
            Program::Linked(_) => "-linked",
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
    match program {
        Program::BakedBySteps(_) => _ = cargo.env("DUNLIN_COUNT_STEPS", "1"),
        // Others know no other way to talk.
        Program::Linked(_) if board.emulator_program().is_some() => _ = cargo.args(["--features", "link"]),
        Program::Baked(_) | Program::Linked(_) | Program::Suite => {}
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

/// The linker knows whether code and variables fit, and nothing of the stack that grows towards them.
fn check_stack(board: &Board, firmware: &Firmware, program: Program) -> Result<()> {
    let stack_bytes = if let Program::Linked(_) = program { LINKED_STACK_BYTES } else { STACK_BYTES };
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
