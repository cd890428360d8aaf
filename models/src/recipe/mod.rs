//! Recipes: a network, its data and its training in one TOML file, which `dunlin train` turns into a model.
//!
//! `models/recipes` has examples. What a recipe may say is what the types here hold; anything else is an error that
//! names the line.

mod augment;
mod data;
mod layers;
mod prepare;
mod report;
mod run;
mod score;
mod training;

use std::path::Path;

use dunlin_converter::nn::Network;
use dunlin_converter::{Error, Result};
use serde::Deserialize;

pub use augment::{Augmentation, ImageChanges, MotionChanges};
pub use data::{Csv, DataSpec, FrontEndSpec, Source, Test, Wav, WindowsSpec};
pub use layers::{
    Convolution, Depthwise, Heads, InitializerSpec, LayerSpec, PointwiseUnits, Pool, Recurrent, Sequence,
    Units, WeightsSpec,
};
pub use prepare::Prepared;
pub use report::TrainReport;
pub use run::{Options, run};
pub use score::Score;
pub use training::{Aware, EarlyStoppingSpec, LossSpec, OptimizerSpec, Quantization, ScheduleSpec, Training};

/// A recipe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The network's name.
    pub name: String,
    /// Names of the classes, where the data do not name them.
    pub labels: Option<Vec<String>>,
    /// What it is trained and tested on.
    pub data: DataSpec,
    /// The layers, one behind the other.
    pub layers: Vec<LayerSpec>,
    /// How it is trained.
    pub training: Training,
    /// How it is quantized.
    #[serde(default)]
    pub quantization: Quantization,
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// If the file cannot be read or says something that recipes do not; names the line, and what is allowed.
    pub fn read(path: &Path) -> Result<Recipe> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let wrong = |error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            let what = error
                .message()
                .replace('\n', " ")
                .replace(
                    "invalid type: unit variant, expected newtype variant",
                    "takes a value: write { NAME = … }",
                )
                .replace(
                    "invalid type: unit variant, expected struct variant",
                    "takes values: write { NAME = { … } }",
                )
                .replace(
                    "invalid type: newtype variant, expected unit variant",
                    "takes no value: write \"NAME\"",
                );
            Error::File { path: path.to_owned(), what: format!("line {line}: {what}") }
        };
        let recipe: Recipe = toml::from_str(&text).map_err(wrong)?;
        recipe.check().map_err(|what| Error::File { path: path.to_owned(), what })?;
        Ok(recipe)
    }

    /// What the types cannot say.
    fn check(&self) -> Result<(), String> {
        let Training { epochs, batch_size, calibration_samples, .. } = self.training;
        for (what, n) in
            [("epochs", epochs), ("batch_size", batch_size), ("calibration_samples", calibration_samples)]
        {
            if n == 0 {
                return Err(format!("training.{what} must be at least 1"));
            }
        }
        let bits = self.quantization.weight_bits;
        if !(2..=8).contains(&bits) {
            return Err(format!("quantization.weight_bits is {bits}; it must be 2 to 8"));
        }
        if self.data.normal.is_some() && self.training.loss != LossSpec::Reconstruction {
            let what = "`data.normal` is for networks that make their input again: training.loss = \"reconstruction\"";
            return Err(what.to_string());
        }
        Ok(())
    }

    /// The network with its first parameters, for these data.
    ///
    /// # Errors
    /// If a layer does not take what the one before it makes; names it.
    pub fn network(&self, data: &Prepared, seed: u64) -> Result<Network> {
        let network = Network::new(&self.name, data.test.dims(), layers::sequential(&self.layers), seed)?;
        let labels: Vec<&str> = data.classes.iter().map(String::as_str).collect();
        Ok(if self.training.loss.classifies() { network.labels(&labels) } else { network })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is in `models/recipes`.
    fn shipped() -> Vec<std::path::PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
    }

    #[test]
    fn shipped_recipes_are_named_as_their_files() {
        let paths = shipped();
        assert!(paths.len() >= 2, "{paths:?}");
        for path in paths {
            let recipe = Recipe::read(&path).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(Some(recipe.name.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
        }
    }

    #[test]
    fn the_digits_recipe_is_the_demos_network() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/digits.toml");
        let recipe = Recipe::read(&path).unwrap();
        let data = recipe.prepare(Path::new("."), 1).unwrap();
        let [ours, demos] = [recipe.network(&data, 1), crate::digits::network(1)].map(|network| {
            // Names differ: a recipe has no blocks of layers.
            let parameters = network.unwrap().parameters().to_vec();
            parameters.into_iter().map(|p| (p.dims, p.values)).collect::<Vec<_>>()
        });
        assert_eq!(ours, demos);
        assert_eq!((data.training.len(), data.test.len(), data.calibration.len()), (5 * 1352, 445, 1000));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/digits.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let error = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("changed.toml");
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            Recipe::read(&path).unwrap_err().to_string()
        };
        let unknown = error("filters", "filter");
        assert!(
            unknown.contains("changed.toml: line 7: unknown field `filter`, expected one of `filters`"),
            "{unknown}"
        );
        let layer = error("\"flatten\"", "\"flaten\"");
        assert!(layer.contains("unknown variant `flaten`") && layer.contains("`flatten`"), "{layer}");
        assert!(error("epochs = 20", "epochs = 0").contains("training.epochs must be at least 1"));
        assert!(error("epochs = 20", "epochs = ").contains("line "));
        let missing = error("batch_size = 32", "");
        assert!(missing.contains("missing field `batch_size`"), "{missing}");
        let value =
            error("optimizer = { adam = { rate = 0.005, weight_decay = 0.3 } }", "optimizer = \"adam\"");
        assert!(value.contains("line 27: takes a value: write { NAME = … }"), "{value}");
    }
}
