//! Importers: from other formats to a graph in real form, told apart by their contents.

mod grouped;
mod half;
pub mod onnx;
pub mod tflite;

use std::path::Path;

use crate::pack::Packing;
use crate::plan::Request;
use crate::program::Rewrite;
use crate::{Error, Graph, Program, Result, passes};

/// How images and series lie in a network's inputs and outputs, where the file has channels first, as ONNX has. Inside of
/// the network channels are last in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// `[n, h, w, c]` and `[n, t, c]`, as cameras and sensors give them; nothing is moved on the device.
    #[default]
    ChannelsLast,
    /// As the file has them, `[n, c, h, w]` and `[n, c, t]`: the device moves the elements.
    AsInFile,
}

/// Whether `bytes` are in a format that is imported.
pub fn recognizes(bytes: &[u8]) -> bool {
    tflite::recognizes(bytes) || onnx::recognizes(bytes)
}

/// The graph in the file at `path`.
///
/// # Errors
/// If the file cannot be read, is of no known format, or holds what Dunlin does not compute; names the file.
pub fn load(path: &Path) -> Result<Graph> {
    load_with(path, Layout::default())
}

/// [`load`], with inputs and outputs as asked.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, layout: Layout) -> Result<Graph> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let folder = path.parent().unwrap_or(Path::new("."));
    read_with(&bytes, &name, Some(folder), layout).map_err(in_file(path))
}

/// The graph in the file at `path`, after [`passes::simplify`].
///
/// # Errors
/// As [`load`].
pub fn load_simplified(path: &Path) -> Result<Graph> {
    load_simplified_with(path, Layout::default())
}

/// [`load_simplified`], with inputs and outputs as asked.
///
/// # Errors
/// As [`load`].
pub fn load_simplified_with(path: &Path, layout: Layout) -> Result<Graph> {
    let mut graph = load_with(path, layout)?;
    passes::simplify(&mut graph).map_err(in_file(path))?;
    Ok(graph)
}

/// The program of the file at `path`: imported, simplified, lowered, planned.
///
/// # Errors
/// As [`load`], or if the device does not compute it.
pub fn compile(path: &Path) -> Result<Program> {
    compile_with(path, &Request::default(), Packing::Portable, Layout::default())
}

/// [`compile`], planned and with inputs and outputs as asked.
///
/// # Errors
/// As [`compile`], or if there is no such plan.
pub fn compile_with(
    path: &Path,
    request: &Request,
    rewrite: impl Into<Rewrite>,
    layout: Layout,
) -> Result<Program> {
    Program::compile_for(&load_simplified_with(path, layout)?, rewrite, request).map_err(in_file(path))
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
    read_with(bytes, name, None, Layout::default())
}

/// [`read`], with inputs and outputs as asked, and constants that are in other files from `folder`.
///
/// # Errors
/// As [`load`]; for any bytes.
pub fn read_with(bytes: &[u8], name: &str, folder: Option<&Path>, layout: Layout) -> Result<Graph> {
    if bytes.starts_with(&dunlin::format::MAGIC.to_le_bytes()) {
        let what = "is a .dunlin file, in which the device form is left only, without scales: \
                    convert the file that it was made from, or export the network that was trained";
        return Err(Error::Invalid(what.to_string()));
    }
    if tflite::recognizes(bytes) {
        return tflite::read(bytes, name);
    }
    if onnx::recognizes(bytes) {
        return onnx::read(bytes, name, folder, layout);
    }
    Err(Error::Invalid("is of no format that Dunlin imports: give it a .tflite or an .onnx file".to_string()))
}
