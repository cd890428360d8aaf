//! The firmware that serves a host over a line; the protocol is `boards/link`'s.

use dunlin_link::{Device, Wire};

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
pub fn serve(device: Device, wire: &mut impl Wire) -> ! {
    #[cfg(feature = "rtt-line")]
    let wire = {
        let _ = wire;
        &mut crate::rtt::start()
    };
    log::info!("{=str} serves a host; {=usize} bytes of RAM for models", device.board.name, device.ram.len());
    dunlin_link::serve(device, wire);
    // A board's line never ends; if it does, there is nothing left to do.
    loop {
        core::hint::spin_loop();
    }
}
