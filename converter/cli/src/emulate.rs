use std::path::PathBuf;

use dunlin_converter::device::baked::{self, BoardReport};
use dunlin_converter::device::boards;
use dunlin_converter::npy::Array;
use dunlin_converter::report::table;
use dunlin_converter::samples::{self, Samples};
use dunlin_converter::{Data, Error, Result};

use crate::plan_args::PlanArgs;
use crate::run::decided;
use crate::{print, print_json};

/// Samples made up when no input is given.
const N_SAMPLES: usize = 10;

/// Run a model on an emulated board, measure it, and compare each output byte with this machine's
///
/// Inputs are as in `dunlin run`; without them the board gets 10 made-up samples, the same in every run.
/// Instructions are exact and repeatable; the emulator knows no cycles.
#[derive(clap::Args)]
pub struct Args {
    /// The `.dunlin` file, or one that `dunlin convert` takes
    file: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// The core, such as cortex-m4, or the name of a board under boards/, where several have that core
    #[arg(long, visible_alias = "board", default_value = "cortex-m4")]
    core: String,
    /// An input as .npy; once for each of the model's inputs, in their order
    #[arg(long, value_name = "X.npy")]
    input: Vec<PathBuf>,
    /// Where the board's output goes, as .npy: once for each, or once for all, which are then numbered
    #[arg(long, value_name = "Y.npy")]
    output: Vec<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

pub fn emulate(args: &Args) -> Result<()> {
    let packing = boards::packing_for(&args.core)?;
    let file = args.plan.read(&args.file, packing)?;
    let model = file.model()?;
    let samples = match &args.input[..] {
        [] => Samples::random(&model, N_SAMPLES, 0)?,
        paths => Samples::read(&model, paths)?,
    };
    let host_outputs = samples::run(&model, &samples)?;
    let run = baked::run(&args.core, file.bytes(), &model, &samples, &host_outputs)?;
    let arrays = samples::arrays(&model, &samples, &run.outputs)?;
    if !args.output.is_empty() {
        samples::write(&args.output, &arrays)?;
    }
    if args.json {
        print_json(&run.report)?;
    } else {
        print(&board_table(&run.report))?;
        for array in &arrays {
            print(&first_numbers(array, samples.len()))?;
        }
        if !args.input.is_empty()
            && let Some(decided) = decided(&file, &arrays)?
        {
            print(&decided)?;
        }
    }
    match run.report.first_difference {
        None => Ok(()),
        Some(i) => Err(Error::Invalid(format!(
            "{} and this machine compute different outputs from sample {i} on: this is a bug in Dunlin, please report it",
            run.report.board
        ))),
    }
}

/// How an output of the first sample starts.
fn first_numbers(array: &Array, n_samples: usize) -> String {
    const N_SHOWN: usize = 10;
    let n = array.data.len() / n_samples.max(1);
    let numbers = match &array.data {
        Data::F32(v) => text(&v[..n.min(N_SHOWN)]),
        Data::I8(v) => text(&v[..n.min(N_SHOWN)]),
        Data::I16(v) => text(&v[..n.min(N_SHOWN)]),
        Data::I32(v) => text(&v[..n.min(N_SHOWN)]),
    };
    let more = if n > N_SHOWN { format!(", ... ({n} in all)") } else { String::new() };
    format!("output of the first sample: {numbers}{more}")
}

fn text<T: ToString>(numbers: &[T]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a model costs on a board.
pub fn board_table(report: &BoardReport) -> String {
    let mut table = table(&["on", &report.board], &[1]);
    let instructions = match report.instructions_min {
        min if min == report.instructions => min.to_string(),
        min => format!("{min} to {}", report.instructions),
    };
    let equal = if report.host_device_equal { "yes" } else { "NO" };
    let comparison = [
        ("samples compared with this machine", report.samples_compared.to_string()),
        ("outputs equal, byte for byte", equal.to_string()),
    ];
    let rows = [("instructions per inference", instructions), report.estimate.row()].into_iter();
    for (what, value) in rows.chain(report.costs.rows()).chain(comparison) {
        table.add_row([what.to_string(), value]);
    }
    format!("{table}\n{}", report.estimate.note())
}
