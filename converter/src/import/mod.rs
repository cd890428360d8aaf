//! Importers: from other formats to a graph in real form, told apart by their contents.

pub mod tflite;

use std::path::Path;

use crate::{Error, Graph, Result};

/// The graph in the file at `path`.
///
/// # Errors
/// If the file cannot be read, is of no known format, or holds what Dunlin does not compute; names the file.
pub fn load(path: &Path) -> Result<Graph> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    read(&bytes, &name).map_err(|error| Error::File { path: path.to_owned(), what: error.to_string() })
}

/// The graph in a file's bytes; `name` becomes the graph's.
///
/// # Errors
/// As [`load`]; for any bytes.
pub fn read(bytes: &[u8], name: &str) -> Result<Graph> {
    if tflite::recognizes(bytes) {
        return tflite::read(bytes, name);
    }
    Err(Error::Invalid("is of no format that Dunlin reads: it takes .tflite".to_string()))
}
