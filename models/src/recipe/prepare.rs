//! From a recipe's data to samples for training.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dunlin::frontend::{Axis, Config};
use dunlin_converter::data::{self, Augment, Examples, Images, Standardization, sensor};
use dunlin_converter::nn::Dataset;
use dunlin_converter::npy::Array;
use dunlin_converter::{Data, Error, Result};

use super::augment::Changes;
use super::{Augmentation, LossSpec, Recipe, Source, Wav};
use crate::{digits, gestures};

/// Data ready for training.
#[derive(Debug)]
pub struct Prepared {
    /// What the network is trained on, copies included.
    pub training: Dataset,
    /// What changes them in each epoch, if there are no copies.
    pub changes: Changes,
    /// What int8 takes its ranges from: some of the training samples.
    pub calibration: Dataset,
    /// What it is not trained on, but looked at after each epoch.
    pub validation: Option<Dataset>,
    /// What it never sees.
    pub test: Dataset,
    /// Which samples of the test are anomalies, where that is the question.
    pub anomalies: Option<Vec<bool>>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// What the device does to raw numbers before they are the network's input.
    pub standardization: Option<Standardization>,
    /// What the device does to a sensor's numbers.
    pub axes: Option<Vec<Axis>>,
}

/// Samples after the split.
struct Parts {
    /// The training samples, with their changed copies if there are some.
    augmented: Examples<f32>,
    changes: Changes,
    /// The training samples as they are.
    training: Examples<f32>,
    validation: Option<Examples<f32>>,
    test: Examples<f32>,
}

impl Recipe {
    /// Reads the data, splits them and makes the changed copies.
    ///
    /// # Errors
    /// If a file cannot be read or is damaged, or the recipe asks of the data what they do not have.
    pub fn prepare(&self, folder: &Path, seed: u64) -> Result<Prepared> {
        let parts = match &self.data.source {
            Source::Digits => self.numbers(digits::examples()?, seed)?,
            Source::Idx { images, labels } => {
                let examples = data::read_idx(&folder.join(images), &folder.join(labels));
                self.numbers(examples.map_err(with_advice)?, seed)?
            }
            Source::Npz { file, x, y } => {
                let examples = data::read_npz_examples(&folder.join(file), x, y);
                self.numbers(examples.map_err(with_advice)?, seed)?
            }
            Source::Png { folder: images, name, channels } => {
                let how = Images { name: name.clone(), channels: *channels };
                self.numbers(data::read_png(&folder.join(images), &how).map_err(with_advice)?, seed)?
            }
            Source::Csv(csv) => {
                let examples = data::read_csv(&folder.join(&csv.path), &csv.table());
                self.numbers(examples.map_err(with_advice)?, seed)?
            }
            Source::Wav(wav) => self.sounds(wav, folder, seed)?,
            Source::Gestures { windows, seed: of_data } => {
                self.numbers(gestures::examples(*windows, *of_data)?, seed)?
            }
        };
        self.prepared(parts)
    }

    fn prepared(&self, parts: Parts) -> Result<Prepared> {
        let Parts { mut augmented, changes, mut training, mut validation, mut test } = parts;
        let standardization = match self.data.standardize {
            true => Some(Standardization::fit(&training)?),
            false => None,
        };
        let n_axes = training.dims.last().copied().unwrap_or(1);
        let units = self.data.sensor_units;
        if units.is_some() && !matches!(self.data.source, Source::Csv(_) | Source::Gestures { .. }) {
            let what = "`data.sensor_units` is for numbers of a sensor: a csv source, or gestures";
            return Err(Error::Invalid(what.to_string()));
        }
        let axes = units.map(|units| sensor::axes(standardization.as_ref(), n_axes, units)).transpose()?;
        for part in [&mut augmented, &mut training, &mut test].into_iter().chain(validation.as_mut()) {
            match (&standardization, units.zip(axes.as_deref())) {
                (_, Some((units, axes))) => sensor::apply(axes, units, part),
                (Some(standardization), None) => standardization.apply(part),
                (None, None) => {}
            }
        }
        let n_calibration = self.training.calibration_samples.min(training.len());
        let spread: Vec<usize> = (0..n_calibration).map(|i| i * training.len() / n_calibration).collect();
        let dataset = |examples: &Examples<f32>| match self.training.loss {
            LossSpec::CrossEntropy if !examples.targets.is_empty() => Err(Error::Invalid(
                "the data have numbers to find out, and no classes: training.loss = \"mean_squared_error\""
                    .into(),
            )),
            LossSpec::CrossEntropy => examples.classification(),
            LossSpec::Reconstruction => examples.reconstruction(),
            LossSpec::MeanSquaredError => examples.regression(),
        };
        let is_normal = self.normal(&test.classes)?;
        Ok(Prepared {
            training: dataset(&augmented)?,
            changes,
            calibration: dataset(&training.subset(&spread))?,
            validation: validation.as_ref().map(dataset).transpose()?,
            test: dataset(&test)?,
            anomalies: is_normal.map(|normal| test.labels.iter().map(|&label| !normal[label]).collect()),
            classes: self.class_names(test.classes)?,
            standardization,
            axes,
        })
    }

