//! Plans and writes a firmware into a chip's flash through a debug probe, with probe-rs, and shows its log.
//!
//! A program of its own, since probe-rs and espflash take longer to compile than all of Dunlin: `dunlin flash` builds and
//! runs it when it is first needed.

mod error;
mod flash;
mod image;
mod line;
mod log;
mod plan;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::Result;

/// Plans and writes a firmware into a chip's flash.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print as JSON which sectors and pages of the chip a firmware takes; needs no probe
    Plan(Firmware),
    /// Write a firmware through a probe, verify it and start it
    Flash {
        #[command(flatten)]
        firmware: Firmware,
        /// The probe (VID:PID or VID:PID:SERIAL), where there are several
        #[arg(long)]
        probe: Option<String>,
        /// Afterwards, hand over the firmware's log, as it comes, until interrupted
        #[arg(long)]
        log: bool,
    },
    /// Carry bytes between standard input and output and the firmware's line over RTT
    Line {
        /// The chip, as probe-rs calls it
        #[arg(long)]
        chip: String,
        /// The probe (VID:PID or VID:PID:SERIAL), where there are several
        #[arg(long)]
        probe: Option<String>,
    },
}

#[derive(clap::Args)]
struct Firmware {
    /// The firmware, an ELF file
    elf: PathBuf,
    /// The chip, as probe-rs calls it
    #[arg(long)]
    chip: String,
}

fn main() -> ExitCode {
    probe_rs_espressif::register_plugin();
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Plan(Firmware { elf, chip }) => {
            let plan = plan::plan(&image::read(&elf)?, &chip)?;
            println!(
                "{}",
                serde_json::to_string(&plan).map_err(|error| error::Error::Elf(error.to_string()))?
            );
            Ok(())
        }
        Command::Flash { firmware: Firmware { elf, chip }, probe, log } => {
            let elf = image::read(&elf)?;
            let target = plan::target(&chip)?;
            // What does not fit is refused before a probe is looked for.
            let loader = plan::loader(&elf, &target)?;
            let mut session = flash::attach(&target, probe.as_deref())?;
            flash::program(&mut session, &loader)?;
            if log { log::show(&mut session, &elf) } else { Ok(()) }
        }
        Command::Line { chip, probe } => {
            let mut session = flash::attach(&plan::target(&chip)?, probe.as_deref())?;
            line::carry(&mut session)
        }
    }
}
