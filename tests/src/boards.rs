//! The boards that the suites run on, and models for them.

use std::fs;
use std::path::Path;

use dunlin::{Model, format, ops};
use dunlin_converter::device::{
    self,
    boards::{self, Board},
    setup,
};
use dunlin_converter::program::AlignedBytes;
use dunlin_converter::samples::{self, Samples};

/// The emulated boards that can be run here. What cannot be run is a failure where emulation is required (`CI` or
/// `DUNLIN_REQUIRE_EMULATION` is set), and is told otherwise.
pub fn runnable_boards() -> Vec<Board> {
    let home = device::home().expect("the suites run in the repository");
    let mut boards = boards::discover(&home).expect("every board's Cargo.toml is read");
    boards.retain(|board| board.emulator_program().is_some() && is_runnable(board));
    boards
}

/// The boards that exist in hardware only, whose firmware can be built here; see [`runnable_boards`].
pub fn buildable_boards() -> Vec<Board> {
    let home = device::home().expect("the suites run in the repository");
    let mut boards = boards::discover(&home).expect("every board's Cargo.toml is read");
    boards.retain(|board| !board.is_emulated() && is_runnable(board));
    boards
}

/// The emulated board of this name, if it can be run here; see [`runnable_boards`].
pub fn runnable_board(name: &str) -> Option<Board> {
    let home = device::home().expect("the suites run in the repository");
    let boards = boards::discover(&home).expect("every board's Cargo.toml is read");
    let board = boards::find(&boards, name).unwrap_or_else(|error| panic!("{error}"));
    is_runnable(board).then(|| board.clone())
}

fn is_runnable(board: &Board) -> bool {
    let required = ["CI", "DUNLIN_REQUIRE_EMULATION"].iter().any(|name| std::env::var_os(name).is_some());
    let status = setup::status(std::slice::from_ref(board)).expect("rustc tells its sysroot");
    assert!(status.is_complete() || !required, "{} cannot be emulated:\n{status}", board.name);
    if !status.is_complete() {
        eprintln!("{} is not tested: something is missing (`dunlin setup` gets it)\n{status}", board.name);
    }
    status.is_complete()
}

/// A model with the same operators that gives other outputs: a bit of its constants differs.
pub fn with_other_weights(file: &[u8]) -> AlignedBytes {
    let outputs = |file: &AlignedBytes| {
        let model = Model::check(file, ops::ALL).ok()?;
        samples::run(&model, &Samples::random(&model, 1, 0).ok()?).ok()
    };
    let original = outputs(&AlignedBytes::from(file));
    let changed = (0..file.len()).rev().find_map(|at| {
        let mut other = AlignedBytes::from(file);
        other[at] ^= 0x40;
        let checksum = format::checksum(&other[format::CHECKED_FROM..]);
        other[8..12].copy_from_slice(&checksum.to_le_bytes());
        let made = outputs(&other);
        (made.is_some() && made != original).then_some(other)
    });
    changed.expect("some constant matters")
}

/// Writes a model and its table of operators as the converter does, for a firmware to be built with them.
pub fn bake(dir: &Path, model: &[u8], operator_table: &str) {
    for (name, bytes) in [("net.dunlin", model), ("net.rs", operator_table.as_bytes())] {
        fs::write(dir.join(name), bytes).expect("a new folder can be written");
    }
}
