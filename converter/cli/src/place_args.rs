use dunlin_converter::device::link::run::Place;
use dunlin_converter::device::link::{Update, port};

/// Options that say which board runs a model, and where it is.
#[derive(clap::Args)]
pub struct PlaceArgs {
    /// The line to the board: a serial port (/dev/ttyACM0, COM3), tcp:HOST:PORT, `rtt` for the debug probe of --board
    /// (flashed with --line rtt), or `emulator`, which starts the board's emulator
    #[arg(long)]
    port: Option<String>,
    /// Bits per second of the serial port
    #[arg(long, default_value_t = port::BAUD)]
    baud: u32,
    /// The debug probe for --port rtt, as VID:PID or VID:PID:SERIAL, where there are several
    #[arg(long)]
    probe: Option<String>,
    /// Where the board runs another model, transfer this one: into its RAM, where it is lost when the board restarts, or
    /// with --update=flash to stay
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "ram")]
    update: Option<UpdateArg>,
}

/// Where a model is transferred to.
#[derive(Clone, Copy, clap::ValueEnum)]
enum UpdateArg {
    /// Lost when the board restarts
    Ram,
    /// Stays; needs flash that the board keeps for models
    Flash,
}

impl PlaceArgs {
    /// Whether a port is named.
    pub fn has_port(&self) -> bool {
        self.port.is_some()
    }

    /// The board of this name, if it is said.
    pub fn place(&self, board: Option<&str>) -> Place {
        Place {
            board: board.map(str::to_owned),
            port: self.port.clone(),
            baud: self.baud,
            probe: self.probe.clone(),
            update: self.update.map(|update| match update {
                UpdateArg::Ram => Update::Ram,
                UpdateArg::Flash => Update::Flash,
            }),
        }
    }
}
