//! Running one model on an emulated board as a product would: alone in flash, with an arena of exactly its size and
//! only its operators; and comparing each output byte with the host's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dunlin::Model;
use dunlin_timing::{Class, Tally};
use serde::Serialize;

use super::{
    Error, Result,
    boards::{self, Board},
    build_dir, create_dir,
    emulator::{self, Emulation, Options},
    firmware::{self, Program},
    write,
};
use crate::samples::Samples;
use crate::write::operator_table;

/// What a model costs on a board, and whether it computes there what it computes on the host.
#[derive(Clone, Debug, Serialize)]
pub struct BoardReport {
    /// The board's name.
    pub board: String,
    /// Its processor core.
    pub core: String,
    /// How many runs were compared.
    pub samples_compared: usize,
    /// Whether all outputs have the same bytes as on the host.
    pub host_device_equal: bool,
    /// The first run with another output, if there is one.
    pub first_difference: Option<usize>,
    /// Instructions of one inference; the most where they depend on the input.
    pub instructions: u64,
    /// The fewest instructions of one inference.
    pub instructions_min: u64,
    /// The cycles of the inference with the most instructions.
    #[serde(flatten)]
    pub estimate: CycleEstimate,
    /// Everything else that counts.
    #[serde(flatten)]
    pub costs: Costs,
    /// The firmware.
    pub elf: PathBuf,
}

/// An estimate of the core's cycles: what is exact are the instructions that it is made of (see `boards/timing`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CycleEstimate {
    /// Cycles, without wait states; absent for a core of which no table is known.
    pub estimated_cycles: Option<u64>,
    /// The manual that the estimate is made with, and for what it stands in.
    pub estimate_source: Option<&'static str>,
    /// The instructions by their classes, and the words and refills of the pipeline that are counted beside them; what
    /// is 0 is left out.
    pub instruction_classes: BTreeMap<&'static str, u64>,
}

