//! Checkpoints: everything that training goes on with, in a safetensors file.
//!
//! The file has every parameter and every moment of the optimizer as a tensor, and as its metadata `dunlin` the
//! history so far, what the training was asked to do, and a CRC-32 of the tensors. The order of the samples
//! follows from the seed and the number of epochs.

use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use super::step::{Runner, State};
use super::{Dataset, FitOptions, History, Metrics};
use crate::{Error, Result, file};

const KEY: &str = "dunlin";

type Bits = (u64, Option<u64>);

#[derive(Serialize, Deserialize)]
struct Header {
    /// Options and data: another training must not go on from here.
    task: String,
    /// Bits of loss and accuracy of each epoch: decimal digits could lose some.
    epochs: Vec<Bits>,
    /// The same of the validation samples.
    validation: Vec<Bits>,
    crc32: u32,
}

/// What a training is asked to do: the same for trainings that end in the same bytes.
pub(super) fn task(options: &FitOptions, data: &Dataset, validation: Option<&Dataset>) -> String {
    let FitOptions { epochs, batch_size, loss, optimizer, schedule, seed, .. } = options;
    let (clip, early) = (options.clip_norm, options.early_stopping);
    let mut crc = crc32fast::Hasher::new();
    for data in [data].into_iter().chain(validation) {
        for i in 0..data.len() {
            crc.update(bytemuck::cast_slice(data.sample(i)));
            crc.update(bytemuck::cast_slice(data.target(i)));
        }
    }
    let (n, crc) = (data.len(), crc.finalize());
    let how = format!("{epochs} epochs by {batch_size}, {loss:?}, {optimizer:?}, {schedule:?}, seed {seed}");
    let when = format!("gradients clipped to {clip:?}, stopped by {early:?}");
    format!("{how}, {when}, {n} samples with checksum {crc:08x}")
}

/// Writes a checkpoint in place of the one before.
///
/// # Errors
/// If it cannot be written; the one before is left then.
pub(super) fn save(path: &Path, task: &str, history: &History, runner: &mut Runner) -> Result<()> {
    let failed = |what: String| Error::File { path: path.to_owned(), what };
    let states = runner.states();
    let bits = |metrics: &[Metrics]| -> Vec<Bits> {
        metrics.iter().map(|m| (m.loss.to_bits(), m.accuracy.map(f64::to_bits))).collect()
    };
    let (epochs, validation) = (bits(&history.epochs), bits(&history.validation));
    let crc32 = crc32(states.iter().map(|(_, bytes)| &bytes[..]));
    let header = Header { task: task.to_string(), epochs, validation, crc32 };
    let header = serde_json::to_string(&header).map_err(|e| failed(e.to_string()))?;
    let mut views = Vec::new();
    for (state, bytes) in &states {
        let view =
            TensorView::new(Dtype::F32, state.dims.clone(), bytes).map_err(|e| failed(e.to_string()))?;
        views.push((&state.name, view));
    }
    let metadata = HashMap::from([(KEY.to_string(), header)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| failed(e.to_string()))?;
    file::replace(path, &bytes)
}

/// Takes up the training of a checkpoint, if there is one: its history.
///
/// # Errors
/// If the file is damaged or another training's; it is left as it is.
pub(super) fn resume(path: &Path, task: &str, runner: &mut Runner) -> Result<History> {
    let bytes = match std::fs::read(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(History::default()),
        other => other.map_err(Error::io(path))?,
    };
    restore(&bytes, task, runner).map_err(|what| Error::File { path: path.to_owned(), what })
}

fn restore(bytes: &[u8], task: &str, runner: &mut Runner) -> Result<History, String> {
    let damaged = |what: &str| format!("a damaged checkpoint ({what}): delete it to train from the start");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e.to_string()))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e.to_string()))?;
    let header =
        metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| damaged("no history"))?;
    let header: Header = serde_json::from_str(header).map_err(|e| damaged(&e.to_string()))?;
    if header.task != task {
        let was = header.task;
        return Err(format!("a checkpoint of another training ({was}; now {task}): name another file"));
    }
    let tensor = |(state, _): &(&State, Vec<u8>)| match tensors.tensor(&state.name) {
        Ok(tensor) if tensor.shape() == state.dims && tensor.dtype() == Dtype::F32 => {
            Ok(tensor.data().to_vec())
        }
        _ => Err(format!("a checkpoint of another network: `{}` is not in it as it is here", state.name)),
    };
    let values = runner.states().iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
    if crc32(values.iter().map(Vec::as_slice)) != header.crc32 {
        return Err(damaged("its checksum differs"));
    }
    runner.set_states(&values);
    let metrics = |bits: Vec<Bits>| -> Vec<Metrics> {
        let of = |(loss, accuracy): Bits| (f64::from_bits(loss), accuracy.map(f64::from_bits));
        bits.into_iter().map(of).map(|(loss, accuracy)| Metrics { loss, accuracy }).collect()
    };
    Ok(History { epochs: metrics(header.epochs), validation: metrics(header.validation) })
}

fn crc32<'b>(parts: impl Iterator<Item = &'b [u8]>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    parts.for_each(|part| crc.update(part));
    crc.finalize()
}
