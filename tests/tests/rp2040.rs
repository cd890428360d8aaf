//! The Raspberry Pi Pico's own firmware, its HAL included, in the emulator rp2040js (npm): as over a serial port.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use dunlin::{Model, ops};
use dunlin_converter::device::{
    self,
    firmware::Line,
    flash::{Request, prepare},
    link::{
        Update,
        run::{Place, connect},
    },
};
use dunlin_converter::file::ModelFile;
use dunlin_converter::samples::{self, Samples};
use dunlin_link::Origin;
use dunlin_tests::boards::{buildable_boards, with_other_weights};

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
    for name in ["package.json", "package-lock.json", "run.js", "rom.js", "usb.js"] {
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

/// Starts a UF2 file; the port of its line.
fn start(emulator: &Path, firmware: &Path, line: Line) -> (Pico, String) {
    let mut command = Command::new("node");
    command.arg(emulator).arg(firmware);
    if line == Line::Usb {
        command.arg("usb");
    }
    let mut child = command.stdout(Stdio::piped()).spawn().expect("node starts");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let pico = Pico(child);
    let mut port = String::new();
    stdout.read_line(&mut port).unwrap();
    (pico, format!("tcp:127.0.0.1:{}", port.trim()))
}

impl Pico {
    /// Resets the core; RAM and flash stay.
    fn restart(&self) {
        let status = Command::new("kill").args(["-USR2", &self.0.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }
}

fn digits() -> ModelFile {
    ModelFile::read(&device::home().unwrap().join("models/digits/digits_int8.tflite")).unwrap()
}

/// The emulated board with firmware around the digits network, and its port; `None` where it cannot run.
fn pico(line: Line) -> Option<(Pico, String)> {
    if !buildable_boards().iter().any(|board| board.name == "pico") {
        return None;
    }
    let emulator = emulator()?;
    let file = digits();
    let request = Request { board: "pico", chip: None, log: false, line };
    let uf2 = prepare(&request, file.bytes(), &file.model().unwrap()).unwrap().uf2().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("digits.uf2");
    std::fs::write(&path, uf2).unwrap();
    Some(start(&emulator, &path, line))
}

fn place(port: &str, update: Option<Update>) -> Place {
    Place { board: Some("pico".into()), port: Some(port.into()), baud: 115_200, probe: None, update }
}

#[test]
fn the_picos_firmware_answers_with_the_hosts_bytes_and_keeps_a_model_in_flash() {
    let Some((pico, port)) = pico(Line::Serial) else { return };
    let file = digits();
    let model = file.model().unwrap();
    let samples = Samples::random(&model, 5, 0).unwrap();
    {
        let mut connection = connect(&place(&port, None), file.bytes(), &model).unwrap();
        assert_eq!(connection.identity.ticks_per_second, 125_000_000);
        let outcome = connection.run(&model, &samples).unwrap();
        assert_eq!(outcome.outputs, samples::run(&model, &samples).unwrap());
        let timing = connection.time(&model).unwrap();
        println!("{timing:?}");
        assert!(timing.microseconds.is_some_and(|us| us > 100.0), "{timing:?}");
    }
    // The same operators with other weights: the HAL's driver writes them through the ROM's functions (rom.js).
    let other = with_other_weights(file.bytes());
    let other_model = Model::check(&other, ops::ALL).unwrap();
    let expected = samples::run(&other_model, &samples).unwrap();
    assert_ne!(expected, samples::run(&model, &samples).unwrap());
    for update in [Some(Update::Flash), None] {
        let mut connection = connect(&place(&port, update), &other, &other_model).unwrap();
        assert_eq!(connection.identity.model.as_ref().map(|model| model.origin), Some(Origin::Stored));
        assert_eq!(connection.run(&other_model, &samples).unwrap().outputs, expected);
        drop(connection);
        pico.restart();
    }
}

#[test]
fn the_picos_firmware_answers_over_usb() {
    let Some((_pico, port)) = pico(Line::Usb) else { return };
    let file = digits();
    let model = file.model().unwrap();
    let samples = Samples::random(&model, 3, 0).unwrap();
    let mut connection = connect(&place(&port, None), file.bytes(), &model).unwrap();
    assert_eq!(connection.run(&model, &samples).unwrap().outputs, samples::run(&model, &samples).unwrap());
}
