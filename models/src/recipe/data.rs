//! Data as a recipe names them.

use std::path::PathBuf;

use dunlin::frontend::{Config, Features};
use dunlin_converter::data::{Sounds, Split, Table, Windows};
use serde::Deserialize;

use super::Augmentation;

/// What a recipe is trained and tested on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Where the samples come from.
    pub source: Source,
    /// Which of them training never sees.
    pub test: Test,
    /// Which of the others it is not trained on, but looked at after each epoch; none without it.
    pub validation: Option<Test>,
    /// For a network that makes its input again: the classes that it is trained on. The others are anomalies, which the
    /// test has to tell from them.
    pub normal: Option<Vec<String>>,
    /// Whether each channel gets mean 0 and deviation 1, by those of the training samples.
    #[serde(default)]
    pub standardize: bool,
    /// For numbers of a sensor of 16 bits, such as an accelerometer: how many of its units make 1 in the data. Training then
    /// sees what the device computes of them in fixed point ([`dunlin::frontend::Windows`]).
    pub sensor_units: Option<f32>,
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
    /// A `.npz` file of NumPy's; see [`data::Examples::from_arrays`](dunlin_converter::data::Examples::from_arrays).
    Npz {
        /// The file.
        file: PathBuf,
        /// Name of the array of samples, `[n, ...]`; bytes are pixels.
        #[serde(default = "x")]
        x: String,
        /// Name of the array of classes, `[n]`.
        #[serde(default = "y")]
        y: String,
    },
    /// A folder of PNG images.
    Png {
        /// The folder.
        folder: PathBuf,
        /// How a file's path is read; one folder a class without it.
        #[serde(default = "folder_a_class")]
        name: String,
        /// 1 for brightness, 3 for colours.
        #[serde(default = "one")]
        channels: usize,
    },
    /// A CSV file, or a folder of them.
    Csv(Csv),
    /// A folder of WAV files.
    Wav(Wav),
    /// Made-up windows of an accelerometer that need no file; see [`gestures`](crate::gestures).
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

/// CSV files; see [`Table`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// A file, or a folder.
    pub path: PathBuf,
    /// For a folder: how a file's path is read, such as `{label}_{take}.csv`.
    #[serde(default = "csv_name")]
    pub name: String,
    /// The columns that make a sample, in this order.
    pub columns: Vec<String>,
    /// The column with the class; the field `label` of the file's name without it.
    pub label: Option<String>,
    /// Columns with the numbers that the network finds out, in place of a class: those of a window's last row.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Columns that a split can go by.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Samples of several rows: `{ rows = 128, hop = 64 }`.
    pub windows: Option<WindowsSpec>,
}

/// Windows along time; see [`Windows`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowsSpec {
    /// Rows of a window.
    pub rows: usize,
    /// Rows from one window to the next.
    pub hop: usize,
}

fn x() -> String {
    "x".to_string()
}

fn y() -> String {
    "y".to_string()
}

fn folder_a_class() -> String {
    "{label}/{file}.png".to_string()
}

fn csv_name() -> String {
    "{file}.csv".to_string()
}

fn one() -> usize {
    1
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

impl Wav {
    pub(super) fn sounds(&self) -> Sounds {
        Sounds {
            name: self.name.clone(),
            sample_rate_hz: self.front_end.sample_rate_hz,
            clip_samples: self.clip_samples,
        }
    }
}

impl Csv {
    pub(super) fn table(&self) -> Table {
        let Csv { name, columns, label, targets, fields, .. } = self.clone();
        let windows = self.windows.map(|WindowsSpec { rows, hop }| Windows { rows, hop });
        Table { name, columns, label, targets, fields, windows }
    }
}

impl Test {
    pub(super) fn split(&self) -> Split {
        match self {
            Test::Last(n) => Split::Last(*n),
            Test::Every(n) => Split::Every(*n),
            Test::Field { name, values } => Split::Field { name: name.clone(), values: values.clone() },
        }
    }
}

impl FrontEndSpec {
    pub(super) fn config(&self) -> Config {
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
