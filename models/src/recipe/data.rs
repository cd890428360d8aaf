//! Data as a recipe names them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dunlin_converter::data::{self, Examples, Split};
use dunlin_converter::nn::Dataset;
use dunlin_converter::{Error, Result};
use serde::Deserialize;

use super::Recipe;
use crate::digits;

/// What a recipe is trained and tested on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Where the samples come from.
    pub source: Source,
    /// Which of them training never sees.
    pub test: Test,
    /// Changed copies of the training samples.
    pub augment: Option<Augmentation>,
}

/// Where samples come from. Paths are relative to the data folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// The 1,797 scanned digits of 8×8 pixels that need no file.
    Digits,
    /// Files of the MNIST kind, perhaps compressed with gzip.
    Idx {
        /// Images of bytes, `[n, h, w]`.
        images: PathBuf,
        /// Their classes, `[n]`.
        labels: PathBuf,
    },
}

/// Which samples are the test's; see [`Split`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Test {
    /// The last so many: `{ last = 2000 }`.
    Last(usize),
    /// Of each class every so many-th: `{ every = 4 }`.
    Every(usize),
}

/// Copies of the training samples, changed a little. They make an epoch longer by that factor.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Copies of each sample.
    pub copies: usize,
    /// Images: moved by up to so many pixels in each direction.
    pub shift_pixels: usize,
}

/// Data ready for training.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What the network is trained on, copies included.
    pub training: Dataset,
    /// What int8 takes its ranges from: some of the training samples.
    pub calibration: Dataset,
    /// What it never sees.
    pub test: Dataset,
    /// Names of the classes.
    pub classes: Vec<String>,
}

impl Recipe {
    /// Reads the data, splits them and makes the changed copies.
    ///
    /// # Errors
    /// If a file cannot be read or is damaged, or the recipe asks of the data what they do not have.
    pub fn prepare(&self, folder: &Path, seed: u64) -> Result<Prepared> {
        let mut examples = self.data.source.load(folder)?;
        if let Some(labels) = &self.labels {
            if labels.len() < examples.classes.len() {
                let (n, n_classes) = (labels.len(), examples.classes.len());
                return Err(Error::Invalid(format!(
                    "the recipe names {n} labels, the data have {n_classes} classes"
                )));
            }
            examples.classes.clone_from(labels);
        }
        let [training, test] = examples.split(&self.data.test.split())?;
        let n_calibration = self.training.calibration_samples.min(training.len());
        let spread: Vec<usize> = (0..n_calibration).map(|i| i * training.len() / n_calibration).collect();
        let calibration = training.subset(&spread);
        let augmented = match self.data.augment {
            Some(Augmentation { copies, shift_pixels }) => {
                data::with_shifts(&training, shift_pixels, copies, 0.0, seed)?
            }
            None => training,
        };
        let dataset = |examples: &Examples<f32>| match self.training.loss.classifies() {
            true => examples.classification(),
            false => examples.reconstruction(),
        };
        Ok(Prepared {
            training: dataset(&augmented)?,
            calibration: dataset(&calibration)?,
            test: dataset(&test)?,
            classes: test.classes,
        })
    }
}

impl Source {
    fn load(&self, folder: &Path) -> Result<Examples<f32>> {
        let loaded = match self {
            Source::Digits => digits::examples(),
            Source::Idx { images, labels } => data::read_idx(&folder.join(images), &folder.join(labels)),
        };
        loaded.map_err(|error| match error {
            Error::Io { path, source } if source.kind() == ErrorKind::NotFound => {
                let what =
                    "is not there: name the folder of the recipe's data (`dunlin train --data FOLDER`)";
                Error::File { path, what: what.to_string() }
            }
            other => other,
        })
    }
}

impl Test {
    fn split(&self) -> Split {
        match self {
            Test::Last(n) => Split::Last(*n),
            Test::Every(n) => Split::Every(*n),
        }
    }
}
