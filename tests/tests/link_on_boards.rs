//! The emulated boards, and the commands that talk to a board, over the UART: as real boards do.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dunlin::{Model, ops};
use dunlin_converter::device::{
    self,
    boards::Board,
    firmware::{self, Line},
    link::{
        Update,
        run::{Place, connect},
    },
};
use dunlin_converter::samples::{self, Samples};
use dunlin_link::Origin;
use dunlin_tests::boards::{bake, runnable_board, runnable_boards, with_other_weights};
use dunlin_tests::convnet;

fn place(board: &Board, port: Option<String>, update: Option<Update>) -> Place {
    Place { board: Some(board.name.clone()), port, baud: 115_200, probe: None, update }
}

#[test]
fn every_board_answers_over_its_uart() {
    let net = convnet::convnet().unwrap();
    let model = net.model().unwrap();
    let samples = Samples::random(&model, 3, 0).unwrap();
    let expected = samples::run(&model, &samples).unwrap();
    let other = with_other_weights(net.bytes());
    let other_model = Model::check(&other, ops::ALL).unwrap();
    let other_expected = samples::run(&other_model, &samples).unwrap();
    for board in runnable_boards() {
        let mut connection = connect(&place(&board, None, None), net.bytes(), &model)
            .unwrap_or_else(|error| panic!("{}: {error}", board.name));
        assert_eq!((&connection.identity.board, &connection.identity.core), (&board.name, &board.core));
        let outcome = connection.run(&model, &samples).unwrap();
        assert_eq!(outcome.outputs, expected, "{}", board.name);

        let timing = connection.time(&model).unwrap();
        let in_steps: u64 = timing.operators.iter().filter_map(|step| step.ticks).map(u64::from).sum();
        assert!(timing.instructions.is_some_and(|n| n > 10_000), "{}: {timing:?}", board.name);
        assert!(in_steps <= timing.ticks && in_steps * 4 > timing.ticks * 3, "{}: {timing:?}", board.name);

        let loaded = connection.client.load(&other, Update::Flash, &mut |_| {});
        if connection.identity.flash_bytes == 0 {
            // What the emulator has for flash takes no writing.
            assert!(loaded.unwrap_err().to_string().contains("keeps no flash"), "{}", board.name);
            continue;
        }
        let there = loaded.unwrap_or_else(|error| panic!("{}: {error}", board.name)).model.unwrap();
        assert_eq!((there.checksum, there.origin), (other_model.header().checksum, Origin::Stored));
        assert_eq!(connection.run(&other_model, &samples).unwrap().outputs, other_expected, "{}", board.name);
    }
}

/// The top of the Cortex-M4F board's stack, and what `boards/support` leaves for it.
const STACK_TOP: u32 = 0x2040_0000;
const STACK_BYTES: usize = 4096;
/// Of that, what a deeper operator than those of the network below may need.
const STACK_SPARE_BYTES: usize = 1024;

/// An emulator with a serial port of its own.
struct Emulator(Child);

impl Emulator {
    /// Resets the board: what is in its RAM and is not loaded with the firmware stays, as in flash.
    fn restart(&mut self) {
        writeln!(self.0.stdin.as_mut().unwrap(), "system_reset").unwrap();
    }

