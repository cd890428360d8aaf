//! The firmware's log over RTT, as it comes: `dunlin flash` decodes it.

use std::io::{Write, stdout};
use std::thread::sleep;
use std::time::Duration;

use probe_rs::Session;
use probe_rs::rtt::{ScanRegion, find_rtt_control_block_in_raw_file, try_attach_to_rtt};

use crate::error::{Error, Result, causes};
use crate::image::Image;

/// The firmware sets up its log within this time after its start.
const START: Duration = Duration::from_secs(3);
/// Between two looks at an empty log.
const PAUSE: Duration = Duration::from_millis(20);

/// Hands over the log until the reader has gone or the probe is lost.
pub fn show(session: &mut Session, image: &Image) -> Result<()> {
    let unreadable = |error: &dyn std::error::Error| Error::Log(causes(error));
    let no_log = || Error::Log("the firmware was built without one".to_owned());
    let address = find_rtt_control_block_in_raw_file(&image.bytes).map_err(|error| unreadable(&error))?;
    let region = ScanRegion::Exact(address.ok_or_else(no_log)?);
    let mut core = session.core(0).map_err(|error| unreadable(&error))?;
    let mut rtt = try_attach_to_rtt(&mut core, START, &region).map_err(|error| unreadable(&error))?;
    let channel = rtt.up_channel(0).ok_or_else(no_log)?;
    let mut bytes = [0; 1024];
    loop {
        let n_bytes = channel.read(&mut core, &mut bytes).map_err(|error| unreadable(&error))?;
        let mut out = stdout().lock();
        if out.write_all(&bytes[..n_bytes]).and_then(|()| out.flush()).is_err() {
            return Ok(());
        }
        if n_bytes == 0 {
            sleep(PAUSE);
        }
    }
}
