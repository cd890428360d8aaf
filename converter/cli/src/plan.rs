use std::path::PathBuf;

use dunlin_converter::device::boards;
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::{alternatives, alternatives_text, picture, reports};
use dunlin_converter::program::Lowered;
use dunlin_converter::{Graph, Result, file, import};

use crate::plan_args::PlanArgs;
use crate::{print, print_json};

/// Show the ways in which a network can run, from the fewest calls to the fewest bytes of RAM
///
/// whole: an operator after the other, tensors in one piece. overlap: operators write over rows of their inputs that
/// are dead. rows: operators by turns, a few rows each. fed: the caller hands over the input row by row. All compute
/// the same bytes, and nothing twice. With --core, each with plain weights and with weights arranged for the core.
#[derive(clap::Args)]
pub struct Args {
    /// The .tflite file
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
    let packings = args.core.as_deref().map_or(Ok(vec![Packing::Portable]), boards::packings_for)?;
    let arrangements = arrangements(args, &packings)?;
    let (_, graph) = arrangements.first().expect("weights can lie in their plain order");
    let request = args.plan.request();
    let estimate = args.core.is_none() || packings.contains(&Packing::Dsp);
    let all = alternatives(&arrangements, estimate, request.effort)?;
    let reports = reports(graph, &all);
    if args.json {
        print_json(&reports)?
    } else {
        print(&alternatives_text(&reports))?
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

/// The network with its weights in each of these orders, if that is another one.
fn arrangements(args: &Args, packings: &[Packing]) -> Result<Vec<(Packing, Graph)>> {
    let real = import::load_simplified(&args.file)?;
    let mut arrangements: Vec<(Packing, Graph)> = Vec::new();
    for &packing in packings {
        let lowered = Lowered::of(&real, args.plan.rewrite(packing)).map_err(import::in_file(&args.file))?;
        if arrangements.iter().all(|(_, graph)| *graph != lowered.graph) {
            arrangements.push((packing, lowered.graph));
        }
    }
    Ok(arrangements)
}
