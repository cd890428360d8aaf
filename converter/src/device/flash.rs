//! From a model to the flash of a real board.
//!
//! The debug probe is another program's, `converter/probe`, which is compiled when it is first needed: probe-rs takes
//! longer to compile than all of Dunlin.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use dunlin::Model;
use serde::{Deserialize, Serialize};

use super::{
    Error, Result,
    baked::bake,
    boards::{self, Board},
    build_dir,
    firmware::{self, Firmware, Line, Program},
    log, process, uf2,
};

/// What flashing does, and what is left of the board's memories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlashPlan {
    /// The board.
    pub board: String,
    /// The sectors and pages.
    #[serde(flatten)]
    pub chip: ChipPlan,
    /// Whether firmware, model, arena and stack fit the board's memories.
    pub fits: bool,
    /// Flash that is left.
    pub flash_bytes_free: u64,
    /// RAM that is left beside the variables, the arena and the stack.
    pub ram_bytes_free: u64,
    /// The firmware.
    pub elf: PathBuf,
}

/// What flashing does to the chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChipPlan {
    /// The chip, as probe-rs calls it.
    pub chip: String,
    /// Sectors that are erased.
    pub sectors: usize,
    /// Pages that are written.
    pub pages: usize,
    /// Bytes that are written; on chips with a boot loader of their own in flash, that included.
    pub bytes: usize,
}

/// What to flash.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The board's name.
    pub board: &'a str,
    /// Its chip, if it is another than the board's.
    pub chip: Option<&'a str>,
    /// Firmware with logs.
    pub log: bool,
    /// How it talks to the host.
    pub line: Line,
}

/// A firmware that is ready for the board.
pub struct Ready {
    /// What flashing it does.
    pub plan: FlashPlan,
    board: Board,
    firmware: Firmware,
    log: bool,
    home: PathBuf,
}

/// Builds the firmware of `model` (the bytes of its file are `file`), and plans how it is flashed. No probe is touched.
///
/// # Errors
/// If there is no such board, it is an emulated one, the model does not fit it, or the firmware is not for the chip.
pub fn prepare(request: &Request, file: &[u8], model: &Model) -> Result<Ready> {
    let home = super::home()?;
    let board = boards::find(&boards::discover(&home)?, request.board)?.clone();
    if board.is_emulated() {
        return Err(Error::Missing {
            what: format!("a chip of {}", board.name),
            advice: format!(
                "the board is emulated: `dunlin run MODEL --board {}` runs it",
                board.short_name()
            ),
        });
    }
    let dir = bake(&home, &board, file, model)?;
    let firmware = firmware::build(&home, &board, Program::Linked(&dir, request.line), request.log)?;
    let chip = plan_chip(&home, &firmware.path, request.chip.unwrap_or(&board.chip))?;
    let (sizes, memory) = (firmware.sizes()?, board.memory()?);
    let ram_bytes = sizes.static_bytes() + sizes.arena_bytes + request.line.stack_bytes();
    let plan = FlashPlan {
        board: board.name.clone(),
        chip,
        fits: sizes.flash_bytes() <= memory.flash_bytes && ram_bytes <= memory.ram_bytes,
        flash_bytes_free: memory.flash_bytes.saturating_sub(sizes.flash_bytes()),
        ram_bytes_free: memory.ram_bytes.saturating_sub(ram_bytes),
        elf: firmware.path.clone(),
    };
    Ok(Ready { plan, board, firmware, log: request.log, home })
}

impl Ready {
    /// The firmware as a UF2 file, for boards that take one.
    ///
    /// # Errors
    /// If the board takes none.
    pub fn uf2(&self) -> Result<Vec<u8>> {
        let family = uf2::family(&self.board.chip).ok_or_else(|| Error::Missing {
            what: format!("a boot loader for UF2 files on {}", self.board.name),
            advice: "flash it through a debug probe: leave --uf2 out".to_owned(),
        })?;
        uf2::of_elf(&self.firmware.path, &self.firmware.elf, family)
    }

    /// Writes the firmware through the debug probe, with progress on the terminal; then shows its log, if it has one,
    /// until interrupted.
    ///
    /// # Errors
    /// What the probe's program says; the cause and what to do are on the terminal.
    pub fn flash(&self, probe: Option<&str>) -> Result<()> {
        let mut command = Command::new(program(&self.home)?);
        command.arg("flash").arg(&self.firmware.path).args(["--chip", &self.plan.chip.chip]);
        if let Some(probe) = probe {
            command.args(["--probe", probe]);
        }
        if self.log {
            command.arg("--log");
        }
        let failed = |error: io::Error| Error::Tool {
            command: "dunlin-probe flash".to_owned(),
            problem: format!("did not start: {error}"),
        };
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
        if let Some(raw) = child.stdout.take() {
            log::follow(&self.firmware.elf, raw, &mut |line| println!("{line}"));
        }
        match child.wait().map_err(failed)?.success() {
            true => Ok(()),
            false => Err(Error::NotFlashed { board: self.board.name.clone() }),
        }
    }
}

impl fmt::Display for FlashPlan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let FlashPlan { board, chip: ChipPlan { chip, sectors, pages, bytes }, .. } = self;
        let FlashPlan { flash_bytes_free, ram_bytes_free, .. } = self;
        writeln!(f, "{board} ({chip}): {bytes} bytes, {sectors} sectors to erase, {pages} pages to write")?;
        write!(f, "free then: {flash_bytes_free} bytes of flash, {ram_bytes_free} bytes of RAM")
    }
}

fn plan_chip(home: &Path, elf: &Path, chip: &str) -> Result<ChipPlan> {
    let mut command = Command::new(program(home)?);
    let finished = process::run(command.arg("plan").arg(elf).args(["--chip", chip]), process::SHORT)?;
    if !finished.success() {
        let problem = String::from_utf8_lossy(&finished.stderr).trim().to_owned();
        return Err(Error::Content { path: elf.to_owned(), problem });
    }
    serde_json::from_slice(&finished.stdout).map_err(|error| Error::Content {
        path: elf.to_owned(),
        problem: format!("expected a plan from dunlin-probe: {error}"),
    })
}

/// The program that speaks to debug probes, built if it is not there.
pub(super) fn program(home: &Path) -> Result<PathBuf> {
    let target_dir = build_dir(home).join("probe");
    let path = target_dir.join("probe").join(format!("dunlin-probe{}", std::env::consts::EXE_SUFFIX));
    if !path.is_file() {
        eprintln!("building the program that speaks to debug probes, once: this takes minutes");
    }
    let mut cargo = process::cargo(home);
    cargo.args(["build", "--quiet", "--profile", "probe", "--package", "dunlin-probe", "--target-dir"]);
    process::run_checked(cargo.arg(&target_dir), process::LONG)?;
    Ok(path)
}
