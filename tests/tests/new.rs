//! Projects that `dunlin new` makes build as they are; those of emulated boards run.

use std::path::Path;
use std::process::{Command, Output};

use dunlin_converter::device::{
    self,
    boards::Board,
    scaffold::{Request, create, default_model},
};
use dunlin_converter::file::ModelFile;
use dunlin_converter::program::AlignedBytes;
use dunlin_tests::boards::{buildable_boards, runnable_board};

fn made(dir: &Path, board: &Board, embassy: bool) -> std::path::PathBuf {
    let path = dir.join(format!("{}-{embassy}", board.short_name()));
    let file = ModelFile::read(&default_model().unwrap()).unwrap();
    let request = Request { path: &path, board: &board.name, embassy };
    create(&request, file.bytes(), &file.model().unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", board.name));
    let main = std::fs::read_to_string(path.join("src/main.rs")).unwrap();
    assert!(main.lines().count() <= 45, "{main}");
    path
}

/// Cargo in the project as its user has it, but for the folder of what it builds: dependencies are compiled once.
fn cargo(project: &Path, command: &str) -> Output {
    let target_dir = device::home().unwrap().join("target/firmware/new");
    let mut cargo = Command::new("cargo");
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    cargo.current_dir(project).env("CARGO_TARGET_DIR", target_dir);
    let output = cargo.args([command, "--release", "--quiet"]).output().expect("cargo starts");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {words}", project.display());
    assert!(!words.contains("warning"), "{}: {words}", project.display());
    output
}

#[test]
fn projects_for_real_boards_build() {
    let dir = tempfile::tempdir().unwrap();
    for board in buildable_boards() {
        // One of each kind: a HAL takes a minute to compile. The emulated board has both.
        let embassy = match board.name.as_str() {
            "nrf52840-dk" => true,
            "pico2" => false,
            _ => continue,
        };
        cargo(&made(dir.path(), &board, embassy), "build");
    }
}

#[test]
fn projects_for_an_emulated_board_run() {
    let Some(board) = runnable_board("cortex-m4") else { return };
    let bytes = AlignedBytes::from(&std::fs::read(default_model().unwrap()).unwrap()[..]);
    let model = dunlin::Model::check(&bytes, dunlin::ops::ALL).unwrap();
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = dunlin::Session::new(&model, &mut arena).unwrap();
    session.input_bytes_mut(0).unwrap().fill(0);
    let expected = format!("{:?}", session.run().output_bytes(0).unwrap());
    let dir = tempfile::tempdir().unwrap();
    for embassy in [false, true] {
        let output = cargo(&made(dir.path(), &board, embassy), "run");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected);
    }
}

#[test]
fn what_cannot_be_made_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = ModelFile::read(&default_model().unwrap()).unwrap();
    let error = |name: &str, board: &str, embassy: bool| {
        let request = Request { path: &dir.path().join(name), board, embassy };
        create(&request, file.bytes(), &file.model().unwrap()).unwrap_err().to_string()
    };
    assert!(error("2d", "cortex-m4", false).contains("a letter first"));
    assert!(error("x", "z80", false).contains("the boards are"));
    assert!(error("x", "esp32-c3", true).contains("leave --embassy out"));
    std::fs::create_dir(dir.path().join("there")).unwrap();
    assert!(error("there", "cortex-m4", false).contains("is there already"));
}
