//! Exporters: from a graph in real form to other formats.

pub mod tflite;

use std::path::Path;

use crate::{Error, Graph, Result, file};

/// The bytes of a `.tflite` file that computes what `graph` computes: in int8 byte for byte, as TensorFlow Lite
/// Micro runs it.
///
/// # Errors
/// If the graph is not in real form, or holds what TensorFlow Lite or the device do not compute; names the
/// node.
pub fn tflite(graph: &Graph) -> Result<Vec<u8>> {
    tflite::write(graph)
}

/// Writes `graph` to `path` as a `.tflite` file.
///
/// # Errors
/// As [`tflite()`] and [`file::replace`]; names the file.
pub fn write_tflite(path: &Path, graph: &Graph) -> Result<()> {
    let bytes =
        tflite(graph).map_err(|error| Error::File { path: path.to_owned(), what: error.to_string() })?;
    file::replace(path, &bytes)
}
