use std::path::PathBuf;

use dunlin_converter::Result;
use dunlin_converter::device::boards;
use dunlin_converter::device::scaffold::{self, Request};

use crate::plan_args::PlanArgs;
use crate::print;

/// Make a firmware project around a model that builds as it is
#[derive(clap::Args)]
pub struct Args {
    /// The project's folder and name
    name: PathBuf,
    /// The board, such as pico2, or cortex-m4 for an emulated one: a folder under boards/
    #[arg(long, visible_alias = "core")]
    board: String,
    /// The `.dunlin` file, or one that `dunlin convert` takes; if not given, a network that reads handwritten digits
    #[arg(long)]
    model: Option<PathBuf>,
    #[command(flatten)]
    plan: PlanArgs,
    /// A task of embassy's executor instead of a plain main
    #[arg(long)]
    embassy: bool,
}

pub fn new(args: &Args) -> Result<()> {
    let path = match &args.model {
        Some(path) => path.clone(),
        None => scaffold::default_model()?,
    };
    let packing = boards::packing_for(&args.board)?;
    let file = args.plan.read(&path, packing)?;
    let request = Request { path: &args.name, board: &args.board, embassy: args.embassy };
    for path in scaffold::create(&request, file.bytes(), &file.model()?)? {
        print(&path.display().to_string())?;
    }
    print(&format!("\ncd {}\ncargo run --release", args.name.display()))
}
