use std::path::PathBuf;

use dunlin_converter::plan::{Alternative, Request, alternatives, alternatives_text, picture};
use dunlin_converter::{Error, Result, file, import, lower};

use crate::plan_args::{bytes, effort};
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
    /// Choose the plan with the fewest calls that needs no more RAM, such as 16k
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    ram: Option<usize>,
    /// Choose a plan by its name
    #[arg(long, value_name = "NAME", conflicts_with = "ram")]
    plan: Option<String>,
    /// Draw the chosen plan (the smallest with the input in memory, if none is chosen): bytes over time, as SVG
    #[arg(long, value_name = "OUT.svg")]
    picture: Option<PathBuf>,
    /// How long to search: about so many seconds for a plan at most
    #[arg(long, default_value_t = Request::default().effort, value_parser = effort)]
    effort: usize,
    /// Print one JSON list instead of a table
    #[arg(long)]
    json: bool,
}

pub fn plan(args: &Args) -> Result<()> {
    let (graph, _) = lower::lower(&import::load_simplified(&args.file)?)?;
    let all = alternatives(&graph, args.effort)?;
    let reports: Vec<_> = all.iter().map(|each| each.report(&graph)).collect();
    if args.json {
        print_json(&reports)?
    } else {
        print(&alternatives_text(&reports))?
    }
    let chosen = choose(args, &all)?;
    if args.ram.is_some() && !args.json {
        print(&format!("\nfits: {}, {} bytes", chosen.name, chosen.plan.arena_bytes))?;
    }
    if let Some(path) = &args.picture {
        file::replace(path, picture(&graph, &chosen.plan).as_bytes())?;
        if !args.json {
            print(&format!("{}: {} drawn", path.display(), chosen.name))?;
        }
    }
    Ok(())
}

fn choose<'a>(args: &Args, all: &'a [Alternative]) -> Result<&'a Alternative> {
    let smallest = |all: &[&'a Alternative]| all.iter().copied().min_by_key(|each| each.plan.arena_bytes);
    if let Some(ram) = args.ram {
        let fitting = all.iter().filter(|each| each.plan.arena_bytes <= ram);
        return fitting.min_by_key(|each| each.plan.calls.len()).ok_or_else(|| {
            let least = smallest(&all.iter().collect::<Vec<_>>()).map_or(0, |each| each.plan.arena_bytes);
            Error::Invalid(format!("no plan fits {ram} bytes of RAM: the smallest needs {least}"))
        });
    }
    let candidates: Vec<&Alternative> = match &args.plan {
        Some(name) => all.iter().filter(|each| each.name == name).collect(),
        None => all.iter().filter(|each| !each.fed).collect(),
    };
    smallest(&candidates).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|each| each.name).collect();
        let name = args.plan.as_deref().unwrap_or_default();
        Error::Invalid(format!("there is no plan `{name}`; there are {}", names.join(", ")))
    })
}
