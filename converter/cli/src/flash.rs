use std::path::PathBuf;

use dunlin_converter::device::boards;
use dunlin_converter::device::firmware::Line;
use dunlin_converter::device::flash::{self, Request};
use dunlin_converter::file;
use dunlin_converter::{Error, Result};

use crate::plan_args::PlanArgs;
use crate::{print, print_json};

/// Build a board's firmware around a model, and write it into the board's flash
///
/// The firmware has only the model's operators and an arena of exactly its size. It answers `dunlin run --port` and
/// `dunlin bench --port` over the board's serial port. Flashing needs a debug probe (the micro:bit, the nRF52840-DK and
/// the Nucleos have one on board); a Pico takes a UF2 file instead.
#[derive(clap::Args)]
pub struct Args {
    /// The `.dunlin` file, or one that `dunlin convert` takes
    file: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// The board, such as microbit or pico: a folder under boards/
    #[arg(long)]
    board: String,
    /// The chip as probe-rs calls it, where it is another than the board's
    #[arg(long)]
    chip: Option<String>,
    /// Do everything but touch a probe
    #[arg(long)]
    dry_run: bool,
    /// The debug probe, as VID:PID or VID:PID:SERIAL, where there are several
    #[arg(long)]
    probe: Option<String>,
    /// Firmware with a log, which is shown after flashing until interrupted
    #[arg(long)]
    log: bool,
    /// How the board talks to the host: its serial port, the debug probe (then --port rtt), or the chip's own USB, which is
    /// a serial port for the host
    #[arg(long, value_enum, default_value_t = LineArg::Serial)]
    line: LineArg,
    /// Write a UF2 file instead of flashing: copy it onto the drive that a Pico is while its BOOTSEL button is pressed
    #[arg(long, value_name = "OUT.uf2")]
    uf2: Option<PathBuf>,
    /// Print the plan as one JSON object
    #[arg(long)]
    json: bool,
}

/// The way from a board to the host.
#[derive(Clone, Copy, clap::ValueEnum)]
enum LineArg {
    Serial,
    Rtt,
    Usb,
}

impl LineArg {
    fn line(self) -> Line {
        match self {
            LineArg::Serial => Line::Serial,
            LineArg::Rtt => Line::Rtt,
            LineArg::Usb => Line::Usb,
        }
    }
}

pub fn flash(args: &Args) -> Result<()> {
    let packing = boards::packing_for(&args.board)?;
    let model = args.plan.read(&args.file, packing)?;
    let request =
        Request { board: &args.board, chip: args.chip.as_deref(), log: args.log, line: args.line.line() };
    let ready = flash::prepare(&request, model.bytes(), &model.model()?)?;
    match args.json {
        true => print_json(&ready.plan)?,
        false => print(&ready.plan.to_string())?,
    }
    if !ready.plan.fits {
        return Err(Error::Invalid(format!("the model does not fit {}", ready.plan.board)));
    }
    if let Some(path) = &args.uf2 {
        file::replace(path, &ready.uf2()?)?;
        eprintln!("{} written", path.display());
        return Ok(());
    }
    match args.dry_run {
        true => Ok(()),
        false => Ok(ready.flash(args.probe.as_deref())?),
    }
}
