use std::path::PathBuf;

use dunlin_converter::Result;
use dunlin_converter::file::ModelFile;
use dunlin_converter::samples::{self, Samples};

use crate::plan_args::PlanArgs;
use crate::print;

/// Run a model on this machine: the same bytes come out as on a board
///
/// An input file has the shape of the model's input, or holds N samples as its first dimension (before that
/// shape, or in place of its leading 1); then the outputs have N as their first dimension, too.
///
/// Where the model takes int8, a file of f32 is taken as real numbers and quantized with the input's scale and
/// zero point (rounded half to even, saturated); a file of int8 is taken as it is. Outputs are written as the
/// model makes them.
#[derive(clap::Args)]
pub struct Args {
    /// The `.dunlin` file, or one that `dunlin convert` takes
    file: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// An input as .npy; once for each of the model's inputs, in their order
    #[arg(long, value_name = "X.npy", required = true)]
    input: Vec<PathBuf>,
    /// Where an output goes, as .npy: once for each, or once for all, which are then numbered
    #[arg(long, value_name = "Y.npy", required = true)]
    output: Vec<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let file = ModelFile::read_with(&args.file, &args.plan.request())?;
    let model = file.model()?;
    let samples = Samples::read(&model, &args.input)?;
    let arrays = samples::arrays(&model, &samples, &samples::run(&model, &samples)?)?;
    for (path, array) in samples::write(&args.output, &arrays)?.iter().zip(&arrays) {
        print(&format!("{}: {} {:?}", path.display(), array.data.dtype().name(), array.dims))?;
    }
    print(&format!("{} run(s) of {}", samples.len(), args.file.display()))
}
