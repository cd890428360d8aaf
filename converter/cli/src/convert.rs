use std::path::PathBuf;

use dunlin_converter::report::ModelReport;
use dunlin_converter::{Result, file, import};

use crate::{print, print_json};

/// Convert a .tflite file to a .dunlin file, with the Rust source of its arena and operators beside it
///
/// Integer models give byte for byte what TensorFlow Lite Micro gives. What is printed is what the device needs:
/// every operator, and the planned arena.
#[derive(clap::Args)]
pub struct Args {
    /// The file to convert, told by its contents
    file: PathBuf,
    /// Where the model goes; FILE.dunlin if not given, and the Rust source beside it
    #[arg(short, long, value_name = "OUT.dunlin")]
    output: Option<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

pub fn convert(args: &Args) -> Result<()> {
    let program = import::compile(&args.file)?;
    let model_path = args.output.clone().unwrap_or_else(|| args.file.with_extension("dunlin"));
    let report = ModelReport::of(&program.model()?)?;
    let source_path = file::write_program(&model_path, &program)?;
    if args.json {
        return print_json(&report);
    }
    print(&format!("{report}\n{} and {} written", model_path.display(), source_path.display()))
}
