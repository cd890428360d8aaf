use std::path::PathBuf;

use dunlin_converter::Result;
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
    /// Show for each channel that is the same for every input why it is: between which sums it stays
    #[arg(long)]
    proof: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

pub fn inspect(args: &Args) -> Result<()> {
    let file = args.plan.read(&args.file, Packing::Portable)?;
    let mut report = file.report()?;
    if args.json {
        if args.proof {
            report = report.with_dead_channels(file.dead_channels);
        }
        return print_json(&report);
    }
    print(&report.to_string())?;
    if args.proof { print(&file.dead_channels.proofs_text()) } else { Ok(()) }
}
