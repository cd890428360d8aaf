//! Importers: from other formats to a graph in real form, told apart by their contents.

pub mod tflite;

use std::path::Path;

use crate::pack::Packing;
use crate::plan::Request;
use crate::program::Rewrite;
use crate::{Error, Graph, Program, Result, passes};

/// Whether `bytes` are in a format that is imported.
pub fn recognizes(bytes: &[u8]) -> bool {
    tflite::recognizes(bytes)
}

/// The graph in the file at `path`.
///
/// # Errors
/// If the file cannot be read, is of no known format, or holds what Dunlin does not compute; names the file.
pub fn load(path: &Path) -> Result<Graph> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    read(&bytes, &name).map_err(in_file(path))
}

/// The graph in the file at `path`, after [`passes::simplify`].
///
/// # Errors
/// As [`load`].
pub fn load_simplified(path: &Path) -> Result<Graph> {
    let mut graph = load(path)?;
    passes::simplify(&mut graph).map_err(in_file(path))?;
    Ok(graph)
}

/// The program of the file at `path`: imported, simplified, lowered, planned.
///
/// # Errors
/// As [`load`], or if the device does not compute it.
pub fn compile(path: &Path) -> Result<Program> {
    compile_with(path, &Request::default(), Packing::Portable)
}

/// [`compile`], planned as asked.
///
/// # Errors
/// As [`compile`], or if there is no such plan.
pub fn compile_with(path: &Path, request: &Request, rewrite: impl Into<Rewrite>) -> Result<Program> {
    Program::compile_for(&load_simplified(path)?, rewrite, request).map_err(in_file(path))
}

/// Says of an error in which file it is.
pub fn in_file(path: &Path) -> impl Fn(Error) -> Error {
    |error| Error::File { path: path.to_owned(), what: error.to_string() }
}

/// The graph in a file's bytes; `name` becomes the graph's.
///
/// # Errors
/// As [`load`]; for any bytes.
pub fn read(bytes: &[u8], name: &str) -> Result<Graph> {
    if bytes.starts_with(&dunlin::format::MAGIC.to_le_bytes()) {
        let what = "is a .dunlin file, in which the device form is left only, without scales: \
                    convert the file that it was made from, or export the network that was trained";
        return Err(Error::Invalid(what.to_string()));
    }
    if !recognizes(bytes) {
        return Err(Error::Invalid(
            "is of no format that Dunlin imports: give it a .tflite file".to_string(),
        ));
    }
    tflite::read(bytes, name)
}
