//! The command `dunlin`: arguments in, the converter's work, results as tables or JSON out.

mod bench;
mod convert;
mod demo;
mod emulate;
mod features;
mod flash;
mod inspect;
mod new;
mod place_args;
mod plan;
mod plan_args;
mod run;
mod setup;
mod train;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dunlin_converter::{Error, Result};

/// Trains, quantizes and plans neural networks for microcontrollers, and runs them.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Args),
    Features(features::Args),
    Convert(convert::Args),
    Inspect(inspect::Args),
    Plan(plan::Args),
    Run(run::Args),
    Emulate(emulate::Args),
    Bench(bench::Args),
    Flash(flash::Args),
    New(new::Args),
    Setup(setup::Args),
    Demo(demo::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Train(args) => train::train(&args),
        Command::Features(args) => features::features(&args),
        Command::Convert(args) => convert::convert(&args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Run(args) => run::run(&args),
        Command::Emulate(args) => emulate::emulate(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Flash(args) => flash::flash(&args),
        Command::New(args) => new::new(&args),
        Command::Setup(args) => setup::run(&args),
        Command::Demo(args) => demo::demo(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a result. A reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("stdout")(error)),
        _ => Ok(()),
    }
}

/// Prints a result for programs.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::Invalid(format!("the result has no JSON form: {error}")))?;
    print(&text)
}
