//! The line to the firmware through the probe: what comes on standard input goes to the board, what the board says to
//! standard output. The firmware's channels are those of `boards/support/src/rtt.rs`.

use std::io::{Read, Write, stdin, stdout};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{sleep, spawn};
use std::time::Duration;

use probe_rs::Session;
use probe_rs::rtt::{ScanRegion, try_attach_to_rtt};

use crate::error::{Error, Result, causes};

/// What both channels are called.
const CHANNEL: &str = "dunlin";
/// The firmware sets them up within this time after its start.
const START: Duration = Duration::from_secs(3);
/// Between two looks when nothing happens.
const PAUSE: Duration = Duration::from_millis(1);

/// Carries bytes until standard input ends or the probe is lost.
pub fn carry(session: &mut Session) -> Result<()> {
    let lost = |error: &dyn std::error::Error| Error::Line(causes(error));
    let mut core = session.core(0).map_err(|error| lost(&error))?;
    let mut rtt = try_attach_to_rtt(&mut core, START, &ScanRegion::Ram).map_err(|_| Error::NoLine)?;
    let is_ours = |name: Option<&str>| name == Some(CHANNEL);
    let up = rtt.up_channels().iter().position(|channel| is_ours(channel.name())).ok_or(Error::NoLine)?;
    let down = rtt.down_channels().iter().position(|channel| is_ours(channel.name())).ok_or(Error::NoLine)?;
    let from_host = read_in_thread();
    let (mut pending, mut bytes) = (Vec::new(), [0; 1024]);
    loop {
        match from_host.try_recv() {
            Ok(bytes) => pending.extend(bytes),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
        let mut n_moved = 0;
        if let Some(channel) = rtt.down_channel(down).filter(|_| !pending.is_empty()) {
            n_moved = channel.write(&mut core, &pending).map_err(|error| lost(&error))?;
            pending.drain(..n_moved);
        }
        if let Some(channel) = rtt.up_channel(up) {
            let n_read = channel.read(&mut core, &mut bytes).map_err(|error| lost(&error))?;
            let mut out = stdout().lock();
            out.write_all(&bytes[..n_read]).and_then(|()| out.flush()).map_err(|error| lost(&error))?;
            n_moved += n_read;
        }
        if n_moved == 0 {
            sleep(PAUSE);
        }
    }
}

/// What comes on standard input; it ends with it.
fn read_in_thread() -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    spawn(move || {
        let mut bytes = [0; 1024];
        while let Ok(n @ 1..) = stdin().lock().read(&mut bytes) {
            if sender.send(bytes[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}
