//! Training as TensorBoard shows it.

mod events;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use self::events::{Histogram, Value};
use super::{Callback, EpochEnd, Metrics, Next};
use crate::{Error, Result};

/// Writes loss, metrics and learning rate of each epoch, and how the parameters are spread, into event files: of the
/// training samples in the folder `training`, of the validation samples in `validation`, which TensorBoard draws together
/// (`tensorboard --logdir FOLDER`). Give each training a folder of its own. A training that goes on from a checkpoint goes on
/// in the same files, from which it takes away what came after the checkpoint.
pub struct TensorBoard {
    folder: PathBuf,
    training: EventFile,
    validation: EventFile,
}

/// A file that grows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct EventFile {
    /// Below the folder; empty as long as there is no file.
    name: String,
    /// All that was written.
    n_bytes: u64,
}

impl TensorBoard {
    /// Into this folder, which need not be there yet.
    pub fn new(folder: &Path) -> TensorBoard {
        TensorBoard {
            folder: folder.to_owned(),
            training: EventFile::default(),
            validation: EventFile::default(),
        }
    }
}

impl Callback for TensorBoard {
    fn epoch_ends(&mut self, end: &EpochEnd) -> Result<Next> {
        let step = end.epoch as u64 + 1;
        let mut training = values(end.training);
        training.push(("learning_rate".to_string(), Value::Scalar(end.rate as f32)));
        for parameter in end.network.parameters() {
            let histogram = Histogram::of(&parameter.values);
            training.push((parameter.name.clone(), Value::Histogram(histogram)));
        }
        self.training.write(&self.folder, "training", step, &training)?;
        if let Some(validation) = end.validation {
            self.validation.write(&self.folder, "validation", step, &values(validation))?;
        }
        Ok(Next::GoOn)
    }

    fn state(&self) -> String {
        serde_json::json!([self.training, self.validation]).to_string()
    }

    fn restore(&mut self, state: &str) -> Result<()> {
        let files = serde_json::from_str(state).map_err(|e| {
            Error::Invalid(format!("the checkpoint is of no training with TensorBoard ({e})"))
        })?;
        [self.training, self.validation] = files;
        [&self.training, &self.validation].iter().try_for_each(|file| file.truncate(&self.folder))
    }
}

/// A metric that is not defined is left out.
fn values(metrics: &Metrics) -> Vec<(String, Value)> {
    let named = [("loss".to_string(), Some(metrics.loss)), ("accuracy".to_string(), metrics.accuracy)];
    let more = metrics.more.iter().map(|(metric, value)| (metric.to_string(), Some(*value)));
    let defined = named.into_iter().chain(more).filter_map(|(tag, value)| Some((tag, value?)));
    let finite = defined.filter(|(_, value)| value.is_finite());
    finite.map(|(tag, value)| (tag, Value::Scalar(value as f32))).collect()
}

impl EventFile {
    fn write(&mut self, folder: &Path, run: &str, step: u64, values: &[(String, Value)]) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        if self.name.is_empty() {
            self.create(folder, run, now)?;
        }
        self.append(folder, &events::event(now, step, values))
    }

    fn create(&mut self, folder: &Path, run: &str, now: f64) -> Result<()> {
        let run_folder = folder.join(run);
        std::fs::create_dir_all(&run_folder).map_err(Error::io(&run_folder))?;
        // TensorBoard looks for files with `tfevents` in their names.
        for i in 0.. {
            let name = format!("{run}/events.out.tfevents.{now:.0}.dunlin.{i}");
            let path = folder.join(&name);
            match File::create_new(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => {
                    other.map_err(Error::io(&path))?;
                    *self = EventFile { name, n_bytes: 0 };
                    break;
                }
            }
        }
        self.append(folder, &events::version(now))
    }

    fn append(&mut self, folder: &Path, bytes: &[u8]) -> Result<()> {
        let path = folder.join(&self.name);
        let write = || OpenOptions::new().append(true).open(&path)?.write_all(bytes);
        write().map_err(Error::io(&path))?;
        self.n_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Takes away what was written after the checkpoint.
    fn truncate(&self, folder: &Path) -> Result<()> {
        if self.name.is_empty() {
            return Ok(());
        }
        let path = folder.join(&self.name);
        let file = OpenOptions::new().write(true).open(&path).map_err(Error::io(&path))?;
        let have = file.metadata().map_err(Error::io(&path))?.len();
        if have < self.n_bytes {
            let want = self.n_bytes;
            let what = format!("has {have} bytes, it had {want} when the checkpoint was written: begin anew");
            return Err(Error::File { path, what });
        }
        file.set_len(self.n_bytes).map_err(Error::io(&path))
    }
}
