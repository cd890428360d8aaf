//! What a training came to.

use std::fmt;
use std::path::PathBuf;

use dunlin_converter::report::ModelReport;
use serde::Serialize;

/// How a network does on samples that it never saw.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Mean loss of a sample.
    pub loss: f64,
    /// Part of the samples whose class it names, if it does.
    pub accuracy: Option<f64>,
}

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
    /// The model.
    pub file: PathBuf,
    /// Everything that training goes on with.
    pub checkpoint: PathBuf,
    /// What is in it.
    pub model: ModelReport,
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.accuracy {
            Some(accuracy) => write!(f, "{:.2} % right, loss {:.4}", 100.0 * accuracy, self.loss),
            None => write!(f, "loss {:.6}", self.loss),
        }
    }
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
        if let Some(plain) = self.plain_int8 {
            writeln!(f, "          int8 without training with rounding: {plain}")?;
        }
        writeln!(f, "MACs:  {}", model.macs)?;
        writeln!(f, "flash: {} bytes (model)", model.model_bytes)?;
        writeln!(f, "arena: {}", model.plan_sentence())?;
        write!(f, "{} written", self.file.display())
    }
}
