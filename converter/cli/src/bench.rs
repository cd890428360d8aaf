use std::path::PathBuf;

use dunlin_converter::Result;
use dunlin_converter::device::bench::{self, BenchReport, per_mac};
use dunlin_converter::file::ModelFile;
use dunlin_converter::report::table;

use crate::plan_args::PlanArgs;
use crate::{print, print_json};

/// Count a model's instructions on an emulated core, operator by operator, and its bytes
///
/// Counts are exact and repeatable, and no cycles: the emulator knows none.
#[derive(clap::Args)]
pub struct Args {
    /// The `.dunlin` file, or one that `dunlin convert` takes
    file: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// The core, such as cortex-m4, or the name of a board under boards/, where several have that core
    #[arg(long, visible_alias = "board", default_value = "cortex-m4")]
    core: String,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

pub fn bench(args: &Args) -> Result<()> {
    let file = ModelFile::read_with(&args.file, &args.plan.request())?;
    let report = bench::run(&args.core, file.bytes(), &file.model()?)?;
    if args.json { print_json(&report) } else { print(&tables(&report)) }
}

fn tables(report: &BenchReport) -> String {
    let ratio = |instructions, macs| per_mac(instructions, macs).map_or(String::new(), |r| format!("{r:.2}"));
    let mut steps =
        table(&["#", "operator", "output", "MACs", "instructions", "per MAC", "share"], &[0, 3, 4, 5, 6]);
    for step in &report.operators {
        let dims: Vec<String> = step.output_shape.iter().map(u32::to_string).collect();
        let share = 100.0 * step.instructions as f64 / report.instructions.max(1) as f64;
        steps.add_row([
            step.index.to_string(),
            step.operator.to_string(),
            dims.join("×"),
            if step.macs > 0 { step.macs.to_string() } else { String::new() },
            step.instructions.to_string(),
            ratio(step.instructions, step.macs),
            format!("{share:.1} %"),
        ]);
    }
    let (macs, instructions) = (report.macs.to_string(), report.instructions.to_string());
    let per_mac = ratio(report.instructions, report.macs);
    steps.add_row(["".into(), "total".into(), "".into(), macs, instructions, per_mac, "".into()]);
    let mut costs = table(&["on", &report.board], &[1]);
    for (what, value) in report.costs.rows() {
        costs.add_row([what.to_string(), value]);
    }
    format!("{steps}\n\n{costs}")
}
