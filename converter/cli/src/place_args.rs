use dunlin_converter::device::link::port;
use dunlin_converter::device::link::run::Place;

/// Options that say which board runs a model, and where it is.
#[derive(clap::Args)]
pub struct PlaceArgs {
    /// The line to the board: a serial port (/dev/ttyACM0, COM3), tcp:HOST:PORT, or `emulator`, which starts the board's
    /// emulator
    #[arg(long)]
    port: Option<String>,
    /// Bits per second of the serial port
    #[arg(long, default_value_t = port::BAUD)]
    baud: u32,
    /// Where the board runs another model, transfer this one into its RAM; it is lost when the board restarts
    #[arg(long)]
    update: bool,
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
            update: self.update,
        }
    }
}
