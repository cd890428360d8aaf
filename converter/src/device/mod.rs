//! From a model to a running board: the boards there are, what they need installed, building their firmware, running
//! it in an emulator and measuring it.
//!
//! Everything here works on a checkout of the repository, since firmware is compiled from its `boards/`: see [`home`].

pub mod baked;
pub mod bench;
pub mod boards;
pub mod elf;
pub mod emulator;
pub mod firmware;
pub mod fit;
pub mod flash;
mod icount;
pub mod link;
pub mod log;
mod process;
mod rust_src;
pub mod scaffold;
pub mod setup;
pub mod sound;
pub mod suite;
mod uf2;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// What can go wrong between the host and a board. Each message says what to try.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository is not where it was when this program was compiled.
    #[error(
        "{}: not a checkout of Dunlin (no boards/ in it): set DUNLIN_HOME to the folder of the repository, which holds \
         the sources of the firmware",
        .0.display()
    )]
    NoHome(PathBuf),
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write`, ...
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file's content is not what it must be.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was expected, what was found, and what to try.
        problem: String,
    },
    /// No board has this name.
    #[error("there is no board {name:?}: the boards are {known}")]
    UnknownBoard {
        /// The name that was asked for.
        name: String,
        /// All names, as text.
        known: String,
    },
    /// A program or a cross target is not installed.
    #[error("{what} is missing: {advice}")]
    Missing {
        /// The program or target.
        what: String,
        /// How to get it.
        advice: String,
    },
    /// The firmware needs more memory than the board has.
    #[error(
        "{board} has {available_bytes} bytes of {region}, and this firmware needs {missing_bytes} more: use a board \
         with more memory, or a smaller model"
    )]
    TooLarge {
        /// The board's name.
        board: String,
        /// `FLASH` or `RAM`.
        region: &'static str,
        /// What the board has, in bytes.
        available_bytes: u64,
        /// What it lacks, in bytes.
        missing_bytes: u64,
    },
    /// A program did not start, or ended with failure.
    #[error("`{command}` {problem}")]
    Tool {
        /// The command line.
        command: String,
        /// How it ended and what it printed.
        problem: String,
    },
    /// The firmware ended with failure: a fault, a panic or a refusal, which its log tells.
    #[error("the firmware on {board} ended with failure; its log:\n{log}")]
    Fault {
        /// The board's name.
        board: String,
        /// The firmware's decoded log and what the emulator said.
        log: String,
    },
    /// The line to a board is broken, or what is at its other end does not do what was asked.
    #[error("{port}: {problem}")]
    Link {
        /// The port.
        port: String,
        /// What is wrong, and what to try.
        problem: String,
    },
    /// The probe's program has said why.
    #[error("{board} was not flashed")]
    NotFlashed {
        /// The board's name.
        board: String,
    },
    /// The firmware did not end in time.
    #[error("the firmware on {board} did not end within {limit_s} s; its log:\n{log}")]
    Timeout {
        /// The board's name.
        board: String,
        /// The limit, in seconds.
        limit_s: u64,
        /// The firmware's decoded log and what the emulator said.
        log: String,
    },
}

/// The result of everything in this module.
pub type Result<T> = std::result::Result<T, Error>;

/// The folder of the repository: `DUNLIN_HOME`, or where it was when this program was compiled.
pub fn home() -> Result<PathBuf> {
    let home = match env::var_os("DUNLIN_HOME") {
        Some(home) => PathBuf::from(home),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
    };
    match fs::canonicalize(&home) {
        Ok(home) if home.join("boards").is_dir() => Ok(home),
        _ => Err(Error::NoHome(home)),
    }
}

/// Where firmware and what runs it is built: apart from the host's own artefacts, so that neither waits for nor
/// rebuilds the other.
fn build_dir(home: &Path) -> PathBuf {
    home.join("target").join("firmware")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::File { action: "read", path: path.to_owned(), source })
}

fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|source| Error::File { action: "read", path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|source| Error::File { action: "write", path: path.to_owned(), source })
}

fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::File { action: "create", path: path.to_owned(), source })
}
