//! The line and the log through a debug probe, with the emulator's debugger in place of one: the firmware's RTT channels
//! are found in the board's RAM, read and written there, while the core runs.
#![cfg(unix)]

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use dunlin_converter::device::{
    self,
    boards::Board,
    firmware::{self, Firmware, Line},
    link::{Client, Port},
    log,
};
use dunlin_converter::samples::{self, Samples};
use dunlin_tests::boards::{bake, runnable_board};
use dunlin_tests::convnet;

/// Where the RAM begins, and in how much of it the control block is looked for.
const RAM: u32 = 0x2000_0000;
const SCANNED_BYTES: u32 = 0x4000;
const ID: &[u8; 16] = b"SEGGER RTT\0\0\0\0\0\0";
/// A channel: name, buffer, size, where is written and read, flags; a word each.
const CHANNEL_BYTES: u32 = 24;
const SIZE_AT: u32 = 8;
const WRITE_AT: u32 = 12;
const READ_AT: u32 = 16;
const LIMIT: Duration = Duration::from_secs(60);

/// An emulator with a debugger at its door.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // It runs for ever; that it has ended already is no error.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(board: &Board, firmware: &Firmware, dir: &Path) -> (Emulator, Debugger) {
    let door = dir.join("gdb");
    let mut command = Command::new(&board.emulator[0]);
    command.args(&board.emulator[1..]).args(["-display", "none", "-monitor", "none", "-serial", "none"]);
    let socket = format!("socket,id=gdb,server=on,wait=off,path={}", door.display());
    command.args(["-chardev", &socket, "-gdb", "chardev:gdb", "-kernel"]).arg(&firmware.path);
    let emulator = Emulator(command.stdin(Stdio::null()).spawn().expect("QEMU starts"));
    let deadline = Instant::now() + LIMIT;
    let stream = loop {
        match UnixStream::connect(&door) {
            Ok(stream) => break stream,
            Err(error) if Instant::now() > deadline => panic!("{}: {error}", door.display()),
            Err(_) => sleep(Duration::from_millis(20)),
        }
    };
    let mut debugger = Debugger { stream };
    // It stops the core when it is opened, and may say so before it is asked.
    debugger.stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    debugger.send("?").unwrap();
    while debugger.receive().is_ok() {}
    debugger.stream.set_read_timeout(Some(LIMIT)).unwrap();
    (emulator, debugger)
}

/// The remote protocol of GDB, as far as it is needed. Source: "Debugging with GDB", appendix "GDB Remote Serial
/// Protocol".
struct Debugger {
    stream: UnixStream,
}

impl Debugger {
    fn send(&mut self, text: &str) -> io::Result<()> {
        let sum = text.bytes().fold(0u8, u8::wrapping_add);
        self.stream.write_all(format!("${text}#{sum:02x}").as_bytes())
    }

    /// The next packet.
    fn receive(&mut self) -> io::Result<String> {
        let mut text = Vec::new();
        let (mut byte, mut is_inside) = ([0], false);
        loop {
            self.stream.read_exact(&mut byte)?;
            match byte[0] {
                b'$' => is_inside = true,
                b'#' => break,
                byte if is_inside => text.push(byte),
                _ => {}
            }
        }
        self.stream.read_exact(&mut [0; 2])?;
        self.stream.write_all(b"+")?;
        String::from_utf8(text).map_err(io::Error::other)
    }

    fn ask(&mut self, text: &str) -> io::Result<String> {
        self.send(text)?;
        self.receive()
    }

    /// Lets the core run for a while.
    fn run(&mut self, time: Duration) -> io::Result<()> {
        self.send("c")?;
        sleep(time);
        self.stream.write_all(&[3])?;
        self.receive().map(drop)
    }

    fn read(&mut self, address: u32, n_bytes: u32) -> io::Result<Vec<u8>> {
        let hex = self.ask(&format!("m{address:x},{n_bytes:x}"))?;
        let digits = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap_or_default(), 16);
        hex.as_bytes()
            .chunks(2)
            .map(digits)
            .collect::<Result<_, _>>()
            .map_err(|_| io::Error::other(hex.clone()))
    }

    fn word(&mut self, address: u32) -> io::Result<u32> {
        Ok(u32::from_le_bytes(self.read(address, 4)?.try_into().map_err(|_| io::Error::other("no word"))?))
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> io::Result<()> {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self.ask(&format!("M{address:x},{:x}:{hex}", bytes.len()))?.as_str() {
            "OK" => Ok(()),
            error => Err(io::Error::other(error.to_owned())),
        }
    }
}

/// What a host knows of the firmware's channels.
struct Rtt {
    debugger: Debugger,
    /// The channels to the host, then those from it.
    channels: Vec<u32>,
    n_up: usize,
}

impl Rtt {
    /// Finds the control block, once the firmware has made it.
    fn attach(mut debugger: Debugger) -> Rtt {
        for _ in 0..100 {
            debugger.run(Duration::from_millis(20)).unwrap();
            let mut ram = Vec::new();
            for part in 0..SCANNED_BYTES / 1024 {
                ram.extend(debugger.read(RAM + part * 1024, 1024).unwrap());
            }
            let Some(at) = ram.windows(ID.len()).position(|bytes| bytes == ID) else { continue };
            let block = RAM + at as u32;
            let [n_up, n_down] = [16, 20].map(|at| debugger.word(block + at).unwrap());
            let channels = (0..n_up + n_down).map(|i| block + 24 + i * CHANNEL_BYTES).collect();
            return Rtt { debugger, channels, n_up: n_up as usize };
        }
        panic!("there is no control block in the RAM");
    }

