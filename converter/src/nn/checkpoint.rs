//! Checkpoints: everything that training goes on with, in a safetensors file.
//!
//! The file has every parameter and every moment of the optimizer as a tensor, and as its metadata `dunlin` the
//! history so far, what the training was asked to do, and a CRC-32 of the tensors. The order of the samples
//! follows from the seed and the number of epochs.

use std::collections::HashMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use super::step::{Runner, State, Step};
use super::{Callback, FitOptions, History, Metric, Metrics, Next, Source};
use crate::{Error, Result, file};

const KEY: &str = "dunlin";

/// Metrics as bits: decimal digits could lose some, and have no NaN.
#[derive(Serialize, Deserialize)]
struct Bits {
    loss: u64,
    accuracy: Option<u64>,
    more: Vec<(Metric, u64)>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    /// Options and data: another training must not go on from here.
    task: String,
    /// Of each epoch.
    epochs: Vec<Bits>,
    /// The same of the validation samples.
    validation: Vec<Bits>,
    /// Whether a callback ended training.
    is_stopped: bool,
    /// What each callback goes on with.
    callbacks: Vec<String>,
    /// Of this header with 0 here, and the tensors.
    crc32: u32,
}

/// How far a training has come.
pub(super) struct Progressed {
    pub history: History,
    pub next: Next,
}

impl Default for Progressed {
    fn default() -> Progressed {
        Progressed { history: History::default(), next: Next::GoOn }
    }
}

/// What a training is asked to do: the same for trainings that end in the same bytes.
pub(super) fn task(
    options: &FitOptions,
    steps: &[Step],
    data: &dyn Source,
    validation: Option<&dyn Source>,
) -> Result<String> {
    let FitOptions { epochs, batch_size, loss, optimizer, schedule, seed, .. } = options;
    let (clip, early, metrics) = (options.clip_norm, options.early_stopping, &options.metrics);
    let mut crc = crc32fast::Hasher::new();
    for data in [data].into_iter().chain(validation) {
        crc.update(&data.checksum()?.to_le_bytes());
    }
    let (n, crc) = (data.len(), crc.finalize());
    let network = steps.iter().fold(0, |crc, step| crc ^ step.checksum());
    let how = format!("{epochs} epochs by {batch_size}, {loss:?}, {optimizer:?}, {schedule:?}, seed {seed}");
    let when = format!("gradients clipped to {clip:?}, stopped by {early:?}, metrics {metrics:?}");
    Ok(format!("{how}, {when}, steps with checksum {network:08x}, {n} samples with checksum {crc:08x}"))
}

/// Writes a checkpoint in place of the one before.
///
/// # Errors
/// If it cannot be written; the one before is left then.
pub(super) fn save(
    path: &Path,
    task: &str,
    history: &History,
    next: Next,
    runner: &mut Runner,
    callbacks: &[&mut dyn Callback],
) -> Result<()> {
    let failed = |what: String| Error::File { path: path.to_owned(), what };
    let states = runner.states();
    let bits = |metrics: &[Metrics]| metrics.iter().map(Bits::of).collect();
    let mut header = Header {
        task: task.to_string(),
        epochs: bits(&history.epochs),
        validation: bits(&history.validation),
        is_stopped: next == Next::Stop,
        callbacks: callbacks.iter().map(|callback| callback.state()).collect(),
        crc32: 0,
    };
    header.crc32 = crc32(&header, states.iter().map(|(_, bytes)| &bytes[..]));
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

/// Takes up the training of a checkpoint, if there is one.
///
/// # Errors
/// If the file is damaged or another training's; it is left as it is. If a callback cannot go on.
pub(super) fn resume(
    path: &Path,
    task: &str,
    runner: &mut Runner,
    callbacks: &mut [&mut dyn Callback],
) -> Result<Progressed> {
    let bytes = match std::fs::read(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Progressed::default()),
        other => other.map_err(Error::io(path))?,
    };
    let failed = |what: String| Error::File { path: path.to_owned(), what };
    let (progressed, states) = restore(&bytes, task, runner).map_err(failed)?;
    if states.len() != callbacks.len() {
        let (was, now) = (states.len(), callbacks.len());
        let what = format!(
            "a checkpoint of a training with {was} callbacks (such as TensorBoard's), now there are {now}: go on with \
             the same"
        );
        return Err(failed(what));
    }
    for (callback, state) in callbacks.iter_mut().zip(&states) {
        callback.restore(state)?;
    }
    Ok(progressed)
}

fn restore(bytes: &[u8], task: &str, runner: &mut Runner) -> Result<(Progressed, Vec<String>), String> {
    let damaged = |what: &str| format!("a damaged checkpoint ({what}): delete it to train from the start");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e.to_string()))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e.to_string()))?;
    let header =
        metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| damaged("no history"))?;
    let mut header: Header = serde_json::from_str(header).map_err(|e| damaged(&e.to_string()))?;
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
    let stored = std::mem::take(&mut header.crc32);
    if crc32(&header, values.iter().map(Vec::as_slice)) != stored {
        return Err(damaged("its checksum differs"));
    }
    runner.set_states(&values);
    let metrics = |bits: Vec<Bits>| bits.into_iter().map(Bits::metrics).collect();
    let history = History { epochs: metrics(header.epochs), validation: metrics(header.validation) };
    let next = if header.is_stopped { Next::Stop } else { Next::GoOn };
    Ok((Progressed { history, next }, header.callbacks))
}

impl Bits {
    fn of(metrics: &Metrics) -> Bits {
        let more = metrics.more.iter().map(|&(metric, value)| (metric, value.to_bits()));
        Bits {
            loss: metrics.loss.to_bits(),
            accuracy: metrics.accuracy.map(f64::to_bits),
            more: more.collect(),
        }
    }

    fn metrics(self) -> Metrics {
        let more = self.more.into_iter().map(|(metric, bits)| (metric, f64::from_bits(bits)));
        Metrics {
            loss: f64::from_bits(self.loss),
            accuracy: self.accuracy.map(f64::from_bits),
            more: more.collect(),
        }
    }
}

fn crc32<'b>(header: &Header, parts: impl Iterator<Item = &'b [u8]>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&serde_json::to_vec(header).unwrap_or_default());
    parts.for_each(|part| crc.update(part));
    crc.finalize()
}
