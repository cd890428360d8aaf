//! Running firmware in an emulator.

use std::{fs, path::Path, process::Command, time::Duration};

pub use super::icount::Counts;
use super::{
    Error, Result,
    boards::Board,
    firmware::Firmware,
    icount, log,
    process::{self, Finished},
    read, write,
};

/// The files through which host and firmware talk, in a folder that lives for one run; `boards/support` opens them.
const INPUT: &str = "input";
const OUTPUT: &str = "output";
const STACK: &str = "stack";
const COUNTS: &str = "counts.json";
const IMAGE: &str = "image";

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The firmware is ended, with an error, after this time.
    pub limit: Duration,
    /// Count instructions (about half the speed).
    pub count: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { limit: Duration::from_secs(120), count: true }
    }
}

/// What a run left.
#[derive(Clone, Debug)]
pub struct Emulation {
    /// All that the firmware wrote.
    pub output: Vec<u8>,
    /// The decoded lines of its log.
    pub log: Vec<String>,
    /// Executed instructions, if they were counted: exact, and the same in every run.
    pub counts: Option<Counts>,
    /// The most stack that was in use, in bytes, if the firmware measured it.
    pub stack_bytes: Option<u32>,
    /// The same without the initialization.
    pub run_stack_bytes: Option<u32>,
}

/// Runs `firmware` on the emulated `board` with `input` until it exits.
pub fn run(
    home: &Path,
    board: &Board,
    firmware: &Firmware,
    input: &[u8],
    options: Options,
) -> Result<Emulation> {
    let dir = temporary_folder()?;
    write(&dir.path().join(INPUT), input)?;
    let finished = execute(home, board, &firmware.path, dir.path(), options)?;
    let log = log::decode(&firmware.elf, &finished.stdout);
    check_end(board, &finished, &log, options.limit)?;
    let stack = read_stack(&dir.path().join(STACK));
    Ok(Emulation {
        output: read(&dir.path().join(OUTPUT))?,
        log,
        counts: if options.count { Some(read_counts(&dir.path().join(COUNTS))?) } else { None },
        stack_bytes: stack.map(|[init_bytes, run_bytes]| init_bytes.max(run_bytes)),
        run_stack_bytes: stack.map(|[_, run_bytes]| run_bytes),
    })
}

/// Counts what an image executes that opens no files and ends by itself: a firmware's ELF file, or bytes that start with
/// vectors or code.
pub fn count(home: &Path, board: &Board, image: &[u8], limit: Duration) -> Result<Counts> {
    let dir = temporary_folder()?;
    let path = dir.path().join(IMAGE);
    write(&path, image)?;
    let finished = execute(home, board, &path, dir.path(), Options { limit, count: true })?;
    check_end(board, &finished, &[], limit)?;
    read_counts(&dir.path().join(COUNTS))
}

fn temporary_folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|source| Error::File {
        action: "create a folder in",
        path: std::env::temp_dir(),
        source,
    })
}

/// Runs the image until it exits; its files are in `dir`.
fn execute(home: &Path, board: &Board, image: &Path, dir: &Path, options: Options) -> Result<Finished> {
    let mut command = command(board)?;
    command.current_dir(dir).args(["-serial", "none"]);
    if let (true, Some(program)) = (options.count, board.emulator_program()) {
        let plugin = icount::plugin(home, program)?.display().to_string();
        // A comma inside QEMU's options is written twice.
        command.arg("-plugin").arg(format!("{},out={COUNTS}", plugin.replace(',', ",,")));
    }
    command.arg("-kernel").arg(image);
    process::run(&mut command, options.limit)
}

/// The emulator's command line but for its serial port and the firmware.
pub(super) fn command(board: &Board) -> Result<Command> {
    let Some(program) = board.emulator_program() else {
        return Err(Error::Missing {
            what: format!("an emulator for {}", board.name),
            advice:
                "the board exists in hardware only: use `dunlin flash`, or emulate a board with the same core"
                    .into(),
        });
    };
    let mut command = Command::new(program);
    command.args(&board.emulator[1..]);
    command.args(["-display", "none", "-monitor", "none"]);
    command.args(["-semihosting-config", "enable=on,target=native"]);
    // Time is a count of instructions: whatever reads a clock gives the same in every run.
    command.args(["-icount", "shift=0"]);
    Ok(command)
}

fn check_end(board: &Board, finished: &Finished, log: &[String], limit: Duration) -> Result<()> {
    if finished.success() {
        return Ok(());
    }
    let mut text = match log {
        [] => "(empty: the firmware said nothing, or was built without logs)".to_owned(),
        lines => lines.join("\n"),
    };
    let emulator_words = String::from_utf8_lossy(&finished.stderr);
    if !emulator_words.trim().is_empty() {
        text.push_str("\nthe emulator said: ");
        text.push_str(emulator_words.trim());
    }
    Err(match finished.status {
        Some(_) => Error::Fault { board: board.name.clone(), log: text },
        None => Error::Timeout { board: board.name.clone(), limit_s: limit.as_secs(), log: text },
    })
}

fn read_counts(path: &Path) -> Result<Counts> {
    serde_json::from_slice(&read(path)?).map_err(|error| Error::Content {
        path: path.to_owned(),
        problem: format!("expected the counts that boards/icount writes: {error}"),
    })
}

/// Bytes of stack in the initialization and in the runs, little-endian; the firmware writes the file only when it
/// measured.
fn read_stack(path: &Path) -> Option<[u32; 2]> {
    let bytes = fs::read(path).ok()?;
    let (init_bytes, run_bytes) = bytes.split_first_chunk::<4>()?;
    Some([u32::from_le_bytes(*init_bytes), u32::from_le_bytes(run_bytes.try_into().ok()?)])
}
