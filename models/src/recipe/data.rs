//! Data as a recipe names them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dunlin::frontend::{Config, Features};
use dunlin_converter::data::{self, Examples, Sounds, Split, Variation};
use dunlin_converter::nn::Dataset;
use dunlin_converter::npy::Array;
use dunlin_converter::{Data, Error, Result};
use serde::Deserialize;

use super::Recipe;
use crate::{digits, gestures};

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
    /// A folder of WAV files.
    Wav(Wav),
    /// Made-up windows of an accelerometer that need no file; see [`gestures`].
    Gestures {
        /// How many.
        windows: usize,
        /// Other windows for another number.
        seed: u64,
    },
}

/// A folder of WAV files, in it or in folders within; see [`Sounds`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wav {
    /// The folder.
    pub folder: PathBuf,
    /// How a file's path is read: `{label}_{speaker}_{recording}.wav`, or `{label}/{file}.wav`.
    pub name: String,
    /// Samples of an example, around the middle of the sound.
    pub clip_samples: usize,
    /// How sound becomes features.
    pub front_end: FrontEndSpec,
}

/// Which samples are the test's; see [`Split`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Test {
    /// The last so many: `{ last = 2000 }`.
    Last(usize),
    /// Of each class every so many-th: `{ every = 4 }`.
    Every(usize),
    /// Those whose file's name has one of these values: `{ field = { name = "speaker", values = ["lucas"] } }`.
    Field {
        /// A field of the source's `name`.
        name: String,
        /// Its values in the test.
        values: Vec<String>,
    },
}

/// Copies of the training samples, changed a little. They make an epoch longer by that factor.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Augmentation {
    /// Of images; see [`data::with_shifts`].
    Images {
        /// Copies of each sample.
        copies: usize,
        /// Moved by up to so many pixels in each direction.
        shift_pixels: usize,
    },
    /// Of sounds, before their features; see [`Variation`].
    Sounds {
        /// Copies of each sample.
        copies: usize,
        /// Up to so many samples earlier or later.
        shift_samples: usize,
        /// Up to so many decibels louder or quieter.
        gain_db: f64,
        /// With noise of up to this many decibels relative to full scale.
        noise_db: f64,
    },
}

