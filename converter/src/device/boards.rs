//! The boards: whatever crates under `boards/` have a section `[package.metadata.dunlin]`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{Error, Result, read_text};
use crate::pack::Packing;

/// The prefix of the emulated boards' names, which a user need not type.
const EMULATED: &str = "qemu-";

/// A board, as its `Cargo.toml` describes it.
#[derive(Clone, Debug)]
pub struct Board {
    /// The name of its package and folder, such as `qemu-cortex-m4`.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// The processor core, such as `cortex-m4`.
    pub core: String,
    /// The chip or FPGA image.
    pub chip: String,
    /// Rust's name of the target, such as `thumbv7em-none-eabihf`.
    pub target: String,
    /// What the compiler calls the core, such as `cortex-m33`, where the target does not name all of its instructions.
    pub cpu: Option<String>,
    /// The emulator's command line up to where the firmware's file comes: program, machine, options. Empty for a board
    /// that exists in hardware only.
    pub emulator: Vec<String>,
    /// Its memories, if it has no `memory.x`.
    pub memory: Option<Memory>,
    /// Whether its firmware can talk over the chip's own USB: it has a feature `usb`.
    pub has_usb: bool,
    /// Its folder.
    pub dir: PathBuf,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(default)]
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    description: String,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    dunlin: Option<BoardData>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BoardData {
    core: String,
    chip: String,
    target: String,
    cpu: Option<String>,
    #[serde(default)]
    emulator: Vec<String>,
    flash_bytes: Option<u64>,
    ram_bytes: Option<u64>,
}

/// A board's memories, from its `memory.x`, or from its `Cargo.toml` where its HAL brings the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Where code, constants and the model lie.
    pub flash_bytes: u64,
    /// Where the arena, statics and the stack lie.
    pub ram_bytes: u64,
}

/// All boards of the repository, sorted by name.
pub fn discover(home: &Path) -> Result<Vec<Board>> {
    let dir = home.join("boards");
    let entries =
        fs::read_dir(&dir).map_err(|source| Error::File { action: "read", path: dir.clone(), source })?;
    let mut boards = Vec::new();
    for entry in entries.flatten() {
        let manifest_path = entry.path().join("Cargo.toml");
        if manifest_path.is_file() {
            boards.extend(parse(&manifest_path, &read_text(&manifest_path)?)?);
        }
    }
    boards.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(boards)
}

/// The board of this name, where `qemu-` may be left out; else the first emulated board with a core of this name.
/// Of several boards with one core, the one that is named after it is thus the core's.
pub fn find<'a>(boards: &'a [Board], name: &str) -> Result<&'a Board> {
    let by_name = || boards.iter().find(|board| board.name == name || board.short_name() == name);
    let by_core = || boards.iter().find(|board| board.core == name && board.emulator_program().is_some());
    by_name().or_else(by_core).ok_or_else(|| {
        let known: Vec<&str> = boards.iter().map(Board::short_name).collect();
        Error::UnknownBoard { name: name.to_owned(), known: known.join(", ") }
    })
}

/// [`Board::packing`] of the board that [`find`] finds.
pub fn packing_for(name: &str) -> Result<Packing> {
    Ok(find(&discover(&super::home()?)?, name)?.packing())
}

impl Board {
    /// The name that a user types.
    pub fn short_name(&self) -> &str {
        self.name.strip_prefix(EMULATED).unwrap_or(&self.name)
    }

    /// The emulator's program, if the board has one.
    pub fn emulator_program(&self) -> Option<&str> {
        self.emulator.first().map(String::as_str)
    }

    /// How constants are best arranged for its core.
    pub fn packing(&self) -> Packing {
        // As the runtime's build script chooses its kernels.
        let cpu = self.cpu.as_deref().unwrap_or_default();
        match cpu {
            "cortex-m52" | "cortex-m55" | "cortex-m85" => Packing::Helium,
            // Some of these kernels use the FPU's registers.
            "cortex-m33" | "cortex-m35p" if self.target.ends_with("eabihf") => Packing::Dsp,
            _ if self.target == "thumbv7em-none-eabihf" => Packing::Dsp,
            _ => Packing::Scalar,
        }
    }

    /// Whether it exists in an emulator.
    pub fn is_emulated(&self) -> bool {
        self.emulator_program().is_some()
    }

    /// The sizes of the regions FLASH and RAM of its `memory.x`.
    pub fn memory(&self) -> Result<Memory> {
        if let Some(memory) = self.memory {
            return Ok(memory);
        }
        let path = self.dir.join("memory.x");
        let text = read_text(&path)?;
        let length = |region: &str| {
            region_bytes(&text, region).ok_or_else(|| Error::Content {
                path: path.clone(),
                problem: format!(
                    "expected a line `{region} : ORIGIN = ..., LENGTH = ...` (bytes, or with K or M)"
                ),
            })
        };
        Ok(Memory { flash_bytes: length("FLASH")?, ram_bytes: length("RAM")? })
    }
}

