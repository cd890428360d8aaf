//! Files: replaced as a whole or not at all, and models read back for reports.

use std::path::{Path, PathBuf};

use dunlin::Model;

use crate::dead_channels::DeadChannels;
use crate::import::Layout;
use crate::plan::Request;
use crate::program::{AlignedBytes, Program, Rewrite};
use crate::report::ModelReport;
use crate::{Error, Graph, Result, import};

/// Writes `bytes` in place of whatever `path` holds: into a temporary file beside it first, which takes its
/// name when it is complete.
///
/// # Errors
/// If the folder is not there or not writable, or the disk is full; the old file is left then.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(dunlin_files::replace(path, bytes)?)
}

/// Writes a model to `path`, and beside it, with the extension `rs`, the Rust source of its arena's size and its
/// operators; that file's path is returned.
///
/// # Errors
/// As [`replace`].
pub fn write_program(path: &Path, program: &Program) -> Result<PathBuf> {
    write_program_with(path, program, "")
}

/// [`write_program`] with more Rust source at the end: what else the device needs of a model.
///
/// # Errors
/// As [`replace`].
pub fn write_program_with(path: &Path, program: &Program, more: &str) -> Result<PathBuf> {
    let source = program.operator_table()? + more;
    let source_path = path.with_extension("rs");
    replace(path, program.bytes())?;
    replace(&source_path, source.as_bytes())?;
    Ok(source_path)
}

/// A `.dunlin` file in memory, or what an imported file becomes.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// Where it was read.
    pub path: PathBuf,
    bytes: AlignedBytes,
    /// The device form, if it was converted just now.
    graph: Option<Graph>,
    /// What was removed then.
    pub dead_channels: DeadChannels,
}

impl ModelFile {
    /// Reads a file; [`ModelFile::model`] checks it. A file of another format, told by its contents, is
    /// converted.
    ///
    /// # Errors
    /// If it cannot be read or converted.
    pub fn read(path: &Path) -> Result<ModelFile> {
        ModelFile::read_with(path, &Request::default(), Rewrite::default(), Layout::default())
    }

    /// [`ModelFile::read`]; a file of another format is planned as asked, rewritten for a core, and its inputs and outputs
    /// lie as asked.
    ///
    /// # Errors
    /// As [`ModelFile::read`]; if another plan or layout than the default is asked of a `.dunlin` file, which has one, or
    /// if its dead channels are to be kept.
    pub fn read_with(
        path: &Path,
        request: &Request,
        rewrite: impl Into<Rewrite>,
        layout: Layout,
    ) -> Result<ModelFile> {
        let rewrite = rewrite.into();
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let path = path.to_owned();
        if !import::recognizes(&bytes) {
            if !bytes.starts_with(&dunlin::format::MAGIC.to_le_bytes()) {
                let what =
                    "is of no format that Dunlin knows, or damaged: give it a .dunlin, .tflite or .onnx file";
                return Err(Error::File { path, what: what.to_string() });
            }
            let is_asked = *request != Request::default() || layout != Layout::default();
            if is_asked || rewrite.keep_dead_channels {
                let what = "is converted and planned already: give these options to `dunlin convert`, with the file that it was \
                            made from";
                return Err(Error::File { path, what: what.to_string() });
            }
            let (bytes, dead_channels) = (AlignedBytes::of_model(&bytes), DeadChannels::default());
            return Ok(ModelFile { path, bytes, graph: None, dead_channels });
        }
        let program = import::compile_with(&path, request, rewrite, layout)?;
        let (bytes, dead_channels) = (AlignedBytes::of_model(program.bytes()), program.dead_channels);
        Ok(ModelFile { path, bytes, graph: Some(program.graph), dead_channels })
    }

    /// What is in the model; of a file that was converted just now, with all scales.
    ///
    /// # Errors
    /// As [`ModelFile::model`].
    pub fn report(&self) -> Result<ModelReport> {
        let report = ModelReport::of(&self.model()?)?;
        Ok(match &self.graph {
            Some(graph) => report.with_scales(graph).with_dead_channels(self.dead_channels.without_proofs()),
            None => report,
        })
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The model, checked, with all operators.
    ///
    /// # Errors
    /// What the runtime refuses; names the file.
    pub fn model(&self) -> Result<Model<'_>> {
        Model::check(&self.bytes, dunlin::ops::ALL)
            .map_err(|source| Error::Model { what: self.path.display().to_string(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_model_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.dunlin");
        replace(&path, b"not a model").unwrap();
        let error = ModelFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("net.dunlin: is of no format that Dunlin knows"), "{error}");
        replace(&path, &[&dunlin::format::MAGIC.to_le_bytes()[..], &[0; 8]].concat()).unwrap();
        let error = ModelFile::read(&path).unwrap().model().err().unwrap().to_string();
        assert!(error.contains("net.dunlin: "), "{error}");
    }
}