impl CycleEstimate {
    /// For these instructions on a core of this name.
    pub fn new(core: &str, executed: &Tally) -> CycleEstimate {
        let table = dunlin_timing::table(core);
        let classes = Class::ALL.iter().map(|(class, name)| (*name, executed[*class]));
        CycleEstimate {
            estimated_cycles: table.map(|table| executed.estimated_cycles(table)),
            estimate_source: table.map(|table| table.source),
            instruction_classes: classes.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// For tables.
    pub fn row(&self) -> (&'static str, String) {
        let cycles = self.estimated_cycles.map_or("unknown".to_string(), |cycles| cycles.to_string());
        ("estimated cycles per inference", cycles)
    }

    /// What a reader of the estimate must know.
    pub fn note(&self) -> String {
        match self.estimate_source {
            Some(source) => format!(
                "Cycles are estimated by class of instruction, without wait states, caches and stalls. Their table: {source}."
            ),
            None => "Cycles are not estimated: boards/timing/src/tables.rs has no table for this core."
                .to_string(),
        }
    }
}

/// What a model costs whatever its input.
#[derive(Clone, Debug, Serialize)]
pub struct Costs {
    /// Instructions of the model's check and the making of the session.
    pub init_instructions: u64,
    /// The arena in RAM, scratch memory included.
    pub arena_bytes: u64,
    /// Variables in RAM beside the arena.
    pub ram_other_bytes: u64,
    /// The most stack that was in use, in RAM; absent if the firmware did not measure it.
    pub stack_bytes: Option<u32>,
    /// Instructions and constants in flash, the model not counted.
    pub code_bytes: u64,
    /// The model in flash.
    pub model_bytes: u64,
}

impl Costs {
    /// For tables.
    pub fn rows(&self) -> [(&'static str, String); 6] {
        let stack = self.stack_bytes.map_or("not measured".to_string(), |bytes| bytes.to_string());
        [
            ("instructions of the initialization", self.init_instructions.to_string()),
            ("arena bytes (RAM)", self.arena_bytes.to_string()),
            ("other variables, bytes (RAM)", self.ram_other_bytes.to_string()),
            ("stack bytes (RAM)", stack),
            ("code bytes (flash)", self.code_bytes.to_string()),
            ("model bytes (flash)", self.model_bytes.to_string()),
        ]
    }
}

/// A board's answers.
#[derive(Clone, Debug)]
pub struct Run {
    /// The bytes of all outputs of all runs.
    pub outputs: Vec<u8>,
    /// Sizes, counts and the comparison.
    pub report: BoardReport,
}

/// Builds the firmware of `model` (the bytes of its file are `file`) for the board of this name, and runs it in the
/// emulator on `samples`, of which the host made `host_outputs`.
pub fn run(board: &str, file: &[u8], model: &Model, samples: &Samples, host_outputs: &[u8]) -> Result<Run> {
    let home = super::home()?;
    let boards = boards::discover(&home)?;
    let board = boards::find(&boards, board)?;
    let dir = bake(&home, board, file, model)?;
    let firmware = firmware::build(&home, board, Program::Baked(&dir), false)?;
    let sizes = firmware.sizes()?;
    let emulation = emulator::run(&home, board, &firmware, samples.bytes(), Options::default())?;
    // What runs between two rows that arrive is a region of its own.
    let n_parts = model.fed_input().and_then(|i| model.input(i).ok()).map_or(1, |fed| fed.ty.shape.rows());
    let (init, parts) = regions(board, &emulation, samples.len() * n_parts)?;
    let runs: Vec<Tally> = parts.chunks(n_parts).map(|parts| parts.iter().copied().sum()).collect();
    let dearest = runs.iter().max_by_key(|run| run.instructions()).copied().unwrap_or_default();
    let run_bytes = host_outputs.len().checked_div(samples.len()).unwrap_or(0).max(1);
    let differs = |(host, device): (&[u8], &[u8])| host != device;
    let first_difference = host_outputs
        .chunks(run_bytes)
        .zip(emulation.output.chunks(run_bytes))
        .position(differs)
        .or((host_outputs.len() != emulation.output.len()).then_some(samples.len()));
    let report = BoardReport {
        board: board.name.clone(),
        core: board.core.clone(),
        samples_compared: samples.len(),
        host_device_equal: first_difference.is_none(),
        first_difference,
        instructions: dearest.instructions(),
        instructions_min: runs.iter().map(Tally::instructions).min().unwrap_or(0),
        estimate: CycleEstimate::new(&board.core, &dearest),
        costs: Costs {
            init_instructions: init.instructions(),
            arena_bytes: sizes.arena_bytes,
            ram_other_bytes: sizes.static_bytes(),
            stack_bytes: emulation.stack_bytes,
            code_bytes: sizes.code_bytes(),
            model_bytes: sizes.model_bytes,
        },
        elf: firmware.path,
    };
    Ok(Run { outputs: emulation.output, report })
}

/// The folder with `net.dunlin` and `net.rs` from which the board's firmware is built: one for each model, so that two
/// builds at a time do not mix. Files that hold what they must are left alone: nothing is compiled again for them.
pub fn bake(home: &Path, board: &Board, file: &[u8], model: &Model) -> Result<PathBuf> {
    let dir = build_dir(home).join("baked").join(format!("{}-{:08x}", board.name, model.header().checksum));
    create_dir(&dir)?;
    for (name, bytes) in [("net.dunlin", file), ("net.rs", operator_table(model).as_bytes())] {
        let path = dir.join(name);
        if fs::read(&path).ok().as_deref() != Some(bytes) {
            write(&path, bytes)?;
        }
    }
    Ok(dir)
}

/// Counted instructions of the initialization and of each of the regions after it.
pub(super) fn regions<'a>(
    board: &Board,
    emulation: &'a Emulation,
    n_regions: usize,
) -> Result<(&'a Tally, &'a [Tally])> {
    match emulation.counts.as_ref().map(|counts| &counts.regions[..]) {
        Some([init, runs @ ..]) if runs.len() == n_regions => Ok((init, runs)),
        _ => Err(Error::Content {
            path: board.dir.clone(),
            problem: format!("the firmware did not count its initialization and {n_regions} regions"),
        }),
    }
}
