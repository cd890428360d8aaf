use std::path::PathBuf;

use dunlin_converter::device::boards;
use dunlin_converter::pack::{Expansion, Packing, expansions_text};
use dunlin_converter::plan::{
    Alternative, Arrangement, Choice, alternatives, alternatives_text, picture, reports,
};
use dunlin_converter::program::{Lowered, Rewrite};
use dunlin_converter::{Error, Result, file, import};

use crate::plan_args::PlanArgs;
use crate::{print, print_json};

/// Show the ways in which a network can run, from the fewest calls to the fewest bytes of RAM
///
/// whole: an operator after the other, tensors in one piece. overlap: operators write over rows of their inputs that
/// are dead. rows: operators by turns, a few rows each. fed: the caller hands over the input row by row. All compute
/// the same bytes, and nothing twice. With --core, each with plain weights, with weights arranged for the core, and with
/// such as take more flash and fewer instructions: of those the price of each layer, and which --flash has room for.
#[derive(clap::Args)]
pub struct Args {
    /// The .tflite or .onnx file
    file: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// The core that the network is for, such as cortex-m4, or a board
    #[arg(long, visible_alias = "target")]
    core: Option<String>,
    /// Draw the chosen plan (the smallest with the input in memory, if none is chosen): bytes over time, as SVG
    #[arg(long, value_name = "OUT.svg")]
    picture: Option<PathBuf>,
    /// Print one JSON list instead of a table
    #[arg(long)]
    json: bool,
}

pub fn plan(args: &Args) -> Result<()> {
    let packing = args.core.as_deref().map_or(Ok(Packing::Portable), boards::packing_for)?;
    let request = args.plan.request();
    let (all, expansions, plain) = alternatives_for(args, packing)?;
    let graph = &plain.graph;
    let reports = reports(graph, &all);
    if args.json {
        print_json(&reports)?
    } else {
        print(&alternatives_text(&reports))?;
        if packing == Packing::Dsp {
            print(&format!("\n{}", expansions_text(&expansions)))?;
        }
    }
    if !request.memories.is_empty() {
        let plan = request.plan(graph).map_err(import::in_file(&args.file))?;
        if !args.json {
            print(&format!("\nin memories: {}", plan.explain(graph)))?;
        }
        return match &args.picture {
            Some(path) => file::replace(path, picture(graph, &plan).as_bytes()),
            None => Ok(()),
        };
    }
    let in_memory = all.iter().filter(|each| !each.fed);
    let chosen = match (request.choice, request.ram_bytes) {
        (None, None) => in_memory.min_by_key(|each| each.plan.arena_bytes).expect("whole tensors are a plan"),
        _ => request.choose(graph, &all).map_err(import::in_file(&args.file))?,
    };
    if request.ram_bytes.is_some() && !args.json {
        print(&format!("\nfits: {}, {} bytes", chosen.name(), chosen.plan.arena_bytes))?;
    }
    if let Some(path) = &args.picture {
        file::replace(path, picture(graph, &chosen.plan).as_bytes())?;
        if !args.json {
            print(&format!("{}: {} drawn", path.display(), chosen.name()))?;
        }
    }
    Ok(())
}

/// The ways to run the network with plain weights, weights for the core, and expanded ones if there are some; what the
/// latter cost for the plan that is asked for; the network with plain weights.
fn alternatives_for(args: &Args, packing: Packing) -> Result<(Vec<Alternative>, Vec<Expansion>, Lowered)> {
    let real = import::load_simplified_with(&args.file, args.plan.layout())?;
    let request = args.plan.request();
    let arrange = |weights, packing, more_bytes: &dyn Fn(bool) -> usize| {
        let lowered = |by_rows| {
            let rewrite = args.plan.rewrite(packing);
            let rewrite = Rewrite { by_rows, more_bytes: more_bytes(by_rows), ..rewrite };
            Lowered::of(&real, rewrite).map_err(import::in_file(&args.file))
        };
        Ok::<_, Error>(Arrangement { weights, whole: lowered(false)?, by_rows: lowered(true)? })
    };
    let plain = arrange(Packing::Portable.name(), Packing::Portable, &|_| 0)?;
    let graph = plain.whole.clone();
    let for_core = arrange(packing.name(), packing, &|_| 0)?;
    let mut arrangements = vec![plain];
    if for_core.whole.graph != graph.graph {
        arrangements.push(for_core);
    }
    let smallest = arrangements.last().map_or("", |arrangement| arrangement.weights);
    let estimate = args.core.is_none() || packing == Packing::Dsp;
    let mut all = alternatives(&arrangements, estimate, request.effort)?;
    // What they leave of the flash, whichever of its plans it is.
    let spare_bytes = |by_rows| {
        let others = all.iter().filter(|each| (each.choice != Choice::Whole) == by_rows);
        let ours = others.filter(|each| each.weights == smallest).map(|each| each.model_bytes);
        let model_bytes = ours.max().unwrap_or(usize::MAX);
        request.flash_bytes.map_or(usize::MAX, |flash_bytes| flash_bytes.saturating_sub(model_bytes))
    };
    let expanded = arrange("expanded", packing, &spare_bytes)?;
    let is_by_rows = request.rewrite(Rewrite::default()).by_rows;
    let chosen = if is_by_rows { &expanded.by_rows } else { &expanded.whole };
    let expansions = chosen.expansions.clone();
    if expansions.iter().any(|expansion| expansion.taken) {
        all.extend(alternatives(&[expanded], estimate, request.effort)?);
    }
    Ok((all, expansions, graph))
}