/// How sound becomes features; see [`Config`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontEndSpec {
    sample_rate_hz: u32,
    window_samples: u16,
    hop_samples: u16,
    fft_samples: u16,
    n_filters: u8,
    low_hz: u16,
    high_hz: u16,
    floor_bits: u8,
    features: FeaturesSpec,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FeaturesSpec {
    LogMel,
    /// How many coefficients.
    Mfcc(u8),
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

/// Samples after the split.
struct Parts {
    training: Examples<f32>,
    /// The training samples with their changed copies.
    augmented: Examples<f32>,
    test: Examples<f32>,
}

impl Recipe {
    /// Reads the data, splits them and makes the changed copies.
    ///
    /// # Errors
    /// If a file cannot be read or is damaged, or the recipe asks of the data what they do not have.
    pub fn prepare(&self, folder: &Path, seed: u64) -> Result<Prepared> {
        let parts = match &self.data.source {
            Source::Digits => self.images(digits::examples()?, seed)?,
            Source::Idx { images, labels } => {
                let examples = data::read_idx(&folder.join(images), &folder.join(labels));
                self.images(examples.map_err(with_advice)?, seed)?
            }
            Source::Wav(wav) => self.sounds(wav, folder, seed)?,
            Source::Gestures { windows, seed } => self.motions(gestures::examples(*windows, *seed)?)?,
        };
        let Parts { training, augmented, test } = parts;
        let n_calibration = self.training.calibration_samples.min(training.len());
        let spread: Vec<usize> = (0..n_calibration).map(|i| i * training.len() / n_calibration).collect();
        let calibration = training.subset(&spread);
        let dataset = |examples: &Examples<f32>| match self.training.loss.classifies() {
            true => examples.classification(),
            false => examples.reconstruction(),
        };
        Ok(Prepared {
            training: dataset(&augmented)?,
            calibration: dataset(&calibration)?,
            test: dataset(&test)?,
            classes: self.class_names(test.classes)?,
        })
    }

    fn images(&self, all: Examples<f32>, seed: u64) -> Result<Parts> {
        let [training, test] = all.split(&self.data.test.split())?;
        let augmented = match self.data.augment {
            Some(Augmentation::Images { copies, shift_pixels }) => {
                data::with_shifts(&training, shift_pixels, copies, 0.0, seed)?
            }
            Some(Augmentation::Sounds { .. }) => {
                return Err(Error::Invalid(
                    "`augment.sounds` is for wav data: take `augment.images`".to_string(),
                ));
            }
            None => training.clone(),
        };
        Ok(Parts { training, augmented, test })
    }

    fn motions(&self, all: Examples<f32>) -> Result<Parts> {
        if self.data.augment.is_some() {
            return Err(Error::Invalid("`augment` is not for gestures: ask for more windows".to_string()));
        }
        let [training, test] = all.split(&self.data.test.split())?;
        Ok(Parts { augmented: training.clone(), training, test })
    }

    fn sounds(&self, wav: &Wav, folder: &Path, seed: u64) -> Result<Parts> {
        let config = wav.front_end.config();
        let all = data::read_sounds(&folder.join(&wav.folder), &wav.sounds()).map_err(with_advice)?;
        let [training, test] = all.split(&self.data.test.split())?;
        let augmented = match self.data.augment {
            Some(Augmentation::Sounds { copies, shift_samples, gain_db, noise_db }) => {
                let how = Variation { shift_samples, gain_db, noise_db };
                data::with_variations(&training, &how, copies, seed)
            }
            Some(Augmentation::Images { .. }) => {
                return Err(Error::Invalid(
                    "`augment.images` is not for wav data: take `augment.sounds`".to_string(),
                ));
            }
            None => training.clone(),
        };
        let features = |sounds| data::features(sounds, &config);
        Ok(Parts { training: features(&training)?, augmented: features(&augmented)?, test: features(&test)? })
    }

    fn class_names(&self, of_data: Vec<String>) -> Result<Vec<String>> {
        match &self.labels {
            Some(labels) if labels.len() != of_data.len() => {
                let (n, n_classes) = (labels.len(), of_data.len());
                Err(Error::Invalid(format!("the recipe names {n} labels, the data have {n_classes} classes")))
            }
            Some(labels) => Ok(labels.clone()),
            None => Ok(of_data),
        }
    }

    /// The features of WAV files, `[files, rows, features, 1]`; `None` if the recipe is not for sound.
    ///
    /// # Errors
    /// If a file cannot be read or is not of the recipe's kind.
    pub fn features_of(&self, paths: &[PathBuf]) -> Result<Option<Array>> {
        let Source::Wav(wav) = &self.data.source else { return Ok(None) };
        let sounds = wav.sounds();
        let mut pcm = Vec::new();
        for path in paths {
            pcm.extend(data::read_clip(path, &sounds)?);
        }
        let clips = Examples::new(&[wav.clip_samples], pcm, vec![0; paths.len()])?;
        let Examples { dims, x, .. } = data::features(&clips, &wav.front_end.config())?;
        Ok(Some(Array { dims: [&[paths.len()][..], &dims].concat(), data: Data::F32(x) }))
    }

    /// How sound becomes features, if it does.
    pub fn front_end(&self) -> Option<Config> {
        match &self.data.source {
            Source::Wav(wav) => Some(wav.front_end.config()),
            Source::Digits | Source::Idx { .. } | Source::Gestures { .. } => None,
        }
    }
}

/// A file that is not there may be elsewhere.
fn with_advice(error: Error) -> Error {
    match error {
        Error::Io { path, source } if source.kind() == ErrorKind::NotFound => {
            let what = "is not there: name the folder of the recipe's data (`dunlin train --data FOLDER`)";
            Error::File { path, what: what.to_string() }
        }
        other => other,
    }
}

impl Wav {
    fn sounds(&self) -> Sounds {
        Sounds {
            name: self.name.clone(),
            sample_rate_hz: self.front_end.sample_rate_hz,
            clip_samples: self.clip_samples,
        }
    }
}

impl Test {
    fn split(&self) -> Split {
        match self {
            Test::Last(n) => Split::Last(*n),
            Test::Every(n) => Split::Every(*n),
            Test::Field { name, values } => Split::Field { name: name.clone(), values: values.clone() },
        }
    }
}

impl FrontEndSpec {
    fn config(&self) -> Config {
        let FrontEndSpec { sample_rate_hz, window_samples, hop_samples, fft_samples, .. } = *self;
        let FrontEndSpec { n_filters, low_hz, high_hz, floor_bits, features, .. } = *self;
        let features = match features {
            FeaturesSpec::LogMel => Features::LogMel,
            FeaturesSpec::Mfcc(n_coefficients) => Features::Mfcc { n_coefficients },
        };
        Config {
            sample_rate_hz,
            window_samples,
            hop_samples,
            fft_samples,
            n_filters,
            low_hz,
            high_hz,
            floor_bits,
            features,
        }
    }
}
