//! The Raspberry Pi Pico's own firmware, its HAL included, in the emulator rp2040js (npm): as over a serial port.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use dunlin_converter::device::{
    self,
    flash::{Request, prepare},
    link::run::{Place, connect},
};
use dunlin_converter::file::ModelFile;
use dunlin_converter::samples::{self, Samples};
use dunlin_tests::boards::buildable_boards;

/// An emulated Pico; it ends with this.
struct Pico(Child);

impl Drop for Pico {
    fn drop(&mut self) {
        // It runs for ever; that it has ended already is no error.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The emulator, installed by npm where it is not yet; `None` where npm is missing and need not be there.
fn emulator() -> Option<PathBuf> {
    let home = device::home().unwrap();
    let dir = home.join("target/firmware/rp2040");
    std::fs::create_dir_all(&dir).unwrap();
    for name in ["package.json", "package-lock.json", "run.js"] {
        std::fs::copy(home.join("tests/rp2040").join(name), dir.join(name)).unwrap();
    }
    if dir.join("node_modules/rp2040js/package.json").is_file() {
        return Some(dir.join("run.js"));
    }
    let installed = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&dir).output();
    match installed {
        Ok(output) if output.status.success() => Some(dir.join("run.js")),
        failed => {
            let required =
                ["CI", "DUNLIN_REQUIRE_EMULATION"].iter().any(|name| std::env::var_os(name).is_some());
            assert!(!required, "rp2040js is not installed: {failed:?}");
            eprintln!("the Pico is not emulated: npm is missing, or cannot install rp2040js: {failed:?}");
            None
        }
    }
}

/// Starts a UF2 file; its UART's port.
fn start(emulator: &Path, firmware: &Path) -> (Pico, String) {
    let mut command = Command::new("node");
    let mut child = command.arg(emulator).arg(firmware).stdout(Stdio::piped()).spawn().expect("node starts");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let pico = Pico(child);
    let mut port = String::new();
    stdout.read_line(&mut port).unwrap();
    (pico, format!("tcp:127.0.0.1:{}", port.trim()))
}

#[test]
fn the_picos_firmware_answers_with_the_hosts_bytes() {
    if !buildable_boards().iter().any(|board| board.name == "pico") {
        return;
    }
    let Some(emulator) = emulator() else { return };
    let home = device::home().unwrap();
    let file = ModelFile::read(&home.join("models/digits/digits_int8.tflite")).unwrap();
    let model = file.model().unwrap();
    let request = Request { board: "pico", chip: None, log: false };
    let uf2 = prepare(&request, file.bytes(), &model).unwrap().uf2().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("digits.uf2");
    std::fs::write(&path, uf2).unwrap();
    let (_pico, port) = start(&emulator, &path);

    let place = Place { board: Some("pico".into()), port: Some(port), baud: 115_200, update: false };
    let mut connection = connect(&place, file.bytes(), &model).unwrap();
    assert_eq!(connection.identity.ticks_per_second, 125_000_000);
    let samples = Samples::random(&model, 5, 0).unwrap();
    let outcome = connection.run(&model, &samples).unwrap();
    assert_eq!(outcome.outputs, samples::run(&model, &samples).unwrap());
    let timing = connection.time(&model).unwrap();
    println!("{timing:?}");
    assert!(timing.microseconds.is_some_and(|us| us > 100.0), "{timing:?}");
}
