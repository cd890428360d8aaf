use std::path::PathBuf;

use dunlin_converter::plan::{alternatives, alternatives_text, picture};
use dunlin_converter::{Result, file, import, lower};

use crate::plan_args::PlanArgs;
use crate::{print, print_json};

/// Show the ways in which a network can run, from the fewest calls to the fewest bytes of RAM
///
/// whole: an operator after the other, tensors in one piece. overlap: operators write over rows of their inputs that
/// are dead. rows: operators by turns, a few rows each. fed: the caller hands over the input row by row. All compute
/// the same bytes, and nothing twice.
#[derive(clap::Args)]
pub struct Args {
    /// The .tflite file
    file: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// Draw the chosen plan (the smallest with the input in memory, if none is chosen): bytes over time, as SVG
    #[arg(long, value_name = "OUT.svg")]
    picture: Option<PathBuf>,
    /// Print one JSON list instead of a table
    #[arg(long)]
    json: bool,
}

pub fn plan(args: &Args) -> Result<()> {
    let (graph, _) = lower::lower(&import::load_simplified(&args.file)?)?;
    let request = args.plan.request();
    let all = alternatives(&graph, request.effort)?;
    let reports: Vec<_> = all.iter().map(|each| each.report(&graph)).collect();
    if args.json {
        print_json(&reports)?
    } else {
        print(&alternatives_text(&reports))?
    }
    if !request.memories.is_empty() {
        let plan = request.plan(&graph).map_err(import::in_file(&args.file))?;
        if !args.json {
            print(&format!("\nin memories: {}", plan.explain(&graph)))?;
        }
        return match &args.picture {
            Some(path) => file::replace(path, picture(&graph, &plan).as_bytes()),
            None => Ok(()),
        };
    }
    let in_memory = all.iter().filter(|each| !each.fed);
    let chosen = match (request.choice, request.ram_bytes) {
        (None, None) => in_memory.min_by_key(|each| each.plan.arena_bytes).expect("whole tensors are a plan"),
        _ => request.choose(&graph, &all).map_err(import::in_file(&args.file))?,
    };
    if request.ram_bytes.is_some() && !args.json {
        print(&format!("\nfits: {}, {} bytes", chosen.name(), chosen.plan.arena_bytes))?;
    }
    if let Some(path) = &args.picture {
        file::replace(path, picture(&graph, &chosen.plan).as_bytes())?;
        if !args.json {
            print(&format!("{}: {} drawn", path.display(), chosen.name()))?;
        }
    }
    Ok(())
}
