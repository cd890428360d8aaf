//! Where a board is: a serial port, TCP, or an emulator that is started for it.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use super::super::{Error, Result};

/// Bits per second of a serial port, if nothing else is asked for: what the boards' firmware uses.
pub const BAUD: u32 = 115_200;

/// A line of bytes to a board.
pub trait Port {
    /// What a user calls it.
    fn name(&self) -> String;
    /// Writes all bytes.
    ///
    /// # Errors
    /// If the line is broken.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Reads what is there, waiting for at most `wait` if nothing is; 0 if nothing came.
    ///
    /// # Errors
    /// If the line is broken.
    fn read(&mut self, bytes: &mut [u8], wait: Duration) -> io::Result<usize>;
}

/// Opens a serial port by its name (`/dev/ttyACM0`, `COM3`), or a TCP connection (`tcp:HOST:PORT`).
///
/// # Errors
/// If it cannot be opened; names the ports that there are.
pub fn open(name: &str, baud: u32) -> Result<Box<dyn Port>> {
    let refused = |problem: String| Error::Link { port: name.to_owned(), problem };
    if let Some(address) = name.strip_prefix("tcp:") {
        let stream = TcpStream::connect(address)
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(|error| refused(format!("no connection: {error}: is something listening there?")))?;
        return Ok(Box::new(Tcp { name: name.to_owned(), stream }));
    }
    let port = serialport::new(name, baud).timeout(Duration::from_millis(100)).open();
    match port {
        Ok(port) => Ok(Box::new(Serial { name: name.to_owned(), port })),
        Err(error) => Err(refused(format!("cannot be opened: {error}{}", advice(error.kind())))),
    }
}

/// What to do about a serial port that does not open.
fn advice(kind: serialport::ErrorKind) -> String {
    match kind {
        serialport::ErrorKind::Io(ErrorKind::PermissionDenied) => {
            ": on Linux your user must be in the group that owns it (often `sudo usermod -aG dialout $USER`, then log \
             in again)"
                .to_owned()
        }
        serialport::ErrorKind::NoDevice | serialport::ErrorKind::Io(ErrorKind::NotFound) => {
            let names: Vec<String> =
                serialport::available_ports().unwrap_or_default().into_iter().map(|port| port.port_name).collect();
            match names.is_empty() {
                true => ": no serial port is there; is the board plugged in with a cable that carries data?".to_owned(),
                false => format!(": the ports are {}", names.join(", ")),
            }
        }
        _ => ": another program may be using it".to_owned(),
    }
}

struct Serial {
    name: String,
    port: Box<dyn serialport::SerialPort>,
}

impl Port for Serial {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.port.write_all(bytes)
    }

    fn read(&mut self, bytes: &mut [u8], wait: Duration) -> io::Result<usize> {
        // Zero would mean for ever on some systems.
        self.port.set_timeout(wait.max(Duration::from_millis(1)))?;
        nothing_in_time(self.port.read(bytes))
    }
}

struct Tcp {
    name: String,
    stream: TcpStream,
}

impl Port for Tcp {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    fn read(&mut self, bytes: &mut [u8], wait: Duration) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        match self.stream.read(bytes) {
            Ok(0) => Err(ErrorKind::ConnectionAborted.into()),
            result => nothing_in_time(result),
        }
    }
}

fn nothing_in_time(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted
            ) =>
        {
            Ok(0)
        }
        result => result,
    }
}

/// A program whose standard input and output are the line: an emulator, or what speaks to a probe. It ends with this.
pub struct Program {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    /// Read from the program, and not yet by us.
    pending: Vec<u8>,
}

impl Program {
    /// Starts the program; `name` is for errors.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(name: String, command: &mut Command) -> Result<Program> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::Missing {
                what: format!("the program {}", command.get_program().display()),
                advice: "install it (`dunlin setup` gets what boards need)".to_owned(),
            },
            _ => Error::Link { port: name.clone(), problem: format!("did not start: {error}") },
        })?;
        let (sender, output) = channel();
        if let Some(mut pipe) = child.stdout.take() {
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(n @ 1..) = pipe.read(&mut bytes) {
                    if sender.send(bytes[..n].to_vec()).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Program { name, input: child.stdin.take(), child, output, pending: Vec::new() })
    }
}

impl Port for Program {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(ErrorKind::BrokenPipe)?;
        input.write_all(bytes)?;
        input.flush()
    }

    fn read(&mut self, bytes: &mut [u8], wait: Duration) -> io::Result<usize> {
        if self.pending.is_empty() {
            self.pending = match self.output.recv_timeout(wait) {
                Ok(bytes) => bytes,
                Err(RecvTimeoutError::Timeout) => return Ok(0),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait()?;
                    return Err(io::Error::other(format!("the program at its other end ended ({status})")));
                }
            };
        }
        let n_bytes = bytes.len().min(self.pending.len());
        bytes[..n_bytes].copy_from_slice(&self.pending[..n_bytes]);
        self.pending.drain(..n_bytes);
        Ok(n_bytes)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It runs for ever; that it has ended already is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
