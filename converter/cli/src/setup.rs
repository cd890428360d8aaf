use dunlin_converter::device::{boards, home, setup};
use dunlin_converter::{Error, Result};

use crate::print;

/// Install what building and emulating firmware needs: Rust's targets and QEMU
///
/// Can be run again at any time. Says how to get by hand what it cannot install.
#[derive(clap::Args)]
pub struct Args {
    /// Only look, and install nothing
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let home = home()?;
    let boards = boards::discover(&home)?;
    let status = match args.check {
        true => setup::status(&boards)?,
        false => setup::install(&home, &boards, &mut |step| eprintln!("{step}"))?,
    };
    print(&status.to_string())?;
    match status.missing().count() {
        0 => Ok(()),
        n => Err(Error::Invalid(format!("{n} of these are missing: install them as said above"))),
    }
}
