//! What can go wrong, said so that a person knows what to do.

use std::path::PathBuf;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("the firmware is not an ELF file that can be flashed: {0}")]
    Elf(String),
    #[error("there is no chip {0:?} in probe-rs: correct `chip` in the board's Cargo.toml")]
    UnknownChip(String),
    #[error("the firmware is for another chip than {chip}: {reason}")]
    WrongImage { chip: String, reason: String },
    #[error("probe-rs knows no way to write the flash of {chip} at {address:#010x}")]
    NoAlgorithm { chip: String, address: u64 },
    #[error(
        "no debug probe found: connect the board by its debug port with a cable that carries data; on Linux, udev must \
         let your user use it (https://probe.rs/docs/getting-started/probe-setup)"
    )]
    NoProbe,
    #[error("several debug probes are connected: choose one with --probe: {0}")]
    SeveralProbes(String),
    #[error("no debug probe is {wanted}; these are connected: {found}")]
    NoSuchProbe { wanted: String, found: String },
    #[error(
        "the debug probe {probe} cannot be opened: {reason}: is another program (a debugger, another flash) using it?"
    )]
    Busy { probe: String, reason: String },
    #[error(
        "your user may not use the debug probe {probe}: {reason}: on Linux, install the udev rules \
         (https://probe.rs/docs/getting-started/probe-setup) and plug it in again"
    )]
    Denied { probe: String, reason: String },
    #[error(
        "the chip does not answer through {probe}: {reason}: is the board powered, and is it a {chip}? Try again while you \
         hold its reset button"
    )]
    NoChip { probe: String, chip: String, reason: String },
    #[error(
        "the chip is locked (opening it needs {reason}): it must be erased whole first, which deletes what is on it: `probe-rs erase --chip \
         {chip} --allow-erase-all`"
    )]
    Locked { chip: String, reason: String },
    #[error("the board has a {found}, not a {wanted}: choose its board with --board")]
    WrongChip { found: String, wanted: String },
    #[error("writing the flash failed: {0}: try again; if it fails again, look at cable and power")]
    Flash(String),
    #[error("the log cannot be read: {0}")]
    Log(String),
    #[error(
        "the firmware on the board has no line over RTT, or has not started: flash it with `dunlin flash --line rtt`"
    )]
    NoLine,
    #[error("the line through the debug probe is broken: {0}: look at cable and power")]
    Line(String),
}

/// An error with all its causes, in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