/// The board in a manifest, or `None` for a crate that is not a board.
fn parse(path: &Path, text: &str) -> Result<Option<Board>> {
    let manifest: Manifest = toml::from_str(text).map_err(|error| Error::Content {
        path: path.to_owned(),
        problem: format!(
            "{error}\nA board has in [package.metadata.dunlin] core, chip, target, perhaps cpu and, if it is \
             emulated, emulator; without a memory.x flash_bytes and ram_bytes"
        ),
    })?;
    let (package, has_usb) = (manifest.package, manifest.features.contains_key("usb"));
    Ok(package.metadata.and_then(|metadata| metadata.dunlin).map(|data| Board {
        name: package.name,
        description: package.description,
        core: data.core,
        chip: data.chip,
        target: data.target,
        cpu: data.cpu,
        emulator: data.emulator,
        memory: data
            .flash_bytes
            .zip(data.ram_bytes)
            .map(|(flash_bytes, ram_bytes)| Memory { flash_bytes, ram_bytes }),
        has_usb,
        dir: path.parent().unwrap_or(Path::new(".")).to_owned(),
    }))
}

/// The LENGTH of a memory region in a linker script, where it is a plain number.
fn region_bytes(script: &str, region: &str) -> Option<u64> {
    let line = script.lines().find(|line| {
        let name = line.split([':', '(']).next().unwrap_or("");
        name.trim() == region
    })?;
    let (_, length) = line.split_once("LENGTH")?;
    let length = length.trim_start().strip_prefix('=')?.split(['/', ',']).next()?.trim();
    let (digits, unit) = match length.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1024),
        None => match length.strip_suffix(['M', 'm']) {
            Some(digits) => (digits, 1024 * 1024),
            None => (length, 1),
        },
    };
    let number = match digits.strip_prefix("0x") {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok()?,
        None => digits.parse().ok()?,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_boards_of_this_repository() {
        let boards = discover(&super::super::home().unwrap()).unwrap();
        let cores: Vec<&str> = boards.iter().map(|board| board.core.as_str()).collect();
        for core in
            ["cortex-m0", "cortex-m3", "cortex-m33", "cortex-m4", "cortex-m55", "cortex-m7", "riscv32"]
        {
            assert!(cores.contains(&core), "no board with a {core} among {cores:?}");
        }
        for board in &boards {
            assert_eq!(board.dir.file_name().unwrap().to_str(), Some(board.name.as_str()));
            assert!(board.memory().unwrap().ram_bytes >= 1024, "{}", board.name);
        }
        assert_eq!(find(&boards, "cortex-m4").unwrap().name, "qemu-cortex-m4");
        assert_eq!(find(&boards, "qemu-cortex-m4").unwrap().chip, "AN386");
        let error = find(&boards, "z80").unwrap_err().to_string();
        assert!(error.contains("z80") && error.contains("cortex-m55"), "{error}");
    }

    #[test]
    fn a_core_is_found_on_the_board_of_its_name_or_on_the_first_that_has_it() {
        let board = |name: &str, core: &str, emulator: &[&str]| Board {
            name: name.into(),
            description: String::new(),
            core: core.into(),
            chip: String::new(),
            target: String::new(),
            cpu: None,
            emulator: emulator.iter().map(|&argument| argument.into()).collect(),
            memory: None,
            has_usb: false,
            dir: PathBuf::new(),
        };
        let qemu = &["qemu-system-arm"][..];
        let boards = [
            board("disco", "cortex-m4", qemu),
            board("nucleo", "cortex-m23", &[]),
            board("qemu-an519", "cortex-m23", qemu),
            board("qemu-cortex-m4", "cortex-m4", qemu),
        ];
        let found = |name| find(&boards, name).unwrap().name.as_str();
        assert_eq!(found("cortex-m4"), "qemu-cortex-m4");
        assert_eq!(found("cortex-m23"), "qemu-an519");
        assert_eq!(["disco", "nucleo", "an519"].map(found), ["disco", "nucleo", "qemu-an519"]);
        assert!(find(&boards, "cortex-m0").is_err());
    }

    #[test]
    fn a_board_with_a_mistake_is_named() {
        let path = Path::new("boards/x/Cargo.toml");
        let text = "[package]\nname = \"x\"\n[package.metadata.dunlin]\ncore = \"cortex-m4\"\ncolour = 1\n";
        let error = parse(path, text).unwrap_err().to_string();
        assert!(error.contains("boards/x/Cargo.toml") && error.contains("colour"), "{error}");
        assert!(parse(path, "[package]\nname = \"support\"\n").unwrap().is_none());
    }

    #[test]
    fn reads_lengths_of_linker_scripts() {
        let script = "MEMORY {\n FLASH (rx) : ORIGIN = 0x0, LENGTH = 256K /* all */\n RAM : ORIGIN = 0, LENGTH = 0x4000\n}";
        assert_eq!(region_bytes(script, "FLASH"), Some(256 * 1024));
        assert_eq!(region_bytes(script, "RAM"), Some(0x4000));
        assert_eq!(region_bytes(script, "CCM"), None);
        assert_eq!(region_bytes("RAM : ORIGIN = 0, LENGTH = 4M - 8", "RAM"), None);
    }
}