    /// Samples of numbers: all sources but sounds.
    fn numbers(&self, all: Examples<f32>, seed: u64) -> Result<Parts> {
        let (training, validation, test) = self.split(&all)?;
        let (copies, changes) = match &self.data.augment {
            None => (None, Changes::new()),
            Some(Augmentation::Images(images)) => (images.copies, images.changes()),
            Some(Augmentation::Motion(motion)) => (motion.copies, motion.changes()),
            Some(Augmentation::Sounds { .. }) => {
                let what = "`augment.sounds` is for wav data: take `augment.images` or `augment.motion`";
                return Err(Error::Invalid(what.to_string()));
            }
        };
        let Some(copies) = copies else {
            return Ok(Parts { augmented: training.clone(), changes, training, validation, test });
        };
        let changes: Vec<&dyn Augment<f32>> = changes.iter().map(AsRef::as_ref).collect();
        let augmented = data::with_copies(&training, &changes, copies, seed)?;
        Ok(Parts { augmented, changes: Changes::new(), training, validation, test })
    }

    fn sounds(&self, wav: &Wav, folder: &Path, seed: u64) -> Result<Parts> {
        let config = wav.front_end.config();
        let all = data::read_sounds(&folder.join(&wav.folder), &wav.sounds()).map_err(with_advice)?;
        let (training, validation, test) = self.split(&all)?;
        let augmented = match &self.data.augment {
            None => training.clone(),
            Some(augmentation) => {
                let what = "wav data take `augment.sounds`, and no other";
                let (how, copies) =
                    augmentation.variation().ok_or_else(|| Error::Invalid(what.to_string()))?;
                data::with_copies(&training, &[&how], copies, seed)?
            }
        };
        let features = |sounds: &Examples<i16>| data::features(sounds, &config);
        Ok(Parts {
            augmented: features(&augmented)?,
            changes: Changes::new(),
            training: features(&training)?,
            validation: validation.as_ref().map(features).transpose()?,
            test: features(&test)?,
        })
    }

    /// Training, validation and test; the first two without anomalies.
    #[allow(clippy::type_complexity)]
    fn split<T: Copy>(&self, all: &Examples<T>) -> Result<(Examples<T>, Option<Examples<T>>, Examples<T>)> {
        let [mut training, test] = all.split(&self.data.test.split())?;
        if let Some(is_normal) = self.normal(&all.classes)? {
            let normal: Vec<usize> = (0..training.len()).filter(|&i| is_normal[training.labels[i]]).collect();
            training = training.subset(&normal);
            if training.is_empty() || test.labels.iter().all(|&label| is_normal[label]) {
                let what = "`data.normal` leaves no normal sample to train on, or no anomaly in the test";
                return Err(Error::Invalid(what.to_string()));
            }
        }
        let Some(validation) = &self.data.validation else { return Ok((training, None, test)) };
        let [training, validation] = training.split(&validation.split())?;
        Ok((training, Some(validation), test))
    }

    /// Whether each class is normal, if some are not.
    fn normal(&self, classes: &[String]) -> Result<Option<Vec<bool>>> {
        let Some(normal) = &self.data.normal else { return Ok(None) };
        if let Some(unknown) = normal.iter().find(|name| !classes.contains(name)) {
            let all = classes.join(", ");
            return Err(Error::Invalid(format!("`data.normal` has `{unknown}`; the classes are {all}")));
        }
        Ok(Some(classes.iter().map(|class| normal.contains(class)).collect()))
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
            _ => None,
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
