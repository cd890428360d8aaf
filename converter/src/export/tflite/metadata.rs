//! Labels of the first output, as TensorFlow Lite Metadata: a FlatBuffer in a named buffer, and a file in a ZIP
//! archive behind the model.

use std::io::{self, Cursor, Seek, SeekFrom, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::flatbuffer::{self, Table};
use super::schema;
use crate::{Error, Graph, Result, TensorId};

/// The file of labels.
const LABELS: &str = "labels.txt";
/// The oldest version of readers that know all fields below.
const MIN_PARSER_VERSION: &str = "1.0.0";

/// The buffer that names the ports and the file of labels.
pub fn metadata(graph: &Graph) -> Vec<u8> {
    let tensor = |&id: &TensorId| Table::new().with(schema::tensor_metadata::NAME, &graph[id].name[..]);
    let inputs: Vec<Table> = graph.inputs().iter().map(tensor).collect();
    let mut outputs: Vec<Table> = graph.outputs().iter().map(tensor).collect();
    let labels = Table::new()
        .with(schema::associated_file::NAME, LABELS)
        .with(schema::associated_file::TYPE, schema::AXIS_LABELS);
    if let Some(first) = outputs.first_mut() {
        *first = first.clone().with(schema::tensor_metadata::FILES, vec![labels]);
    }
    let subgraph = Table::new()
        .with(schema::subgraph_metadata::INPUTS, inputs)
        .with(schema::subgraph_metadata::OUTPUTS, outputs);
    let root = Table::new()
        .with(schema::model_metadata::NAME, &graph.name[..])
        .with(schema::model_metadata::SUBGRAPHS, vec![subgraph])
        .with(schema::model_metadata::MIN_PARSER_VERSION, MIN_PARSER_VERSION);
    flatbuffer::file(&root, schema::METADATA_IDENTIFIER)
}

/// The model's bytes with the archive of its labels behind them.
///
/// # Errors
/// If a label holds a line break.
pub fn with_labels(model: Vec<u8>, labels: &[String]) -> Result<Vec<u8>> {
    if let Some(broken) = labels.iter().find(|label| label.contains(['\n', '\r'])) {
        let what = format!("the label {broken:?} has a line break, and a .tflite file keeps a label a line");
        return Err(Error::Invalid(what));
    }
    archive(model, labels).map_err(|error| Error::Invalid(format!("the labels cannot be archived: {error}")))
}

fn archive(model: Vec<u8>, labels: &[String]) -> io::Result<Vec<u8>> {
    let mut file = Cursor::new(model);
    file.seek(SeekFrom::End(0))?;
    let mut archive = ZipWriter::new(file);
    // As TensorFlow's tools write it: not compressed. Without a date the same network gives the same bytes.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    archive.start_file(LABELS, options)?;
    archive.write_all(labels.join("\n").as_bytes())?;
    Ok(archive.finish()?.into_inner())
}