    fn named(&mut self, name: &str, is_up: bool) -> u32 {
        let channels = self.channels.clone();
        let (up, down) = channels.split_at(self.n_up);
        let named = |channel: &&u32| {
            let text = self.debugger.word(**channel).unwrap();
            self.debugger.read(text, name.len() as u32 + 1).unwrap() == [name.as_bytes(), &[0]].concat()
        };
        *if is_up { up } else { down }.iter().find(named).unwrap_or_else(|| panic!("no channel {name}"))
    }

    /// All that has been written to a channel and not read.
    fn take(&mut self, channel: u32) -> io::Result<Vec<u8>> {
        let debugger = &mut self.debugger;
        let (buffer, size) = (debugger.word(channel + 4)?, debugger.word(channel + SIZE_AT)?);
        let (end, start) = (debugger.word(channel + WRITE_AT)?, debugger.word(channel + READ_AT)?);
        if end == start {
            return Ok(Vec::new());
        }
        let mut bytes = if start < end {
            debugger.read(buffer + start, end - start)?
        } else {
            debugger.read(buffer + start, size - start)?
        };
        if end < start && end > 0 {
            bytes.extend(debugger.read(buffer, end)?);
        }
        debugger.write(channel + READ_AT, &end.to_le_bytes())?;
        Ok(bytes)
    }

    /// Writes as much as there is room for.
    fn put(&mut self, channel: u32, bytes: &[u8]) -> io::Result<usize> {
        let debugger = &mut self.debugger;
        let (buffer, size) = (debugger.word(channel + 4)?, debugger.word(channel + SIZE_AT)?);
        let (mut at, read) = (debugger.word(channel + WRITE_AT)?, debugger.word(channel + READ_AT)?);
        let room = (read + size - at - 1) % size;
        let n_bytes = bytes.len().min(room as usize);
        for &byte in &bytes[..n_bytes] {
            debugger.write(buffer + at, &[byte])?;
            at = (at + 1) % size;
        }
        debugger.write(channel + WRITE_AT, &at.to_le_bytes())?;
        Ok(n_bytes)
    }
}

/// The line, as a port of the host.
struct Channels<'r> {
    rtt: &'r mut Rtt,
    up: u32,
    down: u32,
}

impl Port for Channels<'_> {
    fn name(&self) -> String {
        "the debugger".to_owned()
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n_bytes = self.rtt.put(self.down, bytes)?;
            bytes = &bytes[n_bytes..];
            self.rtt.debugger.run(Duration::from_millis(1))?;
        }
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8], wait: Duration) -> io::Result<usize> {
        let deadline = Instant::now() + wait;
        loop {
            let taken = self.rtt.take(self.up)?;
            assert!(taken.len() <= bytes.len(), "the channel's buffer is shorter");
            bytes[..taken.len()].copy_from_slice(&taken);
            if !taken.is_empty() || Instant::now() >= deadline {
                return Ok(taken.len());
            }
            self.rtt.debugger.run(Duration::from_millis(2))?;
        }
    }
}

#[test]
fn a_board_answers_and_logs_through_its_debug_port() {
    let Some(board) = runnable_board("cortex-m4") else { return };
    let net = convnet::convnet().unwrap();
    let model = net.model().unwrap();
    let dir = tempfile::tempdir().unwrap();
    bake(dir.path(), net.bytes(), &net.operator_table().unwrap());
    let program = firmware::Program::Linked(dir.path(), Line::Rtt);
    let firmware = firmware::build(&device::home().unwrap(), &board, program, true).unwrap();
    let (_emulator, debugger) = start(&board, &firmware, dir.path());
    let mut rtt = Rtt::attach(debugger);
    let [up, down] = [true, false].map(|is_up| rtt.named("dunlin", is_up));
    {
        let mut client = Client::new(Box::new(Channels { rtt: &mut rtt, up, down }), LIMIT);
        assert_eq!(client.identify().unwrap().board, board.name);
        let samples = Samples::random(&model, 1, 0).unwrap();
        let ran = client.run(model.header().checksum, samples.bytes()).unwrap();
        assert_eq!(ran.outputs, samples::run(&model, &samples).unwrap());
    }
    let log_channel = rtt.named("defmt", true);
    let raw = rtt.take(log_channel).unwrap();
    let lines = log::decode(&firmware.elf, &raw);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("INFO qemu-cortex-m4 serves a host; ") && lines[0].contains("(line.rs:"),
        "{lines:?}"
    );

    // A log that is damaged, and one whose firmware has no log.
    let mut damaged = [&raw[..], &raw].concat();
    damaged[2] = 0xff;
    damaged[3] = 0xff;
    let lines = log::decode(&firmware.elf, &damaged);
    assert!(lines.last().is_some_and(|line| line.contains("serves a host")), "{lines:?}");
    let silent = log::decode(&std::fs::read(std::env::current_exe().unwrap()).unwrap(), &raw);
    assert!(silent[0].contains("no defmt table"), "{silent:?}");
}
