//! The firmware that serves a host over a line; the protocol is `boards/link`'s.

use dunlin::Entry;
use dunlin_link::{Board, Clock, Device, Wire};

use crate::log;

/// A line made of what a HAL's serial port can do.
pub struct Line<R, W> {
    /// Waits for a byte; false if what came is damaged.
    pub read: R,
    /// Writes all bytes.
    pub write: W,
}

impl<R: FnMut(&mut [u8; 1]) -> bool, W: FnMut(&[u8])> Wire for Line<R, W> {
    fn read(&mut self) -> Option<u8> {
        let mut byte = [0];
        // The protocol notices what is missing.
        while !(self.read)(&mut byte) {}
        Some(byte[0])
    }

    fn write(&mut self, bytes: &[u8]) {
        (self.write)(bytes);
    }
}

/// Serves the host, for ever; see [`serve!`](crate::serve).
pub fn serve(
    board: Board,
    wire: &mut impl Wire,
    clock: &mut dyn Clock,
    model: Option<&[u8]>,
    ops: &[Entry],
    arena: &mut [u8],
    ram: &mut [u8],
) -> ! {
    log::info!("{=str} serves a host; {=usize} bytes of RAM for models", board.name, ram.len());
    dunlin_link::serve(Device { board, clock, ops, model, arena, ram }, wire);
    // A board's line never ends; if it does, there is nothing left to do.
    loop {
        core::hint::spin_loop();
    }
}