    /// The most stack that was in use so far: the emulator's RAM is zero at first.
    fn stack_bytes(&mut self, dir: &Path) -> usize {
        let path = dir.join("stack");
        let (start, n_bytes) = (STACK_TOP - STACK_BYTES as u32, STACK_BYTES);
        let stdin = self.0.stdin.as_mut().unwrap();
        writeln!(stdin, "pmemsave {start:#x} {n_bytes:#x} \"{}\"", path.display()).unwrap();
        for _ in 0..100 {
            if let Ok(bytes) = std::fs::read(&path)
                && bytes.len() == n_bytes
            {
                return bytes.iter().position(|&byte| byte != 0).map_or(0, |lowest| n_bytes - lowest);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the emulator does not write {}", path.display());
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It runs for ever; that it has ended already is no error.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts firmware with its UART on a pseudo-terminal; the terminal's name.
fn on_a_serial_port(board: &Board, program: firmware::Program) -> (Emulator, String) {
    let firmware = firmware::build(&device::home().unwrap(), board, program, false).unwrap();
    let mut command = Command::new(&board.emulator[0]);
    command.args(&board.emulator[1..]).args(["-display", "none", "-monitor", "stdio", "-serial", "pty"]);
    command.arg("-kernel").arg(&firmware.path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("QEMU starts");
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let emulator = Emulator(child);
    let line = stdout.lines().map_while(Result::ok).find(|line| line.contains("/dev/"));
    let port = line.and_then(|line| Some(line.split(' ').find(|word| word.starts_with("/dev/"))?.to_owned()));
    (emulator, port.expect("QEMU names the terminal"))
}

#[test]
#[cfg(target_os = "linux")]
fn a_board_on_a_serial_port_runs_its_model_and_takes_another() {
    let Some(board) = runnable_board("cortex-m4") else { return };
    let net = convnet::convnet().unwrap();
    let model = net.model().unwrap();
    let dir = tempfile::tempdir().unwrap();
    bake(dir.path(), net.bytes(), &net.operator_table().unwrap());
    let (mut emulator, port) = on_a_serial_port(&board, firmware::Program::Linked(dir.path(), Line::Serial));
    let samples = Samples::random(&model, 2, 1).unwrap();
    let expected = samples::run(&model, &samples).unwrap();
    {
        let mut connection = connect(&place(&board, Some(port.clone()), None), net.bytes(), &model).unwrap();
        assert_eq!(connection.run(&model, &samples).unwrap().outputs, expected);
        assert!(connection.time(&model).unwrap().microseconds.is_some());
    }

    // A model with the same operators and other weights is not run by mistake, and goes into the RAM if that is asked.
    let other = with_other_weights(net.bytes());
    let other_model = Model::check(&other, ops::ALL).unwrap();
    let checksum = other_model.header().checksum;
    let error = connect(&place(&board, Some(port.clone()), None), &other, &other_model).err().unwrap();
    assert!(error.to_string().contains("not this one") && error.to_string().contains("--update"), "{error}");
    let mut connection =
        connect(&place(&board, Some(port.clone()), Some(Update::Ram)), &other, &other_model).unwrap();
    let there = connection.identity.model.clone().unwrap();
    assert!(there.origin == Origin::Ram && there.checksum == checksum, "{there:?}");
    assert_eq!(
        connection.run(&other_model, &samples).unwrap().outputs,
        samples::run(&other_model, &samples).unwrap()
    );
    drop(connection);

    // After a restart it is gone; one that is stored stays.
    emulator.restart();
    let connection = connect(&place(&board, Some(port.clone()), None), net.bytes(), &model).unwrap();
    assert_eq!(connection.identity.model.map(|model| model.origin), Some(Origin::Firmware));
    drop(connection.client);
    let update = place(&board, Some(port.clone()), Some(Update::Flash));
    drop(connect(&update, &other, &other_model).unwrap());
    emulator.restart();
    let mut connection = connect(&place(&board, Some(port.clone()), None), &other, &other_model).unwrap();
    let there = connection.identity.model.clone().unwrap();
    assert_eq!((there.origin, there.checksum), (Origin::Stored, checksum));
    assert_eq!(
        connection.run(&other_model, &samples).unwrap().outputs,
        samples::run(&other_model, &samples).unwrap()
    );
    drop(connection);
    let stack_bytes = emulator.stack_bytes(dir.path());
    println!("{stack_bytes} bytes of stack");
    assert!((500..STACK_BYTES - STACK_SPARE_BYTES).contains(&stack_bytes), "{stack_bytes} bytes of stack");

    let wrong = Place { board: Some("cortex-m3".into()), ..place(&board, Some(port), Some(Update::Ram)) };
    let error = connect(&wrong, net.bytes(), &model).err().unwrap().to_string();
    assert!(error.contains("the board there is qemu-cortex-m4, not qemu-cortex-m3"), "{error}");
}

#[test]
fn a_port_that_is_not_there_is_told() {
    let net = convnet::convnet().unwrap();
    let model = net.model().unwrap();
    let at =
        |port: &str| Place { board: None, port: Some(port.into()), baud: 115_200, probe: None, update: None };
    let error = |port: &str| connect(&at(port), net.bytes(), &model).err().unwrap().to_string();
    let missing = error("/dev/no-such-port");
    assert!(missing.contains("/dev/no-such-port") && missing.contains("port"), "{missing}");
    let refused = error("tcp:127.0.0.1:1");
    assert!(refused.contains("is something listening there?"), "{refused}");
    assert!(error("emulator").contains("--board cortex-m4"));
}
