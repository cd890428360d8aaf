use std::path::PathBuf;

use dunlin_converter::Result;
use dunlin_converter::device::bench::{self, BenchReport, per_mac};
use dunlin_converter::device::boards;
use dunlin_converter::device::link::run::{self, Timing};
use dunlin_converter::pack::Packing;
use dunlin_converter::report::table;
use dunlin_converter::timing::{self, HostTiming};

use crate::place_args::PlaceArgs;
use crate::plan_args::PlanArgs;
use crate::{print, print_json};

/// Name of this machine, in place of a core's.
const HOST: &str = "host";

/// Count a model's instructions on an emulated core, operator by operator, and its bytes; or time it on a board or here
///
/// Instructions are exact and repeatable. The emulator knows no cycles: those beside them are an estimate, made with the
/// table of the core's manual for each class of instruction (loads, products, branches that are taken, ...). With --port the
/// board there times the model, in ticks of its clock, after it has given the same bytes as this machine; with `--core host`
/// this machine does, in one thread, the best of many runs.
#[derive(clap::Args)]
pub struct Args {
    /// The `.dunlin` file, or one that `dunlin convert` takes
    file: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// The core, such as cortex-m4, or the name of a board under boards/, where several have that core; `host` is this
    /// machine [default: cortex-m4]
    #[arg(long, visible_alias = "board")]
    core: Option<String>,
    /// With `--core host`: take no wider vectors than these, such as avx2; `none` for the portable kernels
    #[arg(long)]
    vectors: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

pub fn bench(args: &Args) -> Result<()> {
    if args.core.as_deref() == Some(HOST) && !args.place.has_port() {
        let file = args.plan.read(&args.file, Packing::Portable)?;
        if let Some(name) = &args.vectors {
            timing::limit_vectors(name)?;
        }
        let timing = timing::time(&file.model()?)?;
        return if args.json { print_json(&timing) } else { print(&host_table(&timing)) };
    }
    let packing = boards::packing_for(args.core.as_deref().unwrap_or("cortex-m4"))?;
    let file = args.plan.read(&args.file, packing)?;
    let model = file.model()?;
    if args.place.has_port() {
        let timing =
            run::connect(&args.place.place(args.core.as_deref()), file.bytes(), &model)?.time(&model)?;
        return if args.json { print_json(&timing) } else { print(&timing_tables(&timing)) };
    }
    let core = args.core.as_deref().unwrap_or("cortex-m4");
    let report = bench::run(core, file.bytes(), &model)?;
    if args.json { print_json(&report) } else { print(&tables(&report)) }
}

fn tables(report: &BenchReport) -> String {
    let ratio = |instructions, macs| per_mac(instructions, macs).map_or(String::new(), |r| format!("{r:.2}"));
    let mut steps = table(
        &["#", "operator", "output", "MACs", "instructions", "per MAC", "share", "estimated cycles"],
        &[0, 3, 4, 5, 6, 7],
    );
    let estimate = |cycles: Option<u64>| cycles.map_or("unknown".to_string(), |cycles| cycles.to_string());
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
            estimate(step.estimated_cycles),
        ]);
    }
    let cycles = estimate(report.estimate.estimated_cycles);
    let (macs, instructions) = (report.macs.to_string(), report.instructions.to_string());
    let per_mac = ratio(report.instructions, report.macs);
    steps.add_row(["".into(), "total".into(), "".into(), macs, instructions, per_mac, "".into(), cycles]);
    let mut costs = table(&["on", &report.board], &[1]);
    for (what, value) in std::iter::once(report.estimate.row()).chain(report.costs.rows()) {
        costs.add_row([what.to_string(), value]);
    }
    format!("{steps}\n\n{costs}\n{}", report.estimate.note())
}

/// How long each step takes on a board, and all.
fn timing_tables(timing: &Timing) -> String {
    let mut steps = table(&["#", "operator", "output", "MACs", "ticks", "share"], &[0, 3, 4, 5]);
    for step in &timing.operators {
        let dims: Vec<String> = step.output_shape.iter().map(u32::to_string).collect();
        let share = |ticks| format!("{:.1} %", 100.0 * f64::from(ticks) / timing.ticks.max(1) as f64);
        steps.add_row([
            step.index.to_string(),
            step.operator.to_string(),
            dims.join("×"),
            if step.macs > 0 { step.macs.to_string() } else { String::new() },
            step.ticks.map_or("not timed".to_string(), |ticks| ticks.to_string()),
            step.ticks.map_or(String::new(), share),
        ]);
    }
    let mut whole = table(&["on", &timing.identity.board], &[1]);
    whole.add_row(["port".to_string(), timing.port.clone()]);
    whole.add_row(["ticks per second".to_string(), timing.identity.ticks_per_second.to_string()]);
    whole.add_row(["ticks per inference".to_string(), timing.ticks.to_string()]);
    if let Some(microseconds) = timing.microseconds {
        whole.add_row(["milliseconds per inference".to_string(), format!("{:.3}", microseconds / 1e3)]);
    }
    if let Some(instructions) = timing.instructions {
        whole.add_row(["instructions per inference, to a tick".to_string(), instructions.to_string()]);
    }
    format!("{steps}\n\n{whole}")
}

/// How long each step takes on this machine, and all.
fn host_table(timing: &HostTiming) -> String {
    let mut steps = table(&["#", "operator", "output", "MACs", "microseconds", "share"], &[0, 3, 4, 5]);
    let sum: f64 = timing.operators.iter().map(|step| step.microseconds).sum();
    for step in &timing.operators {
        let dims: Vec<String> = step.output_shape.iter().map(u32::to_string).collect();
        steps.add_row([
            step.index.to_string(),
            step.operator.to_string(),
            dims.join("×"),
            if step.macs > 0 { step.macs.to_string() } else { String::new() },
            format!("{:.2}", step.microseconds),
            format!("{:.1} %", 100.0 * step.microseconds / sum.max(f64::MIN_POSITIVE)),
        ]);
    }
    let whole = format!("{:.2}", timing.microseconds);
    steps.add_row(["".into(), "whole".into(), "".into(), timing.macs.to_string(), whole, "".into()]);
    format!("with {}\n{steps}", timing.vectors.unwrap_or("portable kernels"))
}
