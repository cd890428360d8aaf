use dunlin_converter::file::ModelFile;
use std::path::PathBuf;

use dunlin_converter::device::boards;
use dunlin_converter::device::link::run::{self, DIFFERENT, Outcome};
use dunlin_converter::npy::Array;
use dunlin_converter::pack::Packing;
use dunlin_converter::samples::{self, Samples};
use dunlin_converter::{Error, Result};

use crate::place_args::PlaceArgs;
use crate::plan_args::PlanArgs;
use crate::print;

/// Run a model on this machine, or on a board (--board, --port): the same bytes come out
///
/// A board on a serial port gets its firmware from `dunlin flash`; an emulated one gets it here. What the board makes
/// is compared with what this machine makes, byte for byte.
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
    /// The board that runs the model, such as pico, or cortex-m4 for an emulated one; this machine if neither this nor
    /// --port is given
    #[arg(long, visible_alias = "core")]
    board: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
}

pub fn run(args: &Args) -> Result<()> {
    let packing = args.board.as_deref().map_or(Ok(Packing::Portable), boards::packing_for)?;
    let file = args.plan.read(&args.file, packing)?;
    let model = file.model()?;
    let samples = Samples::read(&model, &args.input)?;
    let host_outputs = samples::run(&model, &samples)?;
    let on_board = match args.board.is_some() || args.place.has_port() {
        true => {
            let mut connection =
                run::connect(&args.place.place(args.board.as_deref()), file.bytes(), &model)?;
            Some((connection.run(&model, &samples)?, connection))
        }
        false => None,
    };
    let outputs = on_board.as_ref().map_or(&host_outputs, |(outcome, _)| &outcome.outputs);
    let arrays = samples::arrays(&model, &samples, outputs)?;
    for (path, array) in samples::write(&args.output, &arrays)?.iter().zip(&arrays) {
        print(&format!("{}: {} {:?}", path.display(), array.data.dtype().name(), array.dims))?;
    }
    if let Some(decided) = decided(&file, &arrays)? {
        print(&decided)?;
    }
    let Some((outcome, connection)) = &on_board else {
        return print(&format!("{} run(s) of {}", samples.len(), args.file.display()));
    };
    print(&format!("{} run(s) of {} {}", samples.len(), args.file.display(), times(outcome, connection)))?;
    match outcome.outputs == host_outputs {
        true => print("every byte as on this machine"),
        false => Err(Error::Invalid(DIFFERENT.to_string())),
    }
}

/// What a network that names classes decides of the first samples.
pub fn decided(file: &ModelFile, arrays: &[Array]) -> Result<Option<String>> {
    const N_SHOWN: usize = 10;
    let Some(first) = arrays.first() else { return Ok(None) };
    let decisions = samples::decisions(&file.model()?, &file.report()?.labels, first)?;
    let shown: Vec<String> =
        decisions.iter().take(N_SHOWN).map(|(label, score)| format!("{label} ({score:.3})")).collect();
    let more = if decisions.len() > N_SHOWN { ", ..." } else { "" };
    Ok((!shown.is_empty()).then(|| format!("decided: {}{more}", shown.join(", "))))
}

/// Where, and how long the shortest and the longest run took.
fn times(outcome: &Outcome, connection: &run::Connection) -> String {
    let ticks = |of: Option<&u64>| of.copied().unwrap_or(0);
    let (least, most) = (ticks(outcome.ticks.iter().min()), ticks(outcome.ticks.iter().max()));
    let identity = &connection.identity;
    let most_ms = most as f64 / f64::from(identity.ticks_per_second.max(1)) * 1e3;
    match connection.emulated {
        true => format!("on the emulated {}", identity.board),
        false => format!("on {}: {least} to {most} ticks, at most {most_ms:.3} ms", identity.board),
    }
}
