//! Decoding the firmware's log: defmt frames, whose texts stay in the ELF.

use std::io::Read;

use defmt_decoder::{DecodeError, Table};

/// The log's lines, each `LEVEL message (file:line)`. What cannot be decoded is said in a line of its own: a log is
/// read when something else went wrong, and must not hide it.
pub fn decode(elf: &[u8], raw: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    follow(elf, raw, &mut |line| lines.push(line));
    lines
}

/// Decodes a log as it comes, until it ends; see [`decode`].
pub fn follow(elf: &[u8], mut raw: impl Read, say: &mut dyn FnMut(String)) {
    let table = match Table::parse(elf) {
        Ok(Some(table)) => table,
        without => {
            let mut bytes = Vec::new();
            // What was read before an error is the best there is to show.
            let _ = raw.read_to_end(&mut bytes);
            return match without {
                Err(error) => say(format!("(the firmware's defmt table is unreadable: {error})")),
                _ if bytes.is_empty() => {}
                _ => say(format!("(the firmware has no defmt table; it printed {bytes:?})")),
            };
        }
    };
    // Without debug information there are no places to tell; the messages are still worth reading.
    let locations = table.get_locations(elf).unwrap_or_default();
    let mut decoder = table.new_stream_decoder();
    let mut bytes = [0; 1024];
    while let Ok(n_bytes @ 1..) = raw.read(&mut bytes) {
        decoder.received(&bytes[..n_bytes]);
        loop {
            match decoder.decode() {
                Ok(frame) => {
                    let level = frame.level().map_or("", |level| level.as_str()).to_uppercase();
                    let place = locations.get(&frame.index()).map_or(String::new(), |location| {
                        let file = location.file.file_name().unwrap_or_default().to_string_lossy();
                        format!(" ({file}:{})", location.line)
                    });
                    say(format!("{level} {}{place}", frame.display_message()));
                }
                Err(DecodeError::UnexpectedEof) => break,
                // The decoder goes on behind the next frame's mark.
                Err(DecodeError::Malformed) => say("(a damaged frame)".to_owned()),
            }
        }
    }
}
