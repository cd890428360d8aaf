//! What a model's author says of it: names of inputs and outputs, and labels.
//!
//! TensorFlow Lite Metadata is a FlatBuffer in a named buffer. The files that it names lie in a ZIP archive behind
//! the model.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::file::File;
use super::flatbuffer::{Table, Tables};
use super::schema;
use crate::{Error, Result};

/// The most bytes of labels.
const MAX_LABEL_BYTES: u64 = 1 << 20;

/// Names of ports in their order, empty where there is none; labels of the first output's elements.
#[derive(Debug, Default, PartialEq)]
pub struct Metadata {
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub labels: Vec<String>,
}

/// The metadata of a file; nothing if it has none. Labels whose file was taken away are none.
///
/// # Errors
/// If the file is damaged there.
pub fn read(file: &File) -> Result<Metadata> {
    for entry in file.root.tables(schema::model::METADATA)?.iter() {
        let entry = entry?;
        if entry.string(schema::metadata::NAME)? == schema::METADATA {
            let bytes = file.buffer(entry.scalar::<u32>(schema::metadata::BUFFER, 0)? as usize)?;
            return bytes.map_or(Ok(Metadata::default()), |bytes| decode(file, bytes));
        }
    }
    Ok(Metadata::default())
}

fn decode(file: &File, bytes: &[u8]) -> Result<Metadata> {
    use schema::subgraph_metadata::*;
    let graphs = Table::root(bytes)?.tables(schema::model_metadata::SUBGRAPHS)?;
    if graphs.count() == 0 {
        return Ok(Metadata::default());
    }
    let graph = graphs.get(0)?;
    let outputs = graph.tables(OUTPUTS)?;
    let labels = match outputs.count() {
        0 => Vec::new(),
        _ => labels(file, outputs.get(0)?)?,
    };
    Ok(Metadata { inputs: names(graph.tables(INPUTS)?)?, outputs: names(outputs)?, labels })
}

fn names(tensors: Tables) -> Result<Vec<String>> {
    tensors.iter().map(|tensor| tensor?.string(schema::tensor_metadata::NAME)).collect()
}

/// The labels of a tensor: of several languages, those without one, or the first.
fn labels(file: &File, tensor: Table) -> Result<Vec<String>> {
    use schema::associated_file::*;
    let mut found = None;
    for entry in tensor.tables(schema::tensor_metadata::FILES)?.iter() {
        let entry = entry?;
        if entry.scalar(TYPE, 0i8)? == schema::AXIS_LABELS {
            let (name, is_general) = (entry.string(NAME)?, entry.string(LOCALE)?.is_empty());
            if is_general {
                return lines(file, &name);
            }
            found.get_or_insert(name);
        }
    }
    found.map_or(Ok(Vec::new()), |name| lines(file, &name))
}

/// The lines of a file in the archive behind the model; none if it is not there.
fn lines(file: &File, name: &str) -> Result<Vec<String>> {
    let Ok(mut archive) = ZipArchive::new(Cursor::new(file.bytes)) else { return Ok(Vec::new()) };
    let Ok(entry) = archive.by_name(name) else { return Ok(Vec::new()) };
    let mut bytes = Vec::new();
    entry.take(MAX_LABEL_BYTES).read_to_end(&mut bytes).map_err(|error| {
        Error::Invalid(format!("holds the labels `{name}`, but they cannot be read: {error}"))
    })?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(String::from).collect())
}
