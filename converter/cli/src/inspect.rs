use std::path::PathBuf;

use dunlin_converter::Result;
use dunlin_converter::file::ModelFile;
use dunlin_converter::pack::Packing;

use crate::plan_args::PlanArgs;
use crate::{print, print_json};

/// Check a model file, and show its inputs and outputs, its operators and its plan
#[derive(clap::Args)]
pub struct Args {
    /// The `.dunlin` file, or one that `dunlin convert` takes
    file: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

pub fn inspect(args: &Args) -> Result<()> {
    let report = ModelFile::read_with(&args.file, &args.plan.request(), Packing::Portable)?.report()?;
    if args.json { print_json(&report) } else { print(&report.to_string()) }
}
