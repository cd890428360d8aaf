use std::path::PathBuf;

use dunlin_converter::{Error, Result, npy};
use dunlin_models::recipe::Recipe;

use crate::print;

/// Turn WAV files into the features that a recipe's network takes, as the device computes them
///
/// Each file becomes a sample: its middle part, of the length that the recipe says. `dunlin run` and `dunlin emulate` take
/// the result as --input.
#[derive(clap::Args)]
pub struct Args {
    /// The recipe that the network was trained with
    recipe: PathBuf,
    /// WAV files of 16 bits, one channel and the recipe's sample rate
    #[arg(required = true)]
    wav: Vec<PathBuf>,
    /// Where the features go: f32, [files, rows, features, 1]
    #[arg(short, long, value_name = "X.npy")]
    output: PathBuf,
}

pub fn features(args: &Args) -> Result<()> {
    let recipe = Recipe::read(&args.recipe)?;
    let array = recipe.features_of(&args.wav)?.ok_or_else(|| Error::File {
        path: args.recipe.clone(),
        what: "its data are no sounds: it has no front end".to_string(),
    })?;
    npy::write(&args.output, &array)?;
    print(&format!("{}: f32 {:?}", args.output.display(), array.dims))
}
