//! Decoding the firmware's log: defmt frames, whose texts stay in the ELF.

use defmt_decoder::{DecodeError, Locations, Table};

/// The log's lines, each `LEVEL message (file:line)`. What cannot be decoded is said in a line of its own: a log is
/// read when something else went wrong, and must not hide it.
pub fn decode(elf: &[u8], raw: &[u8]) -> Vec<String> {
    let table = match Table::parse(elf) {
        Ok(Some(table)) => table,
        Ok(None) if raw.is_empty() => return Vec::new(),
        Ok(None) => return vec![format!("(the firmware has no defmt table; it printed {raw:?})")],
        Err(error) => return vec![format!("(the firmware's defmt table is unreadable: {error})")],
    };
    // Without debug information there are no places to tell; the messages are still worth reading.
    let locations = table.get_locations(elf).unwrap_or_default();
    decode_frames(&table, &locations, raw)
}

fn decode_frames(table: &Table, locations: &Locations, raw: &[u8]) -> Vec<String> {
    let mut decoder = table.new_stream_decoder();
    decoder.received(raw);
    let mut lines = Vec::new();
    loop {
        match decoder.decode() {
            Ok(frame) => {
                let level = frame.level().map_or("", |level| level.as_str()).to_uppercase();
                let place = locations.get(&frame.index()).map_or(String::new(), |location| {
                    let file = location.file.file_name().unwrap_or_default().to_string_lossy();
                    format!(" ({file}:{})", location.line)
                });
                lines.push(format!("{level} {}{place}", frame.display_message()));
            }
            Err(DecodeError::UnexpectedEof) => return lines,
            // The decoder goes on behind the next frame's mark.
            Err(DecodeError::Malformed) => lines.push("(a damaged frame)".to_owned()),
        }
    }
}
