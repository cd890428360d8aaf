//! The firmware's log: defmt frames over RTT.

use std::thread::sleep;
use std::time::Duration;

use defmt_decoder::{DecodeError, Table};
use probe_rs::Session;
use probe_rs::rtt::{ScanRegion, find_rtt_control_block_in_raw_file, try_attach_to_rtt};

use crate::error::{Error, Result, causes};
use crate::image::Image;

/// The firmware sets up its log within this time after its start.
const START: Duration = Duration::from_secs(3);
/// Between two looks at an empty log.
const PAUSE: Duration = Duration::from_millis(20);

/// Prints the log until the program is interrupted or the probe is lost.
pub fn show(session: &mut Session, image: &Image) -> Result<()> {
    let unreadable = |error: &dyn std::error::Error| Error::Log(causes(error));
    let no_log = || Error::Log("the firmware was built without one".to_owned());
    let table =
        Table::parse(&image.bytes).map_err(|error| Error::Log(error.to_string()))?.ok_or_else(no_log)?;
    let address = find_rtt_control_block_in_raw_file(&image.bytes).map_err(|error| unreadable(&error))?;
    let region = ScanRegion::Exact(address.ok_or_else(no_log)?);
    let mut core = session.core(0).map_err(|error| unreadable(&error))?;
    let mut rtt = try_attach_to_rtt(&mut core, START, &region).map_err(|error| unreadable(&error))?;
    let channel = rtt.up_channel(0).ok_or_else(no_log)?;
    let mut decoder = table.new_stream_decoder();
    let mut bytes = [0; 1024];
    loop {
        let n_bytes = channel.read(&mut core, &mut bytes).map_err(|error| unreadable(&error))?;
        decoder.received(&bytes[..n_bytes]);
        loop {
            match decoder.decode() {
                Ok(frame) => println!("{}", frame.display(false)),
                Err(DecodeError::UnexpectedEof) => break,
                // The decoder goes on behind the next frame's mark.
                Err(DecodeError::Malformed) => println!("(a damaged frame)"),
            }
        }
        if n_bytes == 0 {
            sleep(PAUSE);
        }
    }
}
