use std::path::PathBuf;

use dunlin_converter::nn::Progress;
use dunlin_converter::{Error, Result};
use dunlin_models::demo::{self, Options};

use crate::emulate::board_table;
use crate::{print, print_json};

/// Train a network on real data, quantize and plan it, and run it on an emulated Cortex-M4F
///
/// Without the emulator or Rust's target for the board the rest is done, and what is missing is told.
#[derive(clap::Args)]
pub struct Args {
    /// Install first what emulating the board needs
    #[arg(long)]
    setup: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Of the first parameters and the order of training: the same seed writes the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the model goes; its Rust source goes beside it
    #[arg(long, default_value = "digits.dunlin", value_name = "FILE")]
    output: PathBuf,
    /// Write the quantized network as a .tflite file, too, for TensorFlow Lite Micro: the same bytes come out
    #[arg(long, value_name = "FILE")]
    tflite: Option<PathBuf>,
}

pub fn demo(args: &Args) -> Result<()> {
    let options = Options {
        seed: args.seed,
        output: args.output.clone(),
        tflite: args.tflite.clone(),
        setup: args.setup,
        progress: Progress::Bar,
    };
    let mut printed = Ok(());
    let mut say = |text: &str| match args.json {
        true => eprintln!("{text}"),
        false if printed.is_ok() => printed = print(text),
        false => {}
    };
    let report = demo::run(&options, &mut say)?;
    if let Some(board) = &report.board {
        say(&format!("\n{}", board_table(board)));
    }
    printed?;
    if args.json {
        print_json(&report)?;
    }
    match report.host_device_equal {
        Some(false) => Err(Error::Invalid("the board computes other outputs than this machine".to_string())),
        _ => Ok(()),
    }
}
