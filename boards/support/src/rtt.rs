//! A line through the debug probe, which reads and writes the RAM while the core runs: SEGGER's RTT. The host finds the
//! channels by their name.

use dunlin_link::{Wire, frame::FRAME_MAX_BYTES};
use rtt_target::{ChannelMode::NoBlockTrim, DownChannel, UpChannel, rtt_init};

/// Of both directions: a frame fits.
const BUFFER_BYTES: usize = 512;
const _: () = assert!(FRAME_MAX_BYTES < BUFFER_BYTES);

/// The line.
pub struct Rtt {
    to_host: UpChannel,
    from_host: DownChannel,
}

/// Makes the channels, that of the log included. To be called once.
pub fn start() -> Rtt {
    // What has no room is not written: frames are whole, and a log that nobody reads stops nothing.
    let channels = rtt_init! {
        up: {
            0: { size: 1024, mode: NoBlockTrim, name: "defmt" }
            1: { size: BUFFER_BYTES, name: "dunlin" }
        }
        down: {
            0: { size: BUFFER_BYTES, name: "dunlin" }
        }
    };
    #[cfg(feature = "rtt")]
    rtt_target::set_defmt_channel(channels.up.0);
    Rtt { to_host: channels.up.1, from_host: channels.down.0 }
}

impl Wire for Rtt {
    fn read(&mut self) -> Option<u8> {
        let mut byte = [0];
        while self.from_host.read(&mut byte) == 0 {}
        Some(byte[0])
    }

    fn write(&mut self, bytes: &[u8]) {
        self.to_host.write(bytes);
    }
}

/// Emulated boards have no HAL that brings one; of their interrupts only a counter of time comes, which shares nothing.
#[cfg(feature = "emulated")]
mod critical {
    struct Alone;
    critical_section::set_impl!(Alone);

    // SAFETY: one core, and no interrupt that touches what others do.
    unsafe impl critical_section::Impl for Alone {
        unsafe fn acquire() -> critical_section::RawRestoreState {}

        unsafe fn release(_: critical_section::RawRestoreState) {}
    }
}
