use std::path::PathBuf;

use dunlin_converter::Result;
use dunlin_converter::device::boards;
use dunlin_converter::nn::Progress;
use dunlin_converter::pack::Packing;
use dunlin_models::recipe::{self, Options, Recipe};

use crate::plan_args::PlanArgs;
use crate::{print, print_json};

/// Train the network of a recipe, quantize and test it, and write the .dunlin file
///
/// A recipe is a TOML file that names the data, the layers and the training; models/recipes has some. Every epoch is
/// kept in a checkpoint beside the model, from which --resume goes on to the same bytes.
#[derive(clap::Args)]
pub struct Args {
    /// The recipe
    recipe: PathBuf,
    /// The folder that the recipe's paths are relative to; the recipe's own if not given
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Where the model goes; NAME.dunlin of the recipe's name if not given. Rust source and checkpoint go beside it
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Go on from the checkpoint of a training that was interrupted
    #[arg(long)]
    resume: bool,
    /// Of the first parameters, the order of the samples and their changed copies, in place of the recipe's: the same
    /// seed writes the same bytes
    #[arg(long)]
    seed: Option<u64>,
    /// Passes over the training samples, in place of the recipe's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Write loss, metrics, learning rate and weights of each epoch where TensorBoard reads them: tensorboard --logdir DIR
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
    /// Draw loss and accuracy of each epoch
    #[arg(long, value_name = "OUT.svg")]
    curve: Option<PathBuf>,
    /// Write the quantized network for TensorFlow Lite (Micro), too
    #[arg(long, value_name = "OUT.tflite")]
    tflite: Option<PathBuf>,
    #[command(flatten)]
    plan: PlanArgs,
    /// Arrange the weights for the kernels of a core, such as cortex-m4; the result runs on every core
    #[arg(long, value_name = "CORE")]
    target: Option<String>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

pub fn train(args: &Args) -> Result<()> {
    let recipe = Recipe::read(&args.recipe)?;
    let beside = args.recipe.parent().unwrap_or_else(|| ".".as_ref()).to_owned();
    let options = Options {
        data: args.data.clone().unwrap_or(beside),
        output: args.output.clone().unwrap_or_else(|| format!("{}.dunlin", recipe.name).into()),
        seed: args.seed,
        epochs: args.epochs.map(|epochs| epochs as usize),
        resume: args.resume,
        plan: args.plan.request(),
        rewrite: args
            .plan
            .rewrite(args.target.as_deref().map_or(Ok(Packing::Portable), boards::packing_for)?),
        progress: Progress::Bar,
        tensorboard: args.tensorboard.clone(),
        curve: args.curve.clone(),
        tflite: args.tflite.clone(),
    };
    let report = recipe::run(&recipe, &options, &mut |text| eprintln!("{text}"))?;
    if args.json { print_json(&report) } else { print(&report.to_string()) }
}
