//! What a training came to.

use std::fmt;
use std::path::PathBuf;

use dunlin_converter::data::Standardization;
use dunlin_converter::nn::ConfusionMatrix;
use dunlin_converter::report::ModelReport;
use serde::Serialize;

use super::Score;
use super::score::Threshold;

/// A trained network and its model.
#[derive(Clone, Debug, Serialize)]
pub struct TrainReport {
    /// The recipe's name.
    pub name: String,
    /// Of the first parameters, the order of the samples and the augmentation.
    pub seed: u64,
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples trained on, changed copies included.
    pub training_samples: usize,
    /// Samples that training never saw.
    pub test_samples: usize,
    /// Numbers that training changed.
    pub parameters: usize,
    /// Time that training took, from the checkpoint on if it was resumed.
    pub training_seconds: f64,
    /// How the network does in f32.
    pub f32: Score,
    /// How the model in the file does.
    pub int8: Score,
    /// How it did without training with rounding, where there was any.
    pub plain_int8: Option<Score>,
    /// Which classes the model takes for which, if it names classes.
    pub confusion: Option<ConfusionMatrix>,
    /// Above which error the model's input is an anomaly, if that is the question.
    pub threshold: Option<Threshold>,
    /// What the device does to raw numbers before they are the model's input.
    pub standardization: Option<Standardization>,
    /// The model.
    pub file: PathBuf,
    /// Everything that training goes on with.
    pub checkpoint: PathBuf,
    /// What is in it.
    pub model: ModelReport,
}

impl fmt::Display for TrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = &self.model;
        writeln!(f, "{}", model.operators_table())?;
        writeln!(
            f,
            "trained in {:.1} s ({} epochs, seed {})",
            self.training_seconds, self.epochs, self.seed
        )?;
        writeln!(f, "held out: f32 {}; int8 {}", self.f32, self.int8)?;
        if let Some(plain) = &self.plain_int8 {
            writeln!(f, "          int8 without training with rounding: {plain}")?;
        }
        if let Some((class, named, n)) = self.confusion.as_ref().and_then(ConfusionMatrix::worst) {
            writeln!(f, "          int8 takes `{class}` for `{named}` most often ({n} times)")?;
        }
        if let Some(Threshold { error, false_alarms, found }) = self.threshold {
            writeln!(
                f,
                "          an error above {error:.6} is an anomaly: int8 finds {:.1} % of them, with {:.1} % false alarms",
                100.0 * found,
                100.0 * false_alarms
            )?;
        }
        writeln!(f, "MACs:  {}", model.macs)?;
        writeln!(f, "flash: {} bytes (model)", model.model_bytes)?;
        writeln!(f, "arena: {}", model.plan_sentence())?;
        write!(f, "{} written", self.file.display())
    }
}
